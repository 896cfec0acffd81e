"""Customers, their timelines and their contacts."""

from collections.abc import Awaitable
from typing import Annotated, Any, TypeVar
from uuid import UUID

from fastapi import Query, Request
from pydantic import BaseModel, ConfigDict, Field

from services.journey.api.messages import ReadRefusal, refuse
from services.journey.api.resources.access import Api, Language, problems, reader_router
from services.journey.api.resources.lookups import Reference, count_lookup, customer_named
from services.journey.api.resources.paging import PageQuery, microseconds, moment_of, position_of, refuse_empty_span
from services.journey.read import cursors
from services.journey.read.snapshots import CustomerMovedError
from services.journey.read.timeline import TimelineOrder, TimelinePart, TimelinePosition, TimeSpan
from services.journey.read.views import ContactPageView, CustomerView, TimelinePageView
from services.runtime.http.fields import Moment

router = reader_router()

Page = TypeVar("Page")


_AS_OF = (
    "How it stood then: computed anew, by the same rules, from the touchpoints that the broker had appended by then. "
    "Later data, merges and retractions have not happened."
)


class CustomerQuery(BaseModel):
    """The moment that is asked for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    as_of: Moment | None = Field(None, description=_AS_OF)


class SpanQuery(PageQuery):
    """A page of what happened within a span of event time."""

    since: Moment | None = Field(None, alias="from", description="Event time, included.")
    until: Moment | None = Field(None, alias="to", description="Event time, not included.")


class TimelineQuery(SpanQuery):
    """The part of a timeline that is asked for."""

    order: TimelineOrder = Field(TimelineOrder.OLDEST_FIRST, description="Which end comes first.")
    as_of: Moment | None = Field(None, description=_AS_OF)


class ContactsQuery(SpanQuery):
    """The contacts that are asked for."""

    order: TimelineOrder = Field(TimelineOrder.NEWEST_FIRST, description="Which end comes first.")
    as_of: Moment | None = Field(None, description=_AS_OF)


@router.get(
    "/customers/{reference:path}/timeline",
    summary="A customer's touchpoints in event order",
    tags=["customers"],
    responses=problems(404, 410),
    response_model_exclude_none=True,
)
async def read_timeline(
    api: Api,
    reference: Reference,
    query: Annotated[TimelineQuery, Query()],
    accept_language: Language = None,
) -> TimelinePageView:
    """What happened to one customer, with the journeys and frictions that this page is about.

    Oldest first, or newest first with `order=newest_first`; `from` and `to` say where to begin and where to end.

    Touchpoints that arrive while you page are not lost: they stand where they belong by event time. Where the
    identifier goes over to another customer meanwhile, the walk ends with 410 instead of going on with somebody else.
    """
    span = _span(query, accept_language)
    who = customer_named(api, reference, accept_language)
    scope = cursors.scope("timeline", [("who", who), ("span", span), ("order", query.order), ("as_of", query.as_of)])
    after = position_of(query.cursor, scope, (int, int, str, str, str), _place, accept_language)
    part = TimelinePart(span=span, after=after, limit=query.limit, order=query.order)
    as_of = query.as_of
    asked = api.timelines.timeline(who, part) if as_of is None else api.past.timeline(who, part, as_of)
    page = await _page_of_customer(api, asked, accept_language)
    return TimelinePageView(
        customer_id=page.customer_id,
        touchpoints=page.touchpoints,
        journeys=page.journeys,
        frictions=page.frictions,
        next_cursor=_cursor(scope, page.next),
    )


@router.get(
    "/customers/{reference:path}/contacts",
    summary="A customer's conversations with the company",
    tags=["customers"],
    responses=problems(404, 410),
    response_model_exclude_none=True,
)
async def read_contacts(
    api: Api,
    reference: Reference,
    query: Annotated[ContactsQuery, Query()],
    accept_language: Language = None,
) -> ContactPageView:
    """The contacts that rules count: calls, visits, chats, and messages to and fro until nobody wrote for a while.

    Each says when it began and ended and how, how long the customer waited for the first answer, and when a bot gave it
    to a person. A contact stands where the customer turned to us; what we write makes none.

    A touchpoint that arrives late while you page can join two contacts, or begin one earlier.
    """
    span = _span(query, accept_language)
    who = customer_named(api, reference, accept_language)
    scope = cursors.scope("contacts", [("who", who), ("span", span), ("order", query.order), ("as_of", query.as_of)])
    after = position_of(query.cursor, scope, (int, int, str, str, str), _place, accept_language)
    part = TimelinePart(span=span, after=after, limit=query.limit, order=query.order)
    as_of = query.as_of
    asked = api.contacts.contacts(who, part) if as_of is None else api.past.contacts(who, part, as_of)
    page = await _page_of_customer(api, asked, accept_language)
    return ContactPageView(
        customer_id=page.customer_id,
        contacts=page.contacts,
        frictions=page.frictions,
        complete=page.complete,
        next_cursor=_cursor(scope, page.next),
    )


@router.get(
    "/customers/{reference:path}",
    summary="A customer by any identifier",
    tags=["customers"],
    responses=problems(404),
    response_model_exclude_none=True,
)
async def read_customer(
    api: Api,
    reference: Reference,
    query: Annotated[CustomerQuery, Query()],
    request: Request,
    accept_language: Language = None,
) -> CustomerView:
    """Who they are, what they were promised, which issues and journeys are open, how hard it is, and every friction.

    Identifiers that were found to be one person lead to the same customer, whichever of them you ask for. With `as_of`,
    who they were and what stood at that moment; `version` and `revision` are 0 then, and journeys have today's ids.
    """
    who = customer_named(api, reference, accept_language)
    customer = await (api.reader.customer(who) if query.as_of is None else api.past.customer(who, query.as_of))
    count_lookup(api, found=customer is not None)
    if customer is None:
        raise refuse(ReadRefusal.CUSTOMER_UNKNOWN, accept_language)
    if query.as_of is not None:
        return customer
    told = await api.issues.of(customer.customer_id, request.headers["authorization"])
    return customer.model_copy(update={"issues": told.issues, "issues_from": told.issues_from})


async def _page_of_customer(api: Api, asked: Awaitable[Page | None], accept_language: str | None) -> Page:
    """Return the page that was asked for; refuse a customer who is unknown, or who moved since the page before."""
    try:
        page = await asked
    except CustomerMovedError as error:
        raise refuse(ReadRefusal.CUSTOMER_MOVED, accept_language) from error
    count_lookup(api, found=page is not None)
    if page is None:
        raise refuse(ReadRefusal.CUSTOMER_UNKNOWN, accept_language)
    return page


def _span(query: SpanQuery, accept_language: str | None) -> TimeSpan:
    refuse_empty_span(query.since, query.until, accept_language)
    return TimeSpan(since=query.since, until=query.until)


def _cursor(scope: str, place: TimelinePosition | None) -> str | None:
    if place is None:
        return None
    key = (microseconds(place.occurred_at), place.sequence, place.source, place.id, str(place.customer_id))
    return cursors.encode(cursors.CursorPosition(scope, key))


def _place(key: tuple[Any, ...]) -> TimelinePosition:
    at, sequence, source, touchpoint_id, customer = key
    if not -(2**63) <= sequence < 2**63 or "\x00" in source + touchpoint_id:
        raise ValueError("no row of PostgreSQL's can be there")
    return TimelinePosition(
        customer_id=UUID(customer),
        occurred_at=moment_of(at),
        sequence=sequence,
        source=source,
        id=touchpoint_id,
    )
