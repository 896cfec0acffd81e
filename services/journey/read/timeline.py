"""The timeline of a customer, page by page, oldest or newest first, from any moment of event time on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from services.journey.read import view_rows
from services.journey.read.snapshots import CustomerReference, absorbed, customer_of, snapshot, stay
from services.journey.read.views import FrictionView, JourneySummaryView, TimelineTouchpointView
from services.runtime.postgres.pools import Connection, Pool, Row


class TimelineOrder(StrEnum):
    """Which end of a timeline comes first."""

    OLDEST_FIRST = "oldest_first"
    NEWEST_FIRST = "newest_first"


# Each customer by itself, so that the index (customer_id, occurred_at) gives the order, and a page costs the same in a
# long history as in a short one. `greatest` and `least` pass over null.
_PAGE: Final = """
SELECT p.* FROM unnest($1::uuid[]) AS c (customer_id) CROSS JOIN LATERAL (
    SELECT t.* FROM journey.touchpoints t
     WHERE t.customer_id = c.customer_id
       AND t.occurred_at >= coalesce({earliest}, '-infinity') AND t.occurred_at < coalesce($3::timestamptz, 'infinity')
       AND t.occurred_at <= coalesce({latest}, 'infinity')
       AND ($4::timestamptz IS NULL
            OR (t.occurred_at, t.sequence, t.source, t.id) {beyond} ($4, $5::bigint, $6::text, $7::text))
     ORDER BY t.occurred_at {way}, t.sequence {way}, t.source {way}, t.id {way}
     LIMIT $8) AS p
 ORDER BY p.occurred_at {way}, p.sequence {way}, p.source {way}, p.id {way}
 LIMIT $8
"""
_PAGES: Final = {
    TimelineOrder.OLDEST_FIRST: _PAGE.format(
        earliest="greatest($2::timestamptz, $4)", latest="NULL::timestamptz", beyond=">", way="ASC"
    ),
    TimelineOrder.NEWEST_FIRST: _PAGE.format(
        earliest="$2::timestamptz", latest="$4::timestamptz", beyond="<", way="DESC"
    ),
}
_FRICTIONS_ON_PAGE: Final = """
SELECT f.* FROM journey.frictions f
 WHERE f.customer_id = ANY($1)
   AND EXISTS (SELECT FROM json_array_elements(f.payload -> 'touchpoints') AS ref
                JOIN unnest($2::text[], $3::text[]) AS page (source, id)
                  ON ref ->> 'source' = page.source AND ref ->> 'id' = page.id)
 ORDER BY f.occurred_at, f.friction_id
"""
_JOURNEYS_BY_ID: Final = "SELECT j.* FROM journey.journeys j WHERE j.journey_id = ANY($1)"


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeSpan:
    """A span of event time; `since` is included, `until` is not."""

    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelinePosition:
    """The position of a touchpoint in the event order of its customer, and who that was when the page was read."""

    customer_id: UUID
    occurred_at: datetime
    sequence: int
    source: str
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineResult:
    """One page of touchpoints in the order asked for, what they belong to, and where the next page starts."""

    customer_id: UUID
    touchpoints: list[TimelineTouchpointView]
    journeys: list[JourneySummaryView]
    frictions: list[FrictionView]
    next: TimelinePosition | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelinePart:
    """The part of a timeline that is asked for: up to `limit` touchpoints of a span, beyond a position."""

    span: TimeSpan
    after: TimelinePosition | None
    limit: int
    order: TimelineOrder = TimelineOrder.OLDEST_FIRST


class TimelineReader:
    """Reads timelines from one pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def timeline(self, who: CustomerReference, part: TimelinePart) -> TimelineResult | None:
        """Return a part of the timeline of one customer; None if there is no such customer.

        Raises:
            CustomerMovedError: the identifier has another customer than on the page before.
        """
        span, after, limit = part.span, part.after, part.limit
        async with snapshot(self._pool) as connection:
            root = await customer_of(connection, who)
            if root is None:
                return None
            everyone = [root, *await absorbed(connection, root)]
            stay(None if after is None else after.customer_id, everyone)
            place = (None,) * 4 if after is None else (after.occurred_at, after.sequence, after.source, after.id)
            found = await connection.fetch(_PAGES[part.order], everyone, span.since, span.until, *place, limit + 1)
            page = found[:limit]
            frictions = await frictions_about(connection, everyone, [(row["source"], row["id"]) for row in page])
            named = {row["journey_id"] for row in page if row["journey_id"] is not None}
            journeys = await connection.fetch(_JOURNEYS_BY_ID, sorted(named))
        shown = [view_rows.friction(row, root) for row in frictions]
        evidence = view_rows.evidence_of(shown)
        return TimelineResult(
            customer_id=root,
            touchpoints=[view_rows.touchpoint(row, evidence) for row in page],
            journeys=sorted((view_rows.journey(row, root) for row in journeys), key=lambda one: one.opened_at),
            frictions=shown,
            next=_place(page[-1], root) if len(found) > limit else None,
        )


async def frictions_about(
    connection: Connection, everyone: Sequence[UUID], named: Sequence[tuple[str, str]]
) -> list[Row]:
    """Return the frictions of these customers that name one of these touchpoints `(source, id)` as evidence."""
    sources, ids = [source for source, _ in named], [id_ for _, id_ in named]
    return list(await connection.fetch(_FRICTIONS_ON_PAGE, everyone, sources, ids))


def _place(row: Row, customer_id: UUID) -> TimelinePosition:
    return TimelinePosition(
        customer_id=customer_id,
        occurred_at=row["occurred_at"],
        sequence=row["sequence"],
        source=row["source"],
        id=row["id"],
    )
