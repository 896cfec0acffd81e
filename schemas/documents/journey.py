"""Journey v1: the story of a customer's or an account's touchpoints towards one end, for readers of the topic."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from schemas import cloudevents
from schemas.codec import Codec
from schemas.vocabulary import Channel, JourneyStepDocument, Moment, MoneyDocument, ServiceLevel

SCHEMA = "journey.v1"
TOPIC = "journeys"


class JourneyDocumentState(StrEnum):
    """Open, closed, merged into another journey, or dissolved because the data changed."""

    OPEN = "open"
    CLOSED = "closed"
    MERGED = "merged"
    DISSOLVED = "dissolved"


class JourneyEndName(StrEnum):
    """How a defined journey ended."""

    REACHED = "reached"
    ABANDONED = "abandoned"
    TIMED_OUT = "timed_out"


class StageVisitDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A stage that a journey was in; `due_at` is by when it was to be left, `overdue` whether that has passed."""

    stage: str
    entered_at: Moment
    left_at: Moment | None = None
    due_at: Moment | None = None
    overdue: bool = False


class JourneyProgressDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How far the customer has come in a journey that is defined; the last of `stages` is the present or final one."""

    definition: str
    version: int
    entered_at: Moment
    stage: str
    stage_since: Moment
    stages: tuple[StageVisitDocument, ...]
    due_at: Moment | None = None
    overdue: bool = False
    end: JourneyEndName | None = None
    ended_at: Moment | None = None


class JourneyDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One journey as it stands now: of a customer, or of an account.

    `version` rises with every change; readers keep the highest. Counts are recomputed from the ordered touchpoints.
    `effort` is 0 (none) to 100. `merged_into` names the journey that holds this one's touchpoints now. `latest` has the
    latest touchpoint of each kind, direction and outcome, oldest first. `progress` has the defined journeys in it.
    """

    id: str
    version: int
    state: JourneyDocumentState
    opened_at: Moment
    last_at: Moment
    updated_at: Moment
    touchpoint_count: int
    contact_count: int
    friction_count: int
    effort: int | float
    customer_id: str | None = None
    account_id: str | None = None
    reason: str | None = None
    refs: dict[str, str] = {}
    channels: tuple[Channel, ...] = ()
    service_level: ServiceLevel | None = None
    outcome: str | None = None
    closed_at: Moment | None = None
    merged_into: str | None = None
    value: MoneyDocument | None = None
    latest: tuple[JourneyStepDocument, ...] = ()
    progress: tuple[JourneyProgressDocument, ...] = ()


_JOURNEY = Codec(JourneyDocument)


def decode(raw: bytes) -> JourneyDocument:
    """Return the journey in a record of the topic; raises `schemas.codec.UndecodableError`."""
    return _JOURNEY.decode(raw)


def encode(journey: JourneyDocument) -> bytes:
    """Return the value of a record of the topic."""
    return _JOURNEY.encode(journey)


def headers(journey: JourneyDocument, traceparent: str | None = None) -> cloudevents.RecordHeaders:
    """Return the headers of its record; each version is an event of its own."""
    return cloudevents.headers(
        cloudevents.CloudEventType.JOURNEY,
        id=f"{journey.id}.{journey.version}",
        origin=cloudevents.origin("journey"),
        time=journey.updated_at,
        traceparent=traceparent,
    )
