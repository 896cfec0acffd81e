"""The ground that all contestants stand on: one Apache Kafka, one PostgreSQL, topics filled with the same records."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from psycopg import sql

from benchmarks.measuring import Teller
from benchmarks.traffic import Keyed
from services.runtime.kafka.topics import TopicSpec, ensure_topics
from waymark.launchers.kafka import KafkaCluster
from waymark.launchers.postgres import PostgresServer
from waymark.migrations.migrate import migrate

PARTITIONS = 8
WARM_UP_REQUESTS = 40_000
LOG_APPEND_TIME = {"message.timestamp.type": "LogAppendTime"}

AS_DEPLOYED = ("shared_buffers=512MB", "max_wal_size=4GB")
"""PostgreSQL's settings as `docker-compose.yml` gives them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What the contestants are given."""

    kafka: KafkaCluster
    postgres: PostgresServer
    folder: Path

    @property
    def bootstrap(self) -> str:
        """`host:port` for Kafka clients."""
        return self.kafka.bootstrap

    @property
    def roots(self) -> dict[str, int]:
        """Process ids of the broker and of PostgreSQL, by name."""
        return {"kafka": self.kafka.nodes[0].pid, "postgres": self.postgres.pid}


@contextmanager
def laid_out(teller: Teller, *, settings: Sequence[str] = ()) -> Iterator[Ground]:
    """Start Apache Kafka and PostgreSQL for the length of the block, and run the broker warm.

    `settings` are PostgreSQL's, over those of `AS_DEPLOYED`.
    """
    teller.step("starting Apache Kafka and PostgreSQL")
    with TemporaryDirectory(prefix="waymark-bench-") as name:
        folder = Path(name)
        with (
            KafkaCluster(folder / "kafka") as kafka,
            PostgresServer(folder / "postgres", settings=(*AS_DEPLOYED, *settings)) as postgres,
        ):
            ground = Ground(kafka=kafka, postgres=postgres, folder=folder)
            teller.step("warming up")
            asyncio.run(_warm_up(ground))
            yield ground


async def _warm_up(ground: Ground) -> None:
    """Let the broker compile its paths: a cold one takes ten times as long, and the first contestant would pay."""
    spec = TopicSpec(name="warm-up", partitions=PARTITIONS, replication=1, config=LOG_APPEND_TIME)
    await ensure_topics(ground.bootstrap, [spec])
    value = b"x" * 350
    async with producing(ground.bootstrap, linger_ms=0) as producer:
        for _ in range(WARM_UP_REQUESTS // 50):
            await asyncio.gather(*[await producer.send(spec.name, value=value, key=b"%d" % n) for n in range(50)])
    for _ in range(3):
        await latest(ground.bootstrap, spec.name)


def make_topic(ground: Ground, name: str, config: Mapping[str, str] = LOG_APPEND_TIME) -> None:
    """Make an empty topic."""
    spec = TopicSpec(name=name, partitions=PARTITIONS, replication=1, config=config)
    asyncio.run(ensure_topics(ground.bootstrap, [spec]))


def fill(ground: Ground, name: str, records: Sequence[Keyed]) -> None:
    """Make a topic and fill it with `records` in big batches, as a backlog is."""
    make_topic(ground, name)
    asyncio.run(append(ground.bootstrap, name, records))


async def append(bootstrap: str, name: str, records: Sequence[Keyed]) -> None:
    """Write records to a topic."""
    async with producing(bootstrap) as producer:
        for start in range(0, len(records), 5000):
            sent = [await producer.send(name, value=r.value, key=r.key) for r in records[start : start + 5000]]
            await asyncio.gather(*sent)


@asynccontextmanager
async def producing(bootstrap: str, linger_ms: int = 20) -> AsyncIterator[AIOKafkaProducer]:
    """A producer with big batches, for the length of the block."""
    options = {"acks": "all", "linger_ms": linger_ms, "max_batch_size": 512 * 1024}
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, **options)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def ends(bootstrap: str, name: str) -> dict[int, int]:
    """Return the offset after the last record of each partition of a topic."""
    async with _reading(bootstrap) as consumer:
        found = await consumer.end_offsets([TopicPartition(name, partition) for partition in range(PARTITIONS)])
    return {tp.partition: offset for tp, offset in found.items()}


def records_in(ground: Ground, name: str) -> int:
    """Return how many records were ever written to a topic."""
    return sum(asyncio.run(ends(ground.bootstrap, name)).values())


async def latest(bootstrap: str, name: str) -> dict[bytes, bytes]:
    """Return the last value of each key of a topic, read to its end."""
    until = {p: end for p, end in (await ends(bootstrap, name)).items() if end}
    found: dict[bytes, bytes] = {}
    async with _reading(bootstrap) as consumer:
        consumer.assign([TopicPartition(name, partition) for partition in until])
        while until:
            for tp, chunk in (await consumer.getmany(timeout_ms=500)).items():
                found.update((record.key, record.value) for record in chunk)
                if chunk and chunk[-1].offset + 1 >= until.get(tp.partition, 0):
                    until.pop(tp.partition, None)
    return found


@asynccontextmanager
async def _reading(bootstrap: str) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


def database(ground: Ground, name: str, *, migrated: bool = True) -> str:
    """Make a database and return its URL; `migrated` brings Waymark's tables."""
    with psycopg.connect(ground.postgres.url(), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    url = ground.postgres.url(name)
    if migrated:
        migrate(url)
    return url


def drop_database(ground: Ground, name: str) -> None:
    """Drop a database, whoever is still connected."""
    with psycopg.connect(ground.postgres.url(), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
