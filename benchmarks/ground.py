"""The ground that all contestants stand on: one Apache Kafka, one PostgreSQL, topics filled with the same records."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from aiokafka import AIOKafkaProducer

from benchmarks.traffic import Keyed
from services.runtime.kafka import TopicSpec, ensure_topics
from waymark.stack.kafka import Kafka
from waymark.stack.postgres import Postgres

PARTITIONS = 8
LOG_APPEND_TIME = {"message.timestamp.type": "LogAppendTime"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What the contestants are given."""

    kafka: Kafka
    postgres: Postgres
    folder: Path

    @property
    def bootstrap(self) -> str:
        """`host:port` for Kafka clients."""
        return self.kafka.bootstrap


@asynccontextmanager
async def laid_out() -> AsyncIterator[Ground]:
    """Start Apache Kafka and PostgreSQL for the length of the block."""
    with TemporaryDirectory(prefix="waymark-bench-") as name:
        folder = Path(name)
        with Kafka(folder / "kafka") as kafka, Postgres(folder / "postgres") as postgres:
            yield Ground(kafka=kafka, postgres=postgres, folder=folder)


async def topic(ground: Ground, name: str, records: list[Keyed]) -> None:
    """Make a topic and fill it with `records` in big batches, as a backlog is."""
    await ensure_topics(
        ground.bootstrap,
        [TopicSpec(name=name, partitions=PARTITIONS, replication=1, config=LOG_APPEND_TIME)],
    )
    producer = AIOKafkaProducer(bootstrap_servers=ground.bootstrap, acks="all", linger_ms=20, max_batch_size=512 * 1024)
    await producer.start()
    try:
        for start in range(0, len(records), 5000):
            sent = [await producer.send(name, value=r.value, key=r.key) for r in records[start : start + 5000]]
            await asyncio.gather(*sent)
    finally:
        await producer.stop()
