"""What is promised is part of the policy: a new version gives open issues their deadlines anew, over a restart."""

from datetime import datetime, timedelta
from uuid import UUID

import pytest

from schemas.vocabulary import ServiceLevel
from services.alerts.inbox import actions, attainment
from services.alerts.inbox.attainment import LevelAttainment
from services.runtime.postgres.pools import acquire
from tests.fixtures.alerts_engine import AlertsEngine, alerts_engine
from tests.fixtures.alerts_policy import apply
from tests.fixtures.alerts_service import a_friction
from tests.fixtures.clock import SteppingClock

pytestmark = pytest.mark.local

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
QUICKER = "service_levels: {premium: {respond: 5m, resolve: 1h}, basic: {resolve: 30m}}"
DEADLINES = """
SELECT document -> 'priority' -> 'deadlines' ->> $2 FROM alerts.issues WHERE customer_id = $1
"""
SCORE = "SELECT priority FROM alerts.issues WHERE customer_id = $1"


async def deadlines(engine: AlertsEngine, customer: str) -> list[datetime | None]:
    """Until when somebody should take the issue of a customer, and resolve it."""
    found = [await engine.value(DEADLINES, customer, name) for name in ("respond_by", "resolve_by")]
    return [datetime.fromisoformat(text) if text else None for text in found]


async def test_a_new_policy_gives_open_issues_their_deadlines_anew_and_leaves_resolved_ones(
    database: str, clock: SteppingClock
) -> None:
    opened = clock.now()
    async with alerts_engine(database, clock, dispatching=False) as engine:
        taken, left = (a_friction(service_level=ServiceLevel.PREMIUM) for _ in range(2))
        await engine.take(taken, left)
        issue = await engine.value("SELECT issue_id FROM alerts.issues WHERE customer_id = $1", taken.customer_id)
        await engine.service.executor.execute(
            issue, lambda found, _: actions.resolve(found, actor="kim", now=clock.now(), resolution="fixed")
        )
        before = await engine.value(SCORE, left.customer_id)
        clock.advance(10 * MINUTE)
        await apply(engine, QUICKER, {})

    async with alerts_engine(database, clock, partition=1, dispatching=False) as other:
        await other.service.upkeep().grow_older()
        assert await deadlines(other, left.customer_id) == [opened + 5 * MINUTE, opened + HOUR]
        assert await deadlines(other, taken.customer_id) == [opened + 15 * MINUTE, opened + 4 * HOUR]
        assert await other.value(SCORE, left.customer_id) > before
        later = a_friction()
        await other.take(later)
        assert await deadlines(other, later.customer_id) == [None, clock.now() + 30 * MINUTE]


async def test_attainment_counts_what_was_promised_when_it_was_kept(database: str, clock: SteppingClock) -> None:
    async with alerts_engine(database, clock, dispatching=False) as engine:
        await apply(engine, QUICKER, {})
        await engine.take(*(a_friction(service_level=ServiceLevel.PREMIUM) for _ in range(3)), a_friction())
        first, second, *_ = await engine.column(
            "SELECT issue_id FROM alerts.issues WHERE document ->> 'service_level' = 'premium' ORDER BY issue_id"
        )
        await acknowledge(engine, first)
        clock.advance(20 * MINUTE)
        await acknowledge(engine, second)
        clock.advance(20 * MINUTE)
        async with acquire(engine.pool) as connection:
            levels = await attainment.attainment(connection, since=clock.now() - HOUR, now=clock.now())
    assert levels == [
        LevelAttainment(
            level="basic", issues=1, responded_in_time=0, responded_late=0, resolved_in_time=0, resolved_late=1
        ),
        LevelAttainment(
            level="premium", issues=3, responded_in_time=1, responded_late=2, resolved_in_time=0, resolved_late=0
        ),
    ]


async def acknowledge(engine: AlertsEngine, issue: UUID) -> None:
    await engine.service.executor.execute(
        issue, lambda found, _: actions.acknowledge(found, actor="kim", now=engine.clock.now())
    )
