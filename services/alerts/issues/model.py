"""The words of the alert service as values: severities, states, frictions as intake sees them, issues.

Leaves what to do with them to the neighbours: `placement`, `inbox` (people), `notify`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from uuid import UUID

_SEPARATOR = "\x1f"


class AlertSeverity(StrEnum):
    """How bad a friction or an issue is, mildest first."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 (low) to 3 (critical); text order would put critical first."""
        return _RANKS[self]


_RANKS = {severity: rank for rank, severity in enumerate(AlertSeverity)}


def worst_severity(*severities: AlertSeverity | None) -> AlertSeverity | None:
    """Return the highest of those that are given, None where none is."""
    return max((s for s in severities if s is not None), key=lambda s: s.rank, default=None)


class IssueState(StrEnum):
    """Where an issue stands."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class IssueResolution(StrEnum):
    """Why an issue was resolved, where no person said it; people use words of their own."""

    RETRACTED = "retracted"
    MERGED = "merged"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalizedTitle:
    """One sentence in the two languages of the house."""

    en: str
    ko: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineStep:
    """One line of a timeline excerpt."""

    occurred_at: datetime
    channel: str
    kind: str
    outcome: str | None = None
    reason: str | None = None


def fingerprint(customer_id: str, journey_id: str | None, reason: str | None) -> str:
    """Return what groups frictions into one issue; the package's docstring gives the exact rule."""
    group = ("journey", journey_id) if journey_id else ("reason", reason or "")
    text = _SEPARATOR.join(("waymark.issue.v1", customer_id, *group))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True, kw_only=True)
class ReportedFriction:
    """What an issue needs to know of a friction. `stands` is false once it was retracted."""

    id: str
    revision: int
    stands: bool
    rule: str
    severity: AlertSeverity
    customer_id: str
    journey_id: str | None
    reason: str | None
    channel: str
    service_level: str | None
    occurred_at: datetime
    revised_at: datetime
    quiet: bool
    title: LocalizedTitle
    refs: Mapping[str, str] = field(default_factory=dict)
    timeline: tuple[TimelineStep, ...] = ()

    @cached_property
    def fingerprint(self) -> str:
        """The group it belongs to."""
        return fingerprint(self.customer_id, self.journey_id, self.reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedFriction:
    """A friction and the issue it is on; None only for one that was taken back before it was ever seen."""

    friction: ReportedFriction
    issue_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationRecord:
    """What people were told of an issue last. `severity` None: nothing yet."""

    severity: AlertSeverity | None = None
    resolved: bool = False
    at: datetime | None = None
    endpoints: tuple[UUID, ...] = ()
    """Everybody who was ever told; they hear of the end too."""
    sequence: int = 0
    """Notifications so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """One matter for one team. Aggregates (`severity` to `timeline`) come from its frictions, see `summary`."""

    id: UUID
    fingerprint: str
    occurrence: int
    version: int
    state: IssueState
    customer_id: str
    journey_id: str | None
    reason: str | None
    severity: AlertSeverity
    loud_severity: AlertSeverity | None
    """The highest severity among frictions that are not quiet; None: nobody is to be told."""
    rules: tuple[str, ...]
    channel: str
    service_level: str | None
    title: LocalizedTitle
    count: int
    frictions: tuple[str, ...]
    first_at: datetime
    last_at: datetime
    opened_at: datetime
    updated_at: datetime
    refs: Mapping[str, str] = field(default_factory=dict)
    timeline: tuple[TimelineStep, ...] = ()
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    resolved_at: datetime | None = None
    resolved_by: str | None = None
    resolution: str | None = None
    merged_into: UUID | None = None
    snoozed_until: datetime | None = None
    team: str | None = None
    """Name of the team that it was routed to."""
    told: NotificationRecord = field(default_factory=NotificationRecord)
    unheard_since: datetime | None = None
    """Since when it waits for an endpoint that it could go to; None: it does not."""

    @property
    def unresolved(self) -> bool:
        """Whether somebody still has to deal with it."""
        return self.state is not IssueState.RESOLVED

    @property
    def quiet(self) -> bool:
        """Whether it is shown only."""
        return self.loud_severity is None


class IssueEventKind(StrEnum):
    """What can happen to an issue; the audit's vocabulary."""

    OPENED = "opened"
    FRICTION_ADDED = "friction_added"
    FRICTION_UPDATED = "friction_updated"
    FRICTION_RETRACTED = "friction_retracted"
    FRICTION_LEFT = "friction_left"
    SEVERITY_RAISED = "severity_raised"
    MOVED = "moved"
    REOPENED = "reopened"
    RESOLVED = "resolved"
    ACKNOWLEDGED = "acknowledged"
    SNOOZED = "snoozed"
    SNOOZE_ENDED = "snooze_ended"
    NOTE = "note"
    TOLD = "told"
    NOT_TOLD = "not_told"


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueEvent:
    """One line of an issue's audit."""

    kind: IssueEventKind
    actor: str
    detail: Mapping[str, str | int | list[str] | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueChange:
    """What became of one issue: how it stands now, and the events that led there. `before` None: it is new."""

    before: Issue | None
    after: Issue
    events: tuple[IssueEvent, ...]
    revised_at: datetime | None = None
    """When the revision of a friction was made that caused the change, for the push latency."""


SYSTEM = "waymark"
"""The actor of what no person did."""
