"""Who is told next while nobody acknowledges; over restarts and new policies, and never behind a silence."""

from datetime import timedelta
from uuid import UUID

import pytest

from schemas.documents.friction import FrictionDocumentState
from services.alerts.inbox import actions
from tests.fixtures.alerts_engine import AlertsEngine, alerts_engine
from tests.fixtures.alerts_policy import a_desk, apply, delivered, settled
from tests.fixtures.alerts_service import a_friction, again
from tests.fixtures.clock import SteppingClock

pytestmark = pytest.mark.local

MINUTE = timedelta(minutes=1)
POLICY = """
route: {escalation: leaders, routes: [{name: desk, endpoints: [desk]}]}
escalations:
  - {name: leaders, repeat: 1, steps: [{after: 15m, endpoints: [lead]}, {after: 30m, endpoints: [head]}]}
"""
TOLD = """
SELECT e.name FROM alerts.deliveries d JOIN alerts.endpoints e USING (endpoint_id) ORDER BY d.created_at, d.sequence
"""
UNDER_WAY = "SELECT count(*) FROM alerts.escalations"


async def pass_time(engine: AlertsEngine, minutes: int) -> list[str]:
    """Let time pass in steps of five minutes, and return who was told so far."""
    told: list[str] = []
    for _ in range(minutes // 5):
        engine.clock.advance(5 * MINUTE)
        await settled(engine)
        told = await engine.column(TOLD)
        await delivered(engine, len(told))
    return told


async def test_steps_and_rounds_go_on_until_the_last_over_a_restart(database: str, clock: SteppingClock) -> None:
    async with a_desk(database, clock, POLICY, "lead", "head") as (engine, receiver):
        await engine.take(a_friction())
        await delivered(engine, 1)
        first = await pass_time(engine, 45)
        async with alerts_engine(database, clock, partition=1) as other:
            everything = await pass_time(other, 120)
        left = await engine.value(UNDER_WAY)

    assert first == ["desk", "lead", "head"]
    assert everything == ["desk", "lead", "head", "lead", "head"]
    assert [call.document["reason"] for call in receiver.calls] == ["first", *["escalated"] * 4]
    assert left == 0


async def test_an_acknowledgement_ends_it_and_everybody_is_told_of_the_end(database: str, clock: SteppingClock) -> None:
    friction = a_friction()
    async with a_desk(database, clock, POLICY, "lead", "head") as (engine, receiver):
        await engine.take(friction)
        await delivered(engine, 1)
        await pass_time(engine, 15)
        issue = UUID(receiver.calls[0].issue["id"])
        await engine.service.executor.execute(
            issue, lambda found, _: actions.acknowledge(found, actor="kim", now=clock.now())
        )
        told = await pass_time(engine, 120)
        left = await engine.value(UNDER_WAY)
        await engine.take(again(friction, state=FrictionDocumentState.RETRACTED))
        await delivered(engine, 4)

    assert (told, left) == (["desk", "lead"], 0)
    assert receiver.types()[2:] == ["issue.resolved", "issue.resolved"]


async def test_an_escalation_under_way_follows_the_policy_that_it_began_with(
    database: str, clock: SteppingClock
) -> None:
    async with a_desk(database, clock, POLICY, "lead", "head") as (engine, _):
        await engine.take(a_friction())
        await delivered(engine, 1)
        ids = {
            name: await engine.value("SELECT endpoint_id FROM alerts.endpoints WHERE name = $1", name)
            for name in ("desk", "lead", "head")
        }
        await apply(engine, POLICY.replace("endpoints: [lead]", "endpoints: [head]"), ids)
        told = await pass_time(engine, 15)
        await engine.value("UPDATE alerts.endpoints SET deleted_at = created_at WHERE name = 'head' RETURNING 1")
        skipped = await pass_time(engine, 45)

    assert told == ["desk", "lead"]
    assert skipped == ["desk", "lead", "lead"]


async def test_what_is_held_does_not_escalate(database: str, clock: SteppingClock) -> None:
    async with a_desk(database, clock, POLICY, "lead", "head") as (engine, receiver):
        await engine.take(a_friction())
        await delivered(engine, 1)
        issue = UUID(receiver.calls[0].issue["id"])
        until = clock.now() + 60 * MINUTE
        await engine.service.executor.execute(
            issue, lambda found, _: actions.snooze(found, actor="kim", now=clock.now(), until=until)
        )
        snoozed = await pass_time(engine, 55)
        after = await pass_time(engine, 5)

    assert snoozed == ["desk"]
    assert "lead" in after


async def test_the_gauge_counts_escalations_until_somebody_takes_the_issue(database: str, clock: SteppingClock) -> None:
    async with a_desk(database, clock, POLICY, "lead", "head") as (engine, _):
        await engine.take(a_friction())
        shown = []
        for _ in range(2):
            await engine.service.upkeep().refresh()
            shown.append(engine.service.registry.get_sample_value("waymark_alerts_escalations"))
            (issue,) = await engine.column("SELECT issue_id FROM alerts.issues")
            await engine.service.executor.execute(
                issue, lambda issue, _: actions.acknowledge(issue, actor="kim", now=clock.now())
            )

    assert shown == [1, 0]
