"""How far each partition of a log is applied, and who may apply it: rows that change only with the effects of records.

Each service has a table of its own with these columns; the journey worker's also keeps append times.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.runtime.postgres.pools import Connection, Pool, Row, acquire, retrying


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicLine:
    """The log that offsets belong to: its line (one life of it) and topic."""

    name: str
    topic: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldPartition:
    """A partition's row, locked or just claimed. `next_offset` is the first offset that is not applied."""

    partition: int
    epoch: int
    next_offset: int
    last_hash: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance:
    """The new state of a partition whose records up to `next_offset` are applied in this transaction.

    `last_hash` is the fingerprint of the record before `next_offset`. Tables that keep append times also take
    `appended_at`, the broker's time of that record, and `replayed_at`, that of the last replayed one among the applied.
    """

    partition: int
    epoch: int
    was: int
    next_offset: int
    last_hash: bytes
    appended_at: datetime | None = None
    replayed_at: datetime | None = None


class ProgressMovedError(Exception):
    """A row changed although we had locked it: a bug, or somebody edited the table."""


class ProgressTable:
    """One service's rows of progress. `append_times`: whether the table also keeps the times of records."""

    def __init__(self, name: str, *, append_times: bool) -> None:
        times = (
            ", applied_append_time = a.appended_at, replay_append_time = coalesce(a.replayed_at, p.replay_append_time)"
            if append_times
            else ""
        )
        self._claim = _CLAIM.format(table=name)
        self._lock = _LOCK.format(table=name)
        self._advance = _ADVANCE.format(table=name, times=times)

    async def claim(
        self, connection: Connection, line: TopicLine, log_starts: Mapping[int, int], owner: str
    ) -> list[HeldPartition]:
        """Claim partitions in one statement: their epochs rise, so that every earlier owner is fenced.

        A partition never applied on this line begins where its log starts.
        """
        partitions = sorted(log_starts)
        starts = [log_starts[partition] for partition in partitions]
        rows = await connection.fetch(self._claim, line.name, line.topic, partitions, starts, owner)
        return [_held(row) for row in rows]

    async def lock(
        self, connection: Connection, line: TopicLine, partitions: Iterable[int]
    ) -> dict[int, HeldPartition]:
        """Lock the rows of these partitions, in their order, and return them; a missing one was never claimed."""
        rows = await connection.fetch(self._lock, line.name, line.topic, sorted(partitions))
        return {row["partition"]: _held(row) for row in rows}

    async def advance(self, connection: Connection, line: TopicLine, advances: Sequence[Advance]) -> None:
        """Move the partitions on by compare-and-swap; the rows are locked by `lock`.

        Raises:
            ProgressMovedError: a row was not as expected.
        """
        rows = await connection.fetch(
            self._advance,
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
        if len(rows) != len(advances):
            raise ProgressMovedError("the progress moved under our lock")


_CLAIM = """
INSERT INTO {table} AS p (line, topic, partition, next_offset, epoch, owner, claimed_at, updated_at)
SELECT $1, $2, c.partition, c.log_start, 1, $5, clock_timestamp(), clock_timestamp()
  FROM unnest($3::int[], $4::bigint[]) AS c (partition, log_start) ORDER BY c.partition
ON CONFLICT (line, topic, partition)
DO UPDATE SET epoch = p.epoch + 1, owner = excluded.owner, claimed_at = excluded.claimed_at
RETURNING p.partition, p.epoch, p.next_offset, p.last_hash"""

_LOCK = """
SELECT partition, epoch, next_offset, last_hash FROM {table}
 WHERE line = $1 AND topic = $2 AND partition = ANY($3::int[]) ORDER BY partition FOR NO KEY UPDATE"""

_ADVANCE = """
UPDATE {table} AS p
   SET next_offset = a.next_offset, last_hash = a.last_hash, updated_at = clock_timestamp(){times}
  FROM unnest($3::int[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bytea[], $8::timestamptz[], $9::timestamptz[])
       AS a (partition, epoch, was, next_offset, last_hash, appended_at, replayed_at)
 WHERE p.line = $1 AND p.topic = $2 AND p.partition = a.partition AND p.epoch = a.epoch AND p.next_offset = a.was
RETURNING p.partition"""


def _held(row: Row) -> HeldPartition:
    return HeldPartition(**dict(row))


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseLedger:
    """Makes claims in the database. `patient`: wait for the database as long as it takes, else fail at once."""

    pool: Pool
    table: ProgressTable
    line: TopicLine
    owner: str
    patient: bool

    async def claim(self, log_starts: Mapping[int, int]) -> Sequence[HeldPartition]:
        """Claim the partitions (each with the first offset its log still holds), raising their epochs."""
        return await retrying(lambda: self._claim(log_starts), attempts=None if self.patient else 1)

    async def _claim(self, log_starts: Mapping[int, int]) -> Sequence[HeldPartition]:
        async with acquire(self.pool) as connection:
            return await self.table.claim(connection, self.line, log_starts, self.owner)
