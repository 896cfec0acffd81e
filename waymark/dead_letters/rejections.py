"""What ingest rejected: the latest letters of the topic `touchpoints-rejected`, as dead letters like the others."""

import asyncio
import hashlib
from collections.abc import Iterator, Mapping
from datetime import datetime

import orjson
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from schemas.codec import UndecodableError
from schemas.documents import dead_letter
from services.ingest.inspector.other_replicas import MAPPED_HEADER
from services.runtime.addresses.brokers import Brokers, brokers_of
from services.runtime.kafka.access_check import find_problem
from services.runtime.log.letter_table import DeadLetterSelection, ListedDeadLetter
from waymark.console import CommandError

STAGE = "ingest"
QUIET_MS = 1_000
TIMEOUT_S = 60.0
SEARCHED = 100_000
"""Of the latest records of each partition, where something particular is looked for."""

SentAgain = Mapping[str, datetime]


async def find_rejections(
    brokers: Brokers | str, selection: DeadLetterSelection, sent_again: SentAgain
) -> list[ListedDeadLetter]:
    """Return the latest selected letters, oldest first; `sent_again` says which were sent again, and when.

    Raises:
        CommandError: Kafka does not answer.
    """
    filtered = bool(selection.refs or selection.code or selection.source or selection.since or selection.until)
    try:
        async with asyncio.timeout(TIMEOUT_S):
            records = await _latest(brokers, SEARCHED if filtered else selection.limit)
    except (KafkaError, OSError, TimeoutError) as error:
        trouble = await find_problem(brokers_of(brokers))
        reason = trouble.text if trouble else type(error).__name__
        raise CommandError(f"Kafka at {brokers} does not answer: {reason}") from error
    letters = sorted(
        (letter for record in records for letter in _letters(record, sent_again)), key=lambda one: one.first_seen
    )
    return [letter for letter in letters if _selected(letter, selection)][-selection.limit :]


def _selected(letter: ListedDeadLetter, selection: DeadLetterSelection) -> bool:
    wanted = (
        not selection.refs or letter.ref in selection.refs,
        not selection.code or letter.code == selection.code,
        not selection.source or letter.source == selection.source,
        selection.requeued or letter.requeued_at is None,
        selection.since is None or letter.first_seen >= selection.since,
        selection.until is None or letter.first_seen < selection.until,
    )
    return all(wanted)


async def _latest(brokers: Brokers | str, limit: int) -> list[ConsumerRecord]:
    """Return at most `limit` of the last records of each partition."""
    consumer = AIOKafkaConsumer(**brokers_of(brokers).options, enable_auto_commit=False, client_id="waymark-dlq")
    await consumer.start()
    try:
        await consumer._client.add_topic(dead_letter.TOPIC)  # Apache Kafka tells of no topic that was not asked for
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


def _letters(record: ConsumerRecord, sent_again: SentAgain) -> Iterator[ListedDeadLetter]:
    """Return the letter of a record, or nothing when it is not one of ours."""
    try:
        letter = dead_letter.decode(record.value or b"")
    except UndecodableError:
        return
    yield ListedDeadLetter(
        ref=hashlib.md5(f"{STAGE}/{letter.id}".encode(), usedforsecurity=False).hexdigest()[:10],
        stage=STAGE,
        line="",
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        code=letter.code,
        errors=[{"path": error.path, "message": error.message} for error in letter.errors],
        source=letter.source,
        touchpoint_id=_id_of(letter.value),
        key=record.key,
        value=letter.value,
        headers=[],
        first_seen=letter.first_seen,
        requeued_at=sent_again.get(letter.id),
        letter_id=letter.id,
        mapped=MAPPED_HEADER in letter.headers,
        truncated=letter.truncated,
    )


def _id_of(value: bytes) -> str | None:
    """Return the touchpoint's id, if the original has one."""
    try:
        document = orjson.loads(value)
    except orjson.JSONDecodeError:
        return None
    found = document.get("id") if isinstance(document, dict) else None
    return found if isinstance(found, str) else None
