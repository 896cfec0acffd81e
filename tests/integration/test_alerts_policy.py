"""The policy over the API and the command: routes with all their members, silences, inhibition, and explanations."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from typer.testing import CliRunner

from tests.fixtures.alerts_engine import alerts_engine
from tests.fixtures.alerts_policy import apply, delivered, settled
from tests.fixtures.alerts_service import AlertsClient, FrictionLog, a_friction, a_receiver, alerts
from tests.fixtures.clock import SteppingClock
from waymark.cli import app

pytestmark = pytest.mark.local

ROUTE: dict[str, Any] = {
    "name": "payments",
    "matchers": {"labels": ['reason=~"pay.*"', "severity!=low"], "min_severity": "medium"},
    "group_by": ["reason"],
    "group_wait": "30s",
    "repeat_interval": ["1h", "4h"],
    "critical_waits": True,
    "routes": [{"name": "phone", "matchers": {"labels": ["channel=phone"]}, "continue": True}],
}


async def test_a_route_keeps_every_member(database: str, friction_log: FrictionLog) -> None:
    async with alerts(database, friction_log) as api:
        made = await api.call("POST", "/v1/routes", ROUTE, expect=201)
        [listed] = (await api.call("GET", "/v1/routes"))["routes"]
        changed = await api.call("PATCH", f"/v1/routes/{made['id']}", {"group_by": None, "group_wait": "1m"})
        wrong = await api.call("POST", "/v1/routes", {"name": "x", "matchers": {"labels": ["reason"]}}, expect=422)
        unknown = await api.call(
            "POST", "/v1/routes", {"name": "x", "routes": [{"name": "y", "endpoints": [str(uuid4())]}]}, expect=422
        )
        tried = await api.call("POST", "/v1/routes/test", {"reason": "payment", "channel": "phone", "severity": "high"})

    assert made == listed
    assert made["matchers"]["labels"] == ['reason=~"pay.*"', 'severity!="low"']
    assert (made["group_by"], made["group_wait"], made["repeat_interval"]) == (["reason"], "30s", ["1h", "4h"])
    assert (made["routes"][0]["name"], made["routes"][0]["continue"]) == ("phone", True)
    assert (changed["group_by"], changed["group_wait"], changed["repeat_interval"]) == (None, "1m", ["1h", "4h"])
    assert (wrong["code"], unknown["code"]) == ("invalid_request", "target_unknown")
    assert [(step["name"], step["match"]) for step in tried["path"]] == [("payments", "matched"), ("phone", "matched")]


async def add(api: AlertsClient, body: dict[str, Any], expect: int = 201) -> dict[str, Any]:
    return dict(await api.call("POST", "/v1/silences", body, role="agent", expect=expect))


async def test_silences_are_added_previewed_changed_and_ended(database: str, friction_log: FrictionLog) -> None:
    async with alerts_engine(database, SteppingClock(datetime.now(UTC)), dispatching=False) as engine:
        await engine.take(a_friction(reason="billing"), a_friction(reason="delivery"))
    async with alerts(database, friction_log) as api:
        hold = {"matchers": ["reason=billing"], "comment": "the invoice run is known"}
        seen = await api.call("POST", "/v1/silences/preview", {"matchers": hold["matchers"]}, expect=200)
        made = await add(api, hold | {"for_s": 3600, "warn_before_s": 600})
        longer = await api.call(
            "PATCH", f"/v1/silences/{made['id']}", {"comment": "still known"}, role="agent", expect=200
        )
        other = await api.call(
            "PATCH", f"/v1/silences/{made['id']}", {"matchers": ["reason=delivery"]}, role="agent", expect=200
        )
        await api.call("DELETE", f"/v1/silences/{other['id']}", role="agent")
        await api.call("DELETE", f"/v1/silences/{other['id']}", role="agent")
        listed = await api.call("GET", "/v1/silences", role="reader")
        refusals = [
            (await add(api, hold | body, 422))["code"]
            for body in (
                {"for_s": 60, "matchers": ['reason=~".*"']},
                {"for_s": 60, "matchers": ["reasn=x"]},
                {"for_s": 60, "during": ["weekends"]},
                {"ends_at": "2020-01-01T00:00:00Z"},
                {},
            )
        ]
        forbidden = await api.call("POST", "/v1/silences", hold | {"for_s": 60}, role="reader", expect=403)

    assert (seen["count"], seen["issues"][0]["reason"]) == (1, "billing")
    assert (made["state"], made["matchers"], made["warn_before_s"]) == ("active", ['reason="billing"'], 600)
    assert (longer["id"], longer["comment"]) == (made["id"], "still known")
    assert other["id"] != made["id"]
    assert {one["id"]: one["state"] for one in listed} == {made["id"]: "expired", other["id"]: "expired"}
    assert refusals == ["silence_wrong", "invalid_request", "silence_wrong", "silence_wrong", "invalid_request"]
    assert forbidden["code"] == "role_insufficient"


async def test_rules_of_inhibition_are_added_and_deleted(database: str, friction_log: FrictionLog) -> None:
    sides = {"source_matchers": ["rule=outage"], "target_matchers": ["rule!=outage"]}
    body = {"name": "outage", "equal": ["reason"]} | sides
    async with alerts(database, friction_log) as api:
        made = await api.call("POST", "/v1/inhibitions", body, expect=201)
        listed = await api.call("GET", "/v1/inhibitions", role="reader")
        await api.call("DELETE", f"/v1/inhibitions/{made['id']}")
        left = await api.call("GET", "/v1/inhibitions", role="reader")
        await api.call("DELETE", f"/v1/inhibitions/{made['id']}", expect=404)

    assert (listed, left) == ([made], [])


async def test_policies_of_escalation_are_put_and_deleted(database: str, friction_log: FrictionLog) -> None:
    async with alerts(database, friction_log) as api:
        desk = await api.endpoint("https://desk.example.com/", name="desk")
        steps = [{"after_s": 900.0, "endpoints": [desk["id"]], "teams": []}]
        body = {"steps": steps, "repeat": 1, "active_time_interval": None}
        made = await api.call("PUT", "/v1/policies/leaders", body)
        again = await api.call("PUT", "/v1/policies/leaders", body | {"repeat": 2})
        route = await api.call("POST", "/v1/routes", {"name": "all", "escalation": "leaders"}, expect=201)
        listed = await api.call("GET", "/v1/policies", role="reader")
        refused = [
            (await api.call("PUT", "/v1/policies/leaders", body | wrong, expect=422))["code"]
            for wrong in (
                {"active_time_interval": "never"},
                {"steps": [{"after_s": 1, "teams": [desk["id"]]}]},
                {"steps": [{"after_s": 1}]},
            )
        ]
        in_use = await api.call("DELETE", "/v1/policies/leaders", expect=409)
        await api.call("DELETE", f"/v1/routes/{route['id']}")
        await api.call("DELETE", "/v1/policies/leaders")
        await api.call("DELETE", "/v1/policies/leaders", expect=404)
        left = await api.call("GET", "/v1/policies", role="reader")
        await api.call("PUT", "/v1/policies/leaders", body, role="agent", expect=403)

    assert (made, again["repeat"]) == ({"name": "leaders", **body}, 2)
    assert listed["policies"] == [again]
    assert left["policies"] == []
    assert left["version"] > listed["version"]
    assert refused == ["hours_unknown", "target_unknown", "invalid_request"]
    assert in_use["code"] == "escalation_in_use"


POLICY = """\
route:
  routes:
    - {name: desk, endpoints: [desk], matchers: [reason=billing], active_time_intervals: [never]}
    - {name: night, endpoints: [desk]}
time_intervals:
  - {name: never, time_intervals: [{years: ["2020"]}]}
"""


async def test_an_issue_explains_what_was_told_what_holds_it_and_what_comes_next(
    database: str, clock: SteppingClock, friction_log: FrictionLog
) -> None:
    async with a_receiver() as receiver, alerts_engine(database, clock) as engine:
        desk, _ = await engine.endpoint(receiver.url, name="desk", catch_all=False)
        await apply(engine, POLICY, {"desk": desk})
        await engine.take(a_friction(reason="billing"))
        await engine.take(a_friction(reason="delivery"))
        await delivered(engine, 1)
        await settled(engine)
        billing, delivery = await engine.column("SELECT issue_id FROM alerts.issues ORDER BY document->>'reason'")
    async with alerts(database, friction_log) as api:
        held = await api.call("GET", f"/v1/issues/{billing}/explain", role="reader")
        told = await api.call("GET", f"/v1/issues/{delivery}/explain", role="reader")
        await api.call("GET", f"/v1/issues/{uuid4()}/explain", role="reader", expect=404)

    [lane] = held["lanes"]
    assert (lane["route"], lane["held_by"], held["why_not"], held["told"]) == ("desk", "hours", "out_of_hours", 0)
    assert held["summary"][0] == {
        "en": "Nobody was told yet: outside the hours of its routes.",
        "ko": "아직 아무에게도 알리지 않음: 경로의 시간대 밖.",
    }
    assert any(line["en"].startswith("Next on desk: the first message at ") for line in held["summary"])
    assert any(re.match(r"다음\(desk\): .*Z에 첫 알림 \(시간대 대기\)", line["ko"]) for line in held["summary"])
    assert [(step["route"], step["match"]) for step in told["path"]] == [
        ("desk", "matcher_differs"),
        ("night", "matched"),
    ]
    assert told["summary"][0]["en"].startswith("Told 1 times")


def command(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["alerts", *map(str, arguments)])


def test_a_file_is_put_in_force_by_the_command_and_explained(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAYMARK_POSTGRES", database)
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    file = tmp_path / "alerts.yaml"
    file.write_text(POLICY.replace(", endpoints: [desk]", ""), encoding="utf-8")
    first = command("apply", file, "--json", "--note", "the first one")
    file.write_text(POLICY, encoding="utf-8")
    refused = command("apply", file, "--json")

    assert first.exit_code == 0, (first.output, first.exception)
    assert json.loads(first.stdout) == {"version": 1}
    [problem, _] = json.loads(refused.stdout)["problems"]
    assert (refused.exit_code, problem["line"]) == (1, 3)
    assert problem["message"].startswith("there is no endpoint 'desk'")
    assert "desk: the catch-all endpoints; held until never" in command("route", "test", "-l", "reason=billing").stdout
    assert "there is no issue" in str(command("explain", uuid4()).exception)
    assert command("explain", "x").exception.exit_code == 2
