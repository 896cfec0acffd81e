"""Whether it was of use to be told: said of issues, counted by rule and version, the last word over all others."""

import json
from functools import partial
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from prometheus_client import CollectorRegistry

from schemas.documents.friction import FrictionDocumentState
from services.alerts.feedback import feedback_store
from services.alerts.feedback.said_feedback import FeedbackCount, IssueFeedback, SaidFeedback
from services.alerts.inbox import actions, outcome_actions
from services.runtime.postgres.pools import acquire, transaction
from tests.fixtures.alerts_engine import AlertsEngine, alerts_engine
from tests.fixtures.alerts_service import FrictionLog, a_friction, again, alerts
from tests.fixtures.clock import SteppingClock
from tests.fixtures.command import run_waymark

pytestmark = pytest.mark.local

ISSUE = "SELECT issue_id FROM alerts.issues ORDER BY opened_at DESC LIMIT 1"
quiet_engine = partial(alerts_engine, dispatching=False)


async def counts(engine: AlertsEngine) -> list[tuple[str, int, int, int]]:
    async with acquire(engine.pool) as connection:
        return [_row(one) for one in await feedback_store.count(connection)]


def _row(one: FeedbackCount) -> tuple[str, int, int, int]:
    return one.rule, one.rule_version, one.useful, one.noise


async def say(engine: AlertsEngine, issue_id: UUID, said: IssueFeedback) -> bool:
    word = SaidFeedback(said=said, implied=False, said_by="kim", said_at=engine.clock.now())
    async with transaction(engine.pool) as connection:
        return await feedback_store.say(connection, issue_id, word)


async def resolve(engine: AlertsEngine, issue_id: UUID, resolution: str) -> None:
    engine.clock.advance(seconds=60)
    now = engine.clock.now()
    await engine.service.executor.execute(
        issue_id, lambda issue, _: actions.resolve(issue, actor="kim", now=now, resolution=resolution)
    )


async def correct(engine: AlertsEngine, issue_id: UUID, outcome: str) -> None:
    now = engine.clock.now()
    await engine.service.executor.execute(
        issue_id, lambda issue, _: outcome_actions.state_outcome(issue, actor="lee", now=now, outcome=outcome)
    )


async def test_the_last_word_counts_for_each_rule_and_version(database: str, clock: SteppingClock) -> None:
    async with quiet_engine(database, clock) as engine:
        first = a_friction(rule="long_wait", rule_version=2)
        where = {"customer_id": first.customer_id, "journey_id": first.journey_id}
        await engine.take(first, a_friction(rule="transfers", rule_version=1, **where))
        issue: UUID = await engine.value(ISSUE)
        assert await say(engine, issue, IssueFeedback.USEFUL)
        assert await counts(engine) == [("long_wait", 2, 1, 0), ("transfers", 1, 1, 0)]
        assert await say(engine, issue, IssueFeedback.NOISE)
        assert await counts(engine) == [("long_wait", 2, 0, 1), ("transfers", 1, 0, 1)]

        clock.advance(seconds=60)
        await engine.take(a_friction(rule="long_wait", rule_version=3))  # another customer, after a change
        assert await say(engine, await engine.value(ISSUE), IssueFeedback.USEFUL)
        assert await counts(engine) == [("long_wait", 2, 0, 1), ("long_wait", 3, 1, 0), ("transfers", 1, 0, 1)]
        assert not await say(engine, uuid4(), IssueFeedback.USEFUL)


async def test_what_is_taken_back_does_not_count_unless_all_of_it_is(database: str, clock: SteppingClock) -> None:
    async with quiet_engine(database, clock) as engine:
        first = a_friction(rule="long_wait")
        where = {"customer_id": first.customer_id, "journey_id": first.journey_id}
        second = a_friction(rule="transfers", **where)
        await engine.take(first, second)
        await engine.take(again(second, state=FrictionDocumentState.RETRACTED))
        issue: UUID = await engine.value(ISSUE)
        await say(engine, issue, IssueFeedback.NOISE)
        assert [rule for rule, *_ in await counts(engine)] == ["long_wait"]
        await engine.take(again(first, state=FrictionDocumentState.RETRACTED))
        await say(engine, issue, IssueFeedback.NOISE)
        assert [rule for rule, *_ in await counts(engine)] == ["long_wait", "transfers"]


async def test_a_false_alarm_is_noise_until_it_is_corrected(database: str, clock: SteppingClock) -> None:
    async with quiet_engine(database, clock) as engine:
        first = a_friction(rule="long_wait", rule_version=1)
        await engine.take(first)
        issue: UUID = await engine.value(ISSUE)
        await resolve(engine, issue, "false_alarm")
        assert await counts(engine) == [("long_wait", 1, 0, 1)]
        clock.advance(seconds=60)
        later = a_friction(
            rule="long_wait", customer_id=first.customer_id, journey_id=first.journey_id, occurred_at=clock.now()
        )
        await engine.take(later)  # opens it again, and takes nothing back
        assert await engine.value("SELECT state FROM alerts.issues") == "open"
        assert await counts(engine) == [("long_wait", 1, 0, 1)]
        await resolve(engine, issue, "false_alarm")
        await correct(engine, issue, "fixed")
        assert await counts(engine) == []


@pytest.mark.parametrize("resolution", ["fixed", "resolved", "a_word_of_ours"])
async def test_no_other_outcome_says_anything(database: str, clock: SteppingClock, resolution: str) -> None:
    async with quiet_engine(database, clock) as engine:
        await engine.take(a_friction(rule="long_wait"))
        await resolve(engine, await engine.value(ISSUE), resolution)
        assert await counts(engine) == []


async def test_what_somebody_said_stands_over_the_outcome(database: str, clock: SteppingClock) -> None:
    async with quiet_engine(database, clock) as engine:
        await engine.take(a_friction(rule="long_wait", rule_version=1))
        issue: UUID = await engine.value(ISSUE)
        await say(engine, issue, IssueFeedback.USEFUL)
        await resolve(engine, issue, "false_alarm")
        assert await counts(engine) == [("long_wait", 1, 1, 0)]
        await correct(engine, issue, "fixed")
        assert await counts(engine) == [("long_wait", 1, 1, 0)]


async def test_gauges_tell_what_was_said_of_a_rule(database: str, clock: SteppingClock) -> None:
    async with quiet_engine(database, clock) as engine:
        await engine.take(a_friction(rule="long_wait", rule_version=1))
        await say(engine, await engine.value(ISSUE), IssueFeedback.NOISE)
        await engine.service.upkeep().refresh()
        registry: CollectorRegistry = engine.service.registry
        labels = {"rule": "long_wait", "feedback": "noise"}
        assert registry.get_sample_value("waymark_alerts_feedback", labels) == 1
        clock.advance(seconds=29 * 86_400)
        await engine.service.upkeep().refresh()
        assert registry.get_sample_value("waymark_alerts_feedback", labels) is None


async def test_the_api_takes_it_and_the_command_tells_it(
    database: str, friction_log: FrictionLog, clock: SteppingClock, tmp_path: Path
) -> None:
    async with quiet_engine(database, clock) as engine:
        await engine.take(a_friction(rule="long_wait", rule_version=1))
        issue = await engine.value(ISSUE)
    target = f"/v1/issues/{issue}/feedback"
    async with alerts(database, friction_log) as api:
        empty = await api.call("GET", target, role="reader")
        said = await api.call("POST", target, {"feedback": "noise"}, role="agent")
        kept = await api.call("GET", target, role="reader")
        told = await api.call("GET", "/v1/feedback?rule=long_wait", role="reader")
        other = await api.call("GET", "/v1/feedback?rule=transfers", role="reader")
        await api.call("POST", target, {"feedback": "noise"}, role="reader", expect=403)
        await api.call("POST", target, {"feedback": "so so"}, role="agent", expect=422)
        await api.call("POST", f"/v1/issues/{uuid4()}/feedback", {"feedback": "noise"}, role="agent", expect=404)
    environ = {"WAYMARK_POSTGRES": database, "HOME": str(tmp_path)}
    applied = run_waymark("rules", "apply", "default", environ=environ)
    listed = json.loads(run_waymark("rules", "list", "--json", environ=environ).stdout)
    assert applied.returncode == 0, applied.stderr
    assert empty["feedback"] is None
    assert (said["feedback"], said["implied"]) == ("noise", False)
    assert kept == said
    assert told["counts"] == [{"rule": "long_wait", "rule_version": 1, "useful": 0, "noise": 1}]
    assert other["counts"] == []
    assert {one["id"]: one["feedback"] for one in listed["rules"]}["long_wait"] == [
        {"rule_version": 1, "useful": 0, "noise": 1}
    ]
