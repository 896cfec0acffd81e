"""Teams over the database and the API: assigning, owners by rule, each team's own acknowledgement, over restarts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from services.alerts.inbox import actions
from services.alerts.inbox.actions import Assignment, NamedTeam
from services.alerts.inbox.explanation import explain_issue, explanation_lines
from services.alerts.issues.model import Issue
from services.alerts.policy.file.policy_compiler import KnownPeople, compile_policy
from services.alerts.policy.file.policy_file import read_policy_file
from services.runtime.postgres.pools import acquire
from tests.fixtures.alerts_engine import AlertsEngine, alerts_engine
from tests.fixtures.alerts_policy import delivered, settled
from tests.fixtures.alerts_service import FrictionLog, a_friction, a_receiver, alerts
from tests.fixtures.clock import SteppingClock
from tests.waiting import until

pytestmark = pytest.mark.local

MINUTE = timedelta(minutes=1)
TOLD = """
SELECT e.name || ' ' || n.reason FROM alerts.deliveries d JOIN alerts.endpoints e USING (endpoint_id)
  JOIN alerts.notifications n USING (notification_id) ORDER BY d.created_at, d.sequence, e.name
"""
POLICY = """
route:
  routes:
    - {name: billing, teams: [billing], continue: true, repeat_interval: 30m, escalation: lead}
    - {name: web, teams: [web], repeat_interval: 30m, escalation: lead}
escalations: [{name: lead, steps: [{after: 45m, endpoints: [lead]}]}]
owners: [{rules: ["payment_*"], teams: [payments], owner: lee}]
"""
TEAMS = ("billing", "web", "payments")


@asynccontextmanager
async def a_floor(database: str, clock: SteppingClock) -> AsyncIterator[tuple[AlertsEngine, dict[str, UUID]]]:
    """A replica with three teams, each with an endpoint, and a lead; the ids of the teams."""
    async with a_receiver() as receiver, alerts_engine(database, clock) as engine:
        administration = engine.service.parts.administration
        added = [await administration.add_team(name) for name in TEAMS]
        teams = {team.name: team.id for team in added if team is not None}
        for name in TEAMS:
            await engine.endpoint(receiver.url, name=name, team_id=teams[name], catch_all=False)
        lead, _ = await engine.endpoint(receiver.url, name="lead", catch_all=False)
        policy, unknown = compile_policy(
            read_policy_file(POLICY).body, KnownPeople(endpoints={"lead": lead}, teams=teams)
        )
        assert unknown == []
        await engine.service.parts.policy.apply(policy, actor="test", change="policy applied")
        yield engine, teams


async def act(engine: AlertsEngine, decide: Any) -> Issue:
    issue_id = await engine.value("SELECT issue_id FROM alerts.issues")
    result = await engine.service.executor.execute(issue_id, lambda issue, _: decide(issue, engine.clock.now()))
    assert result is not None
    return result.issue


async def told(engine: AlertsEngine, count: int) -> list[str]:
    await delivered(engine, count)
    return await engine.column(TOLD)


async def test_each_team_is_reminded_and_escalated_for_until_it_took_it_over_a_restart(
    database: str, clock: SteppingClock
) -> None:
    async with a_floor(database, clock) as (engine, teams):
        await engine.take(a_friction())
        first = await told(engine, 2)
        taken = await act(engine, lambda i, now: actions.acknowledge(i, actor="kim", now=now, team=teams["billing"]))
        left = await engine.column("SELECT route_id FROM alerts.escalations")
        async with alerts_engine(database, clock, partition=1) as other:
            for _ in range(4):
                clock.advance(15 * MINUTE)
                await settled(other)
            rest = (await told(other, 5))[2:]
            await act(other, lambda i, now: actions.acknowledge(i, actor="lee", now=now, team=teams["web"]))
            clock.advance(120 * MINUTE)
            await settled(other)
            after = await other.value("SELECT count(*) FROM alerts.deliveries")
            waits = await other.value("SELECT count(*) FROM alerts.waits") + await other.value(
                "SELECT count(*) FROM alerts.escalations"
            )

    assert first == ["billing first", "web first"]
    assert (taken.state, len(left)) == ("open", 1)
    assert rest == ["web repeated", "lead escalated", "web repeated"]
    assert (after, waits) == (5, 0), "nobody has yet to take it: nothing is told and nothing waits"


async def test_an_assignment_tells_the_new_team_alone_and_explain_says_who_has_it(
    database: str, clock: SteppingClock
) -> None:
    async with a_floor(database, clock) as (engine, teams):
        await engine.take(a_friction())
        await told(engine, 2)
        new = Assignment(teams=(NamedTeam(id=teams["payments"], name="payments"),), owner="lee", hands_over=True)
        issue = await act(engine, lambda i, now: actions.assign(i, new, actor="kim", now=now))
        third = await told(engine, 3)
        async with acquire(engine.pool) as connection:
            found = await explain_issue(connection, issue.id, clock.now())
        assert found is not None
        lines = [line.en for line in explanation_lines(found)]
        korean = [line.ko for line in explanation_lines(found)]
        clock.advance(60 * MINUTE)
        await settled(engine)
        later = await engine.column(TOLD)

    assert third[2:] == ["payments assigned"]
    assert "Its owner is lee." in lines
    assert "Team payments (assigned): nobody has taken it yet." in lines
    assert any(line.startswith("Team billing: taken by kim at") for line in lines)
    assert "팀 payments (배정됨): 아직 확인 안 됨." in korean
    assert later == third, "those who passed it on are reminded no more"


async def test_a_rule_that_joins_an_issue_brings_its_owners_and_its_person(database: str, clock: SteppingClock) -> None:
    first = a_friction()
    async with a_floor(database, clock) as (engine, _):
        await engine.take(first)
        await told(engine, 2)
        await engine.take(
            a_friction(rule="payment_declines", customer_id=first.customer_id, journey_id=first.journey_id)
        )
        names = await told(engine, 3)
        document = await engine.value("SELECT document ->> 'owner' FROM alerts.issues")
        await engine.value("UPDATE alerts.endpoints SET deleted_at = now() WHERE name = 'payments' RETURNING 1")
        refused = await engine.service.parts.administration.remove_team(
            await engine.value("SELECT team_id FROM alerts.teams WHERE name = 'payments'")
        )

    assert names[2:] == ["payments assigned"]
    assert document == "lee"
    assert not refused, "the policy names it as an owner"


async def test_over_http_people_assign_take_and_filter(database: str, friction_log: FrictionLog) -> None:
    async with a_receiver() as desk, alerts(database, friction_log) as api:
        for name in ("billing", "web"):
            team = await api.call("POST", "/v1/teams", {"name": name}, expect=201)
            body = {"name": name, "kind": "standard_webhook", "url": desk.url, "team_id": team["id"]}
            await api.call("POST", "/v1/endpoints", body | {"catch_all": name == "billing"}, expect=201)
        await friction_log.write([a_friction()])
        await until(lambda: desk.calls)
        [issue] = await api.issues()
        path = f"/v1/issues/{issue['id']}"
        given = await api.call("POST", f"{path}/assign", {"teams": ["web"], "owner": "민지", "note": "결제팀 확인"})
        await until(lambda: len(desk.calls) == 2)
        by_team = await api.call("GET", "/v1/issues?team=web&owner=민지")
        nobody = await api.call("GET", "/v1/issues?owner=kim")
        taken = await api.call("POST", f"{path}/acknowledge", {"team": "web"})
        not_its = await api.call("POST", f"{path}/acknowledge", {"team": "billing"}, expect=409)
        unknown = await api.call("POST", f"{path}/assign", {"teams": ["nobody"]}, expect=422)
        empty = await api.call("POST", f"{path}/assign", {"hand_over": True}, expect=422)
        freed = await api.call("POST", f"{path}/assign", {"teams": [], "owner": None})
        explained = await api.call("GET", f"{path}/explain")
        detail = await api.call("GET", path)

    assert [(team["name"], team["assigned"]) for team in given["teams"]] == [("web", True)]
    assert given["owner"] == "민지"
    assert (desk.calls[1].document["reason"], desk.calls[1].issue["owner"]) == ("assigned", "민지")
    assert ([found["id"] for found in by_team["issues"]], nobody["issues"]) == ([issue["id"]], [])
    assert (taken["state"], taken["teams"][0]["acknowledged_by"]) == ("acknowledged", taken["acknowledged_by"])
    assert (not_its["code"], unknown["code"]) == ("team_not_on_issue", "team_unknown")
    assert "teams" in str(empty)
    assert "owner" not in freed
    assert [team["team"] for team in explained["teams"]] == ["billing"]
    assert [event["kind"] for event in detail["events"] if event["kind"] == "assigned"] == ["assigned"] * 2
