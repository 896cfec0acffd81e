"""A batch: runs of records of one or more partitions, to be applied in one transaction; and whether they may be.

Pure: `judge` compares a batch with the locked progress rows and says what is still to do.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from services.runtime.log.claims import Claim
from services.runtime.log.progress import HeldPartition


class BatchItem(Protocol):
    """One record of a batch, in the form in which its service applies it."""

    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...


Item = TypeVar("Item", bound=BatchItem)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run(Generic[Item]):
    """Consecutive records of one partition under one claim, never empty."""

    claim: Claim
    items: tuple[Item, ...]

    @property
    def first(self) -> int:
        """Offset of the first record."""
        return self.items[0].offset

    @property
    def end(self) -> int:
        """Offset after the last record."""
        return self.items[-1].offset + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch(Generic[Item]):
    """Runs of different partitions, in the order of the partitions."""

    runs: tuple[Run[Item], ...]

    @property
    def size(self) -> int:
        """How many records are in it."""
        return sum(len(run.items) for run in self.runs)

    @property
    def items(self) -> Iterable[Item]:
        """All records, partition after partition."""
        return (item for run in self.runs for item in run.items)

    @property
    def coordinates(self) -> list[str]:
        """Partition and offsets of each run, for the log: `3:120-179`."""
        return [f"{run.claim.partition}:{run.first}-{run.end - 1}" for run in self.runs]

    def halves(self) -> "tuple[Batch[Item], Batch[Item]]":
        """Cut in two so that applying one after the other keeps the order of every partition."""
        room = self.size // 2
        head: list[Run[Item]] = []
        tail: list[Run[Item]] = []
        for run in self.runs:
            taken, left = run.items[:room], run.items[room:]
            room -= len(taken)
            if taken:
                head.append(Run(claim=run.claim, items=taken))
            if left:
                tail.append(Run(claim=run.claim, items=left))
        return Batch(runs=tuple(head)), Batch(runs=tuple(tail))

    def without(self, partitions: Iterable[int]) -> "Batch[Item]":
        """Leave out the runs of these partitions."""
        gone = set(partitions)
        return Batch(runs=tuple(run for run in self.runs if run.claim.partition not in gone))


class FencedError(Exception):
    """Somebody claimed these partitions after us."""

    def __init__(self, partitions: frozenset[int]) -> None:
        super().__init__(f"partitions {sorted(partitions)} belong to somebody else now")
        self.partitions = partitions


class HoleInProgressError(Exception):
    """Our own claim holds, and yet records are missing between what is applied and what was delivered: a bug."""


def gather(items: Iterable[Item], claims: Mapping[int, Claim]) -> Batch[Item]:
    """Make a batch of items, in offset order within each partition; `claims` says by which right."""
    by_partition: dict[int, list[Item]] = {}
    for item in items:
        by_partition.setdefault(item.partition, []).append(item)
    return Batch(runs=tuple(Run(claim=claims[p], items=tuple(by_partition[p])) for p in sorted(by_partition)))


def check_fences(batch: Batch[Item], held: Mapping[int, HeldPartition]) -> None:
    """Check by the locked rows that every partition of `batch` is still ours.

    Raises:
        FencedError: some are not.
    """
    fenced = {
        run.claim.partition
        for run in batch.runs
        if run.claim.partition not in held or held[run.claim.partition].epoch != run.claim.epoch
    }
    if fenced:
        raise FencedError(frozenset(fenced))


def judge(batch: Batch[Item], held: Mapping[int, HeldPartition]) -> Batch[Item]:
    """Return what of `batch` is not applied yet, by the locked rows.

    Raises:
        FencedError: some partitions are not ours any more.
        HoleInProgressError: see the class.
    """
    check_fences(batch, held)
    left: list[Run[Item]] = []
    for run in batch.runs:
        applied = held[run.claim.partition].next_offset
        if run.first > applied:
            message = f"partition {run.claim.partition}: delivered from {run.first} on, applied up to {applied}"
            raise HoleInProgressError(message)
        items = tuple(item for item in run.items if item.offset >= applied)
        if items:
            left.append(Run(claim=run.claim, items=items))
    return Batch(runs=tuple(left))
