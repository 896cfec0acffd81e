"""What every `RejectionTail` does: the one in memory, and the end of a topic on a real broker."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass
from uuid import uuid4

import pytest

from services.ingest.inspector.other_replicas import RejectionTail
from services.runtime.kafka.producer import KafkaProducer
from services.runtime.kafka.record import ProducerRecord
from services.runtime.kafka.topic_tail import topic_tail
from services.runtime.kafka.topics import TopicSpec, ensure_topics
from tests.ports.rejection_tail import TailInMemory


@dataclass(frozen=True)
class TailCase:
    """How to open a tail on which `letters` stand already, and how to write more."""

    open: Callable[[list[bytes]], Awaitable[AbstractAsyncContextManager[RejectionTail]]]
    write: Callable[[bytes], Awaitable[None]]


def in_memory() -> TailCase:
    """The fake."""
    tail = TailInMemory([])

    async def opened(letters: list[bytes]) -> AbstractAsyncContextManager[RejectionTail]:
        tail.letters = letters
        return tail

    async def write(letter: bytes) -> None:
        tail.write(letter)

    return TailCase(opened, write)


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.local)])
async def case(request: pytest.FixtureRequest) -> AsyncIterator[TailCase]:
    """The fake, and the real one."""
    if request.param == "memory":
        yield in_memory()
        return
    bootstrap, topic = request.getfixturevalue("broker"), f"rejected-{uuid4().hex[:8]}"
    await ensure_topics(bootstrap, [TopicSpec(name=topic, partitions=1, replication=1, config={})], configure=False)
    producer = KafkaProducer(bootstrap, client_id="test", idempotent=False)

    async def write(letter: bytes) -> None:
        await producer.publish([ProducerRecord(topic=topic, key=None, value=letter, headers=())])

    async def opened(letters: list[bytes]) -> AbstractAsyncContextManager[RejectionTail]:
        for letter in letters:
            await write(letter)
        return topic_tail(bootstrap, topic, client_id="test", back=500)

    yield TailCase(opened, write)
    await producer.stop()


async def test_what_stands_there_comes_before_the_first_empty_piece(case: TailCase) -> None:
    read: list[bytes] = []
    async with await case.open([b"1", b"2", b"3"]) as tail, aclosing(tail.pieces()) as pieces:
        while piece := await anext(pieces):
            read += piece

    assert read == [b"1", b"2", b"3"]


async def test_a_tail_without_letters_begins_with_an_empty_piece(case: TailCase) -> None:
    async with await case.open([]) as tail, aclosing(tail.pieces()) as pieces:
        assert await anext(pieces) == []


async def test_what_is_written_later_comes_too(case: TailCase) -> None:
    async with await case.open([b"1"]) as tail, aclosing(tail.pieces()) as pieces:
        while await anext(pieces):
            pass
        await case.write(b"2")
        later = [piece async for piece in _until_filled(pieces)]

    assert later == [[b"2"]]


async def _until_filled(pieces: AsyncIterator[list[bytes]]) -> AsyncIterator[list[bytes]]:
    async for piece in pieces:
        if piece:
            yield piece
            return
