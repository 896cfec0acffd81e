"""Issues are taken from where they are read: by a link, by Slack's buttons, in PagerDuty."""

import hashlib
import hmac
import json
import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import aiohttp
import pytest

from tests.fixtures.alerts_engine import alerts_engine
from tests.fixtures.alerts_service import AlertsClient, FrictionLog, a_friction, a_receiver, alerts
from tests.fixtures.clock import SteppingClock
from tests.waiting import until

pytestmark = pytest.mark.local

KEYS = {"WAYMARK_ALERTS_SECRET_KEYS": "k" * 32}


async def an_open_issue(database: str) -> str:
    clock = SteppingClock(datetime.now(UTC))
    async with alerts_engine(database, clock, dispatching=False, line="seed") as engine:
        await engine.take(a_friction())
        return str(await engine.value("SELECT issue_id FROM alerts.issues"))


async def post(url: str, body: bytes, headers: dict[str, str]) -> int:
    async with aiohttp.ClientSession() as session, session.post(url, data=body, headers=headers) as answer:
        return answer.status


async def state_of(api: AlertsClient, issue: str) -> tuple[str, str | None]:
    found = await api.issue(issue)
    return found["state"], found.get("acknowledged_by") or None


async def test_a_link_asks_and_its_button_takes(database: str, friction_log: FrictionLog) -> None:
    base = {"WAYMARK_ALERTS_ACTIONS_URL": "http://desk.example"}
    async with a_receiver() as chat, alerts(database, friction_log, **KEYS, **base) as api:
        await api.call(
            "POST", "/v1/endpoints", {"name": "jandi", "kind": "jandi", "url": chat.url, "catch_all": True}, expect=201
        )
        await friction_log.write([a_friction()])
        await until(lambda: chat.calls)
        [path] = re.findall(r"http://desk\.example(/v1/replies/[A-Za-z0-9_-]+)", chat.calls[0].body.decode())
        [issue] = [found["id"] for found in await api.issues()]

        async with aiohttp.ClientSession(headers={"accept-language": "ko-KR,ko;q=0.9"}) as session:
            async with session.get(api.base + path) as asked:
                page = await asked.text()
                policy = asked.headers["content-security-policy"]
            before = await state_of(api, issue)
            async with session.post(api.base + path, data={"name": "민지"}) as taken:
                done = await taken.text()
            async with session.get(api.base + path[:-2] + "AA") as wrong:
                refused = wrong.status
        after = await state_of(api, issue)

    assert "요금 문제로 두 번 전화" in page
    assert "내가 맡기" in page
    assert "script-src" not in policy
    assert "default-src 'none'" in policy
    assert (before, after) == (("open", None), ("acknowledged", "link:민지"))
    assert "민지 님이 맡았습니다." in done
    assert refused == 404


async def test_a_press_in_slack_acts_and_the_channel_is_told(database: str, friction_log: FrictionLog) -> None:
    issue = await an_open_issue(database)
    async with a_receiver() as slack, alerts(database, friction_log, **KEYS) as api:
        bot = {"bot_token": "xoxb-1", "signing_secret": "5ecret"}
        endpoint = await api.call(
            "POST",
            "/v1/endpoints",
            {
                "name": "bot",
                "kind": "slack_bot",
                "url": slack.url,
                "options": {"channel": "C012345"},
                "credentials": bot,
            },
            expect=201,
        )
        payload = {
            "type": "block_actions",
            "user": {"username": "minji"},
            "actions": [{"action_id": "waymark_acknowledge", "value": f"{endpoint['id']}:{issue}"}],
            "response_url": slack.url + "/response",
        }
        body = urlencode({"payload": json.dumps(payload)}).encode()
        stamp = str(int(datetime.now(UTC).timestamp()))
        signature = "v0=" + hmac.new(b"5ecret", f"v0:{stamp}:".encode() + body, hashlib.sha256).hexdigest()
        url = api.base + "/v1/slack/interactions"
        headers = {"content-type": "application/x-www-form-urlencoded", "x-slack-request-timestamp": stamp}

        forged = await post(url, body, {**headers, "x-slack-signature": "v0=" + "0" * 64})
        untouched = await state_of(api, issue)
        pressed = await post(url, body, {**headers, "x-slack-signature": signature})
        pressed_again = await post(url, body, {**headers, "x-slack-signature": signature})
        after = await state_of(api, issue)
        audit = [event["kind"] for event in (await api.issue(issue))["events"]]

    assert "5ecret" not in json.dumps(endpoint)
    assert (forged, untouched) == (401, ("open", None))
    assert (pressed, pressed_again, after) == (200, 200, ("acknowledged", "slack:minji"))
    assert audit.count("acknowledged") == 1
    assert slack.calls[0].document["text"] == "✋ minji"


async def test_what_is_done_in_pagerduty_is_done_here(database: str, friction_log: FrictionLog) -> None:
    issue = await an_open_issue(database)
    async with alerts(database, friction_log, **KEYS) as api:
        credentials = {"routing_key": "r" * 32, "webhook_secret": "5ecret"}
        endpoint: dict[str, Any] = await api.call(
            "POST", "/v1/endpoints", {"name": "pd", "kind": "pagerduty", "credentials": credentials}, expect=201
        )
        url = f"{api.base}/v1/pagerduty/webhooks/{endpoint['id']}"

        async def send(event_type: str, secret: bytes = b"5ecret") -> int:
            data = {"type": "incident", "incident_key": f"waymark:{issue}"}
            event = {"event_type": event_type, "agent": {"summary": "Minji"}, "data": data}
            body = json.dumps({"event": event}).encode()
            signature = "v1=" + hmac.new(secret, body, hashlib.sha256).hexdigest()
            return await post(url, body, {"x-pagerduty-signature": signature})

        forged = await send("incident.acknowledged", b"other")
        taken = await send("incident.acknowledged")
        acknowledged = await state_of(api, issue)
        ended = await send("incident.resolved")
        resolved = await api.issue(issue)
        unknown = await post(f"{api.base}/v1/pagerduty/webhooks/{UUID(int=1)}", b"{}", {})

    assert (forged, taken, ended, unknown) == (401, 204, 204, 401)
    assert acknowledged == ("acknowledged", "pagerduty:Minji")
    assert (resolved["state"], resolved["resolved_by"]) == ("resolved", "pagerduty:Minji")
