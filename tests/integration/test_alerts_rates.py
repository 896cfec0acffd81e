"""Rates that all replicas keep together, messages that a newer one made needless, and sending ranges again."""

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from aiohttp import web

from schemas.documents.friction import FrictionDocumentState
from schemas.vocabulary import Severity
from services.alerts.deliver import delivery_store
from services.alerts.deliver.delivery_store import ReplayRange
from services.runtime.postgres.pools import acquire
from tests.fixtures.alerts_engine import AlertsEngine, alerts_engine
from tests.fixtures.alerts_service import ReceivedCall, a_friction, a_receiver, again
from tests.fixtures.clock import SteppingClock
from tests.waiting import until

pytestmark = pytest.mark.local

COUNTS = "SELECT string_agg(state || ' ' || n, ', ' ORDER BY state) FROM (SELECT state, count(*) n FROM alerts.deliveries GROUP BY 1) s"  # noqa: E501  one value
calm_engine = partial(alerts_engine, dispatching=False)


async def lease(engine: AlertsEngine, limit: int = 100) -> int:
    """Lease what is due and return how many there were; the leases stay."""
    async with acquire(engine.pool) as connection:
        leased = await delivery_store.lease_due(
            connection, owner="test", limit=limit, now=engine.clock.now(), lease=timedelta(minutes=1)
        )
    return len(leased)


async def a_rated_endpoint(engine: AlertsEngine, url: str, rate: int | None) -> UUID:
    endpoint, _ = await engine.endpoint(url, rate_per_minute=rate, max_in_flight=64)
    return endpoint


async def test_a_rate_lets_a_burst_through_and_then_its_share(database: str, clock: SteppingClock) -> None:
    async with calm_engine(database, clock) as engine:
        await a_rated_endpoint(engine, "http://127.0.0.1:9/", 60)
        await engine.take(*(a_friction() for _ in range(40)))

        first = await lease(engine)
        at_once = await lease(engine)
        clock.advance(timedelta(seconds=2))
        after_two_seconds = await lease(engine)
        clock.advance(timedelta(seconds=10))
        after_ten_more = await lease(engine)

    assert (first, at_once, after_two_seconds, after_ten_more) == (6, 0, 2, 6)


async def test_without_a_rate_only_the_places_count(database: str, clock: SteppingClock) -> None:
    async with calm_engine(database, clock) as engine:
        await a_rated_endpoint(engine, "http://127.0.0.1:9/", None)
        await engine.take(*(a_friction() for _ in range(40)))

        assert await lease(engine) == 40


async def test_an_endpoint_with_a_rate_holds_up_nobody_else(database: str, clock: SteppingClock) -> None:
    async with calm_engine(database, clock) as engine:
        slow = await a_rated_endpoint(engine, "http://127.0.0.1:9/", 1)
        await a_rated_endpoint(engine, "http://127.0.0.1:9/", None)
        await engine.take(*(a_friction() for _ in range(30)))

        assert await lease(engine) == 31
        assert (
            await engine.value("SELECT count(*) FROM alerts.deliveries WHERE endpoint_id = $1 AND attempt = 1", slow)
            == 1
        )


async def test_replicas_keep_a_rate_together(database: str, clock: SteppingClock) -> None:
    async with AsyncExitStack() as stack:
        engines = [
            await stack.enter_async_context(calm_engine(database, clock, partition=number)) for number in range(3)
        ]
        await a_rated_endpoint(engines[0], "http://127.0.0.1:9/", 60)
        await engines[0].take(*(a_friction() for _ in range(60)))
        total = 0
        for _ in range(20):
            total += sum(await asyncio.gather(*(lease(engine) for engine in engines for _ in range(2))))
            clock.advance(timedelta(seconds=1))

    assert (
        6 + 17 <= total <= 6 + 19
    )  # the burst, and one a second; whoever finds the row locked waits for the next poll


# --- coalescing ---------------------------------------------------------------------------------------------------


async def worsening(engine: AlertsEngine) -> None:
    """An issue that is opened, becomes worse, and is over."""
    friction = a_friction()
    await engine.take(friction)
    await engine.take(again(friction, severity=Severity.HIGH))
    await engine.take(again(friction, revision=3, severity=Severity.HIGH, state=FrictionDocumentState.RETRACTED))


async def test_of_waiting_messages_a_chat_gets_the_newest_and_a_webhook_all(
    database: str, clock: SteppingClock
) -> None:
    async with a_receiver() as receiver:
        async with calm_engine(database, clock) as engine:
            chat, _ = await engine.endpoint(receiver.url + "/chat", coalesces=True)
            await engine.endpoint(receiver.url + "/desk")
            await worsening(engine)
            states = await engine.column(
                "SELECT state FROM alerts.deliveries WHERE endpoint_id = $1 ORDER BY sequence", chat
            )
            successors = await engine.column(
                "SELECT count(*) FROM alerts.deliveries d JOIN alerts.deliveries n ON n.delivery_id = d.superseded_by"
            )
        async with alerts_engine(database, clock, line="other") as engine:
            await until(lambda: engine.value("SELECT count(*) = 0 FROM alerts.deliveries WHERE state = 'pending'"))

    assert states == ["superseded", "superseded", "pending"]
    assert successors == [2]
    assert sorted(receiver.types()) == ["issue.opened", "issue.resolved", "issue.resolved", "issue.updated"]


async def test_what_is_under_way_is_not_superseded(database: str, clock: SteppingClock) -> None:
    async with calm_engine(database, clock) as engine:
        await engine.endpoint("http://127.0.0.1:9/", coalesces=True)
        friction = a_friction()
        await engine.take(friction)
        assert await lease(engine) == 1
        await engine.take(again(friction, severity=Severity.HIGH))

        assert await engine.value(COUNTS) == "pending 2"
        assert await lease(engine) == 0  # the newer one waits for the answer to the older one


# --- sending ranges again -----------------------------------------------------------------------------------------


async def test_what_was_given_up_is_sent_again_in_order_under_its_old_ids(database: str, clock: SteppingClock) -> None:
    taken: list[bool] = []

    async def answer(_call: ReceivedCall) -> web.StreamResponse:
        return web.Response(status=200 if taken else 500)

    async with a_receiver(answer) as receiver, calm_engine(database, clock) as engine:
        endpoint, _ = await engine.endpoint(receiver.url)
        await worsening(engine)
        async with acquire(engine.pool) as connection:
            await connection.execute("UPDATE alerts.deliveries SET state = 'exhausted', step = 12, attempt = 12")
        ids = await engine.column("SELECT delivery_id FROM alerts.deliveries ORDER BY sequence")
        administration = engine.service.parts.administration
        range_ = ReplayRange(endpoint_id=endpoint, states=("exhausted",))
        counted = await administration.replay_range(range_, actor="test", limit=0, after_success=False)
        some = await administration.replay_range(range_, actor="test", limit=2, after_success=False)
        rest = await administration.replay_range(range_, actor="test", limit=2, after_success=False)
        none = await administration.replay_range(
            ReplayRange(endpoint_id=UUID(int=9), states=("exhausted",)), actor="test", limit=2, after_success=False
        )
        taken.append(True)
        async with alerts_engine(database, clock, line="other"):
            await until(lambda: receiver.got(3))

    assert counted is not None
    assert some is not None
    assert rest is not None
    assert [(one.replayed, one.left) for one in (counted, some, rest)] == [(0, 3), (2, 1), (1, 0)]
    assert none is None
    assert [call.webhook_id for call in receiver.calls] == ids


async def test_a_range_is_narrowed_by_time_type_issue_and_the_last_success(database: str, clock: SteppingClock) -> None:
    async with calm_engine(database, clock) as engine:
        endpoint, _ = await engine.endpoint("http://127.0.0.1:9/")
        await engine.take(a_friction())
        clock.advance(timedelta(hours=1))
        middle = clock.now()
        await worsening(engine)
        async with acquire(engine.pool) as connection:
            await connection.execute("UPDATE alerts.deliveries SET state = 'exhausted'")
            await connection.execute("UPDATE alerts.endpoints SET last_success_at = $1", middle)
        issue = await engine.value("SELECT issue_id FROM alerts.deliveries ORDER BY created_at LIMIT 1")

        async def left(*, after_success: bool = False, **members: Any) -> int:
            wanted = ReplayRange(endpoint_id=endpoint, states=("exhausted",), **members)
            found = await engine.service.parts.administration.replay_range(
                wanted, actor="test", limit=0, after_success=after_success
            )
            assert found is not None
            return found.left

        assert await left() == 4
        assert await left(since=middle) == 3
        assert await left(until=middle) == 1
        assert await left(types=("issue.opened",)) == 2
        assert await left(issue_id=issue) == 1
        assert await left(after_success=True) == 3
