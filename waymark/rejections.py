"""What ingest rejected: the latest letters of the topic `touchpoints-rejected`, as dead letters like the others."""

import asyncio
import hashlib
from collections.abc import Iterator

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from schemas import dead_letter
from schemas.codec import UndecodableError
from waymark.console import CommandError
from waymark.dead_letters import Letter, Selection

STAGE = "ingest"
QUIET_MS = 1_000
TIMEOUT_S = 20.0


async def find_rejections(bootstrap: str, selection: Selection) -> list[Letter]:
    """The latest selected letters, oldest first. They are never requeued: who sent them sends them again, mended.

    Raises:
        CommandError: Kafka does not answer.
    """
    try:
        async with asyncio.timeout(TIMEOUT_S):
            records = await _latest(bootstrap, selection.limit)
    except (KafkaError, OSError, TimeoutError) as error:
        raise CommandError(f"Kafka at {bootstrap} does not answer: {type(error).__name__}") from error
    letters = sorted((letter for record in records for letter in _letters(record)), key=lambda one: one.first_seen)
    return [letter for letter in letters if _selected(letter, selection)][-selection.limit :]


def _selected(letter: Letter, selection: Selection) -> bool:
    wanted = (not selection.refs or letter.ref in selection.refs, not selection.code or letter.code == selection.code)
    return all(wanted) and (not selection.source or letter.source == selection.source)


async def _latest(bootstrap: str, limit: int) -> list[ConsumerRecord]:
    """At most `limit` of the last records of each partition."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, client_id="waymark-dlq")
    await consumer.start()
    try:
        numbers = consumer.partitions_for_topic(dead_letter.TOPIC) or set()
        partitions = [TopicPartition(dead_letter.TOPIC, number) for number in numbers]
        if not partitions:
            return []
        consumer.assign(partitions)
        begins, ends = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
        for partition in partitions:
            consumer.seek(partition, max(begins[partition], ends[partition] - limit))
        return await _read_to(consumer, ends)
    finally:
        await consumer.stop()


async def _read_to(consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int]) -> list[ConsumerRecord]:
    records: list[ConsumerRecord] = []
    while any([await consumer.position(partition) < end for partition, end in ends.items()]):
        fetched = await consumer.getmany(timeout_ms=QUIET_MS)
        records += [record for batch in fetched.values() for record in batch]
    return records


def _letters(record: ConsumerRecord) -> Iterator[Letter]:
    """The letter of a record, or nothing when it is none of ours."""
    try:
        letter = dead_letter.decode(record.value or b"")
    except UndecodableError:
        return
    place = f"{STAGE}/{record.topic}/{record.partition}/{record.offset}"
    yield Letter(
        ref=hashlib.md5(place.encode(), usedforsecurity=False).hexdigest()[:10],
        stage=STAGE,
        line="",
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        code=letter.code,
        errors=[{"path": error.path, "message": error.message} for error in letter.errors],
        source=letter.source,
        touchpoint_id=letter.id,
        key=record.key,
        value=letter.value,
        headers=[],
        first_seen=letter.first_seen,
        requeued_at=None,
    )
