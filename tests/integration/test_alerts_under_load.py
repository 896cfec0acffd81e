"""What keeps alerts quick and right when there is much to tell: order of leases, kept connections, sleepers, relays."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from schemas.documents import issue as issue_v1
from schemas.vocabulary import Severity
from services.alerts.deliver import delivery_store
from services.alerts.deliver.delivery_store import LeasedDelivery
from services.alerts.deliver.http.sender import EndpointSender
from services.alerts.deliver.http.target_guard import TargetGuard, TargetPolicy
from services.alerts.failpoints import AlertsFailpoint
from services.alerts.live import feed_store
from services.alerts.live.relay import IssueRelay
from services.runtime.clock import SystemClock
from services.runtime.failpoints import NO_FAILPOINTS
from services.runtime.postgres.pools import Pool, acquire, transaction
from services.runtime.process.tasks import TaskOwner
from tests.fixtures.alerts_engine import AlertsEngine, alerts_engine
from tests.fixtures.alerts_service import a_friction, a_receiver, again
from tests.fixtures.clock import SteppingClock
from tests.ports.recording_publisher import RecordingPublisher
from tests.waiting import until

pytestmark = pytest.mark.local

NOWHERE = "http://127.0.0.1:9/hook"
LEASE = timedelta(seconds=60)


async def leased_deliveries(engine: AlertsEngine, limit: int) -> list[LeasedDelivery]:
    async with acquire(engine.pool) as connection:
        return await delivery_store.lease_due(
            connection, owner="somebody", limit=limit, now=engine.clock.now(), lease=LEASE
        )


async def test_what_is_critical_does_not_stand_in_line(database: str, clock: SteppingClock) -> None:
    async with alerts_engine(database, clock, dispatching=False) as engine:
        await engine.endpoint(NOWHERE)
        await engine.take(*(a_friction() for _ in range(5)))
        clock.advance(seconds=1)
        await engine.take(a_friction(severity=Severity.CRITICAL))
        [first] = await leased_deliveries(engine, 1)
        severity = await engine.value(
            "SELECT severity FROM alerts.issues JOIN alerts.deliveries USING (issue_id) WHERE delivery_id = $1",
            first.id,
        )
    assert severity == "critical"


async def test_a_message_that_becomes_urgent_takes_those_before_it_along(database: str, clock: SteppingClock) -> None:
    async with alerts_engine(database, clock, dispatching=False) as engine:
        await engine.endpoint(NOWHERE)
        await engine.take(*(a_friction() for _ in range(5)))
        worse = a_friction()
        clock.advance(seconds=1)
        await engine.take(worse)
        await engine.take(again(worse, severity=Severity.CRITICAL))
        taken = await leased_deliveries(engine, 1)
        places = await engine.column("SELECT sequence FROM alerts.deliveries WHERE urgent ORDER BY sequence")
        [first] = await engine.column("SELECT sequence FROM alerts.deliveries WHERE delivery_id = $1", taken[0].id)
    assert (places, first) == ([1, 2], 1)


async def test_where_there_is_not_room_for_all_the_idle_endpoint_comes_first(
    database: str, clock: SteppingClock
) -> None:
    async with alerts_engine(database, clock, dispatching=False) as engine:
        busy, _ = await engine.endpoint(NOWHERE, name="busy")
        await engine.take(*(a_friction() for _ in range(8)))
        first = [due.endpoint_id for due in await leased_deliveries(engine, 8)]
        idle, _ = await engine.endpoint(NOWHERE, name="idle")
        await engine.take(*(a_friction() for _ in range(4)))
        second = [due.endpoint_id for due in await leased_deliveries(engine, 8)]
        third = [due.endpoint_id for due in await leased_deliveries(engine, 16)]
    assert first == [busy] * 4, "no more than remain free"
    assert second == [idle] * 4, "the one with the least under way first"
    assert third == [busy] * 4, "up to its own limit"


class SleepPastLease:
    """Sleeps for longer than the lease once deliveries are leased, the first time."""

    def __init__(self, clock: SteppingClock) -> None:
        self._clock = clock
        self.slept = False

    async def reached(self, point: AlertsFailpoint) -> None:
        if point is AlertsFailpoint.DELIVERIES_LEASED and not self.slept:
            self.slept = True
            self._clock.advance(LEASE)


async def test_who_slept_past_the_lease_does_not_send(database: str, clock: SteppingClock) -> None:
    async with (
        a_receiver() as receiver,
        alerts_engine(database, clock, failpoints=SleepPastLease(clock)) as engine,
    ):
        await engine.endpoint(receiver.url)
        await engine.take(a_friction())
        await until(lambda: receiver.calls)
        attempts = await engine.value("SELECT max(attempt) FROM alerts.deliveries")
    assert (len(receiver.calls), attempts) == (1, 2)


async def test_a_kept_connection_that_died_is_not_a_failure() -> None:
    """The receiver keeps the connection, and closes it without a word when the next request comes."""
    requests: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number in range(2):
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                break
            length = next(
                int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-l")
            )
            await reader.readexactly(length)
            requests.append(number)
            if number:
                break
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    async with server, EndpointSender(TargetGuard(TargetPolicy(loopback=True)), SystemClock()) as sender:
        first, second = await sender.send(url, b"{}", {}), await sender.send(url, b"{}", {})
    assert (first.answer.status, second.answer.status) == (200, 200)
    assert requests == [0, 1, 0]


async def test_a_stream_that_moves_to_a_slower_replica_repeats_nothing(database: str, clock: SteppingClock) -> None:
    async with alerts_engine(database, clock, dispatching=False) as engine, TaskOwner() as owner:
        live = engine.service.live
        before = live.stream(None)
        assert [await anext(before), (await anext(before)).split(b"\n")[1]] == [b"retry: 2000\n\n", b"event: ready"]
        await engine.take(a_friction())
        async with acquire(engine.pool) as connection:
            [shown] = await feed_store.read_after(connection, feed_store.FeedCursor(xid=0, id=0), 10)
        moved = live.stream(str(shown.cursor))  # this replica has not read that far yet
        seen = [await anext(moved), await anext(moved)]
        owner.start("live", live.run)
        await engine.take(a_friction())
        async with asyncio.timeout(10):
            seen.append(await anext(moved))
        newest = await engine.value("SELECT issue_id FROM alerts.issues ORDER BY opened_at DESC, issue_id DESC LIMIT 1")
        await before.aclose()
        await moved.aclose()
    assert seen[:2] == [b"retry: 2000\n\n", b": \n\n"]
    assert str(newest).encode() in seen[2]


def versions(publisher: RecordingPublisher, issue: UUID) -> list[int]:
    """The versions of one issue that were published."""
    issues = [issue_v1.decode(value or b"") for value in publisher.values]
    return [one.version for one in issues if one.id == str(issue)]


class CutRelaySessions:
    """Cuts every session of the relay off between the acknowledgement and the mark, once."""

    def __init__(self, pool: Pool, meanwhile: "asyncio.Event") -> None:
        self._pool = pool
        self._meanwhile = meanwhile
        self.struck = False

    async def reached(self, point: AlertsFailpoint) -> None:
        if point is AlertsFailpoint.ISSUES_PUBLISHED and not self.struck:
            self.struck = True
            async with acquire(self._pool) as connection:
                await connection.execute(
                    """
                    SELECT pg_terminate_backend(pid) FROM pg_locks
                     WHERE locktype = 'advisory' AND classid = 0 AND objid = 7294611 AND pid <> pg_backend_pid()
                    """
                )
            await self._meanwhile.wait()


async def test_a_relay_that_lost_its_session_publishes_the_latest_again(database: str, clock: SteppingClock) -> None:
    async def line() -> str | None:
        return "line"

    shelf, meanwhile = RecordingPublisher(), asyncio.Event()
    async with alerts_engine(database, clock, dispatching=False) as engine, TaskOwner() as owner:
        await engine.endpoint(NOWHERE)
        friction = a_friction()
        await engine.take(friction)
        issue = await engine.value("SELECT issue_id FROM alerts.issues")
        severed = CutRelaySessions(engine.pool, meanwhile)
        relay = IssueRelay(
            pool=engine.pool, clock=clock, publisher=shelf, line=line, topic="issues", failpoints=severed
        )
        owner.start("relay", relay.run)
        await until(lambda: severed.struck)
        await engine.take(again(friction, severity=Severity.HIGH))
        successor = IssueRelay(
            pool=engine.pool, clock=clock, publisher=shelf, line=line, topic="issues", failpoints=NO_FAILPOINTS
        )
        async with transaction(engine.pool) as connection:
            while await successor.publish(connection, "line"):
                pass
        assert versions(shelf, issue) == [1, 1, 2]
        meanwhile.set()
        await until(lambda: len(versions(shelf, issue)) > 3)
    assert versions(shelf, issue)[-1] == 2
