"""Batches: cut in two, compared with the progress, refused."""

from dataclasses import dataclass

import pytest

from services.runtime.log.batch import Batch, FencedError, HoleInProgressError, gather, judge
from services.runtime.log.progress import HeldPartition
from tests.unit.journey.records import claim


@dataclass(frozen=True, slots=True)
class Item:
    """One record, known by its place."""

    partition: int
    offset: int


def held(partition: int, *, epoch: int = 1, next_offset: int = 0) -> HeldPartition:
    return HeldPartition(partition=partition, epoch=epoch, next_offset=next_offset, last_hash=None)


def offsets(batch: Batch[Item]) -> dict[int, list[int]]:
    return {run.claim.partition: [item.offset for item in run.items] for run in batch.runs}


def batch_of(*runs: tuple[int, int, int]) -> Batch[Item]:
    claims = {partition: claim(partition) for partition, _, _ in runs}
    return gather(items(*runs), claims)


def items(*runs: tuple[int, int, int]) -> list[Item]:
    return [Item(partition, first + at) for partition, first, count in runs for at in range(count)]


def test_records_of_one_partition_follow_each_other() -> None:
    batch = gather(items((1, 4, 2), (0, 0, 1), (1, 6, 2)), {0: claim(0), 1: claim(1)})
    assert offsets(batch) == {0: [0], 1: [4, 5, 6, 7]}


def test_halves_keep_the_order_of_every_partition_and_lose_nothing() -> None:
    head, tail = batch_of((0, 0, 3), (1, 5, 4)).halves()
    assert offsets(head) == {0: [0, 1, 2]}
    assert offsets(tail) == {1: [5, 6, 7, 8]}


def test_a_half_may_cut_a_partition() -> None:
    head, tail = batch_of((0, 0, 1), (1, 5, 5)).halves()
    assert (offsets(head), offsets(tail)) == ({0: [0], 1: [5, 6]}, {1: [7, 8, 9]})


def test_what_is_applied_is_left_out() -> None:
    left = judge(batch_of((0, 0, 3), (1, 5, 2)), {0: held(0, next_offset=2), 1: held(1, next_offset=7)})
    assert offsets(left) == {0: [2]}


@pytest.mark.parametrize("progress", [{0: held(0, epoch=2)}, {}], ids=["a newer epoch", "no row"])
def test_somebody_elses_partition_is_refused(progress: dict[int, HeldPartition]) -> None:
    with pytest.raises(FencedError) as refused:
        judge(batch_of((0, 0, 3)), progress)
    assert refused.value.partitions == {0}


def test_a_hole_is_refused_and_fencing_is_found_first() -> None:
    with pytest.raises(HoleInProgressError):
        judge(batch_of((0, 3, 3)), {0: held(0, next_offset=2)})
    with pytest.raises(FencedError):
        judge(batch_of((0, 3, 3)), {0: held(0, epoch=2, next_offset=2)})
