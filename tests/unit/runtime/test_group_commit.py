"""Group commit: what waits together goes together, and each caller hears of its own records."""

import asyncio

import pytest
from aiokafka.errors import KafkaTimeoutError
from aiokafka.producer.message_accumulator import BatchBuilder

from services.runtime.kafka.group_commit import GroupCommit
from services.runtime.kafka.record import ProducerRecord


class ProducerInHand:
    """Stands for aiokafka's producer: batches are real, and are acknowledged when the test says so."""

    def __init__(self, partitions: int = 1) -> None:
        self.partitions = set(range(partitions))
        self.sent: list[tuple[int, int, asyncio.Future[None]]] = []
        self.arrived = asyncio.Event()

    async def partitions_for(self, _topic: str) -> set[int]:
        return self.partitions

    def create_batch(self) -> BatchBuilder:
        return BatchBuilder(1_000, 0)

    async def send_batch(self, batch: BatchBuilder, _topic: str, *, partition: int) -> asyncio.Future[None]:
        acknowledged: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.sent.append((partition, batch.record_count(), acknowledged))
        self.arrived.set()
        return acknowledged

    async def next(self) -> asyncio.Future[None]:
        """Return what acknowledges the next batch, once it is there."""
        await self.arrived.wait()
        self.arrived.clear()
        return self.sent[-1][2]


def group_commit(producer: ProducerInHand) -> GroupCommit:
    return GroupCommit(producer)


def record(key: str, size: int = 10) -> ProducerRecord:
    return ProducerRecord(topic="t", key=key.encode(), value=b"x" * size)


async def test_what_comes_in_while_a_batch_is_on_its_way_is_the_next_one() -> None:
    producer = ProducerInHand()
    commits = group_commit(producer)
    first = asyncio.create_task(commits.write([record("a")], 5))
    acknowledge = await producer.next()
    later = [asyncio.create_task(commits.write([record("a"), record("b")], 5)) for _ in range(3)]
    await asyncio.sleep(0)
    acknowledge.set_result(None)
    (await producer.next()).set_result(None)
    assert await first == [None]
    assert [await one for one in later] == [[None, None]] * 3
    assert [count for _, count, _ in producer.sent] == [1, 6]


async def test_a_failed_batch_fails_its_own_writes_and_nobody_else() -> None:
    producer = ProducerInHand()
    commits = group_commit(producer)
    sent = asyncio.create_task(commits.write([record("a"), record("a")], 5))
    acknowledge = await producer.next()
    behind = asyncio.create_task(commits.write([record("a")], 5))
    await asyncio.sleep(0)
    acknowledge.set_exception(KafkaTimeoutError())
    (await producer.next()).set_result(None)
    assert [type(outcome) for outcome in await sent] == [KafkaTimeoutError, KafkaTimeoutError]
    assert await behind == [None]


async def test_a_batch_that_is_full_leaves_the_rest_for_the_next_in_order() -> None:
    producer = ProducerInHand()
    commits = group_commit(producer)
    written = asyncio.create_task(commits.write([record("a", 400)] * 5, 5))
    for _ in range(3):
        (await producer.next()).set_result(None)
    assert await written == [None] * 5
    assert [count for _, count, _ in producer.sent] == [2, 2, 1]


async def test_a_record_larger_than_a_batch_goes_alone() -> None:
    producer = ProducerInHand()
    written = asyncio.create_task(group_commit(producer).write([record("a"), record("a", 5_000)], 5))
    for _ in range(2):
        (await producer.next()).set_result(None)
    assert await written == [None, None]
    assert [count for _, count, _ in producer.sent] == [1, 1]


async def test_what_was_given_up_before_it_left_is_not_sent() -> None:
    producer = ProducerInHand()
    commits = group_commit(producer)
    first = asyncio.create_task(commits.write([record("a")], 5))
    acknowledge = await producer.next()
    (outcome,) = await commits.write([record("a")], 0.01)
    acknowledge.set_result(None)
    assert isinstance(outcome, TimeoutError)
    assert await first == [None]
    await commits.settle(1)
    assert [count for _, count, _ in producer.sent] == [1]


async def test_whoever_is_cancelled_takes_nobody_along() -> None:
    producer = ProducerInHand()
    commits = group_commit(producer)
    first = asyncio.create_task(commits.write([record("a")], 5))
    acknowledge = await producer.next()
    second = asyncio.create_task(commits.write([record("a")], 5))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    acknowledge.set_result(None)
    (await producer.next()).set_result(None)
    assert await second == [None]


async def test_partitions_do_not_wait_for_one_another() -> None:
    producer = ProducerInHand(partitions=8)
    written = asyncio.create_task(group_commit(producer).write([record(f"k{number}") for number in range(40)], 5))
    while sum(count for _, count, _ in producer.sent) < 40:
        await producer.next()
    assert len(producer.sent) == len({partition for partition, _, _ in producer.sent})
    for _, _, acknowledged in producer.sent:
        acknowledged.set_result(None)
    assert await written == [None] * 40


async def test_a_topic_of_which_nobody_tells_is_given_up_in_time() -> None:
    class Silent(ProducerInHand):
        async def partitions_for(self, _topic: str) -> set[int]:
            await asyncio.Event().wait()
            raise AssertionError

    (outcome,) = await group_commit(Silent()).write([record("a")], 0.01)
    assert isinstance(outcome, TimeoutError)


async def test_each_of_many_is_given_up_at_its_own_time_and_what_is_over_is_left_alone() -> None:
    loop = asyncio.get_running_loop()
    ends: list[str] = []

    async def give_up_after(name: str, within_s: float) -> None:
        (outcome,) = await commits.write([record("a")], within_s)
        assert isinstance(outcome, TimeoutError)
        ends.append(name)

    producer = ProducerInHand()
    commits = group_commit(producer)
    began = loop.time()
    tasks = [
        asyncio.create_task(give_up_after(name, s)) for name, s in (("slow", 0.06), ("quick", 0.01), ("mid", 0.03))
    ]
    patient = asyncio.create_task(commits.write([record("b")], 60))
    await asyncio.gather(*tasks)

    assert ends == ["quick", "mid", "slow"]
    assert loop.time() - began >= 0.06
    assert not patient.done()
    patient.cancel()
    producer.sent[0][2].set_result(None)  # what was sent is waited for, whoever gave it up
    await commits.settle(1)
