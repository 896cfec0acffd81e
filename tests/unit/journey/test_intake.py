"""The intake: what is delivered, refused and kept waiting."""

import asyncio

from services.journey.consume.intake import RECLAIM_AFTER_S, Intake
from tests.unit.journey.records import chunk, claim


async def test_batches_take_no_more_than_asked_and_leave_the_rest() -> None:
    intake = Intake(capacity=100)
    held = claim()
    intake.grant([held])
    await intake.put(chunk(held, 0, 7))
    await intake.put(chunk(held, 7, 3))
    batches = intake.batches(lambda: 5)
    first = await anext(batches)
    second = await anext(batches)
    assert [[len(one.records) for one in batch] for batch in (first, second)] == [[5], [2, 3]]
    assert [record.offset for one in (*first, *second) for record in one.records] == list(range(10))
    assert intake.waiting == 0


async def test_a_batch_takes_one_partition_after_the_other_and_each_gets_its_turn() -> None:
    intake = Intake(capacity=100)
    deep, shallow = claim(0), claim(1)
    intake.grant([deep, shallow])
    await intake.put(chunk(deep, 0, 9))
    await intake.put(chunk(shallow, 0, 2))
    await intake.put(chunk(deep, 9, 3))
    batches = intake.batches(lambda: 6)
    taken = [await anext(batches) for _ in range(3)]
    told = [[(one.partition, [record.offset for record in one.records]) for one in batch] for batch in taken]
    assert told == [
        [(0, [0, 1, 2, 3, 4, 5])],
        [(1, [0, 1]), (0, [6, 7, 8]), (0, [9])],
        [(0, [10, 11])],
    ]


async def test_a_full_queue_makes_the_consumer_wait() -> None:
    intake = Intake(capacity=4)
    held = claim()
    intake.grant([held])
    await intake.put(chunk(held, 0, 4))
    waiting = asyncio.create_task(intake.put(chunk(held, 4, 1)))
    await asyncio.sleep(0)
    assert not waiting.done()
    await anext(intake.batches(lambda: 4))
    await waiting
    assert intake.waiting == 1


async def test_chunks_of_a_claim_that_is_gone_are_dropped() -> None:
    intake = Intake(capacity=100)
    old, new = claim(epoch=1), claim(epoch=2)
    intake.grant([old])
    await intake.put(chunk(old, 0, 3))
    intake.grant([new])
    await intake.put(chunk(new, 0, 2))
    batch = await anext(intake.batches(lambda: 10))
    assert [one.claim for one in batch] == [new]


def test_a_lost_partition_is_claimed_again_only_after_a_pause() -> None:
    intake = Intake(capacity=100)
    held, other = claim(0), claim(1)
    intake.grant([held, other])
    intake.lose(held, now=10.0)
    assert intake.unclaimed([0, 1], now=10.0) == []
    assert intake.unclaimed([0, 1], now=10.0 + RECLAIM_AFTER_S) == [0]


def test_losing_an_older_claim_leaves_the_present_one_alone() -> None:
    intake = Intake(capacity=100)
    old, new = claim(epoch=1), claim(epoch=2)
    intake.grant([old])
    intake.grant([new])
    intake.lose(old, now=0.0)
    assert intake.holds(new)


def test_a_rebalance_takes_every_claim_and_every_pause() -> None:
    intake = Intake(capacity=100)
    held = claim(0)
    intake.grant([held, claim(1)])
    intake.lose(held, now=10.0)
    intake.revoke_all()
    assert intake.unclaimed([0, 1], now=10.0) == [0, 1]


async def test_the_consumer_waits_for_space_in_bytes_too() -> None:
    held = claim(0)
    first = chunk(held, 0, 1)
    intake = Intake(capacity=100, capacity_bytes=first.size)
    intake.grant([held])
    await intake.put(first)
    waiting = asyncio.create_task(intake.put(chunk(held, 1, 1)))
    await asyncio.sleep(0)
    assert not waiting.done()
    await anext(intake.batches(lambda: 1))
    await waiting
    assert intake.waiting == 1
