"""Reads customers, identifiers and links page by page, to be compared with the ledger.

A page is read in one snapshot, so a transaction of a worker is seen whole or not at all.
"""

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec

from services.journey.domain.touchpoint import Identifier
from services.journey.store.identifiers import IdentifierKey, LinkKey
from services.runtime.postgres.pools import Connection

NOBODY = UUID(int=0)
"""The id before the first customer, where paging starts."""

ROWS_AT_ONCE = 2_000
"""Touchpoints that are in memory at one time."""

_CUSTOMER = msgspec.json.Decoder(dict[str, Identifier])


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerCounts:
    """A surviving customer with what its row says, and the number of customers it has really absorbed."""

    customer_id: UUID
    contested: bool
    identifier_count: int
    merge_count: int
    absorbed: int


_PAGE = """
SELECT c.customer_id, c.contested, c.identifier_count, c.merge_count,
       (SELECT count(*) FROM journey.customers AS a WHERE a.merged_into = c.customer_id) AS absorbed
  FROM journey.customers AS c WHERE c.customer_id > $1 AND c.merged_into IS NULL ORDER BY c.customer_id LIMIT $2"""
_HOW_MANY = "SELECT count(*) FROM journey.customers WHERE merged_into IS NULL"


async def how_many(connection: Connection) -> int:
    """Return how many surviving customers there are."""
    found: int = await connection.fetchval(_HOW_MANY)
    return found


async def page(connection: Connection, after: UUID, most: int) -> list[CustomerCounts]:
    """Return the next surviving customers in the order of their ids."""
    return [CustomerCounts(**dict(row)) for row in await connection.fetch(_PAGE, after, most)]


_IDENTIFIERS = """
SELECT i.type, i.value, i.customer_id AS root FROM journey.identifiers AS i WHERE i.customer_id = ANY($1)
UNION ALL
SELECT i.type, i.value, c.merged_into FROM journey.customers AS c JOIN journey.identifiers AS i USING (customer_id)
 WHERE c.merged_into = ANY($1)"""


async def identifiers_of(connection: Connection, customers: Collection[UUID]) -> dict[IdentifierKey, UUID]:
    """Return the identifiers of these customers and of those they absorbed, each with the survivor."""
    rows = await connection.fetch(_IDENTIFIERS, list(customers))
    return {(row["type"], row["value"]): row["root"] for row in rows}


_ROOTS = """
SELECT i.type, i.value, coalesce(c.merged_into, c.customer_id) AS root
  FROM unnest($1::text[], $2::text[]) AS k (type, value)
  JOIN journey.identifiers AS i USING (type, value) JOIN journey.customers AS c USING (customer_id)"""


async def roots_of(connection: Connection, keys: Collection[IdentifierKey]) -> dict[IdentifierKey, UUID]:
    """Return the surviving customer of each of these identifiers that is known."""
    ordered = sorted(keys)
    rows = await connection.fetch(_ROOTS, [type_ for type_, _ in ordered], [value for _, value in ordered])
    return {(row["type"], row["value"]): row["root"] for row in rows}


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerLink:
    """A link that is not retracted: `active`, or in quarantine. The touchpoint is its first evidence."""

    key: LinkKey
    active: bool
    verified: bool
    source: str
    touchpoint_id: str
    occurred_at: datetime


_LINKS = """
SELECT l.left_type, l.left_value, l.right_type, l.right_value, l.state = 'active' AS active, l.verified,
       l.source, l.touchpoint_id, l.occurred_at
  FROM unnest($1::text[], $2::text[]) AS k (type, value)
  JOIN journey.links AS l ON {side} WHERE l.state <> 'retracted'"""
_FROM = _LINKS.format(side="l.left_type = k.type AND l.left_value = k.value")
_TO = _LINKS.format(side="l.right_type = k.type AND l.right_value = k.value")


async def links_at(connection: Connection, keys: Collection[IdentifierKey]) -> list[LedgerLink]:
    """Return the active and the quarantined links that have one of these identifiers at either end."""
    ordered = sorted(keys)
    columns = [type_ for type_, _ in ordered], [value for _, value in ordered]
    found: dict[LinkKey, LedgerLink] = {}
    for statement in (_FROM, _TO):
        for row in await connection.fetch(statement, *columns):
            key = (row[0], row[1]), (row[2], row[3])
            found[key] = LedgerLink(
                key=key,
                active=row["active"],
                verified=row["verified"],
                source=row["source"],
                touchpoint_id=row["touchpoint_id"],
                occurred_at=row["occurred_at"],
            )
    return list(found.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnedTouchpoint:
    """A touchpoint with the customer it is stored with and the identifiers it carries."""

    source: str
    id: str
    occurred_at: datetime
    customer_id: UUID
    carries: dict[str, Identifier]
    appended_at: datetime


_TOUCHPOINTS = """
SELECT t.source, t.id, t.occurred_at, t.customer_id, t.payload ->> 'customer' AS customer, t.appended_at
  FROM journey.touchpoints AS t
 WHERE t.customer_id = ANY($1) OR t.customer_id = ANY(ARRAY(
    SELECT customer_id FROM journey.customers WHERE merged_into = ANY($1)))"""


async def touchpoints_of(connection: Connection, customers: Collection[UUID]) -> AsyncIterator[OwnedTouchpoint]:
    """Yield the touchpoints of these customers, and any that stayed with customers they absorbed."""
    async for row in connection.cursor(_TOUCHPOINTS, list(customers), prefetch=ROWS_AT_ONCE):
        yield OwnedTouchpoint(
            source=row["source"],
            id=row["id"],
            occurred_at=row["occurred_at"],
            customer_id=row["customer_id"],
            carries=_CUSTOMER.decode(row["customer"] or "{}"),
            appended_at=row["appended_at"],
        )


_HOW_MANY_OF = "SELECT count(*) FROM journey.touchpoints WHERE customer_id = ANY($1)"


async def how_many_touchpoints(connection: Connection, customers: Collection[UUID]) -> int:
    """Return how many touchpoints these customers have."""
    found: int = await connection.fetchval(_HOW_MANY_OF, list(customers))
    return found


_JOURNEYS = """
SELECT DISTINCT j.journey_id, j.customer_id AS holder, t.customer_id AS owner
  FROM journey.touchpoints AS t JOIN journey.journeys AS j USING (journey_id)
 WHERE t.customer_id = ANY($1) AND j.customer_id <> t.customer_id
UNION
SELECT j.journey_id, j.customer_id, c.merged_into
  FROM journey.customers AS c JOIN journey.journeys AS j USING (customer_id) WHERE c.merged_into = ANY($1)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class MisplacedJourney:
    """A journey that one customer holds although its touchpoints belong to another."""

    journey_id: UUID
    holder: UUID
    owner: UUID


async def journeys_astray(connection: Connection, customers: Collection[UUID]) -> list[MisplacedJourney]:
    """Return the journeys that belong to these customers and that another customer holds."""
    return [MisplacedJourney(**dict(row)) for row in await connection.fetch(_JOURNEYS, list(customers))]


_COUNT_MERGES = """
UPDATE journey.customers AS c SET merge_count = (SELECT count(*) FROM journey.customers AS a WHERE a.merged_into = $1)
 WHERE c.customer_id = $1"""


async def count_merges(connection: Connection, customer: UUID) -> None:
    """Write into the row of a locked customer how many customers it has absorbed."""
    await connection.execute(_COUNT_MERGES, customer)
