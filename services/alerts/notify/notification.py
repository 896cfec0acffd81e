"""From a change to what is told: asks `decision` whether and `routing` whom, and keeps both answers in the issue.

The result is written in the transaction of the change, so "decided but not recorded" cannot be.
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
from services.alerts.notify.routing import RoutingDirectory, RoutingResult, evaluate_routes, routing_facts

AUDITED_REASONS = frozenset(
    {
        NotificationReason.QUIET,
        NotificationReason.SNOOZED,
        NotificationReason.NOT_WANTED,
        NotificationReason.NO_ROUTE,
        NotificationReason.MUTED,
    }
)
"""Reasons not to tell that the audit keeps; that nothing is new would only fill it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One thing to tell, and to whom. `issue` is how it stood then."""

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
    """A change with what was decided about telling it; `notification` is None where nobody is told."""

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
    """Decide whom `change` is told to."""
    decision = decide(change.before, change.after, now=now, notify_on=notify_on)
    routing = evaluate_routes(routing_facts(change.after), directory, now=now)
    issue = replace(change.after, team=routing.team) if change.after.unresolved else change.after
    audience = _audience(issue, routing, directory)
    if decision.tell and not audience:
        decision = NotificationDecision(
            tell=False, reason=NotificationReason.MUTED if routing.muted else NotificationReason.NO_ROUTE
        )
    if not decision.tell:
        return NotificationPlan(change=_kept_silent(change, issue, decision, now), decision=decision, notification=None)
    issue = replace(issue, told=_told(issue, audience, now), unheard_since=None)
    event = IssueEvent(
        kind=IssueEventKind.TOLD,
        actor=SYSTEM,
        detail={"reason": decision.reason, "type": decision.type, "endpoints": [str(e) for e in audience]},
    )
    notification = Notification(
        id=new_id(),
        issue=issue,
        sequence=issue.told.sequence,
        type=decision.type,
        reason=decision.reason,
        endpoints=audience,
        revised_at=change.revised_at,
        created_at=now,
    )
    return NotificationPlan(
        change=replace(change, after=issue, events=(*change.events, event)),
        decision=decision,
        notification=notification,
    )


def _audience(issue: Issue, routing: RoutingResult, directory: RoutingDirectory) -> tuple[UUID, ...]:
    """Whom the routes name now and everybody who was told before; of an end hear only the latter.

    What is told anew, because nobody alive heard it, goes to those alone who were not told: the others have it waiting.
    """
    if issue.told.severity is None:
        return tuple(endpoint for endpoint in routing.endpoints if endpoint not in issue.told.endpoints)
    before = [endpoint for endpoint in issue.told.endpoints if endpoint in directory.endpoints]
    return tuple(dict.fromkeys([*before, *routing.endpoints] if issue.unresolved else before))


def _told(issue: Issue, audience: tuple[UUID, ...], now: datetime) -> NotificationRecord:
    return NotificationRecord(
        severity=issue.loud_severity or issue.severity,
        resolved=not issue.unresolved,
        at=now,
        endpoints=tuple(dict.fromkeys([*issue.told.endpoints, *audience])),
        sequence=issue.told.sequence + 1,
    )


def _kept_silent(change: IssueChange, issue: Issue, decision: NotificationDecision, now: datetime) -> IssueChange:
    events = change.events
    if decision.reason in AUDITED_REASONS:
        events = (*events, IssueEvent(kind=IssueEventKind.NOT_TOLD, actor=SYSTEM, detail={"reason": decision.reason}))
    told = issue.told
    if not issue.unresolved and told.severity is not None:
        told = replace(told, resolved=True)  # it is over, told or not: when it comes back, that is news
    return replace(change, after=replace(issue, told=told, unheard_since=_unheard(issue, decision, now)), events=events)


def _unheard(issue: Issue, decision: NotificationDecision, now: datetime) -> datetime | None:
    """Since when it waits for somebody to hear of it; one that a person took, or that is over, does not."""
    if issue.state is not IssueState.OPEN:
        return None
    if decision.reason is NotificationReason.NO_ROUTE:
        return issue.unheard_since or now
    return issue.unheard_since if decision.reason is NotificationReason.SNOOZED else None
