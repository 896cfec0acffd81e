"""How far the journey worker and the alert service are behind their topics: records not applied yet, over time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

from benchmarks.deployed import Surroundings

EVERY_S = 0.25
READERS = {"journey": "touchpoints", "alerts": "frictions"}
_APPLIED = "SELECT coalesce(sum(next_offset), 0) FROM {}.progress WHERE topic = $1"


@dataclass(frozen=True, slots=True)
class Lag:
    """Records that each reader has not applied, at a moment of the loop's clock."""

    at: float
    behind: dict[str, int]


@dataclass(slots=True)
class Lags:
    """A series of lags that grows by itself."""

    series: list[Lag] = field(default_factory=list)

    def since(self, at: float) -> list[Lag]:
        """Return what was seen from a moment on."""
        return [lag for lag in self.series if lag.at >= at]

    @property
    def latest(self) -> dict[str, int]:
        """The newest lags; empty before the first."""
        return self.series[-1].behind if self.series else {}


@asynccontextmanager
async def watching(around: Surroundings) -> AsyncIterator[Lags]:
    """Watch the lags for the length of the block."""
    lags = Lags()
    consumer = AIOKafkaConsumer(bootstrap_servers=around.ground.bootstrap, enable_auto_commit=False)
    await consumer.start()
    connection = await asyncpg.connect(around.url)
    partitions = {topic: await _partitions(consumer, topic) for topic in READERS.values()}
    task = asyncio.create_task(_watch(lags, consumer, connection, partitions))
    try:
        yield lags
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await connection.close()
        await consumer.stop()


async def _partitions(consumer: AIOKafkaConsumer, topic: str) -> list[TopicPartition]:
    known = await consumer._client._wait_on_metadata(topic)
    return [TopicPartition(topic, partition) for partition in known]


async def _watch(
    lags: Lags,
    consumer: AIOKafkaConsumer,
    connection: asyncpg.Connection,
    partitions: dict[str, list[TopicPartition]],
) -> None:
    loop = asyncio.get_running_loop()
    while True:
        behind = {}
        for service, topic in READERS.items():
            applied = int(await connection.fetchval(_APPLIED.format(service), topic))
            behind[service] = max(0, sum((await consumer.end_offsets(partitions[topic])).values()) - applied)
        lags.series.append(Lag(loop.time(), behind))
        await asyncio.sleep(EVERY_S)
