"""A batch: runs of records of one or more partitions, to be applied in one transaction; and whether they may be.

Pure: `judge` compares a batch with the locked progress rows and says what is still to do.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from services.journey.consume.decoding import PoisonRecord, ReadableRecord, appended_at, decode_record
from services.journey.consume.intake import Chunk, Claim, Record
from services.journey.consume.progress import Held


class Item(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One record, read."""

    partition: int
    record: Record
    content: ReadableRecord | PoisonRecord
    appended_at: datetime

    @property
    def place(self) -> tuple[int, int]:
        """Partition and offset."""
        return self.partition, self.record.offset


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Consecutive records of one partition under one claim, never empty."""

    claim: Claim
    items: tuple[Item, ...]

    @property
    def first(self) -> int:
        """Offset of the first record."""
        return self.items[0].record.offset

    @property
    def end(self) -> int:
        """Offset after the last record."""
        return self.items[-1].record.offset + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Runs of different partitions, in the order of the partitions."""

    runs: tuple[Run, ...]

    @property
    def size(self) -> int:
        """Records in it."""
        return sum(len(run.items) for run in self.runs)

    @property
    def items(self) -> Iterable[Item]:
        """All records, partition after partition."""
        return (item for run in self.runs for item in run.items)

    def halves(self) -> tuple["Batch", "Batch"]:
        """Cut in two so that applying one after the other keeps the order of every partition."""
        room = self.size // 2
        head: list[Run] = []
        tail: list[Run] = []
        for run in self.runs:
            taken, left = run.items[:room], run.items[room:]
            room -= len(taken)
            if taken:
                head.append(Run(claim=run.claim, items=taken))
            if left:
                tail.append(Run(claim=run.claim, items=left))
        return Batch(runs=tuple(head)), Batch(runs=tuple(tail))

    def without(self, partitions: Iterable[int]) -> "Batch":
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


def gather(chunks: Sequence[Chunk]) -> Batch:
    """Read the records of `chunks`; several chunks of one claim follow each other."""
    items: dict[int, list[Item]] = {}
    claims: dict[int, Claim] = {}
    for chunk in chunks:
        claims[chunk.partition] = chunk.claim
        items.setdefault(chunk.partition, []).extend(_item(chunk.partition, record) for record in chunk.records)
    return Batch(runs=tuple(Run(claim=claims[p], items=tuple(items[p])) for p in sorted(items)))


def _item(partition: int, record: Record) -> Item:
    return Item(partition=partition, record=record, content=decode_record(record), appended_at=appended_at(record))


def judge(batch: Batch, held: Mapping[int, Held]) -> Batch:
    """Return what of `batch` is not applied yet, by the locked rows.

    Raises:
        FencedError: some partitions are not ours any more.
        HoleInProgressError: see the class.
    """
    fenced = {
        run.claim.partition
        for run in batch.runs
        if run.claim.partition not in held or held[run.claim.partition].epoch != run.claim.epoch
    }
    if fenced:
        raise FencedError(frozenset(fenced))
    left = []
    for run in batch.runs:
        applied = held[run.claim.partition].next_offset
        if run.first > applied:
            message = f"partition {run.claim.partition}: delivered from {run.first} on, applied up to {applied}"
            raise HoleInProgressError(message)
        items = tuple(item for item in run.items if item.record.offset >= applied)
        if items:
            left.append(Run(claim=run.claim, items=items))
    return Batch(runs=tuple(left))
