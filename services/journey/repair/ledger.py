"""Takes links of the ledger back, and moves what belongs to another customer without them.

Adding links as touchpoints come in is left to `services.journey.store.identifiers`.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from services.journey.domain.touchpoint import Touchpoint
from services.journey.store import path_rows
from services.journey.store.identifiers import IdentifierKey, LinkKey
from services.runtime.postgres.pools import Connection

_DECODER = msgspec.json.Decoder(Touchpoint)

_OWNERS = """
SELECT i.type, i.value, i.customer_id FROM journey.identifiers AS i
  JOIN unnest($1::text[], $2::text[]) AS k (type, value) USING (type, value)
 ORDER BY i.type, i.value FOR UPDATE OF i"""


async def owners(connection: Connection, keys: Collection[IdentifierKey]) -> dict[IdentifierKey, UUID]:
    """Lock identifiers and return the customers that they point to."""
    ordered = sorted(keys)
    rows = await connection.fetch(_OWNERS, [type_ for type_, _ in ordered], [value for _, value in ordered])
    return {(row["type"], row["value"]): row["customer_id"] for row in rows}


_RETRACT = """
UPDATE journey.links SET state = 'retracted', reason = $5, changed_by = $6, changed_at = now()
 WHERE left_type = $1 AND left_value = $2 AND right_type = $3 AND right_value = $4 AND state <> 'retracted'"""


async def retract(connection: Connection, key: LinkKey, reason: str, by: str) -> bool:
    """Retract a link for good; return False if there is no such link, or it is retracted already."""
    (left_type, left_value), (right_type, right_value) = key
    done = await connection.execute(_RETRACT, left_type, left_value, right_type, right_value, reason, by)
    return not done.endswith(" 0")


_IDENTIFIERS = """
SELECT i.type, i.value, i.first_seen FROM journey.identifiers AS i JOIN journey.customers AS c USING (customer_id)
 WHERE c.customer_id = $1 OR c.merged_into = $1"""


async def identifiers_of(connection: Connection, customer: UUID) -> dict[IdentifierKey, datetime]:
    """Return the identifiers of a customer and of those it absorbed, with the time each was first seen."""
    rows = await connection.fetch(_IDENTIFIERS, customer)
    return {(row["type"], row["value"]): row["first_seen"] for row in rows}


_TOUCHPOINTS = "SELECT payload FROM journey.touchpoints WHERE customer_id = $1"


async def touchpoints_of(connection: Connection, customer: UUID) -> list[Touchpoint]:
    """Return every touchpoint of a customer."""
    return [_DECODER.decode(row["payload"]) for row in await connection.fetch(_TOUCHPOINTS, customer)]


_MOVE = """
UPDATE journey.touchpoints AS t SET customer_id = m.customer_id, journey_id = NULL
  FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::uuid[]) AS m (source, id, occurred_at, customer_id)
 WHERE t.source = m.source AND t.id = m.id AND t.occurred_at = m.occurred_at"""
_MOVE_TIMERS = """
UPDATE journey.timers AS t SET customer_id = m.customer_id, updated_at = now()
  FROM unnest($1::text[], $2::text[], $3::uuid[]) AS m (source, id, customer_id)
 WHERE t.source = m.source AND t.touchpoint_id = m.id AND t.customer_id = $4"""


async def move(connection: Connection, customer: UUID, moved: Mapping[UUID, Sequence[Touchpoint]]) -> int:
    """Move touchpoints of `customer`, and the timers they armed, to other customers; return how many touchpoints."""
    pairs = [(point, new) for new, points in moved.items() for point in points]
    sources = [point.source for point, _ in pairs]
    ids = [point.id for point, _ in pairs]
    new_owners = [new for _, new in pairs]
    await path_rows.note_stored(connection, customer, sign=-1)
    await connection.execute(_MOVE, sources, ids, [point.occurred_at for point, _ in pairs], new_owners)
    await path_rows.note_stored(connection, customer, sign=1)
    await connection.execute(_MOVE_TIMERS, sources, ids, new_owners, customer)
    return len(pairs)


_RESIZE = """
UPDATE journey.customers AS c SET identifier_count = n.identifiers, version = c.version + 1
  FROM unnest($1::uuid[], $2::int[]) AS n (customer_id, identifiers) WHERE c.customer_id = n.customer_id"""


async def resize(connection: Connection, sizes: Mapping[UUID, int]) -> None:
    """Write how many identifiers each customer has now."""
    await connection.execute(_RESIZE, list(sizes), list(sizes.values()))
