"""Customers and journeys as the read API tells them. Each answer comes from one consistent snapshot."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from services.journey.contact_catalogue import contact_policy
from services.journey.domain.effort import effort_course
from services.journey.read import view_rows
from services.journey.read.contact_reading import CONVERSATIONS_SINCE, recorded
from services.journey.read.snapshots import CustomerReference, absorbed, customer_of, roots, snapshot, stay
from services.journey.read.view_rows import EffortAccount
from services.journey.read.views import CustomerView, JourneySummaryView, JourneyView
from services.runtime.postgres.pools import Connection, Pool

OPEN_JOURNEYS: Final = 100
FRICTIONS: Final = 200
JOURNEY_TOUCHPOINTS: Final = 200
COURSE_TOUCHPOINTS: Final = 100
"""Most touchpoints of a journey whose effort is computed anew step by step: some 50 ms."""

_CUSTOMER: Final = "SELECT customer_id, service_level, first_at, last_at FROM journey.customers WHERE customer_id = $1"
_IDENTIFIERS: Final = """
SELECT type, value, verified, first_seen, last_seen FROM journey.identifiers
 WHERE customer_id = ANY($1) ORDER BY type, value
"""
_OPEN_JOURNEYS: Final = """
SELECT j.* FROM journey.journeys j
 WHERE j.customer_id = ANY($1) AND j.state = 'open' ORDER BY j.last_at DESC, j.journey_id DESC LIMIT $2
"""
_JOURNEYS_BY_ID: Final = "SELECT j.* FROM journey.journeys j WHERE j.journey_id = ANY($1)"
_JOURNEYS: Final = """
SELECT j.* FROM journey.journeys j
 WHERE ($1::text IS NULL OR j.state = $1)
   AND ($2::text IS NULL OR j.reason = $2)
   AND ($3::real IS NULL OR j.effort >= $3)
   AND ($4::timestamptz IS NULL OR j.updated_at >= $4)
   AND ($5::uuid[] IS NULL OR j.customer_id = ANY($5))
   AND ($6::text IS NULL OR EXISTS (
        SELECT FROM json_array_elements_text(j.payload -> 'channels') AS channel WHERE channel = $6))
   AND (($7::text IS NULL AND $8::text IS NULL) OR EXISTS (
        SELECT FROM journey.frictions f
         WHERE f.journey_id = j.journey_id AND f.state = 'detected'
           AND ($7 IS NULL OR f.rule = $7) AND ($8 IS NULL OR f.severity = $8)))
   AND ($9::timestamptz IS NULL OR (j.created_at, j.journey_id) < ($9, $10::uuid))
 ORDER BY j.created_at DESC, j.journey_id DESC
 LIMIT $11
"""
_ALIAS: Final = "SELECT merged_into FROM journey.journey_aliases WHERE journey_id = $1"
_ALIASES_OF: Final = "SELECT journey_id FROM journey.journey_aliases WHERE merged_into = $1 ORDER BY journey_id"
_FRICTIONS: Final = """
SELECT f.* FROM journey.frictions f
 WHERE f.customer_id = ANY($1) ORDER BY f.occurred_at DESC, f.friction_id DESC LIMIT $2
"""
_FRICTIONS_OF_JOURNEY: Final = """
SELECT f.* FROM journey.frictions f
 WHERE f.journey_id = $1 ORDER BY f.occurred_at DESC, f.friction_id DESC LIMIT $2
"""
_JOURNEY_TOUCHPOINTS: Final = """
SELECT t.* FROM journey.touchpoints t
 WHERE t.customer_id = ANY($1) AND t.journey_id = $2
 ORDER BY t.occurred_at, t.sequence, t.source COLLATE "C", t.id COLLATE "C"
 LIMIT $3
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class JourneyFilter:
    """The filters of a list of journeys; None does not filter."""

    state: str | None = None
    reason: str | None = None
    min_effort: float | None = None
    updated_since: datetime | None = None
    customer: CustomerReference | None = None
    channel: str | None = None
    rule: str | None = None
    severity: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JourneyListPosition:
    """The position of a journey in the order of creation, and the customer whose journeys were asked for, if any."""

    created_at: datetime
    id: UUID
    customer_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JourneyListResult:
    """One page of journeys, latest created first, and the position after which the next page starts."""

    journeys: list[JourneySummaryView]
    next: JourneyListPosition | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DissolvedJourneyId:
    """The id was given out, and its journey was dissolved since."""


class JourneyReader:
    """Answers questions from one pool; None means that there is no such customer or journey."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def customer(self, who: CustomerReference) -> CustomerView | None:
        """Return everything about one customer, through any merge."""
        async with snapshot(self._pool) as connection:
            root = await customer_of(connection, who)
            if root is None:
                return None
            row = await connection.fetchrow(_CUSTOMER, root)
            aliases = await absorbed(connection, root)
            everyone = [root, *aliases]
            identifiers = await connection.fetch(_IDENTIFIERS, everyone)
            journeys = await connection.fetch(_OPEN_JOURNEYS, everyone, OPEN_JOURNEYS)
            frictions = await connection.fetch(_FRICTIONS, everyone, FRICTIONS)
        return view_rows.customer(
            row,
            aliases,
            [view_rows.identifier(one) for one in identifiers],
            [view_rows.journey(one, root) for one in journeys],
            [view_rows.friction(one, root) for one in frictions],
        )

    async def journeys(
        self, wanted: JourneyFilter, after: JourneyListPosition | None, limit: int
    ) -> JourneyListResult | None:
        """Return up to `limit` journeys that fit `wanted` and follow `after`; None if the customer is unknown.

        Raises:
            CustomerMovedError: the wanted identifier has another customer than on the page before.
        """
        async with snapshot(self._pool) as connection:
            root = everyone = None
            if wanted.customer is not None:
                root = await customer_of(connection, wanted.customer)
                if root is None:
                    return None
                everyone = [root, *await absorbed(connection, root)]
                stay(None if after is None else after.customer_id, everyone)
            place = (None, None) if after is None else (after.created_at, after.id)
            narrowed = (wanted.state, wanted.reason, wanted.min_effort, wanted.updated_since, everyone)
            about = (wanted.channel, wanted.rule, wanted.severity)
            found = await connection.fetch(_JOURNEYS, *narrowed, *about, *place, limit + 1)
            page = found[:limit]
            owners = await roots(connection, [row["customer_id"] for row in page])
        last = page[-1] if len(found) > limit else None
        following = None
        if last is not None:
            following = JourneyListPosition(created_at=last["created_at"], id=last["journey_id"], customer_id=root)
        return JourneyListResult(
            journeys=[view_rows.journey(row, owners.get(row["customer_id"], row["customer_id"])) for row in page],
            next=following,
        )

    async def journey(self, journey_id: UUID) -> JourneyView | DissolvedJourneyId | None:
        """Return one whole journey, through any merge."""
        async with snapshot(self._pool) as connection:
            current = await _current_journey(connection, journey_id)
            if current is None or isinstance(current, DissolvedJourneyId):
                return current
            row = await connection.fetchrow(_JOURNEYS_BY_ID, [current])
            if row is None:
                return None
            owner = await customer_of(connection, row["customer_id"]) or row["customer_id"]
            everyone = [owner, *await absorbed(connection, owner)]
            frictions = await connection.fetch(_FRICTIONS_OF_JOURNEY, current, FRICTIONS)
            touchpoints = await connection.fetch(_JOURNEY_TOUCHPOINTS, everyone, current, JOURNEY_TOUCHPOINTS)
            aliases = await connection.fetch(_ALIASES_OF, current)
            policy = contact_policy(await connection.fetchval(CONVERSATIONS_SINCE))
        course = effort_course(recorded(touchpoints), policy) if len(touchpoints) <= COURSE_TOUCHPOINTS else []
        return view_rows.whole_journey(
            view_rows.journey(row, owner),
            EffortAccount(parts=row["effort_parts"], course=course),
            known_as=[one["journey_id"] for one in aliases],
            asked_as=journey_id,
            frictions=[view_rows.friction(one, owner) for one in frictions],
            touchpoints=touchpoints,
        )


async def _current_journey(connection: Connection, journey_id: UUID) -> UUID | DissolvedJourneyId | None:
    """Follow aliases to the journey that holds the touchpoints now; stop at a cycle, although there should be none."""
    asked, seen = journey_id, set[UUID]()
    while asked not in seen:
        seen.add(asked)
        alias = await connection.fetchrow(_ALIAS, asked)
        if alias is None:
            return asked
        if alias["merged_into"] is None:
            return DissolvedJourneyId()
        asked = alias["merged_into"]
    return None
