"""Verifies and reads what Slack and PagerDuty send back. Pure: bytes, headers and the time are arguments.

Slack signs `v0:{timestamp}:{body}` with HMAC-SHA256 as hexadecimal digits after `v0=`, and a request is at most five
minutes old (https://docs.slack.dev/authentication/verifying-requests-from-slack). PagerDuty signs the body; its header
may hold several signatures while a secret is rotated
(https://developer.pagerduty.com/docs/verifying-webhook-signatures).
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from urllib.parse import parse_qs
from uuid import UUID

import msgspec

from services.alerts.deliver.notifiers.chat.slack_blocks import ACKNOWLEDGE, BUTTON_VALUE_PARTS, RESOLVE
from services.alerts.deliver.notifiers.paging.pagerduty import KEY_PREFIX

TOLERANCE_S = 300
_NAME = 60


class ReplyAction(StrEnum):
    """What a reply asks for."""

    ACKNOWLEDGE = "acknowledge"
    RESOLVE = "resolve"
    REOPEN = "reopen"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedReply:
    """What was asked for, by whom as the vendor calls them, and where an answer may go; not believed until verified."""

    endpoint_id: UUID
    issue_id: UUID
    action: ReplyAction
    by: str
    response_url: str | None = None


class _SlackUser(msgspec.Struct):
    username: str = ""
    name: str = ""
    id: str = ""


class _SlackAction(msgspec.Struct):
    action_id: str
    value: str = ""


class _SlackPayload(msgspec.Struct):
    type: str
    user: _SlackUser = msgspec.field(default_factory=_SlackUser)
    actions: list[_SlackAction] = []
    response_url: str | None = None


_SLACK_ACTIONS = {ACKNOWLEDGE: ReplyAction.ACKNOWLEDGE, RESOLVE: ReplyAction.RESOLVE}


def read_slack(body: bytes) -> SignedReply | None:
    """Return what a press of a button asks for; None if it asks for nothing of ours, as a button with a link does.

    Raises:
        ValueError: it is no interaction.
    """
    [text] = parse_qs(body.decode(), strict_parsing=True).get("payload", [""])
    payload = msgspec.json.decode(text, type=_SlackPayload)
    if payload.type != "block_actions":
        return None
    pressed = next((one for one in payload.actions if one.action_id in _SLACK_ACTIONS), None)
    if pressed is None:
        return None
    endpoint, _, issue = pressed.value.partition(BUTTON_VALUE_PARTS)
    user = payload.user
    return SignedReply(
        endpoint_id=UUID(endpoint),
        issue_id=UUID(issue),
        action=_SLACK_ACTIONS[pressed.action_id],
        by=f"slack:{user.username or user.name or user.id}"[:_NAME],
        response_url=payload.response_url,
    )


def slack_signed(body: bytes, headers: Mapping[str, str], secret: str, now: datetime) -> bool:
    """Return whether Slack signed a request with `secret` within the last five minutes."""
    stamp, given = headers.get("x-slack-request-timestamp", ""), headers.get("x-slack-signature", "")
    if not (stamp.isascii() and stamp.isdigit()) or abs(int(stamp[:12]) - now.timestamp()) > TOLERANCE_S:
        return False
    expected = "v0=" + hmac.new(secret.encode(), b"v0:" + stamp.encode() + b":" + body, "sha256").hexdigest()
    return hmac.compare_digest(expected.encode(), given.encode())


class _PagerDutyAgent(msgspec.Struct):
    summary: str = ""


class _PagerDutyIncident(msgspec.Struct):
    incident_key: str | None = None


class _PagerDutyEvent(msgspec.Struct):
    event_type: str
    data: _PagerDutyIncident = msgspec.field(default_factory=_PagerDutyIncident)
    agent: _PagerDutyAgent | None = None


class _PagerDutyWebhook(msgspec.Struct):
    event: _PagerDutyEvent


_PAGERDUTY_ACTIONS = {
    "incident.acknowledged": ReplyAction.ACKNOWLEDGE,
    "incident.resolved": ReplyAction.RESOLVE,
    "incident.reopened": ReplyAction.REOPEN,
}


def read_pagerduty(body: bytes, endpoint_id: UUID) -> SignedReply | None:
    """Return what a webhook (v3) asks for; None if it is about something else, as `pagey.ping` is.

    Raises:
        ValueError: it is no webhook of PagerDuty.
    """
    event = msgspec.json.decode(body, type=_PagerDutyWebhook).event
    action, key = _PAGERDUTY_ACTIONS.get(event.event_type), event.data.incident_key or ""
    if action is None or not key.startswith(KEY_PREFIX):
        return None
    try:
        issue = UUID(key.removeprefix(KEY_PREFIX))
    except ValueError:
        return None  # the incident of a test
    by = event.agent.summary if event.agent else ""
    return SignedReply(endpoint_id=endpoint_id, issue_id=issue, action=action, by=f"pagerduty:{by or '?'}"[:_NAME])


def pagerduty_signed(body: bytes, headers: Mapping[str, str], secret: str) -> bool:
    """Return whether PagerDuty signed a webhook with `secret`."""
    expected = "v1=" + hmac.new(secret.encode(), body, "sha256").hexdigest()
    given = headers.get("x-pagerduty-signature", "").split(",")
    return any(hmac.compare_digest(expected.encode(), one.strip().encode()) for one in given[:10])
