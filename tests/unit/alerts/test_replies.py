"""What comes back from readers of messages: links, Slack, PagerDuty; believed only with the right signature."""

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slack_sdk.signature import SignatureVerifier

from services.alerts.deliver.action_link import PATH, ActionLink, ActionLinks, LinkRefusedError
from services.alerts.issues.model import IssueState, LocalizedTitle
from services.alerts.replies import reply_page
from services.alerts.replies.signed_reply import (
    ReplyAction,
    pagerduty_signed,
    read_pagerduty,
    read_slack,
    slack_signed,
)
from tests.unit.alerts.builders import an_issue

NOW = datetime(2026, 11, 22, 1, tzinfo=UTC)
ISSUE, ENDPOINT = UUID("01a2033b-0000-7000-8000-000000000001"), UUID("01a2033b-0000-7000-8000-0000000000e1")
LINK = ActionLink(issue_id=ISSUE, endpoint_id=ENDPOINT, expires_at=NOW + timedelta(days=7))
LINKS = ActionLinks(["k" * 32], "https://desk.example/")


def token_of(links: ActionLinks) -> str:
    url = links.url(LINK)
    assert url is not None
    return url.removeprefix(f"https://desk.example{PATH}")


def test_a_link_is_read_back_until_it_ends() -> None:
    token = token_of(LINKS)

    assert LINKS.read(token, NOW) == LINK
    assert LINKS.read(token, LINK.expires_at - timedelta(seconds=1)) == LINK
    with pytest.raises(LinkRefusedError) as refused:
        LINKS.read(token, LINK.expires_at)
    assert refused.value.expired


@given(at=st.integers(0, 71), other=st.sampled_from("ABCxyz019-_"))
def test_a_link_with_any_other_character_is_refused(at: int, other: str) -> None:
    token = token_of(LINKS)
    changed = token[:at] + other + token[at + 1 :]
    if changed == token or at == len(token) - 1:  # the last character has bits that mean nothing
        return

    with pytest.raises(LinkRefusedError):
        LINKS.read(changed, NOW)


@pytest.mark.parametrize("token", ["", "x", "=" * 72, "é" * 10, "A" * 72, "A" * 199])
def test_nonsense_is_no_link(token: str) -> None:
    with pytest.raises(LinkRefusedError):
        LINKS.read(token, NOW)


def test_an_older_master_key_still_reads_and_another_does_not() -> None:
    token = token_of(LINKS)

    assert ActionLinks(["n" * 32, "k" * 32], "").read(token, NOW) == LINK
    with pytest.raises(LinkRefusedError):
        ActionLinks(["n" * 32], "").read(token, NOW)


def test_there_are_no_links_without_a_key_or_an_address() -> None:
    assert ActionLinks([], "https://desk.example").url(LINK) is None
    assert ActionLinks(["k" * 32], "").url(LINK) is None


# --- Slack --------------------------------------------------------------------------------------------------------


def a_press(action: str = "waymark_acknowledge", value: str = f"{ENDPOINT}:{ISSUE}", **more: Any) -> bytes:
    payload = {
        "type": "block_actions",
        "user": {"id": "U1", "username": "minji", "name": "minji"},
        "actions": [{"action_id": action, "value": value, "type": "button"}],
        "response_url": "https://hooks.slack.com/actions/T/1/x",
        **more,
    }
    return urlencode({"payload": json.dumps(payload)}).encode()


def test_a_press_says_what_it_wants_and_whose_it_is() -> None:
    reply = read_slack(a_press())

    assert reply is not None
    assert (reply.issue_id, reply.endpoint_id, reply.action) == (ISSUE, ENDPOINT, ReplyAction.ACKNOWLEDGE)
    assert (reply.by, reply.response_url) == ("slack:minji", "https://hooks.slack.com/actions/T/1/x")
    assert read_slack(a_press("waymark_open", value="")) is None
    assert read_slack(a_press(type="view_submission")) is None


@pytest.mark.parametrize(
    "body", [b"", b"payload=%7B", b"payload=[]", b"\xff", b"payload=1&payload=2", a_press(value="x")]
)
def test_what_is_no_press_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  whatever the parser calls it
        read_slack(body)


def test_slacks_published_vector() -> None:
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&"
        b"channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&"
        b"response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&"
        b"trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    headers = {
        "x-slack-request-timestamp": "1531420618",
        "x-slack-signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
    }
    secret, at = "8f742231b10e8888abcd99yyyzzz85a5", datetime.fromtimestamp(1531420618, UTC)

    assert slack_signed(body, headers, secret, at)
    assert slack_signed(body, headers, secret, at + timedelta(minutes=5))
    assert not slack_signed(body, headers, secret, at + timedelta(minutes=5, seconds=1))
    assert not slack_signed(body, headers, secret, at - timedelta(minutes=5, seconds=1))
    assert not slack_signed(body + b"x", headers, secret, at)
    assert not slack_signed(body, headers, "other", at)
    assert not slack_signed(body, {}, secret, at)


@given(body=st.binary(max_size=200), secret=st.text("abcdef0123456789", min_size=32, max_size=32))
def test_slacks_own_library_signs_what_we_believe(body: bytes, secret: str) -> None:
    stamp = str(int(NOW.timestamp()))
    text = body.decode("latin-1").encode()
    signature = SignatureVerifier(secret).generate_signature(timestamp=stamp, body=text)
    assert signature is not None

    assert slack_signed(text, {"x-slack-request-timestamp": stamp, "x-slack-signature": signature}, secret, NOW)


# --- PagerDuty ----------------------------------------------------------------------------------------------------


def a_webhook(event_type: str = "incident.acknowledged", key: str | None = f"waymark:{ISSUE}") -> bytes:
    """A webhook as PagerDuty's documents show it (version 3), with only what is read."""
    data = {"id": "PGR0VU2", "type": "incident", "status": "acknowledged", "incident_key": key}
    agent = {"id": "PLH1HKV", "type": "user_reference", "summary": "Minji Kim"}
    return json.dumps({"event": {"id": "01", "event_type": event_type, "agent": agent, "data": data}}).encode()


@pytest.mark.parametrize(
    ("event_type", "action"),
    [
        ("incident.acknowledged", ReplyAction.ACKNOWLEDGE),
        ("incident.resolved", ReplyAction.RESOLVE),
        ("incident.reopened", ReplyAction.REOPEN),
    ],
)
def test_what_was_done_in_pagerduty_is_read(event_type: str, action: ReplyAction) -> None:
    reply = read_pagerduty(a_webhook(event_type), ENDPOINT)

    assert reply is not None
    assert (reply.action, reply.issue_id, reply.by) == (action, ISSUE, "pagerduty:Minji Kim")


@pytest.mark.parametrize(
    "body",
    [
        a_webhook("incident.triggered"),
        a_webhook("pagey.ping"),
        a_webhook(key=None),
        a_webhook(key="somebody else's"),
        a_webhook(key="waymark:endpoint.test:1"),
    ],
)
def test_what_concerns_no_issue_is_passed_over(body: bytes) -> None:
    assert read_pagerduty(body, ENDPOINT) is None


def test_any_of_pagerdutys_signatures_will_do() -> None:
    body = a_webhook()
    right = "v1=" + hmac.new(b"s3cret", body, hashlib.sha256).hexdigest()

    assert pagerduty_signed(body, {"x-pagerduty-signature": right}, "s3cret")
    assert pagerduty_signed(body, {"x-pagerduty-signature": f"v1={'0' * 64},{right}"}, "s3cret")
    assert not pagerduty_signed(body + b" ", {"x-pagerduty-signature": right}, "s3cret")
    assert not pagerduty_signed(body, {"x-pagerduty-signature": right}, "other")
    assert not pagerduty_signed(body, {}, "s3cret")


# --- the page -----------------------------------------------------------------------------------------------------


def test_the_page_escapes_what_producers_wrote_and_asks_only_while_it_is_open() -> None:
    title = LocalizedTitle(en="<script>alert(1)</script>", ko="요금 문제")
    opened = reply_page.question(an_issue(title=title), korean=False)
    taken = reply_page.question(
        an_issue(title=title, state=IssueState.ACKNOWLEDGED, acknowledged_by="link:<b>minji"), korean=True
    )

    assert "<script>" not in opened
    assert '<form method="post">' in opened
    assert "<form" not in taken
    assert "&lt;b&gt;minji 님이 맡았습니다." in taken
