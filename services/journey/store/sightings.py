"""The table of sightings, and touchpoints with the identifiers that they carry, as identity looks at them.

A sighting is a touchpoint that carries an identifier between customers or shared.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from services.journey.domain.identity.facts import IdentifierKey
from services.journey.domain.touchpoint import Identifier, OrderKey
from services.journey.store import path_rows
from services.runtime.postgres.pools import Connection

_CUSTOMER = msgspec.json.Decoder(dict[str, Identifier])


@dataclass(frozen=True, slots=True, kw_only=True)
class CarriedIdentifiers:
    """A stored touchpoint: its place in event order, who has it, the identifiers that it carries, by type, and when the
    broker appended it."""

    order: OrderKey
    customer_id: UUID
    journey_id: UUID | None
    carries: dict[str, Identifier]
    appended_at: datetime


_OF_CUSTOMERS = """
SELECT t.occurred_at, t.sequence, t.source, t.id, t.customer_id, t.journey_id, t.payload ->> 'customer', t.appended_at
  FROM journey.touchpoints AS t WHERE t.customer_id = ANY($1)"""


async def touchpoints_of(connection: Connection, customers: Collection[UUID]) -> list[CarriedIdentifiers]:
    """Return every touchpoint of these customers."""
    return [_carried(row) for row in await connection.fetch(_OF_CUSTOMERS, list(customers))]


_LATEST_OF = """
SELECT payload ->> 'customer' FROM journey.touchpoints WHERE customer_id = $1 ORDER BY occurred_at DESC LIMIT 1"""


async def latest_of(connection: Connection, customer: UUID) -> list[IdentifierKey]:
    """Return what the latest touchpoint of a customer carries; nothing where there is none."""
    carried = _CUSTOMER.decode(await connection.fetchval(_LATEST_OF, customer) or "{}")
    return [(type_, one.value) for type_, one in carried.items()]


@dataclass(frozen=True, slots=True, kw_only=True)
class SightingWindow:
    """A span of time, both ends included, in which the sightings of an identifier matter."""

    key: IdentifierKey
    since: datetime
    until: datetime


_WITHIN = """
SELECT t.occurred_at, t.sequence, t.source, t.id, t.customer_id, t.journey_id, t.payload ->> 'customer', t.appended_at
  FROM (SELECT DISTINCT s.source, s.touchpoint_id, s.occurred_at
          FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[]) AS w (type, value, since, until)
          JOIN journey.sightings AS s
            ON s.type = w.type AND s.value = w.value AND s.occurred_at BETWEEN w.since AND w.until) AS s
  JOIN journey.touchpoints AS t ON t.source = s.source AND t.id = s.touchpoint_id AND t.occurred_at = s.occurred_at"""


async def within(connection: Connection, windows: Sequence[SightingWindow]) -> list[CarriedIdentifiers]:
    """Return the touchpoints that were sightings in these windows, each once."""
    rows = await connection.fetch(
        _WITHIN,
        [one.key[0] for one in windows],
        [one.key[1] for one in windows],
        [one.since for one in windows],
        [one.until for one in windows],
    )
    return [_carried(row) for row in rows]


def _carried(row: Any) -> CarriedIdentifiers:
    return CarriedIdentifiers(
        order=(row[0], row[1], row[2], row[3]),
        customer_id=row[4],
        journey_id=row[5],
        carries=_CUSTOMER.decode(row[6] or "{}"),
        appended_at=row[7],
    )


_ADD = """
INSERT INTO journey.sightings (type, value, occurred_at, source, touchpoint_id)
SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[], $5::text[]) ON CONFLICT DO NOTHING"""


async def add(connection: Connection, sightings: Iterable[tuple[IdentifierKey, OrderKey]]) -> None:
    """Note which touchpoints carry which identifiers."""
    rows = sorted({(*key, order[0], order[2], order[3]) for key, order in sightings})
    await connection.execute(_ADD, *([row[column] for row in rows] for column in range(5)))


@dataclass(frozen=True, slots=True, kw_only=True)
class MovedTouchpoint:
    """A touchpoint that goes to another customer, with the journey that it was in."""

    order: OrderKey
    came_from: UUID
    goes_to: UUID
    journey_id: UUID | None


_MOVE = """
UPDATE journey.touchpoints AS t SET customer_id = m.customer_id
  FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::uuid[]) AS m (source, id, occurred_at, customer_id)
 WHERE t.source = m.source AND t.id = m.id AND t.occurred_at = m.occurred_at"""
_MOVE_TIMERS = """
UPDATE journey.timers AS t SET customer_id = m.customer_id, updated_at = now()
  FROM unnest($1::text[], $2::text[], $3::uuid[]) AS m (source, id, customer_id)
 WHERE t.customer_id = ANY($4) AND t.source = m.source AND t.touchpoint_id = m.id"""


_MOVE_JOURNEYS = """
UPDATE journey.journeys AS j SET customer_id = m.customer_id
  FROM unnest($1::uuid[], $2::uuid[]) AS m (journey_id, customer_id)
 WHERE j.journey_id = m.journey_id AND NOT EXISTS (
    SELECT FROM journey.touchpoints AS t
     WHERE t.customer_id = j.customer_id AND t.journey_id = j.journey_id
       AND t.occurred_at BETWEEN j.started_at AND j.last_at)"""
_LEAVE = """
UPDATE journey.touchpoints AS t SET journey_id = NULL
  FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS m (source, id, occurred_at), journey.journeys AS j
 WHERE t.source = m.source AND t.id = m.id AND t.occurred_at = m.occurred_at
   AND j.journey_id = t.journey_id AND j.customer_id <> t.customer_id"""


async def move(connection: Connection, moved: Sequence[MovedTouchpoint]) -> None:
    """Move touchpoints to other customers, with the timers that they armed and the journeys of which nothing is left.

    A touchpoint leaves a journey that stays, or that goes to somebody else with its first touchpoint. The graph of
    paths counts what is stored anew.
    """
    times, sources, ids = ([one.order[place] for one in moved] for place in (0, 2, 3))
    goes_to = [one.goes_to for one in moved]
    everybody = sorted({customer for one in moved for customer in (one.came_from, one.goes_to)})
    for customer in everybody:
        await path_rows.note_stored(connection, customer, sign=-1)
    await connection.execute(_MOVE, sources, ids, times, goes_to)
    await connection.execute(_MOVE_TIMERS, sources, ids, goes_to, list({one.came_from for one in moved}))
    first: dict[UUID, MovedTouchpoint] = {}
    for one in moved:
        if one.journey_id is not None:
            first[one.journey_id] = min(first.get(one.journey_id, one), one, key=lambda each: each.order)
    if first:
        await connection.execute(_MOVE_JOURNEYS, list(first), [one.goes_to for one in first.values()])
        await connection.execute(_LEAVE, sources, ids, times)
    for customer in everybody:
        await path_rows.note_stored(connection, customer, sign=1)
