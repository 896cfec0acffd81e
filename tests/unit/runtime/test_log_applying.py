"""Applying a batch until nothing of it is left: what is tried again, cut in two, dropped, raised."""

from collections.abc import Callable
from dataclasses import dataclass, field

import asyncpg
import pytest

from services.runtime.log import applying
from services.runtime.log.applying import UNDIVIDED, BatchApplier, RetryReason
from services.runtime.log.batch import Batch, FencedError, Run, gather
from services.runtime.log.claims import Claim
from services.runtime.postgres.pools import ConcurrentChangeError


@dataclass(frozen=True, slots=True)
class Item:
    """One record, known by its place."""

    partition: int
    offset: int


@dataclass
class Database:
    """Takes batches, unless `refuse` raises; notes what was applied and what was buried, in order."""

    refuse: Callable[[Batch[Item], bool], None] = lambda _batch, _bury: None
    applied: list[Item] = field(default_factory=list)
    buried: list[Item] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)

    async def __call__(self, batch: Batch[Item], *, bury: bool) -> None:
        self.sizes.append(batch.size)
        self.refuse(batch, bury)
        (self.buried if bury else self.applied).extend(batch.items)


@dataclass
class Told:
    """What the applier said."""

    lost: list[int] = field(default_factory=list)
    again: list[RetryReason] = field(default_factory=list)


def a_batch(*sizes: int) -> Batch[Item]:
    claims = {p: Claim(partition=p, epoch=1, applied=0, cursor=0) for p in range(len(sizes))}
    return gather([Item(p, at) for p, size in enumerate(sizes) for at in range(size)], claims)


def an_applier(database: Database, told: Told) -> BatchApplier[Item]:
    def lost(run: Run[Item]) -> None:
        told.lost.append(run.claim.partition)

    return BatchApplier(attempt=database, lost=lost, again=told.again.append)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(applying, "FIRST_PAUSE_S", 0.0)


async def test_a_batch_that_is_taken_is_applied_once() -> None:
    database, told = Database(), Told()
    await an_applier(database, told).apply(a_batch(2, 3))
    assert database.applied == list(a_batch(2, 3).items)
    assert (told.lost, told.again) == ([], [])


async def test_the_one_record_that_cannot_be_stored_is_buried_and_all_others_applied_in_order() -> None:
    bad = Item(0, 5)

    def refuse(batch: Batch[Item], bury: bool) -> None:
        if bad in list(batch.items) and not bury:
            raise asyncpg.DataError("invalid value")

    database, told = Database(refuse), Told()
    await an_applier(database, told).apply(a_batch(8))
    assert database.buried == [bad]
    assert database.applied == [item for item in a_batch(8).items if item != bad]


async def test_a_record_that_cannot_even_be_buried_is_raised() -> None:
    def refuse(_batch: Batch[Item], _bury: bool) -> None:
        raise asyncpg.DataError("invalid value")

    with pytest.raises(asyncpg.DataError):
        await an_applier(Database(refuse), Told()).apply(a_batch(1))


async def test_somebody_elses_partition_is_dropped_and_the_rest_applied() -> None:
    def refuse(batch: Batch[Item], _bury: bool) -> None:
        if {run.claim.partition for run in batch.runs} & {1}:
            raise FencedError(frozenset({1}))

    database, told = Database(refuse), Told()
    await an_applier(database, told).apply(a_batch(1, 1, 1))
    assert told.lost == [1]
    assert [item.partition for item in database.applied] == [0, 2]


async def test_nothing_is_tried_where_every_partition_is_somebody_elses() -> None:
    def refuse(_batch: Batch[Item], _bury: bool) -> None:
        raise FencedError(frozenset({0}))

    database, told = Database(refuse), Told()
    await an_applier(database, told).apply(a_batch(3))
    assert (database.sizes, database.applied, told.lost) == ([3], [], [0])


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        pytest.param(ConnectionResetError(), RetryReason.TRANSIENT, id="the database is away"),
        pytest.param(asyncpg.DeadlockDetectedError("deadlock"), RetryReason.TRANSIENT, id="a deadlock"),
        pytest.param(ConcurrentChangeError(), RetryReason.WIDENED, id="somebody moved something"),
    ],
)
async def test_what_will_pass_is_tried_again(failure: Exception, reason: RetryReason) -> None:
    failures = [failure] * 3

    def refuse(_batch: Batch[Item], _bury: bool) -> None:
        if failures:
            raise failures.pop()

    database, told = Database(refuse), Told()
    await an_applier(database, told).apply(a_batch(4))
    assert told.again == [reason] * 3
    assert (database.sizes, len(database.applied)) == ([4] * 4, 4)


async def test_a_batch_that_waits_too_long_for_locks_is_cut_until_parts_are_small() -> None:
    def refuse(batch: Batch[Item], _bury: bool) -> None:
        if batch.size > UNDIVIDED:
            raise asyncpg.LockNotAvailableError("canceling statement due to lock timeout")

    database, told = Database(refuse), Told()
    await an_applier(database, told).apply(a_batch(UNDIVIDED * 4))
    assert database.applied == list(a_batch(UNDIVIDED * 4).items)
    assert max(size for size in database.sizes if size <= UNDIVIDED) == UNDIVIDED


@pytest.mark.logs_error("batch failed")
async def test_a_bug_is_raised_with_nothing_tried_again() -> None:
    def refuse(_batch: Batch[Item], _bury: bool) -> None:
        raise KeyError("a bug")

    database = Database(refuse)
    with pytest.raises(KeyError):
        await an_applier(database, Told()).apply(a_batch(4))
    assert database.sizes == [4]
