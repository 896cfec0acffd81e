"""Reads the stored body of a notification, which is one document for all endpoints, into a typed value for notifiers.

Members that a notifier has no use for are ignored, so that the document can grow. A message is about an issue, or about
the service itself (`endpoint.test`, `endpoint.disabled`): then `issue` is None and `about` holds its data.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from services.alerts.issues.model import AlertSeverity


class MessageKind(StrEnum):
    """What a message says, as far as its rendering depends on it."""

    OPENED = "opened"
    UPDATED = "updated"
    REMINDER = "reminder"
    ASSIGNED = "assigned"
    ACKNOWLEDGED = "acknowledged"
    REOPENED = "reopened"
    RESOLVED = "resolved"
    TEST = "test"
    OPERATIONAL = "operational"


class ToldText(msgspec.Struct, frozen=True):
    """One sentence in English and Korean."""

    en: str
    ko: str


class MessageStep(msgspec.Struct, frozen=True):
    """One step of the excerpt of the journey."""

    occurred_at: datetime
    channel: str
    kind: str
    outcome: str | None = None
    reason: str | None = None


class ToldMoney(msgspec.Struct, frozen=True):
    """What is at stake, in units of a currency."""

    amount: float
    currency: str


class ToldSituation(msgspec.Struct, frozen=True, kw_only=True):
    """The journey as it is now; `since` are the steps after the last friction, oldest first."""

    state: str
    effort: float
    contact_count: int
    outcome: str | None = None
    value: ToldMoney | None = None
    since: tuple[MessageStep, ...] = ()


class ToldFactor(msgspec.Struct, frozen=True, kw_only=True):
    """One part of a priority, and the points that it gave or took."""

    factor: str
    points: int


class ToldPriority(msgspec.Struct, frozen=True, kw_only=True):
    """How urgent an issue is (0 to 100), why, and until when its service level promises what."""

    score: int
    respond_by: datetime | None = None
    resolve_by: datetime | None = None
    factors: tuple[ToldFactor, ...] = ()


class ToldOutbreak(msgspec.Struct, frozen=True, kw_only=True):
    """The counts of an outbreak; `usual` in five minutes, `segments` are the most frequent values by field."""

    started_at: datetime
    usual: float
    frictions: int
    customers: int
    segments: dict[str, dict[str, int]] = {}


class ToldTeam(msgspec.Struct, frozen=True, kw_only=True):
    """A team that has an issue, and who took it for the team."""

    name: str
    assigned: bool = False
    acknowledged_by: str | None = None


class ToldIssue(msgspec.Struct, frozen=True, kw_only=True):
    """The members of issue v1 that notifiers show or send on; an outbreak has no customer."""

    id: str
    fingerprint: str
    version: int
    state: str
    severity: AlertSeverity
    title: ToldText
    count: int
    first_at: datetime
    last_at: datetime
    opened_at: datetime
    updated_at: datetime
    customer_id: str | None = None
    rules: tuple[str, ...] = ()
    journey_id: str | None = None
    channel: str | None = None
    reason: str | None = None
    service_level: str | None = None
    team: str | None = None
    teams: tuple[ToldTeam, ...] = ()
    owner: str | None = None
    refs: dict[str, str] = {}
    acknowledged_by: str | None = None
    resolved_at: datetime | None = None
    resolved_by: str | None = None
    resolution: str | None = None
    merged_into: str | None = None
    timeline: tuple[MessageStep, ...] = ()
    journey: ToldSituation | None = None
    why: ToldText | None = None
    playbook: ToldText | None = None
    priority: ToldPriority | None = None
    outbreak: ToldOutbreak | None = None


class ToldMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One message: why it is sent, and the issue as it was then; `document` is its `body` as an object."""

    type: str
    timestamp: datetime
    kind: MessageKind
    reason: str
    sequence: int
    url: str
    issue: ToldIssue | None
    about: dict[str, Any]
    document: dict[str, Any]
    body: bytes

    @property
    def group(self) -> dict[str, Any] | None:
        """The group that the message is about, with its labels and counts; None if it is about one issue or none."""
        found = self.about.get("group") if self.issue is None else None
        return found if isinstance(found, dict) else None

    @property
    def subject(self) -> str:
        """What stays the same in all messages about one thing: the issue, the group, or the type of the message."""
        if self.issue is not None:
            return self.issue.id
        return f"group:{self.group.get('id', '')}" if self.group else self.type


_KINDS = {
    "issue.opened": MessageKind.OPENED,
    "issue.updated": MessageKind.UPDATED,
    "issue.acknowledged": MessageKind.ACKNOWLEDGED,
    "issue.reopened": MessageKind.REOPENED,
    "issue.resolved": MessageKind.RESOLVED,
    "issue.merged": MessageKind.RESOLVED,
    "group.firing": MessageKind.OPENED,
    "group.resolved": MessageKind.RESOLVED,
    "endpoint.test": MessageKind.TEST,
}
_REMINDING = frozenset({"snooze_ended", "reminder", "repeated", "escalated"})


def read_message(body: bytes) -> ToldMessage:
    """Return the message in a stored body.

    Raises:
        msgspec.ValidationError: it is none of ours; bodies are written by this service alone.
    """
    document: dict[str, Any] = msgspec.json.decode(body)
    type_, reason = str(document["type"]), str(document.get("reason", ""))
    about = document.get("data") or {}
    kind = _KINDS.get(type_, MessageKind.UPDATED if type_.startswith("issue.") else MessageKind.OPERATIONAL)
    if kind is MessageKind.UPDATED and reason in _REMINDING:
        kind = MessageKind.REMINDER
    if kind is MessageKind.UPDATED and reason == MessageKind.ASSIGNED:
        kind = MessageKind.ASSIGNED
    has_issue = type_.startswith("issue.")
    return ToldMessage(
        type=type_,
        timestamp=msgspec.convert(document["timestamp"], datetime, strict=False),
        kind=kind,
        reason=reason,
        sequence=int(document.get("sequence", 0)),
        url=str(document.get("url", "")),
        issue=msgspec.convert(about, ToldIssue, strict=False) if has_issue else None,
        about=about,
        document=document,
        body=body,
    )
