"""The resource of the daily digest: who gets it, when, and what it says."""

from datetime import date
from typing import Annotated
from uuid import UUID
from zoneinfo import available_timezones

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from services.alerts.api.access import Admin, InjectedParts, Reader, not_found, problems
from services.alerts.api.views import Name, ResponseView, StrictRequestBody
from services.alerts.deliver import endpoint_store
from services.alerts.digest import digest_store
from services.alerts.digest.daily_digest import DigestSubscription, digest_lines
from services.runtime.http.fields import PlainText
from services.runtime.http.problems import Problem
from services.runtime.postgres.pools import acquire, transaction

router = APIRouter(prefix="/v1/digests", tags=["loop"], responses=problems(400, 401, 403, 413, 422, 503))

_NOT_FOR_READING = frozenset({"pagerduty", "servicenow", "zendesk", "alertmanager_v4"})


def _known_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("this is no time zone of the IANA database, such as Asia/Seoul")
    return name


class DigestBody(StrictRequestBody):
    """Of which team, and when in the local day."""

    team: Name | None = Field(None, description="The name of a team; all of them, if left out.")
    at: Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")] = Field(
        "08:30", description="When it is due, on the day after."
    )
    time_zone: Annotated[PlainText, StringConstraints(max_length=60)] = "Asia/Seoul"

    @field_validator("time_zone")
    @classmethod
    def _zone(cls, name: str) -> str:
        return _known_zone(name)


class DigestView(ResponseView):
    """Who gets the digest, and when."""

    endpoint_id: UUID
    team: str | None = None
    at: str
    time_zone: str

    @classmethod
    def of(cls, subscription: DigestSubscription) -> "DigestView":
        """Return the view of a subscription."""
        hour, minute = divmod(subscription.minute, 60)
        return cls(
            endpoint_id=subscription.endpoint_id,
            team=subscription.team,
            at=f"{hour:02}:{minute:02}",
            time_zone=subscription.time_zone,
        )


class DigestListView(ResponseView):
    """Who gets the digest."""

    digests: list[DigestView]


class PreviewQuery(BaseModel):
    """Which day and team."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    day: date = Field(ge=date(2000, 1, 2), le=date(2100, 12, 30))
    team: PlainText | None = Field(None, max_length=200)
    time_zone: PlainText = Field("Asia/Seoul", max_length=60)

    @field_validator("time_zone")
    @classmethod
    def _zone(cls, name: str) -> str:
        return _known_zone(name)


class DigestPreviewView(ResponseView):
    """The digest of a day, line by line."""

    en: list[str]
    ko: list[str]


@router.get("", summary="List who gets the digest", response_model_exclude_none=True)
async def list_digests(parts: InjectedParts, _: Admin) -> DigestListView:
    """List which endpoints get the daily digest."""
    async with acquire(parts.pool) as connection:
        found = await digest_store.list_subscriptions(connection)
    return DigestListView(digests=[DigestView.of(one) for one in found])


@router.get("/preview", summary="Show the digest of a day")
async def preview(parts: InjectedParts, _: Reader, query: Annotated[PreviewQuery, Query()]) -> DigestPreviewView:
    """Show what the digest of a local day says; nothing is sent."""
    async with acquire(parts.pool) as connection:
        digest = await digest_store.make_digest(
            connection, day=query.day, team=query.team, time_zone=query.time_zone, now=parts.clock.now()
        )
    return DigestPreviewView(en=digest_lines(digest, korean=False), ko=digest_lines(digest, korean=True))


@router.put(
    "/{endpoint_id}",
    summary="Send the digest to an endpoint",
    responses=problems(404),
    response_model_exclude_none=True,
)
async def save(parts: InjectedParts, _: Admin, endpoint_id: UUID, body: DigestBody) -> DigestView:
    """Send an endpoint the digest every day; the first one comes at once if the time of today has passed."""
    hour, minute = map(int, body.at.split(":"))
    subscription = DigestSubscription(
        endpoint_id=endpoint_id, team=body.team, minute=hour * 60 + minute, time_zone=body.time_zone
    )
    async with transaction(parts.pool) as connection:
        endpoint = await endpoint_store.find_endpoint(connection, endpoint_id)
        if endpoint is None:
            raise not_found("endpoint")
        if endpoint.kind in _NOT_FOR_READING:
            message = "A digest is for people to read: give an endpoint of mail, of a chat, or a webhook."
            raise Problem(422, "digest_unreadable", message)
        await digest_store.save_subscription(connection, subscription, parts.clock.now())
    return DigestView.of(subscription)


@router.delete("/{endpoint_id}", status_code=204, summary="Stop a digest", responses=problems(404))
async def remove(parts: InjectedParts, _: Admin, endpoint_id: UUID) -> Response:
    """Send an endpoint no digest any more."""
    async with transaction(parts.pool) as connection:
        if not await digest_store.remove_subscription(connection, endpoint_id):
            raise not_found("digest")
    return Response(status_code=204)
