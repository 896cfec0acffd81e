"""A claim: the right to apply one partition until somebody else claims it.

PostgreSQL has the last word on who holds a claim (see `progress`); this is what its holder keeps in memory.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from services.runtime.log.identity import LogVerdict, Position, Reader, examine
from services.runtime.log.progress import HeldPartition


@dataclass(slots=True, kw_only=True, eq=False)
class Claim:
    """Our right to apply one partition; two claims are the same only if they are one object.

    `applied` is the first offset whose effects are not committed, `cursor` the first that was not delivered yet.
    `rewinds` counts how often a hole at the cursor was fetched again. `starved` counts the fetches in a row that
    brought nothing although the log goes on. `examined` says that the log before the cursor was proved to be the same.
    """

    partition: int
    epoch: int
    applied: int
    cursor: int
    rewinds: int = 0
    starved: int = 0
    examined: bool = False

    def deliver(self, offset: int) -> None:
        """Note that records up to `offset` were delivered: whatever was done about a hole is done with."""
        self.cursor = offset + 1
        self.rewinds = self.starved = 0
        self.examined = False


def claim_of(held: HeldPartition) -> Claim:
    """Return the claim on a partition whose row was just written."""
    return Claim(partition=held.partition, epoch=held.epoch, applied=held.next_offset, cursor=held.next_offset)


class Ledger(Protocol):
    """Where claims are made."""

    async def claim(self, log_starts: Mapping[int, int]) -> Sequence[HeldPartition]:
        """Claim the partitions (each with the first offset its log still holds), raising their epochs."""


class LogBounds(Protocol):
    """Where the logs of a topic begin and end."""

    async def beginnings(self, topic: str, partitions: Iterable[int]) -> dict[int, int]:
        """Return the first offset that each partition still holds."""

    async def ends(self, topic: str, partitions: Iterable[int]) -> dict[int, int]:
        """Return the offset after the last record of each partition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExaminedClaim:
    """A fresh claim, where its partition stands, and whether its log is still the one that was read before."""

    claim: Claim
    position: Position
    verdict: LogVerdict


async def claim_and_examine(
    topic: str, partitions: Sequence[int], *, bounds: LogBounds, ledger: Ledger, read: Reader
) -> list[ExaminedClaim]:
    """Claim the partitions, then compare their logs with what was applied; nothing of them may be read before."""
    starts = await bounds.beginnings(topic, partitions)
    held = await ledger.claim(starts)
    # After the claim: the last owner moves on until then, and an end asked earlier may lie before our progress.
    ends = await bounds.ends(topic, partitions)
    positions = [_position(one, starts, ends) for one in held]
    verdicts = await examine(positions, read)
    return [
        ExaminedClaim(claim=claim_of(one), position=position, verdict=verdicts[one.partition])
        for one, position in zip(held, positions, strict=True)
    ]


def _position(held: HeldPartition, starts: Mapping[int, int], ends: Mapping[int, int]) -> Position:
    return Position(
        partition=held.partition,
        next_offset=held.next_offset,
        last_hash=held.last_hash,
        log_start=starts[held.partition],
        log_end=ends[held.partition],
    )
