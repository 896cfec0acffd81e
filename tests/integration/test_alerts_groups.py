"""Groups tell once what came together, what is new and what ended; over restarts, and under a new policy."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from schemas.documents.friction import FrictionDocument, FrictionDocumentState
from schemas.vocabulary import Severity
from tests.fixtures.alerts_engine import alerts_engine
from tests.fixtures.alerts_policy import SIMPLE, a_desk, apply, delivered, settled
from tests.fixtures.alerts_service import a_friction, a_receiver, again
from tests.fixtures.clock import SteppingClock
from tests.waiting import until

pytestmark = pytest.mark.local

MINUTE = timedelta(minutes=1)

GROUPED = """
route:
  routes:
    - {name: desk, endpoints: [desk], group_by: [reason], group_wait: 30s, group_interval: 5m, repeat_interval: 4h}
"""


def a_payment(**members: Any) -> FrictionDocument:
    return a_friction(reason="payment", **members)


async def test_a_group_tells_once_what_came_together_over_a_restart(database: str, clock: SteppingClock) -> None:
    async with a_desk(database, clock, GROUPED) as (engine, receiver):
        await engine.take(a_payment(), a_payment())
        await engine.take(a_friction(reason="billing"))
        await settled(engine)
        assert receiver.calls == []
        clock.advance(seconds=30)
        async with alerts_engine(database, clock, partition=1) as other:
            await settled(other)
            await settled(engine)
        await delivered(engine, 2)

    groups = {call.issue["group"]["labels"]["reason"]: call for call in receiver.calls}
    assert {reason: call.issue["group"]["firing"] for reason, call in groups.items()} == {"payment": 2, "billing": 1}
    assert (groups["payment"].type, groups["payment"].document["reason"]) == ("group.firing", "first")
    assert [issue["reason"] for issue in groups["payment"].issue["issues"]] == ["payment", "payment"]


async def test_a_group_tells_what_is_new_what_ended_and_repeats(database: str, clock: SteppingClock) -> None:
    frictions = [a_payment() for _ in range(3)]
    async with a_desk(database, clock, GROUPED) as (engine, receiver):
        steps: list[tuple[list[FrictionDocument], int]] = [
            (frictions[:2], 1),
            ([frictions[2]], 2),
            ([], 2),
            ([again(frictions[0], state=FrictionDocumentState.RETRACTED)], 3),
            ([again(one, state=FrictionDocumentState.RETRACTED) for one in frictions[1:]], 4),
        ]
        for step, messages in steps:
            await engine.take(*step)
            clock.advance(5 * MINUTE)
            await settled(engine)
            await delivered(engine, messages)  # else its lease runs out when the clock goes on, and it is sent again
        groups = await engine.value("SELECT count(*) FROM alerts.groups")

    assert [(call.document["reason"], call.issue["group"]["firing"]) for call in receiver.calls] == [
        ("first", 2),
        ("new_issues", 3),
        ("some_resolved", 2),
        ("all_resolved", 0),
    ]
    assert [call.document["sequence"] for call in receiver.calls] == [1, 2, 3, 4]
    assert groups == 0


async def test_a_critical_issue_does_not_wait_in_a_group(database: str, clock: SteppingClock) -> None:
    async with a_desk(database, clock, GROUPED) as (engine, receiver):
        await engine.take(a_payment())
        await engine.take(a_payment(severity=Severity.CRITICAL))
        await settled(engine)
        await delivered(engine, 1)

    assert receiver.calls[0].issue["group"]["severity"] == "critical"


async def test_an_issue_that_comes_back_is_told_again_by_its_group(database: str, clock: SteppingClock) -> None:
    friction = a_payment()
    async with a_desk(database, clock, GROUPED) as (engine, receiver):
        for revision, state in enumerate(("DETECTED", "RETRACTED", "DETECTED"), 1):
            await engine.take(again(friction, revision=revision, state=FrictionDocumentState[state]))
            clock.advance(5 * MINUTE)
            await settled(engine)
            await delivered(engine, revision)

    assert [call.document["reason"] for call in receiver.calls] == ["first", "all_resolved", "first"]


async def test_a_group_that_a_new_policy_does_not_know_sets_its_issues_free(
    database: str, clock: SteppingClock
) -> None:
    async with a_desk(database, clock, GROUPED) as (engine, receiver):
        await engine.take(a_payment(), a_payment())
        [desk] = await engine.column("SELECT endpoint_id FROM alerts.endpoints")
        await apply(engine, SIMPLE, {"desk": desk})
        await settled(engine)
        await settled(engine)
        await delivered(engine, 2)
        left = await engine.value("SELECT (SELECT count(*) FROM alerts.groups) + (SELECT count(*) FROM alerts.waits)")

    assert (receiver.types(), left) == (["issue.opened", "issue.opened"], 0)


async def test_a_group_whose_endpoint_is_dead_is_told_at_once_to_those_who_catch_all(
    database: str, clock: SteppingClock
) -> None:
    async with a_receiver() as leader, a_desk(database, clock, GROUPED) as (engine, receiver):
        await engine.endpoint(leader.url, name="leader")
        await engine.value("UPDATE alerts.endpoints SET enabled = false WHERE name = 'desk' RETURNING 1")
        await engine.take(a_payment())
        await until(lambda: leader.calls)
        caught = engine.service.registry.get_sample_value("waymark_alerts_notifications_caught_total")

    assert (leader.types(), receiver.calls, caught) == (["issue.opened"], [], 1)


async def test_replicas_that_look_at_the_same_moment_tell_everything_once(database: str, clock: SteppingClock) -> None:
    policy = """
    route:
      routes:
        - {name: grouped, endpoints: [desk], group_by: [customer], group_wait: 30s, continue: true}
        - {name: late, endpoints: [desk], active_time_intervals: [afterwards]}
    time_intervals:
      - {name: afterwards, time_intervals: [{times: [{start_time: "00:20", end_time: "24:00"}]}]}
    """
    async with a_desk(database, clock, policy) as (engine, _), alerts_engine(database, clock, partition=1) as other:
        await engine.take(*(a_payment() for _ in range(20)))
        clock.advance(5 * MINUTE)
        await asyncio.gather(*(settled(one) for one in (engine, other, engine, other)))
        await delivered(engine, 40)
        told = await engine.value("SELECT count(*) FROM alerts.notifications")
        waiting = await engine.value("SELECT count(*) FROM alerts.waits")

    assert (told, waiting) == (40, 0)
