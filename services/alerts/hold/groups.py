"""Decides about groups: which issues join one, what a flush tells, and when it is looked at again.

Pure. An issue that ended while it was held is told only to those who were told that it was open; what they were told of
passes every hold when it ends.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.alerts.hold.grouping import (
    FlushReason,
    GroupRecord,
    decide_flush,
    group_key,
    group_labels,
    next_flush,
    repeat_pause,
)
from services.alerts.hold.waits import IssueInView, WaitKind, find_blocker
from services.alerts.issues.model import AlertSeverity, Issue
from services.alerts.policy.alert_policy import AlertPolicy
from services.alerts.policy.inhibition import Inhibitor
from services.alerts.policy.matchers import Labels
from services.alerts.policy.silences import Silence
from services.alerts.policy.tree import RouteOptions, routing_facts


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupJoin:
    """An issue that joins a group, which is looked at by `flush_at`; `urgent` brings a later time forward."""

    route_id: UUID
    key: str
    labels: Mapping[str, str]
    issue_id: UUID
    flush_at: datetime
    urgent: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertGroup:
    """A group of a route as the database keeps it; `told` is what people were last told of."""

    id: UUID
    route_id: UUID
    key: str
    labels: Mapping[str, str]
    told: GroupRecord | None
    sequence: int
    endpoints: tuple[UUID, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSetting:
    """What a flush knows beside the group: options, policy, silences, and what inhibits the members."""

    options: RouteOptions
    policy: AlertPolicy
    silences: Sequence[Silence]
    inhibitors: Mapping[UUID, Inhibitor]
    taken: frozenset[UUID] = frozenset()
    """Members that the people of the route have taken; a group of such members alone is not repeated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlushPlan:
    """What a flush does: the reason, what is told of, who leaves, and when the group is looked at again."""

    reason: FlushReason
    firing: tuple[Issue, ...]
    resolved: tuple[Issue, ...]
    leaving: tuple[UUID, ...]
    told: GroupRecord | None
    next_flush_at: datetime | None
    """None: the group is empty and goes."""


def is_critical(issue: Issue) -> bool:
    """Return whether an issue is critical in what people are notified of."""
    return issue.loud_severity is AlertSeverity.CRITICAL


def view_of(issue: Issue, inhibitor: Inhibitor | None) -> IssueInView:
    """Return what holding looks at of an issue."""
    labels = routing_facts(issue).labels
    return IssueInView(labels=labels, critical=is_critical(issue), inhibitor=inhibitor, outbreak=issue.held_by)


def join_group(issue: Issue, labels: Labels, route_id: UUID, options: RouteOptions, now: datetime) -> GroupJoin:
    """Return how an issue joins its group on a route that groups."""
    named = group_labels(labels, options.group_by or ())
    urgent = is_critical(issue) and not options.critical_waits
    return GroupJoin(
        route_id=route_id,
        key=group_key(named),
        labels=named,
        issue_id=issue.id,
        flush_at=now if urgent else next_flush(options, opened_at=issue.opened_at, now=now),
        urgent=urgent,
    )


def _entry(issue: Issue) -> str:
    return f"{issue.id}:{issue.loud_severity or issue.severity}"


def plan_flush(group: AlertGroup, members: Sequence[Issue], setting: GroupSetting, now: datetime) -> FlushPlan:
    """Plan the flush of a group with these members, resolved ones too."""
    told_firing = {entry.partition(":")[0] for entry in group.told.firing} if group.told else set()
    firing: list[Issue] = []
    resolved: list[Issue] = []
    opens_at: list[datetime] = []
    for issue in members:
        snoozed = issue.snoozed_until is not None and issue.snoozed_until > now and not is_critical(issue)
        view = view_of(issue, setting.inhibitors.get(issue.id))
        blocker = find_blocker(view, setting.options, setting.policy, setting.silences, now)
        if blocker is not None and blocker.kind is WaitKind.HOURS:
            opens_at.append(blocker.until)
        if not issue.unresolved:
            if blocker is None or str(issue.id) in told_firing:
                resolved.append(issue)
        elif blocker is None and not snoozed and not issue.quiet:
            firing.append(issue)
    shown = _Shown(firing=firing, resolved=resolved, opens_at=opens_at, taken=setting.taken)
    return _decided(group, members, setting.options, shown, now)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    """The members that nothing holds, and when the hours of those that they hold open."""

    firing: list[Issue]
    resolved: list[Issue]
    opens_at: list[datetime]
    taken: frozenset[UUID]


def _decided(
    group: AlertGroup, members: Sequence[Issue], options: RouteOptions, shown: _Shown, now: datetime
) -> FlushPlan:
    entries = frozenset(_entry(issue) for issue in shown.firing)
    ended = frozenset(str(issue.id) for issue in shown.resolved)
    acknowledged = all(issue.id in shown.taken for issue in shown.firing)
    repeats = group.told.repeats if group.told else 0
    pause = None if acknowledged else repeat_pause(options.repeat_interval or (), repeats)
    reason = FlushReason.NOTHING_NEW
    if shown.firing or shown.resolved:  # with everything held there is nobody to tell, as in Alertmanager
        reason = decide_flush(group.told, entries, ended, pause, now)
    leaving = tuple(issue.id for issue in members if not issue.unresolved)
    told = group.told
    if reason.tells:
        again = repeats + 1 if reason is FlushReason.REPEATED else 0
        told = GroupRecord(firing=entries, resolved=ended, at=now, repeats=again)
    tick = next_flush(options, opened_at=None, now=now)
    if shown.opens_at and not shown.firing:  # nothing to do before the hours open
        tick = max(tick, min(shown.opens_at))
    return FlushPlan(
        reason=reason,
        firing=tuple(shown.firing),
        resolved=tuple(shown.resolved),
        leaving=leaving,
        told=told,
        next_flush_at=tick if len(leaving) < len(members) else None,
    )
