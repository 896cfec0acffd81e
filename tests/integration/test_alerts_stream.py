"""The live stream: resumed without a gap, honest about what is gone, and rid of clients that do not read."""

import asyncio
import json

import pytest

from services.alerts.live import feed_store
from services.runtime.postgres.pools import acquire, close_pool, create_pool
from tests.fixtures.alerts_engine import AlertsEngine, alerts_engine
from tests.fixtures.alerts_service import FrictionLog, a_friction, alerts, rows
from tests.fixtures.clock import SteppingClock
from tests.waiting import until

pytestmark = pytest.mark.local


async def test_the_stream_goes_on_where_it_was_left(database: str, friction_log: FrictionLog) -> None:
    async with alerts(database, friction_log) as api:
        async with api.stream() as stream:
            ready = await stream.next()
            await friction_log.write([a_friction()])
            first = await stream.next()
        await friction_log.write([a_friction()])
        await friction_log.write([a_friction()])

        async def three() -> bool:
            return len(await api.issues()) == 3

        await until(three)
        async with api.stream(first.id) as stream:
            missed = [await stream.next(), await stream.next()]
            [issue] = await api.issues(f"&customer={json.loads(first.data)['customer_id']}")
            await api.call("POST", f"/v1/issues/{issue['id']}/acknowledge", role="agent")
            live = await stream.next()
        async with api.stream(ready.id) as stream:
            everything = [await stream.next() for _ in range(4)]

    assert (ready.event, first.event) == ("ready", "issue.opened")
    assert [event.event for event in everything] == ["issue.opened"] * 3 + ["issue.acknowledged"]
    assert [event.id for event in everything] == [first.id, *(event.id for event in missed), live.id]


@pytest.mark.parametrize(
    "last",
    ["nonsense", "1-1", "99999999999-1", "9" * 40, "9" * 20 + "-1", "18446744073709551616-1", "3-9223372036854775808"],
)
async def test_a_place_that_is_not_there_any_more_means_start_over(
    database: str, friction_log: FrictionLog, last: str
) -> None:
    async with rows(database) as connection:
        await connection.execute("UPDATE alerts.feed_horizon SET xid = '2', id = 5")
    async with alerts(database, friction_log) as api, api.stream(last) as stream:
        resync = await stream.next()
        await friction_log.write([a_friction()])
        live = await stream.next()

    assert (resync.event, live.event) == ("resync", "issue.opened")


INSERT = "INSERT INTO alerts.feed (at, issue_id, type, document) VALUES (now(), gen_random_uuid(), $1, '{}')"


async def test_a_late_commit_is_not_skipped(database: str, friction_log: FrictionLog) -> None:
    """Two writers; the one that wrote first commits last."""
    async with (
        alerts(database, friction_log) as api,
        api.stream() as stream,
        rows(database) as slow,
        rows(database) as quick,
    ):
        await stream.next()
        transaction = slow.transaction()
        await transaction.start()
        await slow.execute(INSERT, "written.first")
        await quick.execute(INSERT, "written.second")
        await quick.execute("SELECT pg_notify('alerts_feed', '')")
        with pytest.raises(TimeoutError):
            await stream.next(within=1.5)
        await transaction.commit()
        events = [(await stream.next()).event, (await stream.next()).event]

    assert events == ["written.first", "written.second"]


async def test_a_client_that_does_not_read_is_let_go(database: str, clock: SteppingClock) -> None:
    """Straight on the hub: what a socket buffers is the operating system's affair."""
    async with alerts_engine(database, clock, dispatching=False, WAYMARK_ALERTS_STREAM_QUEUE="3") as engine:
        task = asyncio.create_task(engine.service.live.run())
        stream = engine.service.live.stream(None)
        frames = [await anext(stream), await anext(stream)]
        await write_feed(engine, 10)
        while not frames[-1].startswith(b"event: bye"):
            frames.append(await anext(stream))
        task.cancel()

    assert frames[-1] == b'event: bye\ndata: {"reason":"slow"}\n\n'
    assert engine.service.live.has_room


async def write_feed(engine: AlertsEngine, count: int) -> None:
    async with engine.pool.acquire() as connection:
        for _ in range(count):
            await connection.execute(INSERT, "issue.updated")
        await connection.execute("SELECT pg_notify('alerts_feed', '')")
    dropped = engine.service.metrics.state.live_clients_dropped.labels("slow")
    await until(lambda: dropped._value.get() == 1)  # the client library offers no other way to read a counter


async def test_changes_stand_in_the_order_of_numbers_not_of_digits(database: str) -> None:
    pool = await create_pool(database, application_name="test", size=1)
    async with acquire(pool) as connection:
        for xid in ("9", "10", "99", "100"):
            await connection.execute(
                "INSERT INTO alerts.feed (xid, at, issue_id, type, document)"
                " VALUES ($1::text::xid8, now(), gen_random_uuid(), 'issue.opened', '{}')",
                xid,
            )
        entries = await feed_store.read_after(connection, feed_store.FeedCursor(xid=0, id=0), 10)
    await close_pool(pool)
    assert [entry.cursor.xid for entry in entries] == [9, 10, 99, 100]
