"""What every `RecordPublisher` does: the one that tests record with, and the producer on a real broker."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from uuid import uuid4

import pytest

from services.runtime.kafka.producer import KafkaProducer, PublishError, RecordPublisher
from services.runtime.kafka.record import ProducerRecord
from services.runtime.kafka.topics import TopicSpec, ensure_topics
from tests.fixtures.ingest import read_back
from tests.ports.recording_publisher import RecordingPublisher

PARTITIONS = 2
TOO_LARGE = b"x" * 200_000
"""More than a topic's `max.message.bytes` here, and more than a batch, so that it is alone in one."""

REAL = [pytest.param("broker", marks=pytest.mark.local), pytest.param("kafka", marks=pytest.mark.kafka)]


CAN_REFUSE = pytest.mark.parametrize("case", ["recording", REAL[1]], indirect=True)
"""The embedded broker refuses nothing: it heeds no `max.message.bytes`, and makes a topic that is missing."""


@dataclass(frozen=True)
class PublisherCase:
    """A publisher, a topic of its own, one that does not exist, and how to read what was written: (key, value)."""

    publisher: RecordPublisher
    topic: str
    missing_topic: str
    written: Callable[[], Awaitable[list[tuple[bytes, bytes]]]]

    def record(self, value: bytes, key: bytes = b"k") -> ProducerRecord:
        """Return a record of the topic."""
        return ProducerRecord(topic=self.topic, key=key, value=value, headers=())


@pytest.fixture(params=["recording", *REAL])
async def case(request: pytest.FixtureRequest) -> AsyncIterator[PublisherCase]:
    """The fake, the producer on the embedded broker, and the producer on Apache Kafka."""
    topic = f"published-{uuid4().hex[:8]}"
    missing = f"missing-{topic}"
    if request.param == "recording":
        fake = RecordingPublisher()
        fake.refuse, fake.refuse_values = {missing}, {TOO_LARGE}

        async def recorded() -> list[tuple[bytes, bytes]]:
            return [(record.key or b"", record.value or b"") for record in fake.records]

        yield PublisherCase(fake, topic, missing, recorded)
        return
    bootstrap = request.getfixturevalue(request.param)
    config = {"max.message.bytes": "100000"}
    await ensure_topics(
        bootstrap, [TopicSpec(name=topic, partitions=PARTITIONS, replication=1, config=config)], configure=False
    )

    async def read() -> list[tuple[bytes, bytes]]:
        since = dict.fromkeys(range(PARTITIONS), 0)
        return [(record.key, record.value) for record in await read_back(bootstrap, since, topic)]

    producer = KafkaProducer(bootstrap, client_id="test", idempotent=request.param == "kafka", request_timeout_s=3.0)
    yield PublisherCase(producer, topic, missing, read)
    await producer.stop()


async def test_what_was_published_is_written_when_publishing_returns(case: PublisherCase) -> None:
    await case.publisher.publish([case.record(b"one")])

    assert await case.written() == [(b"k", b"one")]


async def test_records_of_a_key_keep_their_order(case: PublisherCase) -> None:
    values = [b"%d" % number for number in range(20)]

    await case.publisher.publish([case.record(value, b"odd" if int(value) % 2 else b"even") for value in values[:10]])
    await case.publisher.publish([case.record(value, b"odd" if int(value) % 2 else b"even") for value in values[10:]])

    written = await case.written()
    assert [int(value) for key, value in written if key == b"odd"] == list(range(1, 20, 2))
    assert [int(value) for key, value in written if key == b"even"] == list(range(0, 20, 2))


async def test_publishing_nothing_is_no_failure(case: PublisherCase) -> None:
    await case.publisher.publish([])
    await case.publisher.publish([case.record(b"one")])

    assert await case.written() == [(b"k", b"one")]


@CAN_REFUSE
async def test_what_was_not_acknowledged_is_named_by_its_place_and_the_rest_is_written(case: PublisherCase) -> None:
    records = [case.record(b"one"), case.record(TOO_LARGE), case.record(b"two"), case.record(TOO_LARGE)]

    with pytest.raises(PublishError) as raised:
        await case.publisher.publish(records)

    assert raised.value.failed == {1, 3}
    assert [value for _, value in await case.written()] == [b"one", b"two"]


@CAN_REFUSE
async def test_publishing_goes_on_after_a_failure(case: PublisherCase) -> None:
    with pytest.raises(PublishError) as raised:
        await case.publisher.publish([ProducerRecord(topic=case.missing_topic, key=b"k", value=b"v", headers=())] * 2)
    await case.publisher.publish([case.record(b"next")])

    assert raised.value.failed == {0, 1}
    assert raised.value.reason
    assert await case.written() == [(b"k", b"next")]
