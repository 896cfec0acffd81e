"""The answers about accounts: several customers of one company, or household, and the journeys that they share."""

from enum import StrEnum
from uuid import UUID

from pydantic import Field

from schemas.vocabulary import Channel, ServiceLevel
from services.journey.read.views import FrozenView, Instant, JourneyProgressView


class AccountJourneyState(StrEnum):
    """Whether it goes on, has ended, became part of another one, or turned out to be none."""

    OPEN = "open"
    CLOSED = "closed"
    MERGED = "merged"
    DISSOLVED = "dissolved"


class AccountJourneyView(FrozenView):
    """One defined journey of an account."""

    id: UUID = Field(description="Opaque and stable.")
    state: AccountJourneyState = Field(description="`open`, `closed`, or gone: `merged` or `dissolved`.")
    version: int = Field(description="Raised at every change.", examples=[3])
    progress: JourneyProgressView = Field(description="How far the account has come.")
    reason: str | None = Field(None, description="What it is about, where known.", examples=["contract"])
    refs: dict[str, str] = Field(description="The references it gathers.", examples=[{"order_id": "A-5512"}])
    channels: list[Channel] = Field(description="Channels used, in order of first use.", examples=[["web", "phone"]])
    service_level: ServiceLevel | None = Field(None, description="What was promised last.")
    outcome: str | None = Field(None, description="The last one stated.", examples=["resolved"])
    touchpoint_count: int = Field(description="How many touchpoints, of all persons.", examples=[7])
    contact_count: int = Field(description="How often somebody had to contact us.", examples=[3])
    effort: float = Field(description="Effort score of all of them, 0 (easy) to 100.", examples=[42.5])
    opened_at: Instant = Field(description="When it was entered (event time).")
    last_at: Instant = Field(description="Its latest touchpoint (event time).")
    closed_at: Instant | None = Field(None, description="When it ended (event time).")
    updated_at: Instant = Field(description="When Waymark last changed it.")
    merged_into: UUID | None = Field(None, description="The journey that it became part of.")


class AccountView(FrozenView):
    """An account: who takes part, and its journeys."""

    account_id: str = Field(description="As `refs.account_id` of touchpoints names it.", examples=["ACME-7"])
    customers: list[UUID] = Field(description="Customers of its latest 2,000 touchpoints, latest first, at most 100.")
    journeys: list[AccountJourneyView] = Field(description="Latest entered first.")
