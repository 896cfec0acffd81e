"""The tail of a topic, for whoever wants to look: what stands at its end, and what comes. Joins no group."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from services.runtime.addresses.brokers import Brokers, brokers_of

TAIL_OUTAGES: tuple[type[BaseException], ...] = (KafkaError, OSError)
"""What reading a tail raises when Kafka does not answer."""


class TopicTail:
    """The iterator over records that `topic_tail` yields."""

    def __init__(self, consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int]) -> None:
        self._consumer = consumer
        self._ends = ends

    async def pieces(self) -> AsyncGenerator[list[bytes]]:
        """Yield values of records for ever, and an empty list when there are none just now; raises `KafkaError`.

        The first empty list comes when all that stood there at the start has been given.
        """
        while True:
            fetched = await self._consumer.getmany(timeout_ms=500)
            values = [record.value for records in fetched.values() for record in records if record.value is not None]
            if values:
                yield values
            if self._ends and not [tp for tp, end in self._ends.items() if await self._consumer.position(tp) < end]:
                self._ends.clear()
            if not self._ends:
                yield []


@asynccontextmanager
async def topic_tail(brokers: Brokers | str, topic: str, *, client_id: str, back: int) -> AsyncIterator[TopicTail]:
    """Read `topic` from `back` records before the end of each partition; raises `KafkaError` or OSError."""
    options = brokers_of(brokers).options
    consumer = AIOKafkaConsumer(**options, client_id=client_id, enable_auto_commit=False)
    try:
        await consumer.start()
        await consumer._client.add_topic(topic)  # Apache Kafka tells of no topic that was not asked for
        partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
        if not partitions:
            raise KafkaError(f"there is no topic {topic}")
        consumer.assign(partitions)
        begins, ends = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
        for partition in partitions:
            consumer.seek(partition, max(begins[partition], ends[partition] - back))
        yield TopicTail(consumer, dict(ends))
    finally:
        await consumer.stop()
