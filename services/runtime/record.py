"""A record to write, and how it is handed to aiokafka."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaProducer

from services.runtime.partitioning import partition_of

Headers = tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One record to write."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


async def hand_over(producer: AIOKafkaProducer, records: Sequence[Record], taken: list[asyncio.Future[Any]]) -> None:
    """Give `records` to `producer` in order; the future of each that was taken stands in `taken` at any time.

    aiokafka makes the batches, so what many callers send within the linger goes together. (Its `send_batch` waits until
    nothing else is queued for the partition: with a dozen callers at once most of them run out of time.)

    Raises:
        aiokafka.errors.KafkaError: it takes no more.
    """
    sizes: dict[str, int] = {}
    for record in records:
        topic, key = record.topic, record.key
        if topic not in sizes:
            sizes[topic] = len(await producer.partitions_for(topic))
        partition = None if key is None else partition_of(key, sizes[topic])
        headers = list(record.headers)
        taken.append(await producer.send(topic, value=record.value, key=key, partition=partition, headers=headers))
