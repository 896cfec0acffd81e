"""The API over a real database: who may do what, the inbox, administration, the live stream, the console."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import web

from schemas.vocabulary import Channel, Severity
from services.alerts.inbox import actions
from tests.fixtures.alerts_engine import alerts_engine
from tests.fixtures.alerts_service import (
    AlertsClient,
    FrictionLog,
    ReceivedCall,
    a_friction,
    a_receiver,
    alerts,
    rows,
)
from tests.fixtures.clock import SteppingClock
from tests.waiting import until

pytestmark = pytest.mark.local

ADMIN_ONLY = [
    ("GET", "/v1/endpoints"),
    ("POST", "/v1/endpoints"),
    ("GET", f"/v1/endpoints/{uuid4()}"),
    ("PATCH", f"/v1/endpoints/{uuid4()}"),
    ("DELETE", f"/v1/endpoints/{uuid4()}"),
    ("POST", f"/v1/endpoints/{uuid4()}/test"),
    ("POST", f"/v1/endpoints/{uuid4()}/secret/rotate"),
    ("GET", f"/v1/endpoints/{uuid4()}/deliveries"),
    ("GET", "/v1/deliveries/msg_1"),
    ("GET", "/v1/routes"),
    ("POST", "/v1/routes"),
    ("POST", "/v1/routes/test"),
    ("PATCH", f"/v1/routes/{uuid4()}"),
    ("DELETE", f"/v1/routes/{uuid4()}"),
    ("GET", "/v1/teams"),
    ("POST", "/v1/teams"),
    ("PATCH", f"/v1/teams/{uuid4()}"),
    ("DELETE", f"/v1/teams/{uuid4()}"),
]
AGENTS = [
    ("POST", f"/v1/issues/{uuid4()}/{action}")
    for action in ("acknowledge", "resolve", "reopen", "snooze", "note", "outcome")
] + [("POST", "/v1/deliveries/msg_1/replay")]


async def seeded(database: str, *frictions: Any) -> None:
    """Issues for frictions, as intake makes them."""
    clock = SteppingClock(datetime.now(UTC))
    async with alerts_engine(database, clock, dispatching=False) as engine:
        for friction in frictions:
            await engine.take(friction)


async def test_roles_open_what_they_should_and_nothing_else(database: str, friction_log: FrictionLog) -> None:
    async with alerts(database, friction_log) as api:
        for method, target in ADMIN_ONLY:
            for role in ("reader", "agent"):
                problem = await api.call(method, target, {}, role=role, expect=403)
                assert problem["code"] == "role_insufficient", (method, target)
        for method, target in AGENTS:
            assert (await api.call(method, target, {}, role="reader", expect=403))["code"] == "role_insufficient"
        for target in ("/v1/issues", "/v1/stream", "/v1/endpoints"):
            status, text, headers = await api.raw(target)
            assert (status, json.loads(text)["code"], headers["www-authenticate"]) == (401, "key_missing", "Bearer")


async def test_a_key_is_told_whose_it_is(database: str, friction_log: FrictionLog) -> None:
    async with alerts(database, friction_log) as api:
        for role in ("reader", "agent", "admin"):
            caller = await api.call("GET", "/v1/caller", role=role)
            assert caller["role"] == role
            assert set(caller) == {"label", "role"}
        assert (await api.raw("/v1/caller"))[0] == 401


async def test_a_key_in_the_address_is_not_taken(database: str, friction_log: FrictionLog) -> None:
    async with alerts(database, friction_log) as api:
        for name in ("key", "token", "access_token"):
            status, text, _ = await api.raw(f"/v1/issues?{name}={api.keys['admin']}")
            assert status == 401, text
            assert api.keys["admin"] not in text


async def test_a_revoked_key_is_refused(database: str, friction_log: FrictionLog) -> None:
    async with alerts(database, friction_log) as api:
        await api.issues()
        async with rows(database) as connection:
            await connection.execute("UPDATE alerts.api_keys SET revoked_at = now() WHERE kind = 'reader'")

        async def refused() -> bool:
            status, text, _ = await api.raw("/v1/issues", {"authorization": f"Bearer {api.keys['reader']}"})
            return status == 401 and json.loads(text)["code"] == "key_revoked"

        await until(refused)


async def test_what_people_do_is_done_once_and_audited(database: str, friction_log: FrictionLog) -> None:
    await seeded(database, a_friction())
    async with alerts(database, friction_log) as api:
        [issue] = await api.issues()
        target = f"/v1/issues/{issue['id']}"
        taken = await api.call("POST", f"{target}/acknowledge", {"note": "calling back"}, role="agent")
        again = await api.call("POST", f"{target}/acknowledge", role="agent")
        await api.call("POST", f"{target}/note", {"text": "no answer, trying at six"}, role="agent")
        await api.call("POST", f"{target}/snooze", {"for_s": 3600}, role="agent")
        done = await api.call("POST", f"{target}/resolve", {"resolution": "called_back"}, role="agent")
        conflict = await api.call("POST", f"{target}/acknowledge", role="agent", expect=409)
        reopened = await api.call("POST", f"{target}/reopen", role="agent")
        detail = await api.issue(issue["id"])

    assert (taken["state"], taken["acknowledged_by"], again["version"]) == (
        "acknowledged",
        "test agent",
        taken["version"],
    )
    assert (done["state"], done["resolution"], done["resolved_by"]) == ("resolved", "called_back", "test agent")
    assert (conflict["code"], reopened["state"]) == ("issue_resolved", "open")
    people = [(e["kind"], e["detail"].get("note")) for e in reversed(detail["events"]) if e["actor"] == "test agent"]
    assert people == [
        ("acknowledged", "calling back"),
        ("note", "no answer, trying at six"),
        ("snoozed", None),
        ("resolved", None),
        ("reopened", None),
    ]


async def test_two_people_who_take_it_at_once_make_one_transition(database: str, friction_log: FrictionLog) -> None:
    await seeded(database, a_friction())
    async with alerts(database, friction_log) as api:
        [issue] = await api.issues()
        answers = await asyncio.gather(
            *(api.call("POST", f"/v1/issues/{issue['id']}/acknowledge", role="agent") for _ in range(8))
        )
        detail = await api.issue(issue["id"])

    assert {answer["version"] for answer in answers} == {issue["version"] + 1}
    assert [event["kind"] for event in detail["events"]].count("acknowledged") == 1


@pytest.mark.parametrize(
    ("action", "body"),
    [
        ("snooze", {}),
        ("snooze", {"for_s": 3600, "until": "2030-01-01T00:00:00Z"}),
        ("snooze", {"until": "2030-01-01T00:00:00"}),
        ("resolve", {"resolution": "merged"}),
        ("resolve", {"resolution": "Not A Word"}),
        ("resolve", {"resolution": "2nd_call"}),
        ("note", {"text": ""}),
        ("note", {"text": "a\0b"}),
        ("acknowledge", {"who": "me"}),
    ],
)
async def test_what_makes_no_sense_is_refused(
    database: str, friction_log: FrictionLog, action: str, body: dict[str, object]
) -> None:
    await seeded(database, a_friction())
    async with alerts(database, friction_log) as api:
        [issue] = await api.issues()
        problem = await api.call("POST", f"/v1/issues/{issue['id']}/{action}", body, role="agent", expect=422)

    assert (problem["code"], bool(problem["errors"])) == ("invalid_request", True)


async def test_issues_are_found_by_what_they_are(database: str, friction_log: FrictionLog) -> None:
    web_issue = a_friction(channel=Channel.WEB, severity=Severity.CRITICAL, rule="long_wait")
    await seeded(database, a_friction(), web_issue, a_friction(quiet=True))
    async with alerts(database, friction_log) as api:
        found = {
            query: len(await api.issues(query))
            for query in (
                *("", "&state=open", "&state=unresolved", "&state=resolved", "&severity=critical&severity=high"),
                *(
                    "&rule=long_wait",
                    "&channel=web",
                    f"&customer={web_issue.customer_id}",
                    "&quiet=true",
                    "&quiet=false",
                ),
                "&team=nobody",
            )
        }
        nonsense = await api.call("GET", "/v1/issues?color=red", role="reader", expect=422)

    assert list(found.values()) == [3, 3, 3, 0, 1, 1, 1, 1, 1, 2, 0]
    assert nonsense["code"] == "invalid_request"


async def test_pages_hold_every_issue_once(database: str, friction_log: FrictionLog) -> None:
    await seeded(database, *(a_friction() for _ in range(7)))
    async with alerts(database, friction_log) as api:
        seen: list[str] = []
        cursor = ""
        while True:
            page = await api.call("GET", f"/v1/issues?limit=3{cursor}", role="reader")
            seen += [issue["id"] for issue in page["issues"]]
            if "next_cursor" not in page:
                break
            cursor = f"&cursor={page['next_cursor']}"
        bad = await api.call("GET", "/v1/issues?cursor=nonsense", role="reader", expect=422)

    assert len(seen) == len(set(seen)) == 7
    assert bad["code"] == "cursor_invalid"


@pytest.mark.parametrize(
    "url", ["https://10.0.0.1/", "http://example.com/", "https://user:pw@example.com/", "nonsense"]
)
async def test_an_endpoint_that_points_where_it_must_not_is_refused(
    database: str, friction_log: FrictionLog, url: str
) -> None:
    async with alerts(database, friction_log) as api:
        problem = await api.call("POST", "/v1/endpoints", {"name": "x", "url": url}, expect=422)

    assert problem["code"] == "target_forbidden"
    assert url not in json.dumps(problem)


async def test_an_endpoint_shows_its_secret_once(database: str, friction_log: FrictionLog) -> None:
    async with alerts(database, friction_log) as api:
        created = await api.endpoint("https://example.com/hook")
        rotated = await api.call("POST", f"/v1/endpoints/{created['id']}/secret/rotate", {"overlap_s": 60})
        listed = await api.call("GET", "/v1/endpoints")
        read = await api.call("GET", f"/v1/endpoints/{created['id']}")

    assert created["secret"].startswith("whsec_")
    assert rotated["secret"] not in {created["secret"], ""}
    assert "secret" not in listed[0]
    assert "secret" not in read


async def test_a_test_message_goes_the_way_of_every_message(database: str, friction_log: FrictionLog) -> None:
    async def teapot(_call: ReceivedCall) -> web.StreamResponse:
        return web.Response(status=418, text="<b>short and stout</b>")

    async with a_receiver() as receiver, alerts(database, friction_log) as api:
        endpoint = await api.endpoint(receiver.url)
        good = await api.call("POST", f"/v1/endpoints/{endpoint['id']}/test")
        receiver.answer = teapot
        bad = await api.call("POST", f"/v1/endpoints/{endpoint['id']}/test")

    assert (good["delivered"], good["status"], good["excerpt"]) == (True, 200, "ok")
    assert (bad["delivered"], bad["reason"], bad["excerpt"]) == (False, "http_4xx", "<b>short and stout</b>")
    assert receiver.types() == ["endpoint.test"] * 2
    assert "webhook-signature" in receiver.calls[0].headers


async def test_a_delivery_can_be_read_and_sent_again_under_its_id(database: str, friction_log: FrictionLog) -> None:
    async with a_receiver() as receiver, alerts(database, friction_log) as api:
        endpoint = await api.endpoint(receiver.url)
        await friction_log.write([a_friction()])
        await until(lambda: receiver.calls)
        target = f"/v1/deliveries/{receiver.calls[0].webhook_id}"

        async def settled() -> bool:
            return bool((await api.call("GET", target))["state"] == "delivered")

        await until(settled)
        await api.call("POST", f"{target}/replay", role="agent", expect=202)
        await until(lambda: len(receiver.calls) == 2)
        await until(settled)
        read = await api.call("GET", target)
        listed = await api.call("GET", f"/v1/endpoints/{endpoint['id']}/deliveries?state=delivered")

    assert {call.webhook_id for call in receiver.calls} == {read["id"]}
    assert [attempt["status"] for attempt in read["tries"]] == [200, 200]
    assert read["body"].encode() == receiver.calls[1].body
    assert [delivery["id"] for delivery in listed["deliveries"]] == [read["id"]]


async def test_a_disabled_endpoint_keeps_its_messages_until_it_is_enabled(
    database: str, friction_log: FrictionLog
) -> None:
    async with a_receiver() as receiver, alerts(database, friction_log) as api:
        endpoint = await api.endpoint(receiver.url)
        target = f"/v1/endpoints/{endpoint['id']}"
        off = await api.call("PATCH", f"{target}?force=true", {"enabled": False})
        await friction_log.write([a_friction()])
        await until(lambda: one_issue(api))
        before = len(receiver.calls)
        await api.call("PATCH", target, {"enabled": True})
        await until(lambda: receiver.calls)

    assert (off["disabled_reason"], before) == ("by_hand", 0)


async def one_issue(api: AlertsClient) -> bool:
    return len(await api.issues()) == 1


async def test_routes_send_issues_to_teams_and_say_why(database: str, friction_log: FrictionLog) -> None:
    async with a_receiver() as billing, a_receiver() as rest, alerts(database, friction_log) as api:
        team = await api.call("POST", "/v1/teams", {"name": "Billing"}, expect=201)
        await api.endpoint(billing.url, name="billing desk", catch_all=False, team_id=team["id"])
        await api.endpoint(rest.url, name="everything else")
        low = await api.call(
            "POST",
            "/v1/routes",
            {"name": "only critical", "matchers": {"min_severity": "critical"}, "teams": [team["id"]]},
        )
        route = await api.call(
            "POST",
            "/v1/routes",
            {"name": "billing", "matchers": {"reasons": ["billing"], "rules": ["repeat_*"]}, "teams": [team["id"]]},
        )
        await friction_log.write([a_friction(reason="billing"), a_friction(reason="delivery")])
        await until(lambda: billing.calls and rest.calls)
        asked = await api.call("POST", "/v1/routes/test", {"rules": ["repeat_contact_7d"], "reason": "billing"})
        of_team = await api.issues("&team=Billing")

    assert [(step["route_id"], step["match"]) for step in asked["path"]] == [
        (low["id"], "severity_too_low"),
        (route["id"], "matched"),
    ]
    assert (asked["team"], asked["caught"], len(asked["endpoints"])) == ("Billing", False, 1)
    assert (billing.calls[0].issue["reason"], billing.calls[0].issue["team"]) == ("billing", "Billing")
    assert rest.calls[0].issue["reason"] == "delivery"
    assert [issue["reason"] for issue in of_team] == ["billing"]


async def test_routes_are_an_ordered_versioned_list(database: str, friction_log: FrictionLog) -> None:
    async with alerts(database, friction_log) as api:
        first = await api.call("POST", "/v1/routes", {"name": "first"})
        await api.call("POST", "/v1/routes", {"name": "second"})
        await api.call("POST", "/v1/routes", {"name": "zeroth", "position": 0})
        await api.call("PATCH", f"/v1/routes/{first['id']}", {"position": 2, "continue": True})
        listed = await api.call("GET", "/v1/routes")
        await api.call("DELETE", f"/v1/routes/{first['id']}", expect=204)
        left = await api.call("GET", "/v1/routes")
        unknown = await api.call("POST", "/v1/routes", {"name": "x", "endpoints": [str(uuid4())]}, expect=422)

    assert [route["name"] for route in listed["routes"]] == ["zeroth", "second", "first"]
    assert listed["routes"][2]["continue"]
    assert ([route["name"] for route in left["routes"]], left["version"]) == (["zeroth", "second"], 5)
    assert unknown["code"] == "target_unknown"


async def test_a_team_in_use_cannot_be_deleted(database: str, friction_log: FrictionLog) -> None:
    async with alerts(database, friction_log) as api:
        team = await api.call("POST", "/v1/teams", {"name": "Billing"}, expect=201)
        await api.call("POST", "/v1/teams", {"name": "Billing"}, expect=409)
        endpoint = await api.endpoint("https://example.com/", team_id=team["id"])
        await api.call("DELETE", f"/v1/teams/{team['id']}", expect=409)
        await api.call("DELETE", f"/v1/endpoints/{endpoint['id']}?force=true", expect=204)
        await api.call("DELETE", f"/v1/teams/{team['id']}", expect=204)


async def test_a_snooze_is_silent_and_ends_by_itself(database: str, clock: SteppingClock) -> None:
    friction = a_friction()
    worse = a_friction(customer_id=friction.customer_id, journey_id=friction.journey_id, severity=Severity.HIGH)
    async with a_receiver() as receiver, alerts_engine(database, clock) as engine:
        await engine.endpoint(receiver.url)
        await engine.take(friction)
        await until(lambda: receiver.calls)
        issue_id = await engine.value("SELECT issue_id FROM alerts.issues")
        executor, until_then = engine.service.executor, clock.now() + timedelta(hours=1)
        await executor.execute(issue_id, lambda i, _: actions.snooze(i, actor="kim", now=clock.now(), until=until_then))
        await engine.take(worse)
        silent = await engine.value("SELECT count(*) FROM alerts.notifications")
        clock.advance(timedelta(hours=1))
        await executor.execute(issue_id, lambda i, _: actions.end_snooze(i, now=clock.now()))
        await until(lambda: len(receiver.calls) == 2)

    assert silent == 1
    assert (receiver.calls[1].type, receiver.calls[1].document["reason"]) == ("issue.updated", "severity_raised")


async def test_metrics_name_every_state(database: str, friction_log: FrictionLog) -> None:
    async with alerts(database, friction_log) as api:
        _, text, _ = await api.raw("/metrics")

    for name in ("waymark_alerts_push_latency_seconds_bucket", "waymark_alerts_lag_records", "waymark_alerts_issues"):
        assert name in text
