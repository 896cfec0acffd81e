"""The intake: records that the consumer has fetched and nobody has applied yet, with the claims they belong to.

A `Claim` is the right to apply one partition until another worker claims it; a `Chunk` is a run of records of one
partition, delivered under one claim. The drain loop of `transport` fills the intake, the agent in `stream` empties it.
The intake knows neither Kafka nor SQL: a record is anything with an offset, a time, a key, a value and headers.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from services.runtime.log.claims import Claim
from services.runtime.log.identity import LoggedRecord

RECLAIM_AFTER_S = 1.5
"""How long a partition that was lost but is still assigned waits before it is claimed again: long
enough for a frozen predecessor to notice, so that two workers do not fence each other in turns."""


class ConsumedRecord(LoggedRecord, Protocol):
    """One record as the consumer hands it over. `timestamp` is the broker's append time in milliseconds."""

    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Consecutive records of one partition, oldest first, never empty."""

    claim: Claim
    records: Sequence[ConsumedRecord]

    @property
    def partition(self) -> int:
        """The partition that the records come from."""
        return self.claim.partition

    @property
    def size(self) -> int:
        """Bytes of the values."""
        return sum(len(record.value or b"") for record in self.records)

    def split(self, size: int) -> tuple["Chunk", "Chunk | None"]:
        """Cut after `size` records; the second part is None where nothing is left."""
        if len(self.records) <= size:
            return self, None
        head, tail = self.records[:size], self.records[size:]
        return Chunk(claim=self.claim, records=head), Chunk(claim=self.claim, records=tail)


@dataclass(slots=True)
class Intake:
    """The claims, and the bounded queue of chunks. One task fills it and one empties it, both in one event loop."""

    capacity: int
    """Records the queue holds before the consumer has to wait; one chunk more may be in it."""

    capacity_bytes: int = 64 * 1024 * 1024
    """The same in bytes of their values."""

    claims: dict[int, Claim] = field(default_factory=dict)
    applying: bool = False
    """Whether a batch is being applied."""

    steps: int = 0
    """Parts of batches that were done so far: signs of life from within a long one."""

    _lost_until: dict[int, float] = field(default_factory=dict)
    _queue: deque[Chunk] = field(default_factory=deque)
    _waiting: int = 0
    _waiting_bytes: int = 0
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    def grant(self, claims: Iterable[Claim]) -> None:
        """Hold these claims; chunks under an older claim of the same partition are worthless from now on."""
        for claim in claims:
            self.claims[claim.partition] = claim
            self._lost_until.pop(claim.partition, None)

    def revoke_all(self) -> None:
        """Hold no claim any more: a rebalance has begun, or the drain loop starts afresh."""
        self.claims.clear()
        self._lost_until.clear()

    def lose(self, claim: Claim, now: float) -> None:
        """Somebody claimed the partition after us (`now`: monotonic seconds); wait before claiming it again."""
        if self.claims.get(claim.partition) is claim:
            del self.claims[claim.partition]
            self._lost_until[claim.partition] = now + RECLAIM_AFTER_S

    def unclaimed(self, assigned: Iterable[int], now: float) -> list[int]:
        """Return the assigned partitions to claim now: not held, and not lost a moment ago."""
        return sorted(
            partition
            for partition in assigned
            if partition not in self.claims and self._lost_until.get(partition, now) <= now
        )

    def holds(self, claim: Claim) -> bool:
        """Return whether a claim is still ours, as far as this process knows; the database has the last word."""
        return self.claims.get(claim.partition) is claim

    @property
    def waiting(self) -> int:
        """Records in the queue."""
        return self._waiting

    def step(self) -> None:
        """Note that a part of the present batch is done."""
        self.steps += 1

    @property
    def busy(self) -> bool:
        """Whether records are in the worker's hands: waiting, or being applied."""
        return self._waiting > 0 or self.applying

    def applied(self) -> Mapping[int, int]:
        """Return, per partition held, the first offset that is not applied."""
        return {partition: claim.applied for partition, claim in self.claims.items()}

    async def put(self, chunk: Chunk) -> None:
        """Append a chunk, waiting while the queue is full: this is the back-pressure on the consumer."""
        async with self._changed:
            await self._changed.wait_for(self._has_room)
            self._queue.append(chunk)
            self._waiting += len(chunk.records)
            self._waiting_bytes += chunk.size
            self._changed.notify_all()

    async def batches(self, most: Callable[[], int]) -> AsyncIterator[list[Chunk]]:
        """Yield what waits, up to `most()` records at a time, leaving out chunks whose claim is gone; never ends."""
        while True:
            batch = [chunk for chunk in await self._take(most) if self.holds(chunk.claim)]
            if batch:
                yield batch

    def _has_room(self) -> bool:
        return self._waiting < self.capacity and self._waiting_bytes < self.capacity_bytes

    async def _take(self, most: Callable[[], int]) -> list[Chunk]:
        async with self._changed:
            await self._changed.wait_for(lambda: self._waiting > 0)
            taken, self._queue = _in_turn(self._queue, most())
            self._waiting -= sum(len(chunk.records) for chunk in taken)
            self._waiting_bytes -= sum(chunk.size for chunk in taken)
            self._changed.notify_all()
            return taken


def _in_turn(queue: Iterable[Chunk], max_records: int) -> tuple[list[Chunk], deque[Chunk]]:
    """Cut the queue into a batch and the rest: whole partitions in turn, the one that has waited longest first.

    A customer's records stand in one partition, and most of a batch's cost is per customer: a batch of one partition's
    backlog costs a third of one that takes a little of each. A partition whose turn is over goes to the end, so that
    none waits for more than one batch of each other: long waits would hold every timer, and alarm the watchdog.
    """
    by_partition: dict[int, list[Chunk]] = {}
    for chunk in queue:
        by_partition.setdefault(chunk.partition, []).append(chunk)
    taken: list[Chunk] = []
    untouched: deque[Chunk] = deque()
    interrupted: list[Chunk] = []
    room = max_records
    for chunks in by_partition.values():
        if room == 0:
            untouched.extend(chunks)
            continue
        for chunk in chunks:
            if room == 0:
                interrupted.append(chunk)
                continue
            head, rest = chunk.split(room)
            taken.append(head)
            room -= len(head.records)
            if rest is not None:
                interrupted.append(rest)
    untouched.extend(interrupted)
    return taken, untouched
