"""The reference job in a plain aiokafka loop: partitions assigned by hand, state and offsets in one transaction.

WAYMARK_KAFKA=… WAYMARK_POSTGRES=… python -m benchmarks.peers.aiokafka_loop TOPIC RUN
"""

import asyncio
import os
import sys

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from benchmarks.ground import PARTITIONS
from benchmarks.peers import durable
from services.runtime.process.garbage_collection import collect_less_often


async def main(topic: str, run: str) -> None:
    """Apply the topic until the process is ended."""
    collect_less_often()
    bootstrap = os.environ["WAYMARK_KAFKA"]
    pool = await asyncpg.create_pool(os.environ["WAYMARK_POSTGRES"], min_size=1, max_size=2)
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", linger_ms=2, max_batch_size=128 * 1024)
    await producer.start()
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    await consumer.start()
    consumer.assign([TopicPartition(topic, partition) for partition in range(PARTITIONS)])
    for partition, offset in (await durable.begin(pool, PARTITIONS)).items():
        consumer.seek(TopicPartition(topic, partition), offset)
    journeys = durable.Journeys()
    while True:
        fetched = await consumer.getmany(timeout_ms=1000, max_records=durable.BATCH_RECORDS)
        if not fetched:
            continue
        records = [(record.key, record.value) for chunk in fetched.values() for record in chunk]
        moves = {tp.partition: (chunk[0].offset, chunk[-1].offset + 1) for tp, chunk in fetched.items()}
        async with pool.acquire() as connection, connection.transaction():
            frictions = await journeys.apply(connection, records)
            sent = [await producer.send(f"{run}-frictions", value=value, key=key) for key, value in frictions]
            await asyncio.gather(*sent)
            await durable.advance(connection, moves)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3]))
