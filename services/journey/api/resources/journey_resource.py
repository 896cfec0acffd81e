"""Journeys: the list with its filters, and one journey whole."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Response
from pydantic import Field, StringConstraints

from schemas.vocabulary import Channel, Severity
from services.journey.api.messages import ReadRefusal, refuse
from services.journey.api.resources.access import Api, Language, problems, reader_router
from services.journey.api.resources.lookups import customer_named
from services.journey.api.resources.paging import PageQuery, microseconds, moment_of, position_of
from services.journey.read import cursors
from services.journey.read.queries import DissolvedJourneyId, JourneyFilter, JourneyListPosition
from services.journey.read.snapshots import CustomerMovedError
from services.journey.read.views import JourneyPageView, JourneyStateView, JourneyView
from services.runtime.http.fields import Moment, PlainText

router = reader_router()

Word = Annotated[PlainText, StringConstraints(max_length=200)]


class JourneysQuery(PageQuery):
    """The journeys that are asked for; a parameter that is left out does not filter."""

    state: JourneyStateView | None = Field(None, description="Open or closed.")
    channel: Channel | None = Field(None, description="Used at least once.")
    reason: Word | None = Field(None, description="What it is about.")
    min_effort: int | None = Field(None, ge=0, le=100, description="Effort of at least this.")
    rule: Word | None = Field(None, description="With a standing friction of this rule.")
    severity: Severity | None = Field(None, description="With a standing friction of this severity.")
    updated_since: Moment | None = Field(None, description="Changed at or after this time.")
    customer: str | None = Field(None, max_length=1200, description="Of this customer: `type:value`.")


@router.get(
    "/journeys",
    summary="Journeys, latest first",
    tags=["journeys"],
    responses=problems(404, 410),
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
        customer=None if query.customer is None else customer_named(api, query.customer, accept_language),
    )
    scope = cursors.scope("journeys", [("filter", wanted)])
    after = position_of(query.cursor, scope, (int, str, str), _creation, accept_language)
    try:
        page = await api.reader.journeys(wanted, after, query.limit)
    except CustomerMovedError as error:
        raise refuse(ReadRefusal.CUSTOMER_MOVED, accept_language) from error
    if page is None:
        raise refuse(ReadRefusal.CUSTOMER_UNKNOWN, accept_language)
    following = None
    if page.next is not None:
        customer = "" if page.next.customer_id is None else str(page.next.customer_id)
        key = (microseconds(page.next.created_at), str(page.next.id), customer)
        following = cursors.encode(cursors.CursorPosition(scope, key))
    return JourneyPageView(journeys=page.journeys, next_cursor=following)


@router.get(
    "/journeys/{journey_id}",
    summary="One journey, explained",
    tags=["journeys"],
    responses=problems(404, 410),
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


def _creation(key: tuple[Any, ...]) -> JourneyListPosition:
    at, journey_id, customer = key
    return JourneyListPosition(
        created_at=moment_of(at), id=UUID(journey_id), customer_id=UUID(customer) if customer else None
    )
