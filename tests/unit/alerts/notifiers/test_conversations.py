"""How messages about one issue hang together at each vendor, and what each of them carries."""

import base64
import json
from typing import Any

import pytest

from services.alerts.deliver.notifiers.notifier import Outbound, OutboundRequest
from services.alerts.deliver.notifiers.samples import sample_messages
from tests.unit.alerts.notifiers.rendering import ACKNOWLEDGE, REFERENCES, document, requests

ISSUE = "01a2033b-0000-7000-8000-000000000001"


def methods(found: list[OutboundRequest]) -> list[str]:
    return [one.url.rpartition("/")[2] for one in found]


def test_slack_gets_one_message_that_changes_and_a_line_in_its_thread() -> None:
    known = REFERENCES["slack_bot"]
    opened = requests("slack_bot", "opened")
    updated = requests("slack_bot", "updated", reference=known)
    resolved = requests("slack_bot", "resolved", reference=known)

    assert methods(opened) == ["chat.postMessage"]
    assert methods(updated) == methods(resolved) == ["chat.update", "chat.postMessage"]
    assert document(updated[0])["ts"] == document(updated[1])["thread_ts"] == known["ts"]
    assert document(resolved[0])["text"].startswith("🟢")
    assert opened[0].headers["authorization"] == "Bearer bot_token-of-the-vendor000000000"


def test_who_took_it_changes_the_message_and_adds_nothing_to_the_thread() -> None:
    [change] = requests("slack_bot", "acknowledged", reference=REFERENCES["slack_bot"])

    assert methods([change]) == ["chat.update"]
    assert "minji" in change.body.decode()


def test_a_thread_can_be_left_out_and_a_return_is_shown_in_the_channel() -> None:
    known = REFERENCES["slack_bot"]

    assert methods(requests("slack_bot", "updated", reference=known, thread=False)) == ["chat.update"]
    assert [
        document(requests("slack_bot", s, reference=known)[1])["reply_broadcast"] for s in ("updated", "reopened")
    ] == [
        False,
        True,
    ]


def actions_of(request: Outbound) -> list[str]:
    blocks: list[dict[str, Any]] = document(request)["blocks"]
    return [element["action_id"] for block in blocks if block["type"] == "actions" for element in block["elements"]]


def test_buttons_offer_what_is_still_possible() -> None:
    found = {
        sample: actions_of(requests("slack_webhook", sample)[0]) for sample in ("opened", "acknowledged", "resolved")
    }

    assert found == {
        "opened": ["waymark_acknowledge", "waymark_resolve", "waymark_open"],
        "acknowledged": ["waymark_resolve", "waymark_open"],
        "resolved": ["waymark_open"],
    }


@pytest.mark.parametrize(
    ("sample", "actions"),
    [
        ("opened", ["trigger"]),
        ("updated", ["trigger"]),
        ("reopened", ["trigger"]),
        ("acknowledged", ["acknowledge"]),
        ("resolved", ["resolve"]),
        ("withdrawn", ["resolve"]),
        ("test", ["trigger", "resolve"]),
    ],
)
def test_pagerduty_has_one_incident_for_an_issue(sample: str, actions: list[str]) -> None:
    found = [document(one) for one in requests("pagerduty", sample)]

    assert [one["event_action"] for one in found] == actions
    assert len({one["dedup_key"] for one in found}) == 1
    if sample != "test":
        assert found[0]["dedup_key"] == f"waymark:{ISSUE}"
    for event in found:
        assert len(event["routing_key"]) == 32
        assert ("payload" in event) is (event["event_action"] == "trigger")


def test_a_ticket_is_made_once_and_then_commented_where_customers_do_not_see_it() -> None:
    [made] = requests("zendesk", "opened")
    [solved] = requests("zendesk", "resolved", reference={"ticket": "35436"})

    assert (made.method, made.url.partition("/api")[2]) == ("POST", "/v2/tickets.json")
    assert len(made.headers["idempotency-key"]) <= 255
    assert made.headers == requests("zendesk", "opened")[0].headers
    assert (solved.method, solved.url.partition("/api")[2]) == ("PUT", "/v2/tickets/35436.json")
    assert document(made)["ticket"]["external_id"] == ISSUE
    assert document(solved)["ticket"]["status"] == "solved"
    assert [document(one)["ticket"]["comment"]["public"] for one in (made, solved)] == [False, False]
    token = base64.b64decode(made.headers["authorization"].removeprefix("Basic ")).decode()
    assert token == "agent@example.com/token:api_token-of-the-vendor000000000"


def test_servicenow_joins_and_clears_by_the_message_key() -> None:
    records = {sample: document(requests("servicenow", sample)[0])["records"] for sample in ("opened", "resolved")}

    assert {record["message_key"] for [record] in records.values()} == {f"waymark:{ISSUE}"}
    [opened], [resolved] = records.values()
    assert (opened["severity"], opened["resolution_state"]) == ("2", "New")
    assert (resolved["severity"], resolved["resolution_state"]) == ("0", "Closing")
    assert json.loads(opened["additional_info"])["customer"]
    assert opened["time_of_event"] == "2026-11-22 01:00:01"


def test_alertmanagers_body_has_the_members_of_version_4() -> None:
    fired, over = (document(requests("alertmanager_v4", sample)[0]) for sample in ("opened", "resolved"))

    assert (fired["version"], fired["status"], over["status"]) == ("4", "firing", "resolved")
    [alert], [ended] = fired["alerts"], over["alerts"]
    assert (alert["endsAt"], ended["endsAt"]) == ("0001-01-01T00:00:00Z", "2026-11-22T01:00:00.000Z")
    assert alert["fingerprint"] == ended["fingerprint"]
    assert fired["groupKey"] == over["groupKey"] == '{}:{issue="' + ISSUE + '"}'
    assert alert["labels"]["severity"] == "high"


@pytest.mark.parametrize("kind", ["teams_workflow", "jandi", "dooray", "pagerduty"])
def test_whoever_reads_it_can_take_it_while_it_is_open(kind: str) -> None:
    assert ACKNOWLEDGE in requests(kind, "opened")[0].body.decode()
    assert all(ACKNOWLEDGE not in one.body.decode() for one in requests(kind, "resolved"))


def test_jandi_wants_its_version_and_korean_by_default() -> None:
    [request] = requests("jandi", "opened")

    assert request.headers["accept"] == "application/vnd.tosslab.jandi-v2+json"
    assert document(request)["body"].startswith(
        "[높음] 요금 문제로 세 번 전화 [[Waymark에서 보기]](https://waymark.example/"
    )
    assert "11-22 09:05" in request.body.decode()  # Seoul


def test_no_credential_stands_in_a_body_but_pagerdutys_key() -> None:
    for kind in ("slack_webhook", "slack_bot", "teams_workflow", "zendesk", "servicenow", "template"):
        for sample in sample_messages():
            assert all(b"-of-the-vendor" not in one.body for one in requests(kind, sample))


@pytest.mark.parametrize("kind", ["slack_webhook", "teams_workflow", "jandi", "dooray", "pagerduty", "servicenow"])
def test_a_group_is_told_by_its_counts_and_what_it_shares(kind: str) -> None:
    text = requests(kind, "group", language="ko")[0].body.decode()

    assert "미해결 이슈 12건, 1건 해결됨" in text
    assert "요금 문제로 세 번 전화" in text
    assert "외 12건" in text


def test_a_group_is_one_incident() -> None:
    [event] = [document(one) for one in requests("pagerduty", "group")]

    assert event["dedup_key"] == "waymark:group:01a2033b-0000-7000-8000-0000000000d1"
    assert event["payload"]["custom_details"]["reason"] == "payment"
