"""The values of the alert service: severities, states, reported frictions, issues, and changes of issues.

Pure. What happens to them is left to `placement` for frictions, to `inbox` for people, and to `notify`.
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
    """How bad a friction or an issue is, from the mildest to the worst."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """The rank from 0 (low) to 3 (critical); as texts, critical would come first."""
        return _RANKS[self]


_RANKS = {severity: rank for rank, severity in enumerate(AlertSeverity)}


def worst_severity(*severities: AlertSeverity | None) -> AlertSeverity | None:
    """Return the worst of the given severities, None if there is none."""
    return max((s for s in severities if s is not None), key=lambda s: s.rank, default=None)


class IssueState(StrEnum):
    """The state of an issue."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class IssueResolution(StrEnum):
    """Why an issue was resolved by the service; people use words of their own."""

    RETRACTED = "retracted"
    MERGED = "merged"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalizedTitle:
    """One sentence in English and Korean."""

    en: str
    ko: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineStep:
    """One step of a timeline excerpt."""

    occurred_at: datetime
    channel: str
    kind: str
    outcome: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LatestStep:
    """What is known of one of the latest touchpoints of a journey."""

    occurred_at: datetime
    channel: str
    kind: str
    direction: str | None = None
    outcome: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueAtStake:
    """An amount in units of an ISO 4217 currency; negative when the customer gets it."""

    amount: float
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JourneyNow:
    """A journey as it was published last; `latest` has one step of each kind, direction and outcome, oldest first."""

    id: str
    version: int
    state: str
    last_at: datetime
    effort: float
    contact_count: int
    friction_count: int
    outcome: str | None = None
    service_level: str | None = None
    value: ValueAtStake | None = None
    latest: tuple[LatestStep, ...] = ()
    merged_into: str | None = None
    customer_id: str = ""
    reason: str | None = None
    refs: Mapping[str, str] = field(default_factory=dict)

    @property
    def gone(self) -> bool:
        """Whether it was dissolved, or merged into one that nothing is known of."""
        return self.state not in {"open", "closed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class JourneySituation:
    """What an issue says of its journey; `since` are the steps after its last friction, oldest first."""

    state: str
    last_at: datetime
    effort: float
    contact_count: int
    outcome: str | None = None
    value: ValueAtStake | None = None
    since: tuple[LatestStep, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorityFactor:
    """One part of a priority: what it looks at, what it saw, and the points that it gave or took."""

    factor: str
    points: int
    value: str | float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceDeadlines:
    """What the service level of an issue promises; None if its hours do not open for more than a year."""

    level: str
    respond_by: datetime | None
    resolve_by: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuePriority:
    """The score (0 to 100) that orders the inbox, why it is so, and the second (since 1970) of its next step."""

    score: int
    factors: tuple[PriorityFactor, ...]
    deadlines: ServiceDeadlines
    next_at_s: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutbreakFacts:
    """Exact counts of an outbreak. `usual` is how many come in five minutes otherwise, `lately` in the last fifteen.

    `segment` and `value` say where it is (`channel`, `queue` or `product`), if not everywhere. `segments` are the most
    frequent values by field, `rules` frictions by rule, `held` the open issues of its customers that it holds.
    """

    started_at: datetime
    usual: float
    frictions: int
    customers: int
    segment: str | None = None
    value: str | None = None
    lately: int | None = None
    segments: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    rules: Mapping[str, int] = field(default_factory=dict)
    held: int | None = None
    over_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosingStep:
    """A later touchpoint that settles a friction: one of these kinds; an empty member fits everything."""

    kind: tuple[str, ...]
    direction: str | None = None
    outcome: tuple[str, ...] = ()
    channel: tuple[str, ...] = ()


def fingerprint(customer_id: str, journey_id: str | None, reason: str | None) -> str:
    """Return the fingerprint that groups frictions into one issue; the package's docstring gives the exact rule."""
    group = ("journey", journey_id) if journey_id else ("reason", reason or "")
    text = _SEPARATOR.join(("waymark.issue.v1", customer_id, *group))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True, kw_only=True)
class ReportedFriction:
    """A friction as the alert service sees it; `stands` is false once it is retracted.

    `document` is friction v1 as it was published, which is what the database keeps.
    """

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
    document: str = field(repr=False)
    trace: str | None = field(default=None, compare=False)
    refs: Mapping[str, str] = field(default_factory=dict)
    timeline: tuple[TimelineStep, ...] = ()
    explanation: LocalizedTitle | None = None
    """Why it is friction, in a sentence with the numbers."""
    playbook: LocalizedTitle | None = None
    """What to do about it, as its rule says."""
    queue: str | None = None
    product: str | None = None
    implies: tuple[str, ...] = ()
    """Rules that have nothing to add where it was found."""
    closes_when: tuple[ClosingStep, ...] = ()
    """What settles it when it comes after its anchor; if empty, only people settle it."""

    @cached_property
    def fingerprint(self) -> str:
        """The fingerprint of the group that it belongs to."""
        return fingerprint(self.customer_id, self.journey_id, self.reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedFriction:
    """A friction and its issue; there is none only for a friction that was retracted before it was seen."""

    friction: ReportedFriction
    issue_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationRecord:
    """What people were last notified of about an issue; without a `severity`, of nothing yet."""

    severity: AlertSeverity | None = None
    resolved: bool = False
    at: datetime | None = None
    endpoints: tuple[UUID, ...] = ()
    """Every endpoint that was ever notified; they are notified of the end too."""
    sequence: int = 0
    """The number of notifications so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamShare:
    """A team that has an issue, and who took it for the team when; `at` is None while nobody has."""

    id: UUID
    name: str
    assigned: bool = False
    """It has the issue because a person or a rule of ownership says so, whatever the routes say."""
    at: datetime | None = None
    by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """What a team has to resolve; the members from `severity` to `timeline` are aggregates of its frictions."""

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
    """The worst severity of the frictions that are not quiet; if None, nobody is notified."""
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
    """When it was first taken; it is open nevertheless while one of its teams has not taken it."""
    acknowledged_by: str | None = None
    resolved_at: datetime | None = None
    resolved_by: str | None = None
    resolution: str | None = None
    merged_into: UUID | None = None
    snoozed_until: datetime | None = None
    team: str | None = None
    """The name of the first of its teams."""
    teams: tuple[TeamShare, ...] = ()
    """Every team that has it, by its routes, by ownership or because a person assigned it."""
    assigned: tuple[UUID, ...] = ()
    """The teams that people assigned it to."""
    owner: str | None = None
    """The person who has it."""
    told: NotificationRecord = field(default_factory=NotificationRecord)
    unheard_since: datetime | None = None
    """Since when it waits for an endpoint to notify; None if it does not wait."""
    journey: JourneySituation | None = None
    """Its journey as it is now, as far as is known."""
    why: LocalizedTitle | None = None
    """Why it is open, each fact once: a rule that implies others speaks for them."""
    playbook: LocalizedTitle | None = None
    """What to do about its leading friction."""
    priority: IssuePriority | None = None
    """How urgent it is; None only before it is written for the first time."""
    held_by: UUID | None = None
    """The issue of the outbreak that it belongs to: while it holds it, nobody is notified of this one."""
    outbreak: OutbreakFacts | None = None
    """What is known of the outbreak that it stands for; such an issue has no customer."""
    kept_open_at: datetime | None = None
    """When a person opened it again; what happened before does not close it."""

    @property
    def unresolved(self) -> bool:
        """Whether somebody still has to resolve it."""
        return self.state is not IssueState.RESOLVED

    @property
    def quiet(self) -> bool:
        """Whether it is only shown and nobody is notified."""
        return self.loud_severity is None


class IssueEventKind(StrEnum):
    """What can happen to an issue; the vocabulary of the audit."""

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
    HELD = "held"
    HANDED_OUT = "handed_out"
    ASSIGNED = "assigned"
    """It got other teams or another owner."""
    TEAM_ACKNOWLEDGED = "team_acknowledged"
    """One of its teams took it, and others have not yet."""
    OUTCOME = "outcome"
    """A person said, or corrected, how it was resolved."""
    RECONTACTED = "recontacted"
    """The customer came back on the same matter after the resolution."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueEvent:
    """One entry of the audit of an issue."""

    kind: IssueEventKind
    actor: str
    detail: Mapping[str, str | int | list[str] | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueChange:
    """A change of an issue: its state before (None if it is new) and after, and the events in between."""

    before: Issue | None
    after: Issue
    events: tuple[IssueEvent, ...]
    revised_at: datetime | None = None
    """The time of the revision of a friction that caused the change, for the push latency."""
    trace: str | None = None  # the W3C trace context of that revision


SYSTEM = "waymark"
"""The actor of everything that no person did."""
