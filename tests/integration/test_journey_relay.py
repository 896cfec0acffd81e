"""The relay on a real outbox: in order, at least once, never two at a time for one customer."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from prometheus_client import CollectorRegistry

from services.journey.metrics import FrictionMetrics
from services.journey.outbox import outbox_rows
from services.journey.outbox.outbox_rows import OutgoingRecord
from services.journey.outbox.relay import OutboxRelay
from services.runtime.failpoints import NO_FAILPOINTS
from services.runtime.kafka.producer import PublishError
from services.runtime.kafka.record import ProducerRecord
from services.runtime.postgres import pools
from services.runtime.postgres.pools import Pool, transaction
from tests.ports.recording_publisher import RecordingPublisher
from tests.waiting import until

pytestmark = pytest.mark.local

ONE, OTHER = uuid4(), uuid4()


@pytest_asyncio.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    opened = await pools.create_pool(database, application_name="relay", size=4)
    yield opened
    await pools.close_pool(opened)


def relay(pool: Pool, publisher: RecordingPublisher, *, line: str = "line-1", lease_s: float = 30.0) -> OutboxRelay:
    return OutboxRelay(
        pool=pool,
        publisher=publisher,
        line=line,
        metrics=FrictionMetrics.register(CollectorRegistry()),
        failpoints=NO_FAILPOINTS,
        every_s=0.05,
        lease_s=lease_s,
        keep_days=30,
    )


async def queue(pool: Pool, customer: UUID, *values: bytes, topic: str = "frictions") -> None:
    records = [ProducerRecord(topic=topic, key=customer.bytes, value=value, headers=(("a", b"1"),)) for value in values]
    async with transaction(pool) as connection:
        await outbox_rows.add(connection, [OutgoingRecord(customer_id=customer, record=record) for record in records])


async def answers(pool: Pool, question: str) -> None:
    """Wait until the database answers yes."""

    async def ask() -> bool:
        return bool(await pool.fetchval(question))

    condition: Callable[[], bool | Awaitable[bool]] = ask
    await until(condition)


async def test_records_of_a_customer_leave_in_their_order_with_their_headers(pool: Pool) -> None:
    publisher = RecordingPublisher()
    await queue(pool, ONE, b"1", b"2")
    await queue(pool, OTHER, b"x")
    await queue(pool, ONE, b"3")
    assert await relay(pool, publisher).once() == 4
    assert [value for value in publisher.values if value != b"x"] == [b"1", b"2", b"3"]
    assert publisher.records[0].headers == (("a", b"1"),)
    assert await relay(pool, publisher).once() == 0


async def test_what_is_being_published_holds_up_what_comes_after_for_the_same_customer(pool: Pool) -> None:
    slow, quick = RecordingPublisher(), RecordingPublisher()
    slow.stuck = "frictions"
    await queue(pool, ONE, b"1")
    first = asyncio.create_task(relay(pool, slow).once())
    await answers(pool, "SELECT count(*) = 1 FROM journey.outbox WHERE lease_until IS NOT NULL")
    await queue(pool, ONE, b"2")
    await queue(pool, OTHER, b"x")
    assert await relay(pool, quick).once() == 1
    assert quick.values == [b"x"]
    slow.release()
    await first
    await relay(pool, quick).once()
    assert quick.values == [b"x", b"2"]


async def test_what_was_not_acknowledged_is_sent_again_and_nothing_overtakes_it(pool: Pool) -> None:
    publisher = RecordingPublisher()
    publisher.refuse_values = {b"2"}
    await queue(pool, ONE, b"1", b"2", b"3")
    await queue(pool, OTHER, b"x")
    sender = relay(pool, publisher)
    with pytest.raises(PublishError):
        await sender.once()
    publisher.refuse_values.clear()
    await sender.once()
    assert publisher.values == [b"1", b"3", b"x", b"2", b"3"]


async def test_what_a_dead_relay_had_claimed_is_sent_when_its_lease_ends(pool: Pool) -> None:
    await queue(pool, ONE, b"1")
    async with transaction(pool) as connection:
        assert len(await outbox_rows.lease(connection, 10, 3600)) == 1
    publisher = RecordingPublisher()
    sender = relay(pool, publisher)
    assert await sender.once() == 0
    await pool.execute("UPDATE journey.outbox SET lease_until = lease_until - interval '1 hour'")
    await sender.once()
    assert publisher.values == [b"1"]


async def test_a_new_line_gets_the_frictions_again_but_not_the_journeys(pool: Pool) -> None:
    first, second = RecordingPublisher(), RecordingPublisher()
    await queue(pool, ONE, b"friction")
    await queue(pool, ONE, b"journey", topic="journeys")
    await relay(pool, first).once()
    again = relay(pool, second, line="line-2")
    await again._sweep()
    await again.once()
    assert sorted(value or b"" for value in first.values) == [b"friction", b"journey"]
    assert second.values == [b"friction"]


async def test_a_commit_wakes_the_relay_at_once(pool: Pool) -> None:
    publisher = RecordingPublisher()
    sender = relay(pool, publisher)
    running = asyncio.create_task(sender.run())
    await queue(pool, ONE, b"1")
    sender.kick()
    await until(lambda: publisher.records)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert publisher.values == [b"1"]


async def test_the_sweep_takes_what_is_of_other_lines_in_pieces_and_by_an_index(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.journey.outbox.relay.SWEPT_AT_ONCE", 2)
    for line in ("line-0", "line-2"):
        await queue(pool, ONE, *(f"{line} {number}".encode() for number in range(5)))
        await relay(pool, RecordingPublisher(), line=line).once()
    publisher = RecordingPublisher()
    sender = relay(pool, publisher, line="line-1")
    await sender._sweep()
    await sender.once()
    assert sorted(publisher.values, key=str) == [
        f"{line} {number}".encode() for line in ("line-0", "line-2") for number in range(5)
    ]
    async with transaction(pool) as connection:
        await connection.execute("SET LOCAL enable_seqscan = off")
        statement = outbox_rows._AGAIN.replace("$1", repr("line-1")).replace("$2", "9")
        plan = str(await connection.fetch(f"EXPLAIN {statement}"))
    assert plan.count("outbox_lines") == 2


async def test_what_was_published_long_ago_is_forgotten_and_nothing_else(pool: Pool) -> None:
    sender = relay(pool, RecordingPublisher())
    await queue(pool, ONE, b"old", b"new")
    await sender.once()
    await pool.execute("UPDATE journey.outbox SET published_at = now() - interval '31 days' WHERE value = 'old'")
    await queue(pool, ONE, b"waiting")
    await sender._sweep()
    assert [row["value"] for row in await pool.fetch("SELECT value FROM journey.outbox ORDER BY id")] == [
        b"new",
        b"waiting",
    ]
