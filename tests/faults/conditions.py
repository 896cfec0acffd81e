"""When a run is over: everything applied, nothing pending, nothing unsaid. Waits with a deadline.

Asked of the database and the broker, never of the processes under fault.
"""

import asyncio
from collections.abc import Awaitable, Callable

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

POLL_S = 0.25


class UnsettledError(AssertionError):
    """The deadline passed; the text says what was still missing."""


async def settled(database: str, bootstrap: str, *, within_s: float) -> None:
    """Wait until both services have done all there is to do.

    Raises:
        UnsettledError: they had not within `within_s` seconds.
    """
    connection = await asyncpg.connect(database)
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    await consumer.start()
    try:
        await until(lambda: _missing(connection, consumer), within_s=within_s)
    finally:
        await consumer.stop()
        await connection.close()


async def until(missing: Callable[[], Awaitable[list[str]]], *, within_s: float) -> None:
    """Ask what is missing until nothing is."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within_s
    while left := await missing():
        if loop.time() > deadline:
            raise UnsettledError(f"after {within_s:.0f} s: {'; '.join(left)}")
        await asyncio.sleep(POLL_S)


async def _missing(connection: "asyncpg.Connection[asyncpg.Record]", consumer: AIOKafkaConsumer) -> list[str]:
    """What is still to be done; each stage only once the one before is through, since it can make work for the next."""
    for what, count in (
        ("touchpoints not applied", await behind(connection, consumer, "journey", "touchpoints")),
        ("timers pending", await connection.fetchval("SELECT count(*) FROM journey.timers WHERE state = 'pending'")),
        (
            "records not published",
            await connection.fetchval("SELECT count(*) FROM journey.outbox WHERE published_at IS NULL"),
        ),
        ("frictions not placed", await behind(connection, consumer, "alerts", "frictions")),
    ):
        if count:
            return [f"{count} {what}"]
    return []


async def behind(
    connection: "asyncpg.Connection[asyncpg.Record]", consumer: AIOKafkaConsumer, schema: str, topic: str
) -> int:
    """How many records of a topic a service has not applied."""
    await consumer.topics()
    partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
    ends = await consumer.end_offsets(partitions)
    table = {"journey": "journey.progress", "alerts": "alerts.progress"}[schema]
    rows = await connection.fetch(
        f"SELECT partition, max(next_offset) AS next FROM {table} WHERE topic = $1 GROUP BY partition", topic
    )
    applied = {row["partition"]: row["next"] for row in rows}
    return sum(max(0, end - applied.get(one.partition, 0)) for one, end in ends.items())
