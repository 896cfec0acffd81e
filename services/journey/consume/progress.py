"""The table of progress: the moments up to which each partition is known to be applied.

Claiming and advancing the rows is left to `services.runtime.log.progress`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from services.runtime.log.progress import ProgressTable, TopicLine
from services.runtime.postgres.pools import Connection

SCHEMA = "journey"
PROGRESS = ProgressTable(f"{SCHEMA}.progress", append_times=True)


async def database_time(connection: Connection) -> datetime:
    """Return the time of the database, whose clock is the only one that decides anything."""
    now: datetime = await connection.fetchval("SELECT clock_timestamp()")
    return now


_CAUGHT_UP = """
UPDATE journey.progress AS p SET caught_up_at = $5
  FROM unnest($3::int[], $4::bigint[], $6::bigint[]) AS c (partition, epoch, log_end)
 WHERE p.line = $1 AND p.topic = $2 AND p.partition = c.partition
   AND p.epoch = c.epoch AND p.next_offset >= c.log_end"""


async def mark_caught_up(
    connection: Connection, line: TopicLine, epochs: Mapping[int, int], at: datetime, log_ends: Mapping[int, int]
) -> None:
    """Mark each owned partition (with our epoch) that is applied to its end as caught up at database time `at`.

    Take `at` before you ask for the ends: whatever was appended before it is then applied for certain.
    """
    owned = sorted(epochs.keys() & log_ends.keys())
    await connection.execute(
        _CAUGHT_UP, line.name, line.topic, owned, [epochs[p] for p in owned], at, [log_ends[p] for p in owned]
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionMark:
    """Up to when a partition is applied, in the times of the broker and of the database."""

    partition: int
    next_offset: int
    applied_append_time: datetime | None
    caught_up_at: datetime | None
    replay_append_time: datetime | None


_MARKS = """
SELECT partition, next_offset, applied_append_time, caught_up_at, replay_append_time
  FROM journey.progress WHERE line = $1 AND topic = $2 ORDER BY partition"""


async def marks(connection: Connection, line: TopicLine) -> list[PartitionMark]:
    """Return the marks of all partitions of the line, read without locks."""
    rows = await connection.fetch(_MARKS, line.name, line.topic)
    return [PartitionMark(**dict(row)) for row in rows]
