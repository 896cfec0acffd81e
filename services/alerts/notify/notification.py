"""Plans the notification of a change: `decision` says whether, `routing` says whom, and the issue records both.

Pure. The plan is written in the transaction of the change by `change_writer`, so no decision goes unrecorded.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from services.alerts.issues.model import (
    SYSTEM,
    Issue,
    IssueChange,
    IssueEvent,
    IssueEventKind,
    IssueState,
    NotificationRecord,
)
from services.alerts.notify.decision import NotificationDecision, NotificationReason, decide
from services.alerts.notify.routing import RoutingDirectory, RoutingResult, evaluate_routes
from services.alerts.policy.tree import routing_facts

AUDITED_REASONS = frozenset(
    {
        NotificationReason.QUIET,
        NotificationReason.SNOOZED,
        NotificationReason.NOT_WANTED,
        NotificationReason.NO_ROUTE,
        NotificationReason.MUTED,
    }
)
"""Reasons against notifying that the audit records; the others would only fill it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One message about an issue to some endpoints; `issue` is its state at that time."""

    id: UUID
    issue: Issue
    sequence: int
    type: str
    reason: NotificationReason
    endpoints: tuple[UUID, ...]
    revised_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationPlan:
    """A change, the decision about notifying people of it, and the notification if there is one."""

    change: IssueChange
    decision: NotificationDecision
    notification: Notification | None


def plan_notification(
    change: IssueChange,
    directory: RoutingDirectory,
    *,
    now: datetime,
    notify_on: Collection[NotificationReason],
    new_id: Callable[[], UUID],
) -> NotificationPlan:
    """Plan the notification of `change`: whether there is one, and to which endpoints."""
    decision = decide(change.before, change.after, now=now, notify_on=notify_on)
    routing = evaluate_routes(routing_facts(change.after), directory, now=now)
    issue = replace(change.after, team=routing.team) if change.after.unresolved else change.after
    audience = _audience(issue, routing, directory)
    if decision.notify and not audience:
        why_not = NotificationReason.MUTED if routing.muted else NotificationReason.NO_ROUTE
        decision = NotificationDecision(notify=False, reason=why_not)
    if not decision.notify:
        silent = _without_notification(change, issue, decision, now)
        return NotificationPlan(change=silent, decision=decision, notification=None)
    notification = _notification(change, issue, decision, audience, now=now, new_id=new_id)
    told = replace(change, after=notification.issue, events=(*change.events, _event_of(notification)))
    return NotificationPlan(change=told, decision=decision, notification=notification)


def _notification(
    change: IssueChange,
    issue: Issue,
    decision: NotificationDecision,
    audience: tuple[UUID, ...],
    *,
    now: datetime,
    new_id: Callable[[], UUID],
) -> Notification:
    issue = replace(issue, told=_record_of(issue, audience, now), unheard_since=None)
    return Notification(
        id=new_id(),
        issue=issue,
        sequence=issue.told.sequence,
        type=decision.type,
        reason=decision.reason,
        endpoints=audience,
        revised_at=change.revised_at,
        created_at=now,
    )


def _audience(issue: Issue, routing: RoutingResult, directory: RoutingDirectory) -> tuple[UUID, ...]:
    """Return the endpoints of the routes and all that were notified before; the latter alone for a resolved issue.

    A repeated notification goes only to endpoints that were not notified yet: the others have a delivery waiting.
    """
    if issue.told.severity is None:
        return tuple(endpoint for endpoint in routing.endpoints if endpoint not in issue.told.endpoints)
    before = [endpoint for endpoint in issue.told.endpoints if endpoint in directory.endpoints]
    return tuple(dict.fromkeys([*before, *routing.endpoints] if issue.unresolved else before))


def _event_of(notification: Notification) -> IssueEvent:
    endpoints = [str(endpoint) for endpoint in notification.endpoints]
    return IssueEvent(
        kind=IssueEventKind.TOLD,
        actor=SYSTEM,
        detail={"reason": notification.reason, "type": notification.type, "endpoints": endpoints},
    )


def _record_of(issue: Issue, audience: tuple[UUID, ...], now: datetime) -> NotificationRecord:
    return NotificationRecord(
        severity=issue.loud_severity or issue.severity,
        resolved=not issue.unresolved,
        at=now,
        endpoints=tuple(dict.fromkeys([*issue.told.endpoints, *audience])),
        sequence=issue.told.sequence + 1,
    )


def _without_notification(
    change: IssueChange, issue: Issue, decision: NotificationDecision, now: datetime
) -> IssueChange:
    events = change.events
    if decision.reason in AUDITED_REASONS:
        events = (*events, IssueEvent(kind=IssueEventKind.NOT_TOLD, actor=SYSTEM, detail={"reason": decision.reason}))
    told = issue.told
    if not issue.unresolved and told.severity is not None:
        told = replace(told, resolved=True)  # it is over, notified or not: its return is a reason to notify
    return replace(
        change, after=replace(issue, told=told, unheard_since=_unheard_since(issue, decision, now)), events=events
    )


def _unheard_since(issue: Issue, decision: NotificationDecision, now: datetime) -> datetime | None:
    """Return since when an open issue waits for an endpoint to notify; None if it does not wait."""
    if issue.state is not IssueState.OPEN:
        return None
    if decision.reason is NotificationReason.NO_ROUTE:
        return issue.unheard_since or now
    return issue.unheard_since if decision.reason is NotificationReason.SNOOZED else None
