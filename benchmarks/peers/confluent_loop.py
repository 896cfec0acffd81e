"""The reference job in a plain confluent-kafka loop: as `aiokafka_loop`, over librdkafka.

WAYMARK_KAFKA=… WAYMARK_POSTGRES=… python -m benchmarks.peers.confluent_loop TOPIC RUN PARTITIONS
"""

import asyncio
import gc
import os
import sys

import asyncpg
from confluent_kafka import Consumer, Message, Producer, TopicPartition

from benchmarks.peers import durable


async def main(topic: str, run: str, partitions: int) -> None:
    """Apply the topic until the process is ended."""
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)  # as the other loops
    bootstrap = os.environ["WAYMARK_KAFKA"]
    pool = await asyncpg.create_pool(os.environ["WAYMARK_POSTGRES"], min_size=1, max_size=2)
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "linger.ms": 2})
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": run, "enable.auto.commit": False})
    starts = await durable.begin(pool, partitions)
    consumer.assign([TopicPartition(topic, partition, offset) for partition, offset in starts.items()])
    journeys = durable.Journeys()
    while True:
        fetched = await asyncio.to_thread(consumer.consume, durable.BATCH_RECORDS, 0.2)
        if not fetched:
            continue
        records, moves = _read(fetched)
        async with pool.acquire() as connection, connection.transaction():
            for key, value in await journeys.apply(connection, records):
                producer.produce(f"{run}-frictions", value=value, key=key, on_delivery=_refuse_failure)
            await asyncio.to_thread(producer.flush)
            await durable.advance(connection, moves)


def _read(fetched: list[Message]) -> tuple[list[tuple[bytes, bytes]], dict[int, tuple[int, int]]]:
    records = []
    moves: dict[int, tuple[int, int]] = {}
    for message in fetched:
        if message.error() is not None:
            raise RuntimeError(str(message.error()))
        records.append((message.key(), message.value()))
        partition, offset = message.partition(), message.offset()
        moves[partition] = (moves.get(partition, (offset, 0))[0], offset + 1)
    return records, moves


def _refuse_failure(error: object, _: Message) -> None:
    if error is not None:
        raise RuntimeError(str(error))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
