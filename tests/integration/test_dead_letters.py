import base64
import json
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from schemas.documents import dead_letter
from schemas.documents.dead_letter import DeadLetterDocument, DeadLetterError, DeadLetterStage
from services.runtime.kafka.producer import KafkaProducer, PublishError
from services.runtime.kafka.record import ProducerRecord
from services.runtime.kafka.topics import TopicSpec, ensure_topics
from services.runtime.log.letter_table import DeadLetterSelection
from services.runtime.postgres.pools import Connection
from tests.fixtures.ingest import first_records
from waymark.database import open_transaction
from waymark.dead_letters.letters import find_letters, republish
from waymark.dead_letters.rejections import find_rejections
from waymark.topics.declared_topics import declared

pytestmark = pytest.mark.local


async def add_letter(connection: Connection, topic: str, offset: int, *, code: str = "undecodable") -> None:
    """A dead letter of the journey worker."""
    await connection.execute(
        """INSERT INTO journey.dead_letters
               (line, topic, partition, "offset", code, errors, source, key, value, headers, appended_at)
           VALUES ('line-1', $1, 0, $2, $3, '[{"path": "id", "message": "too long"}]', 'ivr', $4, $5, $6, now())""",
        *(topic, offset, code, b"key", b"value \xff", json.dumps([["ce_id", base64.b64encode(b"7").decode()]])),
    )


async def test_a_requeued_letter_is_the_original_record_and_is_sent_once(database: str, broker: str) -> None:
    topic = f"requeued-{uuid4()}"
    await ensure_topics(broker, [TopicSpec(name=topic, partitions=1, replication=1, config={})], configure=False)
    producer = KafkaProducer(broker, client_id="test", idempotent=False)
    async with open_transaction(database) as connection:
        await add_letter(connection, topic, 5)
        await add_letter(connection, topic, 9, code="conflict")
        letters = await find_letters(connection, DeadLetterSelection(code="undecodable"))
        assert await republish(connection, letters, producer) == 1
        assert [letter.offset for letter in await find_letters(connection, DeadLetterSelection())] == [9]
        assert [letter.offset for letter in await find_letters(connection, DeadLetterSelection(requeued=True))] == [
            5,
            9,
        ]
    await producer.stop()
    (record,) = await first_records(broker, topic, 1)
    assert (record.key, record.value, list(record.headers)) == (b"key", b"value \xff", [("ce_id", b"7")])


@pytest.mark.logs_error("aiokafka")
async def test_what_kafka_does_not_take_stays_a_dead_letter(database: str) -> None:
    producer = KafkaProducer("127.0.0.1:1", client_id="test", idempotent=False, request_timeout_s=0.5)
    async with open_transaction(database) as connection:
        await add_letter(connection, "nowhere", 1)
    with pytest.raises(PublishError):
        async with open_transaction(database) as connection:
            await republish(connection, await find_letters(connection, DeadLetterSelection()), producer)
    async with open_transaction(database) as connection:
        assert [letter.requeued_at for letter in await find_letters(connection, DeadLetterSelection())] == [None]


async def test_what_ingest_rejected_is_read_from_its_topic(broker: str) -> None:
    (topic,) = (spec for spec in declared(1) if spec.name == dead_letter.TOPIC)
    await ensure_topics(broker, [topic], configure=False)
    source = f"ivr-{uuid4()}"
    producer = KafkaProducer(broker, client_id="test", idempotent=False)
    for number in range(3):
        letter = DeadLetterDocument(
            id=f"letter-{source}-{number}",
            stage=DeadLetterStage.INGEST,
            code="invalid_field",
            value_base64=base64.b64encode(b'{"id":"call-%d"}' % number).decode(),
            value_bytes=15,
            first_seen=datetime(2026, 11, 22, 0, number, tzinfo=UTC),
            errors=(DeadLetterError(path="kind", code="missing", message="Send `kind`."),),
            source=source,
        )
        await producer.publish(
            [ProducerRecord(topic=topic.name, key=source.encode(), value=dead_letter.encode(letter))]
        )
    await producer.publish([ProducerRecord(topic=topic.name, key=b"odd", value=b"not a letter")])
    await producer.stop()

    letters = await find_rejections(broker, DeadLetterSelection(source=source), {})

    assert [letter.touchpoint_id for letter in letters] == ["call-0", "call-1", "call-2"]
    assert letters[0].errors == [{"path": "kind", "message": "Send `kind`."}]
    (chosen,) = await find_rejections(broker, DeadLetterSelection(refs=[letters[1].ref]), {})
    assert chosen.touchpoint_id == "call-1"
    at = letters[1].first_seen
    assert [
        letter.touchpoint_id
        for letter in await find_rejections(broker, DeadLetterSelection(source=source, since=at), {})
    ] == [
        "call-1",
        "call-2",
    ]
    sent_again = {letters[0].letter_id: at}
    waiting = await find_rejections(broker, DeadLetterSelection(source=source, until=at), sent_again)
    everything = await find_rejections(broker, DeadLetterSelection(source=source, until=at, requeued=True), sent_again)
    assert (waiting, [letter.requeued_at for letter in everything]) == ([], [at])


async def test_letters_are_found_by_ref_stage_code_and_source(database: str) -> None:
    async with open_transaction(database) as connection:
        await add_letter(connection, "t", 1)
        await add_letter(connection, "t", 2, code="conflict")
        await connection.execute(
            """INSERT INTO alerts.dead_letters (line, topic, partition, "offset", code, value, first_seen)
               VALUES ('line-1', 'frictions', 3, 4, 'undecodable', 'x', now())"""
        )
        every = await find_letters(connection, DeadLetterSelection())
        assert len({letter.ref for letter in every}) == 3
        by_stage = await find_letters(connection, DeadLetterSelection(stage="alerts"))
        assert [(letter.topic, letter.offset) for letter in by_stage] == [("frictions", 4)]
        assert len(await find_letters(connection, DeadLetterSelection(source="ivr"))) == 2
        assert [letter.code for letter in await find_letters(connection, DeadLetterSelection(code="conflict"))] == [
            "conflict"
        ]
        chosen = await find_letters(connection, DeadLetterSelection(refs=[every[0].ref]))
        assert [letter.ref for letter in chosen] == [every[0].ref]
        assert len(await find_letters(connection, DeadLetterSelection(limit=2))) == 2
