"""A replica ends in every kind of wait, and time passes while none runs: nothing is forgotten, nothing told twice."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from schemas.documents.friction import FrictionDocument, FrictionDocumentState
from schemas.vocabulary import Severity
from services.alerts.hold import silence_store
from services.alerts.inbox import actions
from services.alerts.policy.matchers import parse_matchers
from services.alerts.policy.silences import Silence
from services.runtime.postgres.pools import acquire
from tests.fixtures.alerts_engine import AlertsEngine, alerts_engine
from tests.fixtures.alerts_policy import SIMPLE, apply, delivered, settled
from tests.fixtures.alerts_service import ReceivedCall, a_friction, a_receiver, again
from tests.fixtures.clock import SteppingClock

pytestmark = pytest.mark.local

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
Step = Callable[[AlertsEngine], Awaitable[None]]
Told = list[tuple[str, str]]

BUSINESS = """
route: {routes: [{name: desk, endpoints: [desk], active_time_intervals: [business]}]}
time_intervals:
  - name: business
    time_intervals:
      - {weekdays: [monday:friday], times: [{start_time: "09:00", end_time: "18:00"}], location: Asia/Seoul}
"""
SUNDAY_0915_TO_MONDAY_0900 = timedelta(hours=23, minutes=45)
INHIBIT = """
route: {routes: [{name: desk, endpoints: [desk]}]}
inhibit_rules:
  - {source_matchers: [rule=outage], target_matchers: [rule!=outage], equal: [reason]}
"""
GROUPED = "route: {routes: [{name: desk, endpoints: [desk], group_by: [reason], group_wait: 30s}]}"
ESCALATED = """
route: {escalation: leaders, routes: [{name: desk, endpoints: [desk]}]}
escalations: [{name: leaders, steps: [{after: 15m, endpoints: [desk]}]}]
"""
OUTAGE = a_friction(rule="outage", reason="payment")
FRICTION = a_friction(reason="payment")
WORSE = a_friction(customer_id=FRICTION.customer_id, journey_id=FRICTION.journey_id, severity=Severity.HIGH)


async def nothing(engine: AlertsEngine) -> None:
    """Time alone ends this wait."""


async def silence_for_an_hour(engine: AlertsEngine) -> None:
    now = engine.clock.now()
    silence = Silence(
        id=uuid4(),
        matchers=parse_matchers("reason=payment"),
        comment="",
        created_by="kim",
        updated_at=now,
        starts_at=now,
        ends_at=now + HOUR,
    )
    async with acquire(engine.pool) as connection:
        await silence_store.save_silence(connection, silence)


async def the_outage_ends(engine: AlertsEngine) -> None:
    await engine.take(again(OUTAGE, state=FrictionDocumentState.RETRACTED))


async def snoozed_for_an_hour_it_becomes_worse(engine: AlertsEngine) -> None:
    [issue] = await engine.column("SELECT issue_id FROM alerts.issues")
    until = engine.clock.now() + HOUR
    await engine.service.executor.execute(
        issue, lambda found, _: actions.snooze(found, actor="kim", now=engine.clock.now(), until=until)
    )
    await engine.take(WORSE)


async def look(engine: AlertsEngine) -> None:
    """Look once at everything that is due, as a process does that begins."""
    await engine.service.upkeep().end_snoozes()
    await settled(engine)


def told(calls: list[ReceivedCall]) -> Told:
    return [(call.type, call.document["reason"]) for call in calls]


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A wait: what is told before it, how it begins and ends, and what is told at its end."""

    policy: str = SIMPLE
    first: Step = nothing
    frictions: tuple[FrictionDocument, ...] = (FRICTION,)
    before: Told
    then: Step = nothing
    lasts: timedelta
    ends: Step = nothing
    after: Told


FIRST = ("issue.opened", "first")
WAITS = {
    "hours": Waiting(policy=BUSINESS, before=[], lasts=SUNDAY_0915_TO_MONDAY_0900, after=[FIRST]),
    "silence": Waiting(first=silence_for_an_hour, before=[], lasts=HOUR, after=[FIRST]),
    "inhibition": Waiting(
        policy=INHIBIT,
        frictions=(OUTAGE, FRICTION),
        before=[FIRST],
        lasts=MINUTE,
        ends=the_outage_ends,
        after=[FIRST, ("issue.resolved", "withdrawn")],
    ),
    "repeat": Waiting(
        policy=SIMPLE.replace("[desk]}", "[desk], repeat_interval: [1h, 4h]}"),
        before=[FIRST],
        lasts=HOUR,
        after=[("issue.updated", "repeated")],
    ),
    "group": Waiting(policy=GROUPED, before=[], lasts=timedelta(seconds=30), after=[("group.firing", "first")]),
    "escalation": Waiting(policy=ESCALATED, before=[FIRST], lasts=15 * MINUTE, after=[("issue.updated", "escalated")]),
    "snooze": Waiting(
        before=[FIRST],
        then=snoozed_for_an_hour_it_becomes_worse,
        lasts=HOUR,
        after=[("issue.updated", "severity_raised")],
    ),
}


@pytest.mark.parametrize("wait", WAITS.values(), ids=WAITS)
async def test_whoever_starts_after_the_wait_tells_what_it_kept_and_once(
    database: str, clock: SteppingClock, wait: Waiting
) -> None:
    async with a_receiver() as receiver:
        async with alerts_engine(database, clock) as process:
            desk = (await process.endpoint(receiver.url, name="desk", catch_all=False))[0]
            await apply(process, wait.policy, {"desk": desk})
            await wait.first(process)
            await process.take(*wait.frictions)
            await delivered(process, len(wait.before))
            await wait.then(process)
        clock.advance(wait.lasts - timedelta(seconds=1))
        async with alerts_engine(database, clock, dispatching=False) as process:
            await look(process)
            kept = await process.value("SELECT count(*) FROM alerts.deliveries")
            await wait.ends(process)
        clock.advance(seconds=1)
        for _ in range(2):
            async with alerts_engine(database, clock) as one, alerts_engine(database, clock, line="other") as two:
                await asyncio.gather(look(one), look(two))
                await delivered(one, len(wait.before) + len(wait.after))

    assert kept == len(wait.before)
    assert sorted(told(receiver.calls)) == sorted(wait.before + wait.after)


async def test_what_an_outbreak_holds_outlives_the_processes_and_comes_little_by_little(
    database: str, clock: SteppingClock
) -> None:
    watched: dict[str, Any] = {"WAYMARK_ALERTS_OUTBREAKS": "*=10x4"}
    async with a_receiver() as receiver:
        async with alerts_engine(database, clock, **watched) as process:
            await process.endpoint(receiver.url)
            early = a_friction(rule="long_wait", severity=Severity.LOW, occurred_at=clock.now() - 2 * HOUR)
            await process.take(early)
            surge = [a_friction(reason="payment", occurred_at=clock.now()) for _ in range(14)]
            await process.take(*surge)
            await delivered(process, 2)
        told_by_then = []
        for pause in (16 * MINUTE, 30 * MINUTE, MINUTE):  # it is over while no process runs
            clock.advance(pause)
            async with (
                alerts_engine(database, clock, **watched) as one,
                alerts_engine(database, clock, line="other", **watched) as two,
            ):
                await asyncio.gather(one.service.outbreaks.look(), two.service.outbreaks.look())
                count = await one.value("SELECT count(*) FROM alerts.deliveries")
                await delivered(one, count)
                told_by_then.append(count)

    assert told_by_then == [2 + 1 + 10, 2 + 1 + 14, 2 + 1 + 14], "two before, its end, and what it held"
    opened = [call.issue["id"] for call in receiver.calls if call.type == "issue.opened"]
    assert (len(opened), len(set(opened))) == (16, 16)
