"""What waits is told when it is time: hours, silences, inhibition, repeats; over restarts, once."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from schemas.documents.friction import FrictionDocumentState
from schemas.vocabulary import Severity
from services.alerts.hold import silence_store
from services.alerts.inbox import actions
from services.alerts.policy.matchers import parse_matchers
from services.alerts.policy.silences import Silence
from services.runtime.postgres.pools import acquire
from tests.fixtures.alerts_engine import AlertsEngine, alerts_engine
from tests.fixtures.alerts_policy import SIMPLE, a_desk, apply, delivered, settled
from tests.fixtures.alerts_service import a_friction, a_receiver, again
from tests.fixtures.clock import SteppingClock
from tests.waiting import until

pytestmark = pytest.mark.local

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
WAITING = "SELECT count(*) FROM alerts.waits"


async def a_silence(engine: AlertsEngine, matchers: str, ends_at: datetime, **members: Any) -> UUID:
    now = engine.clock.now()
    given: dict[str, Any] = {"id": uuid4(), "comment": "", "created_by": "kim", "updated_at": now, "starts_at": now}
    silence = Silence(matchers=parse_matchers(matchers), ends_at=ends_at, **given | members)
    async with acquire(engine.pool) as connection:
        await silence_store.save_silence(connection, silence)
    return silence.id


BUSINESS = """
route:
  routes:
    - {name: desk, endpoints: [desk], active_time_intervals: [business]}
time_intervals:
  - name: business
    time_intervals:
      - {weekdays: [monday:friday], times: [{start_time: "09:00", end_time: "18:00"}], location: Asia/Seoul}
"""


# The clock stands at 2026-11-22T00:15Z, a Sunday morning in Seoul.
OPENING = datetime.fromisoformat("2026-11-23T09:00+09:00")


async def test_what_comes_outside_the_hours_is_told_when_they_open_with_a_restart_between(
    database: str, clock: SteppingClock
) -> None:
    async with a_desk(database, clock, BUSINESS) as (engine, receiver):
        await engine.take(a_friction())
        clock.set(OPENING - MINUTE)
        await settled(engine)
        assert (receiver.calls, await engine.value(WAITING)) == ([], 1)
        reason = await engine.value("SELECT detail->>'reason' FROM alerts.issue_events WHERE kind = 'not_told'")
        assert reason == "out_of_hours"
        url = receiver.url

        async with alerts_engine(database, clock, partition=1) as other:  # a replica that knows only the rows
            clock.set(OPENING)
            await until(lambda: receiver.calls)
            await settled(engine)
            await settled(other)
        await delivered(engine, 1)
        waiting = await engine.value(WAITING)

    assert url
    assert ([call.document["reason"] for call in receiver.calls], waiting) == (["first"], 0)


async def test_a_critical_issue_does_not_wait_for_hours_unless_the_route_says_so(
    database: str, clock: SteppingClock
) -> None:
    async with a_desk(database, clock, BUSINESS) as (engine, receiver):
        await engine.take(a_friction(severity=Severity.CRITICAL))
        await until(lambda: receiver.calls)
        waits = BUSINESS.replace("active_time", "critical_waits: true, active_time")
        [desk] = await engine.column("SELECT endpoint_id FROM alerts.endpoints")
        await apply(engine, waits, {"desk": desk})
        await engine.take(a_friction(severity=Severity.CRITICAL))
        await settled(engine)
        held = await engine.value(WAITING)

    assert (len(receiver.calls), held) == (1, 1)


async def test_what_becomes_critical_while_it_waits_is_told_at_once_and_not_again(
    database: str, clock: SteppingClock
) -> None:
    friction = a_friction()
    async with a_desk(database, clock, BUSINESS) as (engine, receiver):
        await engine.take(friction)
        await engine.take(again(friction, severity=Severity.CRITICAL))
        await delivered(engine, 1)
        clock.set(OPENING + MINUTE)
        await settled(engine)
        await delivered(engine, 1)
        waiting = await engine.value(WAITING)

    assert ([call.issue["severity"] for call in receiver.calls], waiting) == (["critical"], 0)


async def test_what_ended_while_it_waited_is_never_told(database: str, clock: SteppingClock) -> None:
    friction = a_friction()
    async with a_desk(database, clock, BUSINESS) as (engine, receiver):
        await engine.take(friction)
        await engine.take(again(friction, state=FrictionDocumentState.RETRACTED))
        clock.set(OPENING)
        await settled(engine)
        waiting = await engine.value(WAITING)

    assert (receiver.calls, waiting) == ([], 0)


async def test_one_lane_waits_while_another_tells_and_each_tells_once(database: str, clock: SteppingClock) -> None:
    policy = BUSINESS.replace(
        "- {name: desk,", "- {name: night, endpoints: [night], continue: true}\n    - {name: desk,"
    )
    async with a_desk(database, clock, policy, "night") as (engine, receiver):
        await engine.take(a_friction())
        await delivered(engine, 1)
        clock.set(OPENING)
        await settled(engine)
        await delivered(engine, 2)
        clock.advance(HOUR)
        await settled(engine)
        told = await engine.column(
            "SELECT e.name FROM alerts.deliveries d JOIN alerts.endpoints e USING (endpoint_id) ORDER BY d.created_at"
        )
        await engine.service.executor.execute(
            UUID(receiver.calls[0].issue["id"]),
            lambda issue, _: actions.resolve(issue, actor="kim", now=clock.now(), resolution="called_back"),
        )
        await delivered(engine, 4)

    assert told == ["night", "desk"]
    assert [call.document["reason"] for call in receiver.calls] == ["first", "first", "resolved", "resolved"]


async def test_a_silence_holds_and_its_end_tells(database: str, clock: SteppingClock) -> None:
    async with a_desk(database, clock, SIMPLE) as (engine, receiver):
        await a_silence(engine, "reason=billing", clock.now() + HOUR)
        await engine.take(a_friction(reason="billing"), a_friction(reason="delivery"))
        await delivered(engine, 1)
        clock.advance(HOUR)
        await settled(engine)
        await delivered(engine, 2)

    assert [call.issue["reason"] for call in receiver.calls] == ["delivery", "billing"]


async def test_a_silence_that_is_ended_early_lets_go_at_once(database: str, clock: SteppingClock) -> None:
    async with a_desk(database, clock, SIMPLE) as (engine, receiver):
        silence = await a_silence(engine, "reason=billing", clock.now() + 9 * HOUR)
        await engine.take(a_friction(reason="billing"))
        await settled(engine)
        assert receiver.calls == []
        await engine.service.parts.policy.end_silence(silence)
        await settled(engine)
        await delivered(engine, 1)


async def test_the_end_of_an_issue_passes_a_silence_to_those_who_were_told(database: str, clock: SteppingClock) -> None:
    friction = a_friction(reason="billing")
    async with a_desk(database, clock, SIMPLE) as (engine, receiver):
        await engine.take(friction)
        await delivered(engine, 1)
        await a_silence(engine, "reason=billing", clock.now() + HOUR)
        await engine.take(again(friction, state=FrictionDocumentState.RETRACTED))
        await delivered(engine, 2)

    assert receiver.types() == ["issue.opened", "issue.resolved"]


async def test_a_silence_ends_with_its_issue_and_lets_go_what_else_it_held(database: str, clock: SteppingClock) -> None:
    first, second = a_friction(reason="billing"), a_friction(reason="billing")
    async with a_desk(database, clock, SIMPLE) as (engine, receiver):
        await engine.take(first)
        await delivered(engine, 1)
        issue = UUID(receiver.calls[0].issue["id"])
        await a_silence(engine, "reason=billing", clock.now() + 9 * HOUR, issue_id=issue)
        await engine.take(second)
        await settled(engine)
        assert await engine.value(WAITING) == 1
        await engine.take(again(first, state=FrictionDocumentState.RETRACTED))
        await settled(engine)
        await delivered(engine, 3)

    assert receiver.types()[0] == "issue.opened"
    assert sorted(receiver.types()[1:]) == ["issue.opened", "issue.resolved"]


async def test_people_are_warned_before_a_silence_ends_and_once(database: str, clock: SteppingClock) -> None:
    async with a_receiver() as leader, a_desk(database, clock, SIMPLE) as (engine, _):
        await engine.endpoint(leader.url, name="leader")
        await a_silence(engine, "reason=billing", clock.now() + HOUR, warn_before=10 * MINUTE)
        await engine.take(a_friction(reason="billing"))
        await settled(engine)
        clock.advance(50 * MINUTE)
        await settled(engine)
        await settled(engine)
        await until(lambda: leader.calls)
        await delivered(engine, 1)

    assert (leader.types(), leader.calls[0].issue["held"]) == (["silence.ending"], 1)


INHIBIT = """
route: {routes: [{name: desk, endpoints: [desk]}]}
inhibit_rules:
  - {source_matchers: [rule=outage], target_matchers: [rule!=outage], equal: [reason]}
"""


async def test_an_open_source_holds_its_targets_and_its_end_lets_them_go(database: str, clock: SteppingClock) -> None:
    outage = a_friction(rule="outage", reason="payment")
    async with a_desk(database, clock, INHIBIT) as (engine, receiver):
        await engine.take(outage, a_friction(reason="payment"), a_friction(reason="delivery"))
        await delivered(engine, 2)
        assert await engine.column("SELECT kind FROM alerts.waits") == ["inhibition"]
        await engine.take(again(outage, state=FrictionDocumentState.RETRACTED))
        await settled(engine)
        await delivered(engine, 4)

    assert sorted(call.issue["reason"] for call in receiver.calls[:2]) == ["delivery", "payment"]
    assert sorted(receiver.types()[2:]) == ["issue.opened", "issue.resolved"]


async def test_a_new_rule_of_inhibition_knows_the_issues_that_are_open_already(
    database: str, clock: SteppingClock
) -> None:
    async with a_desk(database, clock, SIMPLE) as (engine, _):
        await engine.take(a_friction(rule="outage", reason="payment"))
        await delivered(engine, 1)
        [desk] = await engine.column("SELECT endpoint_id FROM alerts.endpoints")
        await apply(engine, INHIBIT, {"desk": desk})
        await engine.take(a_friction(reason="payment"))
        await settled(engine)
        held = await engine.column("SELECT kind FROM alerts.waits")
        await apply(engine, SIMPLE, {"desk": desk})
        await settled(engine)
        await delivered(engine, 2)

    assert held == ["inhibition"]


async def test_repeats_back_off_until_somebody_acknowledges(database: str, clock: SteppingClock) -> None:
    policy = SIMPLE.replace("[desk]}", "[desk], repeat_interval: [1h, 4h]}")
    async with a_desk(database, clock, policy) as (engine, receiver):
        await engine.take(a_friction())
        await delivered(engine, 1)
        told = []
        for hour in range(1, 11):
            clock.advance(HOUR)
            await settled(engine)
            told.append((hour, await engine.value("SELECT count(*) FROM alerts.notifications")))
            await delivered(engine, told[-1][1])  # a lease would run out with the next step of the clock
        issue = UUID(receiver.calls[0].issue["id"])
        await engine.service.executor.execute(
            issue, lambda found, _: actions.acknowledge(found, actor="kim", now=clock.now())
        )
        clock.advance(9 * HOUR)
        await settled(engine)
        await delivered(engine, 4)
        waiting = await engine.value(WAITING)

    assert [hour for (hour, count), (_, before) in zip(told[1:], told, strict=False) if count > before] == [5, 9]
    assert told[0] == (1, 2)
    assert [call.document["reason"] for call in receiver.calls[1:]] == ["repeated"] * 3
    assert waiting == 0


async def test_the_gauges_count_what_waits_and_the_silences_that_are_not_over(
    database: str, clock: SteppingClock
) -> None:
    async with a_desk(database, clock, SIMPLE) as (engine, _):
        await a_silence(engine, "reason=billing", clock.now() + HOUR)
        await a_silence(engine, "reason=claim", clock.now() + 9 * HOUR, starts_at=clock.now() + HOUR)
        await a_silence(engine, "reason=loan", clock.now() - MINUTE, starts_at=clock.now() - HOUR)
        await engine.take(a_friction())
        await engine.service.upkeep().refresh()
        value = engine.service.registry.get_sample_value

        assert value("waymark_alerts_silences", {"state": "active"}) == 1
        assert value("waymark_alerts_silences", {"state": "pending"}) == 1
        assert value("waymark_alerts_waiting_notifications", {"kind": "silence"}) == 1
        assert value("waymark_alerts_waiting_notifications", {"kind": "hours"}) == 0
