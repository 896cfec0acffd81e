"""The producer of every service, when its broker dies: it says so, leaves nothing behind, and works again."""

import asyncio
import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer

from services.runtime.kafka.partitioning import partition_of
from services.runtime.kafka.producer import KafkaProducer, PublishError
from services.runtime.kafka.record import ProducerRecord
from services.runtime.kafka.topics import TopicSpec, ensure_topics
from tests.waiting import until
from waymark.launchers.tansu import TansuBroker

pytestmark = pytest.mark.local

TIMEOUT_S = 2.5
"""Longer than a discarded producer has to close: what was handed over late is still on its way then."""

RECORD = ProducerRecord(topic="t", key=b"k", value=b"v")


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[TansuBroker]:
    """A broker that the test may kill."""
    with TansuBroker(tmp_path) as broker:
        yield broker


@pytest.fixture
async def producer(own_broker: TansuBroker) -> KafkaProducer:
    """A producer that has written already."""
    await ensure_topics(
        own_broker.bootstrap, [TopicSpec(name="t", partitions=1, replication=1, config={})], configure=False
    )
    made = KafkaProducer(own_broker.bootstrap, client_id="test", idempotent=False, request_timeout_s=TIMEOUT_S)
    await made.publish([RECORD])
    return made


def running() -> list[str]:
    """What aiokafka still does."""
    tasks = ((task.get_name(), task.get_coro()) for task in asyncio.all_tasks())
    return [name for name, coro in tasks if "aiokafka" in getattr(getattr(coro, "cr_code", None), "co_filename", "")]


async def test_a_discarded_producer_leaves_nothing_running(
    own_broker: TansuBroker, producer: KafkaProducer, caplog: pytest.LogCaptureFixture
) -> None:
    before = asyncio.all_tasks()
    own_broker.child.freeze()

    publications = [asyncio.create_task(producer.publish([RECORD]))]
    while not publications[0].done():  # when the first fails, the last has just been handed over: it cannot be flushed
        await asyncio.wait(publications[:1], timeout=0.2)
        publications.append(asyncio.create_task(producer.publish([RECORD])))
    outcomes = await asyncio.gather(*publications, return_exceptions=True)

    assert {type(outcome) for outcome in outcomes} == {PublishError}
    await until(lambda: not running(), within=15)
    assert asyncio.all_tasks() <= before
    del publications, outcomes
    gc.collect()
    assert [one.getMessage() for one in caplog.records if one.name == "asyncio"] == []
    own_broker.child.resume()


async def test_whoever_waits_for_an_answer_does_not_wait_for_the_funeral(
    own_broker: TansuBroker, producer: KafkaProducer
) -> None:
    own_broker.child.kill()
    loop = asyncio.get_running_loop()

    started = loop.time()
    with pytest.raises(PublishError):
        await producer.publish([RECORD])

    assert loop.time() - started < TIMEOUT_S * 1.5 + 0.5  # what the records had, not what closing takes
    await producer.stop()
    assert running() == []


async def test_a_new_producer_takes_the_place_of_a_discarded_one(
    own_broker: TansuBroker, producer: KafkaProducer
) -> None:
    own_broker.child.freeze()
    with pytest.raises(PublishError):
        await producer.publish([RECORD])
    own_broker.child.resume()

    async def works() -> bool:
        try:
            await producer.publish([RECORD])
        except PublishError:
            return False
        return True

    await until(works, within=20)
    await producer.stop()


async def test_many_records_arrive_whole_and_in_the_order_of_their_keys(own_broker: TansuBroker) -> None:
    bootstrap = own_broker.bootstrap
    await ensure_topics(bootstrap, [TopicSpec(name="many", partitions=3, replication=1, config={})], configure=False)
    producer = KafkaProducer(bootstrap, client_id="test", idempotent=False)
    values = [b"%d" % number for number in range(2_000)]
    values[700] = b"x" * 300_000  # larger than a batch
    records = [
        ProducerRecord(topic="many", key=b"k%d" % (at % 7), value=value, headers=(("n", b"%d" % at),))
        for at, value in enumerate(values)
    ]
    await producer.publish(records)
    await producer.stop()

    consumer = AIOKafkaConsumer("many", bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        read = [await anext(consumer) for _ in records]
    finally:
        await consumer.stop()
    assert {int(dict(one.headers)["n"]): (one.key, one.value) for one in read} == {
        at: (record.key, record.value) for at, record in enumerate(records)
    }
    for key in {record.key for record in records}:
        numbers = [int(dict(one.headers)["n"]) for one in read if one.key == key]
        assert numbers == sorted(numbers)
        assert {one.partition for one in read if one.key == key} == {partition_of(key or b"", 3)}
