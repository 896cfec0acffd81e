"""The routes of the read API: customers, their timeline, journeys. They change nothing.

This module parses what a caller sent and picks the refusal that fits; reading is left to `services.journey.read`.
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, TypeVar
from uuid import UUID

from fastapi import APIRouter, Depends, FastAPI, Header, Path, Query, Request, Response
from fastapi.security import HTTPBearer
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from schemas.vocabulary import Channel, Severity
from services.journey.api import outcomes
from services.journey.api.api_metrics import ApiMetrics, LookupOutcome
from services.journey.api.authentication import ReadAuthenticator
from services.journey.api.messages import ReadRefusal, refuse
from services.journey.read import cursors, lookup
from services.journey.read.queries import (
    CustomerMovedError,
    CustomerReference,
    DissolvedJourneyId,
    JourneyFilter,
    JourneyListPosition,
    JourneyReader,
    TimelinePosition,
    TimeSpan,
)
from services.journey.read.views import (
    CustomerView,
    JourneyPageView,
    JourneyStateView,
    JourneyView,
    OutcomesView,
    TimelinePageView,
)
from services.runtime.http.fields import Moment, PlainText
from services.runtime.http.problems import PROBLEM_SCHEMA, PROBLEM_TYPE, Problem
from services.runtime.postgres.pools import Pool

P = TypeVar("P")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

Reference = Annotated[
    str,
    Path(
        description="`type:value`, URL-encoded: `phone:%2B821012345678`, `email:a%40b.example`, `customer_id:C-1009`, "
        "or `id:` with a customer id that this API gave out. Values are normalised as they were when they came in.",
        examples=["phone:%2B821012345678"],
        max_length=1200,
    ),
]
Word = Annotated[PlainText, StringConstraints(max_length=200)]


class _PageQuery(BaseModel):
    """The parameters that every list takes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    limit: int = Field(50, ge=1, le=200, description="Most items on the page.")
    cursor: str | None = Field(None, description="`next_cursor` of the page before, unchanged, with the same filters.")


class TimelineQuery(_PageQuery):
    """The part of a timeline that is asked for."""

    since: Moment | None = Field(None, alias="from", description="Event time, included.")
    until: Moment | None = Field(None, alias="to", description="Event time, not included.")


class JourneysQuery(_PageQuery):
    """The journeys that are asked for; a parameter that is left out does not filter."""

    state: JourneyStateView | None = Field(None, description="Open or closed.")
    channel: Channel | None = Field(None, description="Used at least once.")
    reason: Word | None = Field(None, description="What it is about.")
    min_effort: int | None = Field(None, ge=0, le=100, description="Effort of at least this.")
    rule: Word | None = Field(None, description="With a standing friction of this rule.")
    severity: Severity | None = Field(None, description="With a standing friction of this severity.")
    updated_since: Moment | None = Field(None, description="Changed at or after this time.")
    customer: str | None = Field(None, max_length=1200, description="Of this customer: `type:value`.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadApi:
    """The parts that the routes use."""

    pool: Pool
    reader: JourneyReader
    authenticator: ReadAuthenticator
    metrics: ApiMetrics
    phone_region: str
    privacy_secret: bytes = field(default=b"", repr=False)
    outcomes_secret: bytes = field(default=b"", repr=False)


def _api(request: Request) -> ReadApi:
    api = request.app.state.read_api
    assert isinstance(api, ReadApi)  # noqa: S101  the lifespan puts it there before the first request
    return api


Api = Annotated[ReadApi, Depends(_api)]
Language = Annotated[str | None, Header(alias="Accept-Language", description="`ko` for messages in Korean.")]


async def require_reader(request: Request, api: Api, accept_language: Language = None) -> None:
    """Admit a caller who presents a key that may read."""
    admission = await api.authenticator.admit(request.headers.get("authorization"))
    if admission.refusal is not None:
        raise refuse(admission.refusal, accept_language)


async def require_ingest(request: Request, api: Api, accept_language: Language = None) -> None:
    """Admit a caller who presents the secret that ingest shares with this service; without a secret, nobody."""
    scheme, _, presented = request.headers.get("authorization", "").partition(" ")
    right = hmac.compare_digest(presented.encode(), api.outcomes_secret)
    if not api.outcomes_secret or scheme.lower() != "bearer" or not right:
        raise refuse(ReadRefusal.ONLY_INGEST_ASKS, accept_language)


def _problems(*refusals: int) -> dict[int | str, dict[str, Any]]:
    content = {PROBLEM_TYPE: {"schema": PROBLEM_SCHEMA}}
    return {status: {"description": "A problem document (RFC 9457).", "content": content} for status in refusals}


router = APIRouter(
    prefix="/v1",
    dependencies=[
        Depends(HTTPBearer(auto_error=False, description="A reader, agent or admin key: `wm_reader_…`.")),
        Depends(require_reader),
    ],
    responses=_problems(400, 401, 403, 503),
)


between_services = APIRouter(
    prefix="/v1",
    dependencies=[
        Depends(HTTPBearer(auto_error=False, scheme_name="ingest", description="The secret that ingest shares.")),
        Depends(require_ingest),
    ],
    responses=_problems(401, 422, 503),
)

_ASKED: Final = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["touchpoints"],
                    "properties": {
                        "touchpoints": {"type": "array", "maxItems": outcomes.MOST, "items": {"type": "object"}}
                    },
                }
            }
        },
    }
}


@between_services.post(
    "/touchpoints/outcomes",
    summary="What became of touchpoints, for ingest",
    tags=["touchpoints"],
    openapi_extra=_ASKED,
    response_model=OutcomesView,
)
async def tell_outcomes(api: Api, request: Request, accept_language: Language = None) -> Response:
    """Say of each touchpoint, as it was published, what became of it: applied, late, duplicate, conflict, dead letter.

    One that is in no table yet is `waiting`. Nothing is changed by asking.
    """
    try:
        body = await outcomes.answer(api.pool, await request.body())
    except outcomes.MalformedQuestionError as error:
        raise refuse(ReadRefusal.INVALID_REQUEST, accept_language) from error
    return Response(content=body, media_type="application/json")


@router.get(
    "/customers/{reference:path}/timeline",
    summary="A customer's touchpoints in event order",
    tags=["customers"],
    responses=_problems(404, 410),
    response_model_exclude_none=True,
)
async def read_timeline(
    api: Api,
    reference: Reference,
    query: Annotated[TimelineQuery, Query()],
    accept_language: Language = None,
) -> TimelinePageView:
    """What happened to one customer, oldest first, with the journeys and frictions that this page is about.

    Touchpoints that arrive while you page are not lost: they stand where they belong by event time. Where the
    identifier goes over to another customer meanwhile, the walk ends with 410 instead of going on with somebody else.
    """
    span = TimeSpan(since=query.since, until=query.until)
    if span.since is not None and span.until is not None and span.since >= span.until:
        raise refuse(ReadRefusal.RANGE_EMPTY, accept_language)
    who = _who(api, reference, accept_language)
    scope = cursors.scope("timeline", [("who", who), ("span", span)])
    after = _position(query.cursor, scope, (int, int, str, str, str), _place, accept_language)
    try:
        page = await api.reader.timeline(who, span, after, query.limit)
    except CustomerMovedError as error:
        raise refuse(ReadRefusal.CUSTOMER_MOVED, accept_language) from error
    _count(api, found=page is not None)
    if page is None:
        raise refuse(ReadRefusal.CUSTOMER_UNKNOWN, accept_language)
    following = None
    if page.next is not None:
        place = page.next
        moment, customer = _microseconds(place.occurred_at), str(place.customer_id)
        key = (moment, place.sequence, place.source, place.id, customer)
        following = cursors.encode(cursors.CursorPosition(scope, key))
    return TimelinePageView(
        customer_id=page.customer_id,
        touchpoints=page.touchpoints,
        journeys=page.journeys,
        frictions=page.frictions,
        next_cursor=following,
    )


@router.get(
    "/customers/{reference:path}",
    summary="A customer by any identifier",
    tags=["customers"],
    responses=_problems(404),
    response_model_exclude_none=True,
)
async def read_customer(api: Api, reference: Reference, accept_language: Language = None) -> CustomerView:
    """Who they are, what they were promised, which journeys are open, how hard it has been, and every friction.

    Identifiers that were found to be one person lead to the same customer, whichever of them you ask for.
    """
    customer = await api.reader.customer(_who(api, reference, accept_language))
    _count(api, found=customer is not None)
    if customer is None:
        raise refuse(ReadRefusal.CUSTOMER_UNKNOWN, accept_language)
    return customer


@router.get(
    "/journeys",
    summary="Journeys, latest first",
    tags=["journeys"],
    responses=_problems(404, 410),
    response_model_exclude_none=True,
)
async def list_journeys(
    api: Api, query: Annotated[JourneysQuery, Query()], accept_language: Language = None
) -> JourneyPageView:
    """Journeys that fit every filter given, in the reverse order in which they were first seen.

    That order never changes, so paging meets every journey that was there when you began exactly once.
    """
    wanted = JourneyFilter(
        state=query.state,
        channel=query.channel,
        reason=query.reason,
        min_effort=query.min_effort,
        rule=query.rule,
        severity=query.severity,
        updated_since=query.updated_since,
        customer=None if query.customer is None else _who(api, query.customer, accept_language),
    )
    scope = cursors.scope("journeys", [("filter", wanted)])
    after = _position(query.cursor, scope, (int, str, str), _creation, accept_language)
    try:
        page = await api.reader.journeys(wanted, after, query.limit)
    except CustomerMovedError as error:
        raise refuse(ReadRefusal.CUSTOMER_MOVED, accept_language) from error
    if page is None:
        raise refuse(ReadRefusal.CUSTOMER_UNKNOWN, accept_language)
    following = None
    if page.next is not None:
        customer = "" if page.next.customer_id is None else str(page.next.customer_id)
        key = (_microseconds(page.next.created_at), str(page.next.id), customer)
        following = cursors.encode(cursors.CursorPosition(scope, key))
    return JourneyPageView(journeys=page.journeys, next_cursor=following)


@router.get(
    "/journeys/{journey_id}",
    summary="One journey, explained",
    tags=["journeys"],
    responses=_problems(404, 410),
    response_model_exclude_none=True,
)
async def read_journey(api: Api, journey_id: UUID, response: Response, accept_language: Language = None) -> JourneyView:
    """One journey with its frictions, their evidence, and what its effort score is made of.

    An id that was given out stays good: a journey that became part of another answers as that one, with `merged_into`;
    one that turned out to be none answers 410.
    """
    journey = await api.reader.journey(journey_id)
    if journey is None:
        raise refuse(ReadRefusal.JOURNEY_UNKNOWN, accept_language)
    if isinstance(journey, DissolvedJourneyId):
        raise refuse(ReadRefusal.JOURNEY_DISSOLVED, accept_language)
    if journey.merged_into is not None:
        response.headers["Content-Location"] = str(
            journey.id
        )  # beside the address asked for, whatever stands before it
    return journey


def mount(app: FastAPI) -> None:
    """Add the routes to `app`, whose lifespan must set `app.state.read_api`."""
    app.include_router(router)
    app.include_router(between_services)


def _who(api: ReadApi, reference: str, accept_language: str | None) -> CustomerReference:
    match lookup.parse(reference, api.phone_region, api.privacy_secret):
        case lookup.LookupFault.BLOCKED:
            raise _refused(api, LookupOutcome.BLOCKED, ReadRefusal.IDENTIFIER_BLOCKED, accept_language)
        case lookup.LookupFault.MALFORMED:
            raise _refused(api, LookupOutcome.MALFORMED, ReadRefusal.IDENTIFIER_MALFORMED, accept_language)
        case lookup.IdentifierReference(type=type_, values=values):
            return type_, values
        case UUID() as customer_id:
            return customer_id


def _refused(api: ReadApi, looked: LookupOutcome, refusal: ReadRefusal, accept_language: str | None) -> Problem:
    api.metrics.looked_up(looked)
    return refuse(refusal, accept_language)


def _count(api: ReadApi, *, found: bool) -> None:
    api.metrics.looked_up(LookupOutcome.FOUND if found else LookupOutcome.UNKNOWN)


def _position(
    cursor: str | None,
    scope: str,
    shape: tuple[type, ...],
    read: Callable[[tuple[Any, ...]], P],
    accept_language: str | None,
) -> P | None:
    """Return the position in a cursor, None without one. Its seal is no secret, so the content can be anything."""
    if cursor is None:
        return None
    try:
        return read(cursors.decode(cursor, scope, shape))
    except (ValueError, OverflowError) as error:
        raise refuse(ReadRefusal.CURSOR_INVALID, accept_language) from error


def _microseconds(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND


def _place(key: tuple[Any, ...]) -> TimelinePosition:
    at, sequence, source, touchpoint_id, customer = key
    if not -(2**63) <= sequence < 2**63 or "\x00" in source + touchpoint_id:
        raise ValueError("no row of PostgreSQL's can be there")
    return TimelinePosition(
        customer_id=UUID(customer),
        occurred_at=_EPOCH + at * _MICROSECOND,
        sequence=sequence,
        source=source,
        id=touchpoint_id,
    )


def _creation(key: tuple[Any, ...]) -> JourneyListPosition:
    at, journey_id, customer = key
    return JourneyListPosition(
        created_at=_EPOCH + at * _MICROSECOND, id=UUID(journey_id), customer_id=UUID(customer) if customer else None
    )
