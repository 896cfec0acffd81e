"""What an outbreak holds waits in every kind of wait: repeats, escalations and groups go on when it is handed out."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from schemas.documents.friction import FrictionDocumentState
from services.alerts.outbreaks.outbreak_watch import OutbreakWatch
from tests.fixtures.alerts_engine import AlertsEngine, alerts_engine
from tests.fixtures.alerts_policy import apply, settled
from tests.fixtures.alerts_service import a_friction, again
from tests.fixtures.clock import SteppingClock

pytestmark = pytest.mark.local

WATCHED: dict[str, Any] = {"WAYMARK_ALERTS_OUTBREAKS": "*=10x4"}
MINUTE = timedelta(minutes=1)
ROUTE = "route: {routes: [{name: desk, endpoints: [desk]%s}]}"
REPEATED = ROUTE % ", repeat_interval: 10m"
GROUPED = ROUTE % ", group_by: [rule], group_wait: 5m, group_interval: 5m, repeat_interval: 10m"
ESCALATED = (
    ROUTE % ", escalation: leaders"
    + "\nescalations: [{name: leaders, repeat: 5, steps: [{after: 15m, endpoints: [desk]}]}]"
)
TOLD = """
SELECT reason FROM alerts.notifications n JOIN alerts.issues i USING (issue_id)
 WHERE i.customer_id = $1 ORDER BY n.created_at, n.sequence
"""
IN_GROUPS = """
SELECT count(*) FROM alerts.notification_issues n JOIN alerts.issues i USING (issue_id) WHERE i.customer_id = $1
"""


async def pass_time(engine: AlertsEngine, minutes: int) -> None:
    """Let time pass in steps of five minutes; a replica that begins anew looks at what is due."""
    for _ in range(minutes // 5):
        engine.clock.advance(5 * MINUTE)
        await settled(engine)


async def begin(engine: AlertsEngine, policy: str) -> None:
    """Put the policy in force, and let the service have seen something for longer than its warm-up."""
    desk, _ = await engine.endpoint("http://127.0.0.1:1/", name="desk", catch_all=False)
    await apply(engine, policy, {"desk": desk})
    await engine.take(a_friction(rule="long_wait", quiet=True, occurred_at=engine.clock.now() - 120 * MINUTE))
    await engine.take(a_friction(rule="long_wait", occurred_at=engine.clock.now() - 110 * MINUTE))


@pytest.mark.parametrize(
    ("policy", "goes_on"),
    [
        pytest.param(REPEATED, "repeated", id="repeats"),
        pytest.param(ESCALATED, "escalated", id="escalation"),
    ],
)
async def test_what_was_told_before_it_was_held_is_silent_until_it_is_handed_out(
    database: str, clock: SteppingClock, policy: str, goes_on: str
) -> None:
    async with alerts_engine(database, clock, dispatching=False, **WATCHED) as engine:
        await begin(engine, policy)
        first, rest = await outage(engine)
        await engine.service.outbreaks.look()
        assert await engine.value("SELECT held_by IS NOT NULL FROM alerts.issues WHERE customer_id = $1", first)

        await pass_time(engine, 60)
        assert await engine.column(TOLD, first) == ["first"]

        async with alerts_engine(database, clock, dispatching=False, partition=1, **WATCHED) as other:
            await end(engine, other.service.outbreaks, rest)
            await pass_time(other, 20)
        reasons = await engine.column(TOLD, first)
    assert reasons[0] == "first"
    assert set(reasons[1:]) == {goes_on}


async def test_a_group_is_not_told_of_a_member_that_an_outbreak_holds(database: str, clock: SteppingClock) -> None:
    async with alerts_engine(database, clock, dispatching=False, **WATCHED) as engine:
        await begin(engine, GROUPED)
        first, rest = await outage(engine)
        await engine.service.outbreaks.look()
        await pass_time(engine, 60)
        assert await engine.value(IN_GROUPS, first) == 0

        async with alerts_engine(database, clock, dispatching=False, partition=1, **WATCHED) as other:
            await end(engine, other.service.outbreaks, rest)
            await pass_time(other, 20)
        told = await engine.value(IN_GROUPS, first)
    assert told > 0


async def outage(engine: AlertsEngine) -> tuple[str, list[Any]]:
    """Let one customer's issue open before anybody knows of an outbreak; return the customer, and the others."""
    now = engine.clock.now()
    alone = a_friction(rule="payment_declines", occurred_at=now, detected_at=now, revised_at=now)
    await engine.take(alone)
    others = [
        a_friction(rule="payment_declines", occurred_at=now + number * timedelta(seconds=5), detected_at=now)
        for number in range(20)
    ]
    await engine.take(*others)
    return alone.customer_id, others


async def end(engine: AlertsEngine, watch: OutbreakWatch, others: list[Any]) -> None:
    """End the outbreak: the others were none, and it was quiet for long enough."""
    await engine.take(*(again(one, state=FrictionDocumentState.RETRACTED) for one in others))
    await watch.look()
    left: list[UUID] = await engine.column("SELECT outbreak_id FROM alerts.outbreaks WHERE over_at IS NULL")
    assert left == []
