"""The live stream: resumed without a gap, in part or whole, honest about what is gone, rid of those who do not read."""

import asyncio
import json

import pytest

from schemas.vocabulary import Severity
from services.alerts.live import feed_store
from services.alerts.live.feed_filter import FeedFilter
from services.alerts.live.live_stream import PAGE
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


async def test_a_reader_of_a_part_is_told_of_that_part_and_of_what_leaves_it_live_and_resumed(
    database: str, friction_log: FrictionLog
) -> None:
    ours, theirs = a_friction(), a_friction(severity=Severity.LOW)
    async with alerts(database, friction_log) as api:
        for name in ("billing", "web"):
            await api.call("POST", "/v1/teams", {"name": name})
        query = "?team=billing&team=payments&severity=medium&severity=high"
        async with api.stream(query=query) as stream:
            ready = await stream.next()
            await friction_log.write([ours, theirs])

            async def both() -> bool:
                return len(await api.issues()) == 2

            await until(both)
            ids = {issue["customer_id"]: issue["id"] for issue in await api.issues()}
            mine, other = ids[ours.customer_id], ids[theirs.customer_id]
            for issue_id, body in (
                (other, {"teams": ["billing"]}),  # too mild for this reader
                (mine, {"teams": ["billing"], "owner": "lee"}),
                (mine, {"owner": "kim"}),
                (mine, {"teams": ["web"]}),
                (mine, {"owner": None}),  # gone already
                (mine, {"teams": ["web", "billing"]}),
            ):
                await api.call("POST", f"/v1/issues/{issue_id}/assign", body, role="agent")
            live = [await stream.next() for _ in range(4)]
        async with api.stream(ready.id, query) as stream:
            resumed = [await stream.next() for _ in range(4)]
        async with api.stream(ready.id, "?owner=lee") as stream:
            hers = [await stream.next() for _ in range(2)]

    assert [event.event for event in live] == ["issue.updated", "issue.updated", "issue.left", "issue.updated"]
    assert [(event.id, event.event, event.data) for event in resumed] == [(e.id, e.event, e.data) for e in live]
    assert [event.event for event in hers] == ["issue.updated", "issue.left"]
    assert {json.loads(event.data)["id"] for event in (*live, *hers)} == {mine}
    assert [share["name"] for share in json.loads(live[2].data)["teams"]] == ["web"], "the row says where it went"


async def test_what_is_no_such_aspect_is_refused_as_by_the_list(database: str, friction_log: FrictionLog) -> None:
    async with alerts(database, friction_log) as api:
        for query in ("severity=loud", "owner=" + "a" * 201, "sate=open", "team=a%00", "&".join(["team=a"] * 51)):
            refused = await api.call("GET", f"/v1/stream?{query}", role="reader", expect=422)
            assert refused["code"] == "invalid_request", query


async def test_a_quiet_part_is_resumed_where_the_feed_stands_not_at_its_last_event(
    database: str, clock: SteppingClock
) -> None:
    """The feed forgets after days; whoever listened all the time must not be told to start over."""
    async with alerts_engine(
        database, clock, dispatching=False, WAYMARK_ALERTS_HEARTBEAT_S="0.2", WAYMARK_ALERTS_STREAM_QUEUE="3"
    ) as engine:
        live = engine.service.live
        task = asyncio.create_task(live.run())
        stream = live.stream(None, FeedFilter(teams=frozenset({"billing"})))
        ready = [await anext(stream), await anext(stream)][1].splitlines()[0]
        for _ in range(5):  # more than the queue of a client who got all
            await engine.take(a_friction())
        while (frame := await anext(stream)).splitlines()[0] in {ready, b": "}:
            pass
        places = [frame, await anext(stream)]
        last = await engine.value("SELECT f.xid::text || '-' || f.id FROM alerts.feed f ORDER BY f.xid DESC, f.id DESC")
        while places[-1].splitlines()[0] != b"id: " + last.encode():
            places.append(await anext(stream))
        task.cancel()
        resumed = live.stream(last, FeedFilter(teams=frozenset({"billing"})))
        again = [await anext(resumed), await anext(resumed)]

    assert {frame.splitlines()[1] for frame in places} == {b": "}, "none of them is an event"
    assert again == [b"retry: 2000\n\n", b": \n\n"]


async def test_what_is_forgotten_while_a_slow_client_catches_up_is_not_skipped_in_silence(
    database: str, clock: SteppingClock
) -> None:
    async with alerts_engine(database, clock, dispatching=False) as engine, acquire(engine.pool) as connection:
        await connection.execute(
            "INSERT INTO alerts.feed (xid, at, issue_id, type, document)"
            " SELECT '3'::xid8, now(), gen_random_uuid(), 'issue.updated', '{}' FROM generate_series(1, $1)",
            2 * PAGE,
        )
        stream = engine.service.live.stream("2-0")
        frames = [await anext(stream) for _ in range(2 + PAGE)]
        await connection.execute("UPDATE alerts.feed_horizon SET xid = '3', id = (SELECT max(id) FROM alerts.feed)")
        frames.append(await anext(stream))

    assert frames[2].startswith(b"id: 3-")
    assert frames[-1].splitlines()[1] == b"event: resync"
