"""A record to write, and how it is handed to aiokafka: alone, or in batches made here."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.producer.message_accumulator import BatchBuilder

from services.runtime.partitioning import partition_of

BATCH_FROM = 8
"""From so many records on they are put into batches here; fewer share aiokafka's with those of other callers."""

Headers = tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One record to write."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class HandedOver:
    """Records that aiokafka has taken, by their positions, and what tells that they are acknowledged."""

    acknowledged: asyncio.Future[Any]
    positions: Sequence[int]


async def hand_over(producer: AIOKafkaProducer, records: Sequence[Record], done: list[HandedOver]) -> None:
    """Give `records` to `producer`, in order within each partition; what was taken stands in `done` at any time.

    Raises:
        aiokafka.errors.KafkaError: it takes no more.
    """
    if len(records) < BATCH_FROM:
        await _one_by_one(producer, records, done)
    else:
        await _in_batches(producer, records, done)


async def _one_by_one(producer: AIOKafkaProducer, records: Sequence[Record], done: list[HandedOver]) -> None:
    """Let aiokafka make the batches: what many requests send within the linger goes together."""
    for at, record in enumerate(records):
        partition = None
        if record.key is not None:
            partition = partition_of(record.key, len(await producer.partitions_for(record.topic)))
        future = await producer.send(
            record.topic, value=record.value, key=record.key, partition=partition, headers=list(record.headers)
        )
        done.append(HandedOver(future, (at,)))


async def _in_batches(producer: AIOKafkaProducer, records: Sequence[Record], done: list[HandedOver]) -> None:
    """Make the batches here: a future for each of them instead of each record, and no look at it by aiokafka."""
    sizes = {topic: len(await producer.partitions_for(topic)) for topic in {record.topic for record in records}}
    by_partition: dict[tuple[str, int], list[int]] = {}
    for at, record in enumerate(records):
        partition = partition_of(record.key, sizes[record.topic]) if record.key is not None else 0
        by_partition.setdefault((record.topic, partition), []).append(at)
    for (topic, partition), positions in by_partition.items():
        start = 0
        while start < len(positions):
            batch = producer.create_batch()
            end = start
            while end < len(positions) and _took(batch, records[positions[end]]):
                end += 1
            future = await producer.send_batch(batch, topic, partition=partition)
            done.append(HandedOver(future, positions[start:end]))
            start = end


def _took(batch: BatchBuilder, record: Record) -> bool:
    """Append to a batch, which takes a first record of any size, and refuses what does not fit after that."""
    taken = batch.append(timestamp=None, key=record.key, value=record.value, headers=list(record.headers))
    return taken is not None
