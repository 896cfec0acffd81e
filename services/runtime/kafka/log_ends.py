"""Where the logs of partitions begin and end, the name of the cluster they belong to, and how a consumer is closed.

Reading the records in between is left to the services.
"""

import asyncio
from collections.abc import Iterable

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaConnectionError

from services.runtime.addresses.brokers import Brokers, brokers_of

CLOSE_S = 2.0

"""How long a client has to end in good order."""


async def close_consumer(consumer: AIOKafkaConsumer) -> None:
    """Leave the group and close, by force where no broker answers, because the client would look for one for ever."""
    try:
        async with asyncio.timeout(CLOSE_S):
            await consumer.stop()
    except TimeoutError:
        await consumer._client.close()  # aiokafka 0.14: `stop` does nothing when it is called again
    except asyncio.CancelledError:  # a task of the group's that was cancelled without a broker ends `stop` half-way
        await consumer._client.close()
        raise


async def cluster_line(brokers: Brokers | str, override: str = "") -> str:
    """Return the name of the life of the log: `override`, else the cluster's id.

    Raises:
        aiokafka.errors.KafkaConnectionError: no broker answers, or it names no cluster.
    """
    if override:
        return override
    admin = AIOKafkaAdminClient(**brokers_of(brokers).options)
    await admin.start()
    try:
        cluster = await admin.describe_cluster()
    finally:
        await admin.close()
    name = cluster.get("cluster_id") if isinstance(cluster, dict) else None
    if not name:
        raise KafkaConnectionError("the broker names no cluster id; set WAYMARK_KAFKA_LINE")
    return str(name)


class LogEnds:
    """Asks where partitions begin and end, through a consumer of its own that joins no group."""

    def __init__(self, brokers: Brokers | str, *, client_id: str) -> None:
        options = brokers_of(brokers).options
        self._consumer = AIOKafkaConsumer(**options, client_id=client_id, enable_auto_commit=False)

    async def start(self) -> None:
        """Connect to the brokers."""
        await self._consumer.start()

    async def stop(self) -> None:
        """Close the connection to the brokers."""
        await close_consumer(self._consumer)

    async def ends(self, topic: str, partitions: Iterable[int]) -> dict[int, int]:
        """Return the offset after the last record of each partition."""
        found = await self._consumer.end_offsets([TopicPartition(topic, partition) for partition in partitions])
        return {tp.partition: offset for tp, offset in found.items()}

    async def beginnings(self, topic: str, partitions: Iterable[int]) -> dict[int, int]:
        """Return the offset of the first record that each partition still keeps."""
        found = await self._consumer.beginning_offsets([TopicPartition(topic, partition) for partition in partitions])
        return {tp.partition: offset for tp, offset in found.items()}
