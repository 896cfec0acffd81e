"""How far each partition is applied, and who may say so. Leaves what a refusal means to the consumer."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.runtime.postgres import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """The line of a partition."""

    line: str
    topic: str
    partition: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to write a partition's progress until somebody else claims it."""

    position: Position
    epoch: int
    next_offset: int
    """The first offset that is not applied."""
    last_hash: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance:
    """Progress to write: up to, not including, `next_offset`. `last_hash` is of the record before it."""

    claim: Claim
    expected: int
    next_offset: int
    last_hash: bytes


class ClaimLostError(Exception):
    """Somebody else owns a partition now: its records are theirs to apply."""

    def __init__(self, lost: frozenset[int]) -> None:
        super().__init__("partitions were claimed by another process")
        self.lost = lost


class OffsetMismatchError(Exception):
    """Our own claim holds and the stored offset is not the one we left: a bug, or somebody edited the table."""


async def claim(connection: Connection, position: Position, *, owner: str, start: int, now: datetime) -> Claim:
    """Take a partition; a line that has no row begins at `start`, the first offset that its log has."""
    [row] = await connection.fetch(
        """
        INSERT INTO alerts.progress AS p (line, topic, partition, next_offset, epoch, owner, claimed_at, updated_at)
        VALUES ($1, $2, $3, $4, 1, $5, $6, $6)
        ON CONFLICT (line, topic, partition)
        DO UPDATE SET epoch = p.epoch + 1, owner = excluded.owner, claimed_at = excluded.claimed_at
        RETURNING epoch, next_offset, last_hash
        """,
        *(position.line, position.topic, position.partition, start, owner, now),
    )
    return Claim(position=position, epoch=row["epoch"], next_offset=row["next_offset"], last_hash=row["last_hash"])


async def held(connection: Connection, claims: Sequence[Claim]) -> dict[int, int]:
    """Lock the rows of `claims` and return, by partition, the stored offset of those that are still ours."""
    rows = await connection.fetch(
        """
        SELECT p.partition, p.epoch, p.next_offset
          FROM alerts.progress p
          JOIN unnest($1::text[], $2::text[], $3::int[]) AS ours (line, topic, partition)
         USING (line, topic, partition)
         ORDER BY p.topic, p.partition
           FOR NO KEY UPDATE OF p
        """,
        [c.position.line for c in claims],
        [c.position.topic for c in claims],
        [c.position.partition for c in claims],
    )
    epochs = {c.position.partition: c.epoch for c in claims}
    return {row["partition"]: row["next_offset"] for row in rows if row["epoch"] == epochs[row["partition"]]}


async def advance(connection: Connection, advances: Sequence[Advance], now: datetime) -> None:
    """Write progress by compare-and-swap; the rows are locked by `held`.

    Raises:
        OffsetMismatchError: a stored offset is not the expected one.
    """
    for step in advances:
        position = step.claim.position
        status = await connection.execute(
            """
            UPDATE alerts.progress SET next_offset = $6, last_hash = $7, updated_at = $8
             WHERE line = $1 AND topic = $2 AND partition = $3 AND epoch = $4 AND next_offset = $5
            """,
            *(position.line, position.topic, position.partition, step.claim.epoch),
            *(step.expected, step.next_offset, step.last_hash, now),
        )
        if status != "UPDATE 1":
            raise OffsetMismatchError(f"{position.topic}[{position.partition}] is not at {step.expected}")
