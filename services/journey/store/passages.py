"""The table of defined journeys: one row for each journey of a customer through a definition."""

from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import msgspec

from services.journey.domain.funnels import FunnelPassage, PassageKey
from services.journey.domain.journey import JourneyProgress
from services.runtime.postgres.pools import Connection

_PROGRESS = msgspec.json.Decoder(JourneyProgress)
_COLUMNS: Final = "customer_id, source, touchpoint_id, channel, reason, service_level, progress"
_LOAD: Final = f"SELECT {_COLUMNS} FROM journey.passages WHERE customer_id = ANY ($1::uuid[])"  # noqa: S608  our own columns
_ALL: Final = f"""
SELECT {_COLUMNS} FROM journey.passages
UNION ALL
SELECT NULL, source, touchpoint_id, channel, NULL, service_level, progress FROM journey.account_journeys
 WHERE state IN ('open', 'closed')"""  # noqa: S608  our own columns


async def load(connection: Connection, customers: Collection[UUID]) -> Mapping[UUID, list[FunnelPassage]]:
    """Return the defined journeys of each of these customers."""
    found: defaultdict[UUID, list[FunnelPassage]] = defaultdict(list)
    for row in await connection.fetch(_LOAD, list(customers)):
        found[row["customer_id"]].append(_passage(row))
    return found


async def every(connection: Connection) -> AsyncIterator[FunnelPassage]:
    """Yield all defined journeys, those of accounts too, read bit by bit in the transaction of the caller."""
    async for row in connection.cursor(_ALL, prefetch=2000):
        yield _passage(row)


def _passage(row: Any) -> FunnelPassage:
    return FunnelPassage(
        entry=(row["source"], row["touchpoint_id"]),
        channel=row["channel"],
        reason=row["reason"],
        service_level=row["service_level"],
        progress=_PROGRESS.decode(row["progress"]),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PassageRow:
    """A defined journey to write."""

    customer_id: UUID
    passage: FunnelPassage


_WRITE: Final = """
INSERT INTO journey.passages AS p (definition, source, touchpoint_id, customer_id, channel, reason, service_level,
                                   entered_at, stage, ended_at, progress)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::uuid[], $5::text[], $6::text[], $7::text[],
                     $8::timestamptz[], $9::text[], $10::timestamptz[], $11::json[])
ON CONFLICT (definition, source, touchpoint_id) DO UPDATE
   SET customer_id = excluded.customer_id, channel = excluded.channel, reason = excluded.reason,
       service_level = excluded.service_level, entered_at = excluded.entered_at, stage = excluded.stage,
       ended_at = excluded.ended_at, progress = excluded.progress"""


async def write(connection: Connection, rows: Sequence[PassageRow]) -> None:
    """Insert new defined journeys and replace changed ones; one whose entry moved to another customer moves with it."""
    ordered = sorted(rows, key=lambda row: row.passage.key)
    said = [row.passage for row in ordered]
    await connection.execute(
        _WRITE,
        *([one.key[place] for one in said] for place in range(3)),
        [row.customer_id for row in ordered],
        [one.channel for one in said],
        [one.reason for one in said],
        [one.service_level for one in said],
        [one.progress.entered_at for one in said],
        [one.progress.stage for one in said],
        [one.progress.ended_at for one in said],
        [msgspec.json.encode(one.progress).decode() for one in said],
    )


_REMOVE: Final = """
DELETE FROM journey.passages AS p
 USING unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) AS g (customer_id, definition, source, touchpoint_id)
 WHERE (p.definition, p.source, p.touchpoint_id) = (g.definition, g.source, g.touchpoint_id)
   AND p.customer_id = g.customer_id"""


async def remove(connection: Connection, gone: Sequence[tuple[UUID, PassageKey]]) -> None:
    """Remove defined journeys that a customer does not have any more; one that is somebody else's by now stays."""
    await connection.execute(
        _REMOVE, [customer for customer, _ in gone], *([key[place] for _, key in gone] for place in range(3))
    )


_REKEY: Final = """
UPDATE journey.passages AS p SET customer_id = m.survivor
  FROM unnest($1::uuid[], $2::uuid[]) AS m (absorbed, survivor) WHERE p.customer_id = m.absorbed"""


async def rekey(connection: Connection, absorbed: Sequence[UUID], survivors: Sequence[UUID]) -> None:
    """Move the defined journeys of customers that were merged into others."""
    await connection.execute(_REKEY, absorbed, survivors)
