"""What every `RecordPublisher` does: the one that tests record with, and the producer on a real broker."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from uuid import uuid4

import pytest

from services.runtime.kafka.producer import KafkaProducer, RecordPublisher
from services.runtime.kafka.record import ProducerRecord
from services.runtime.kafka.topics import TopicSpec, ensure_topics
from tests.fixtures.ingest import read_back
from tests.ports.recording_publisher import RecordingPublisher

PARTITIONS = 2


@dataclass(frozen=True)
class PublisherCase:
    """A publisher, a topic of its own, and how to read what was written: (key, value)."""

    publisher: RecordPublisher
    topic: str
    written: Callable[[], Awaitable[list[tuple[bytes, bytes]]]]

    def record(self, value: bytes, key: bytes = b"k") -> ProducerRecord:
        """Return a record of the topic."""
        return ProducerRecord(topic=self.topic, key=key, value=value, headers=())


@pytest.fixture(params=["recording", pytest.param("kafka", marks=pytest.mark.local)])
async def case(request: pytest.FixtureRequest) -> AsyncIterator[PublisherCase]:
    """The fake, and the producer on the embedded broker, which refuses nothing."""
    topic = f"published-{uuid4().hex[:8]}"
    if request.param == "recording":
        fake = RecordingPublisher()

        async def recorded() -> list[tuple[bytes, bytes]]:
            return [(record.key or b"", record.value or b"") for record in fake.records]

        yield PublisherCase(fake, topic, recorded)
        return
    bootstrap = request.getfixturevalue("broker")
    await ensure_topics(
        bootstrap, [TopicSpec(name=topic, partitions=PARTITIONS, replication=1, config={})], configure=False
    )

    async def read() -> list[tuple[bytes, bytes]]:
        since = dict.fromkeys(range(PARTITIONS), 0)
        return [(record.key, record.value) for record in await read_back(bootstrap, since, topic)]

    producer = KafkaProducer(bootstrap, client_id="test", idempotent=False)
    yield PublisherCase(producer, topic, read)
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
