"""Progress: how far each partition of the present line is applied, and who may apply it.

The only authority on what was applied; a row changes only together with the effects of its records.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.runtime.postgres.pools import Connection, Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The log that offsets belong to: its line (one life of it) and topic."""

    name: str
    topic: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A partition's row, locked or just claimed."""

    partition: int
    epoch: int
    next_offset: int
    last_hash: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance:
    """The new state of a partition whose records up to `next_offset` are applied in this transaction."""

    partition: int
    epoch: int
    was: int
    next_offset: int
    last_hash: bytes
    appended_at: datetime
    replayed_at: datetime | None
    """Append time of the last replayed record among them."""


_CLAIM = """
INSERT INTO journey.progress AS p (line, topic, partition, next_offset, epoch, owner)
SELECT $1, $2, c.partition, c.log_start, 1, $5
  FROM unnest($3::int[], $4::bigint[]) AS c (partition, log_start) ORDER BY c.partition
ON CONFLICT (line, topic, partition)
DO UPDATE SET epoch = p.epoch + 1, owner = excluded.owner, claimed_at = clock_timestamp()
RETURNING p.partition, p.epoch, p.next_offset, p.last_hash"""


async def claim(connection: Connection, line: Line, log_starts: Mapping[int, int], owner: str) -> list[Held]:
    """Claim partitions in one statement: their epochs rise, so that every earlier owner is fenced.

    A partition never applied on this line begins where its log starts.
    """
    partitions = sorted(log_starts)
    starts = [log_starts[partition] for partition in partitions]
    rows = await connection.fetch(_CLAIM, line.name, line.topic, partitions, starts, owner)
    return [_held(row) for row in rows]


_LOCK = """
SELECT partition, epoch, next_offset, last_hash FROM journey.progress
 WHERE line = $1 AND topic = $2 AND partition = ANY($3::int[]) ORDER BY partition FOR UPDATE"""


async def lock(connection: Connection, line: Line, partitions: Iterable[int]) -> dict[int, Held]:
    """Lock the rows of these partitions, in their order, and return them; a missing one was never claimed."""
    rows = await connection.fetch(_LOCK, line.name, line.topic, sorted(partitions))
    return {row["partition"]: _held(row) for row in rows}


_ADVANCE = """
UPDATE journey.progress AS p
   SET next_offset = a.next_offset, last_hash = a.last_hash, applied_append_time = a.appended_at,
       replay_append_time = coalesce(a.replayed_at, p.replay_append_time), updated_at = clock_timestamp()
  FROM unnest($3::int[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bytea[], $8::timestamptz[], $9::timestamptz[])
       AS a (partition, epoch, was, next_offset, last_hash, appended_at, replayed_at)
 WHERE p.line = $1 AND p.topic = $2 AND p.partition = a.partition AND p.epoch = a.epoch AND p.next_offset = a.was
RETURNING p.partition"""


async def advance(connection: Connection, line: Line, advances: Sequence[Advance]) -> bool:
    """Move the partitions on by compare-and-swap; False where any of them was not as expected: roll back."""
    rows = await connection.fetch(
        _ADVANCE,
        line.name,
        line.topic,
        [a.partition for a in advances],
        [a.epoch for a in advances],
        [a.was for a in advances],
        [a.next_offset for a in advances],
        [a.last_hash for a in advances],
        [a.appended_at for a in advances],
        [a.replayed_at for a in advances],
    )
    return len(rows) == len(advances)


async def database_time(connection: Connection) -> datetime:
    """Return the database's clock, the only one that decides anything."""
    now: datetime = await connection.fetchval("SELECT clock_timestamp()")
    return now


_CAUGHT_UP = """
UPDATE journey.progress AS p SET caught_up_at = $5
  FROM unnest($3::int[], $4::bigint[], $6::bigint[]) AS c (partition, epoch, log_end)
 WHERE p.line = $1 AND p.topic = $2 AND p.partition = c.partition
   AND p.epoch = c.epoch AND p.next_offset >= c.log_end"""


async def mark_caught_up(
    connection: Connection, line: Line, epochs: Mapping[int, int], at: datetime, log_ends: Mapping[int, int]
) -> None:
    """Note for each owned partition (with our epoch) whose end is applied that it was so at database time `at`.

    `at` must be taken before the ends are asked: what was appended before it is then applied for certain.
    """
    owned = sorted(epochs.keys() & log_ends.keys())
    await connection.execute(
        _CAUGHT_UP, line.name, line.topic, owned, [epochs[p] for p in owned], at, [log_ends[p] for p in owned]
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Up to when a partition is applied, in the broker's and the database's time."""

    partition: int
    next_offset: int
    applied_append_time: datetime | None
    caught_up_at: datetime | None
    replay_append_time: datetime | None


_MARKS = """
SELECT partition, next_offset, applied_append_time, caught_up_at, replay_append_time
  FROM journey.progress WHERE line = $1 AND topic = $2 ORDER BY partition"""


async def marks(connection: Connection, line: Line) -> list[Mark]:
    """Return the marks of all partitions of the line, read without locks."""
    rows = await connection.fetch(_MARKS, line.name, line.topic)
    return [Mark(**dict(row)) for row in rows]


def _held(row: Row) -> Held:
    return Held(**dict(row))
