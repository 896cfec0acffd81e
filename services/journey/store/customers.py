"""The table of customers: locks them in the order of their ids, creates and merges them, and notes changes.

Whoever holds the lock of a customer may change everything about that customer; nobody else may change anything.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.runtime.postgres.pools import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedCustomer:
    """A customer that this transaction has locked."""

    customer_id: UUID
    seq: int
    version: int
    identifier_count: int
    merge_count: int


_ROOTS = """
SELECT customer_id, coalesce(merged_into, customer_id) AS root FROM journey.customers WHERE customer_id = ANY($1)"""


async def roots(connection: Connection, customers: Collection[UUID]) -> dict[UUID, UUID]:
    """Return the surviving customer of each, read without a lock."""
    rows = await connection.fetch(_ROOTS, list(customers))
    return {row["customer_id"]: row["root"] for row in rows}


@dataclass(frozen=True, slots=True, kw_only=True)
class SurvivingCustomer:
    """A customer that is not merged away, its age, and whether links around it are not followed."""

    customer_id: UUID
    seq: int
    contested: bool


_SURVIVORS = """
SELECT a.customer_id, s.customer_id, s.seq, s.contested FROM journey.customers AS a
  JOIN journey.customers AS s ON s.customer_id = coalesce(a.merged_into, a.customer_id)
 WHERE a.customer_id = ANY($1)"""


async def survivors(connection: Connection, customers: Collection[UUID]) -> dict[UUID, SurvivingCustomer]:
    """Return the surviving customer of each, read without a lock."""
    rows = await connection.fetch(_SURVIVORS, list(customers))
    return {row[0]: SurvivingCustomer(customer_id=row[1], seq=row[2], contested=row[3]) for row in rows}


_LOCK = """
SELECT customer_id, seq, version, identifier_count, merge_count FROM journey.customers
 WHERE customer_id = ANY($1) AND merged_into IS NULL ORDER BY customer_id FOR UPDATE"""


async def lock(connection: Connection, customers: Collection[UUID]) -> dict[UUID, LockedCustomer]:
    """Lock customers in the order of their ids; one that was merged away meanwhile is missing from the result."""
    rows = await connection.fetch(_LOCK, sorted(customers))
    return {row["customer_id"]: LockedCustomer(**dict(row)) for row in rows}


_CREATE = """
INSERT INTO journey.customers (customer_id)
SELECT c.id FROM unnest($1::uuid[]) WITH ORDINALITY AS c (id, place) ORDER BY c.place"""


async def create(connection: Connection, customers: Sequence[UUID]) -> None:
    """Insert new customers; the first is the oldest."""
    await connection.execute(_CREATE, list(customers))


_SPLIT_OFF = """
INSERT INTO journey.customers (customer_id, split_from)
SELECT c.id, c.split_from FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS c (id, split_from, place)
 ORDER BY c.place"""


async def split_off(connection: Connection, customers: Mapping[UUID, UUID | None]) -> None:
    """Insert new customers, each with the one it came out of, if it came out of any; the first is the oldest."""
    await connection.execute(_SPLIT_OFF, list(customers), list(customers.values()))


_SETTLED = """
UPDATE journey.customers AS c SET identifier_count = s.identifiers, contested = s.contested, version = c.version + 1
  FROM unnest($1::uuid[], $2::int[], $3::bool[]) AS s (customer_id, identifiers, contested)
 WHERE c.customer_id = s.customer_id
   AND (c.identifier_count, c.contested) IS DISTINCT FROM (s.identifiers, s.contested)"""


async def settled(connection: Connection, identifiers: Mapping[UUID, int], contested: Collection[UUID]) -> None:
    """Write how many identifiers each customer has, and around whom links are not followed."""
    ids = list(identifiers)
    await connection.execute(_SETTLED, ids, list(identifiers.values()), [one in contested for one in ids])


_RESPAN = """
UPDATE journey.customers AS c
   SET first_at = (SELECT min(t.occurred_at) FROM journey.touchpoints AS t WHERE t.customer_id = c.customer_id),
       last_at = (SELECT max(t.occurred_at) FROM journey.touchpoints AS t WHERE t.customer_id = c.customer_id)
 WHERE c.customer_id = ANY($1)"""


async def respan(connection: Connection, customers: Collection[UUID]) -> None:
    """Write anew from when to when the touchpoints of customers go, after some of them moved."""
    await connection.execute(_RESPAN, list(customers))


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeRow:
    """A merge of one customer into another, and the touchpoint that showed it."""

    absorbed: UUID
    survivor: UUID
    source: str
    touchpoint_id: str


_ABSORB = """
UPDATE journey.customers AS c SET merged_into = m.survivor, merged_at = now(), version = c.version + 1
  FROM unnest($1::uuid[], $2::uuid[]) AS m (absorbed, survivor)
 WHERE c.customer_id = m.absorbed OR c.merged_into = m.absorbed"""
_INHERIT = """
UPDATE journey.customers AS c
   SET identifier_count = c.identifier_count + s.identifiers, merge_count = c.merge_count + s.merges,
       first_at = least(c.first_at, s.first_at), last_at = greatest(c.last_at, s.last_at)
  FROM (SELECT m.survivor, sum(a.identifier_count) AS identifiers, sum(a.merge_count) + count(*) AS merges,
               min(a.first_at) AS first_at, max(a.last_at) AS last_at
          FROM unnest($1::uuid[], $2::uuid[]) AS m (absorbed, survivor)
          JOIN journey.customers AS a ON a.customer_id = m.absorbed GROUP BY m.survivor) AS s
 WHERE c.customer_id = s.survivor"""
_NOTE_MERGES = """
INSERT INTO journey.merges (absorbed, survivor, source, touchpoint_id)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[])"""
_REKEY = (
    """UPDATE journey.touchpoints AS t SET customer_id = m.survivor
  FROM unnest($1::uuid[], $2::uuid[]) AS m (absorbed, survivor) WHERE t.customer_id = m.absorbed""",
    """UPDATE journey.timers AS t SET customer_id = m.survivor, updated_at = now()
  FROM unnest($1::uuid[], $2::uuid[]) AS m (absorbed, survivor) WHERE t.customer_id = m.absorbed""",
    """UPDATE journey.journey_aliases AS a SET customer_id = m.survivor
  FROM unnest($1::uuid[], $2::uuid[]) AS m (absorbed, survivor) WHERE a.customer_id = m.absorbed""",
)
_FORGET_FAILURES = "DELETE FROM journey.rule_failures WHERE customer_id = ANY($1::uuid[])"


async def absorb(connection: Connection, absorptions: Sequence[MergeRow]) -> None:
    """Merge customers; the survivors must be final.

    Touchpoints and timers move here, journeys and frictions when the survivor is projected. Customers that an absorbed
    one had absorbed before point to the new survivor, so there are no chains.
    """
    pairs = ([a.absorbed for a in absorptions], [a.survivor for a in absorptions])
    await connection.execute(_ABSORB, *pairs)
    await connection.execute(_INHERIT, *pairs)
    await connection.execute(
        _NOTE_MERGES, *pairs, [a.source for a in absorptions], [a.touchpoint_id for a in absorptions]
    )
    for statement in _REKEY:
        await connection.execute(statement, *pairs)
    await connection.execute(_FORGET_FAILURES, pairs[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerNoteRow:
    """What is known about a customer after a change. The times are those of the earliest and the latest touchpoint."""

    customer_id: UUID
    service_level: str | None
    first_at: datetime | None
    last_at: datetime | None
    new_identifiers: int = 0


_NOTE = """
UPDATE journey.customers AS c
   SET version = c.version + 1, service_level = coalesce(n.service_level, c.service_level),
       first_at = least(c.first_at, n.first_at), last_at = greatest(c.last_at, n.last_at),
       identifier_count = c.identifier_count + n.identifiers
  FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::int[])
       AS n (customer_id, service_level, first_at, last_at, identifiers)
 WHERE c.customer_id = n.customer_id
RETURNING c.customer_id, c.version"""


async def note(connection: Connection, notes: Collection[CustomerNoteRow]) -> dict[UUID, int]:
    """Raise the version of each customer and write what is known now; return the versions."""
    ordered = sorted(notes, key=lambda note: note.customer_id)
    rows = await connection.fetch(
        _NOTE,
        [n.customer_id for n in ordered],
        [n.service_level for n in ordered],
        [n.first_at for n in ordered],
        [n.last_at for n in ordered],
        [n.new_identifiers for n in ordered],
    )
    return {row[0]: row[1] for row in rows}


_RAISE = "UPDATE journey.customers SET version = version + 1 WHERE customer_id = ANY($1)"


async def raise_versions(connection: Connection, customers: Collection[UUID]) -> None:
    """Say that something about these locked customers has changed."""
    await connection.execute(_RAISE, list(customers))


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerStanding:
    """The version of a customer, and the number of frictions: another customer can take one at any time."""

    version: int
    frictions: int


_STANDING = """
SELECT c.customer_id, c.version,
       (SELECT count(*) FROM journey.frictions AS f
         WHERE f.customer_id = c.customer_id AND (w.since IS NULL OR f.occurred_at >= w.since))
  FROM unnest($1::uuid[], $2::timestamptz[]) AS w (customer_id, since)
  JOIN journey.customers AS c ON c.customer_id = w.customer_id"""


async def standing(connection: Connection, since: Mapping[UUID, datetime | None]) -> dict[UUID, CustomerStanding]:
    """Return how these locked customers stand, each with the frictions since then: None for all of them."""
    rows = await connection.fetch(_STANDING, list(since), list(since.values()))
    return {row[0]: CustomerStanding(version=row[1], frictions=row[2]) for row in rows}
