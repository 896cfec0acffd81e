"""Plans the notification of a change: `decision` says whether, `routing` says whom, and the issue records both.

Pure. The plan is written in the transaction of the change by `change_writer`, so no decision goes unrecorded.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from services.alerts.hold.waits import WaitKind
from services.alerts.issues.model import (
    SYSTEM,
    Issue,
    IssueChange,
    IssueEvent,
    IssueEventKind,
    IssueState,
    NotificationRecord,
)
from services.alerts.issues.sharing import shared_out
from services.alerts.notify.decision import NotificationDecision, NotificationReason, decide, is_snoozed
from services.alerts.notify.holding import (
    NOTHING_HELD,
    NOTHING_STANDS,
    HoldingPlan,
    LaneMoment,
    StandingFacts,
    plan_holding,
)
from services.alerts.notify.routing import RoutingDirectory, RoutingResult, evaluate_routes
from services.alerts.policy.tree import routing_facts

AUDITED_REASONS = frozenset(
    {
        NotificationReason.QUIET,
        NotificationReason.HELD,
        NotificationReason.SNOOZED,
        NotificationReason.NOT_WANTED,
        NotificationReason.NO_ROUTE,
        NotificationReason.MUTED,
    }
)
"""Reasons against notifying that the audit records; the others would only fill it."""

HOLDING_REASONS = frozenset(
    {
        NotificationReason.OUT_OF_HOURS,
        NotificationReason.SILENCED,
        NotificationReason.INHIBITED,
        NotificationReason.GROUPED,
    }
)
"""Reasons to notify later, which the audit records once and not with every change while they last."""


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
    trace: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationPlan:
    """A change, the decision about notifying people of it, the notification if there is one, and what waits."""

    change: IssueChange
    decision: NotificationDecision
    notification: Notification | None
    holding: HoldingPlan = NOTHING_HELD
    caught: bool = False
    """No endpoint of a route works: catch-all endpoints stand in."""


def plan_notification(
    change: IssueChange,
    directory: RoutingDirectory,
    *,
    now: datetime,
    notify_on: Collection[NotificationReason],
    new_id: Callable[[], UUID],
    standing: StandingFacts = NOTHING_STANDS,
) -> NotificationPlan:
    """Plan the notification of `change`: whether there is one, to which endpoints, and what waits for later."""
    issue = change.after
    routing = evaluate_routes(routing_facts(issue), directory, now=now, assigned=issue.assigned)
    if issue.unresolved:
        issue, shared = shared_out(change.before, issue, routing.teams)
        change = replace(change, after=issue, events=(*change.events, *shared))
    decision = decide(change.before, issue, now=now, notify_on=notify_on)
    moment = LaneMoment(directory=directory, now=now, notify_on=notify_on, snoozed=is_snoozed(issue, now))
    holding = plan_holding(issue, routing.lanes, decision, standing, moment)
    if not decision.notify and holding.due_reason is not None:
        decision = NotificationDecision(notify=True, reason=holding.due_reason)
    audience = holding.endpoints if decision.teams else _audience(issue, holding, directory)
    if decision.notify and not audience:
        nobody_new = bool(decision.teams) and not holding.waits  # the teams that have it now have no endpoint
        reason = NotificationReason.NOTHING_NEW if nobody_new else _why_not(routing, holding)
        decision = NotificationDecision(notify=False, reason=reason)
    if not decision.notify:
        silent = _without_notification(change, issue, decision, now, news=holding.news)
        return NotificationPlan(change=silent, decision=decision, notification=None, holding=holding)
    notification = _notification(change, issue, decision, audience, now=now, new_id=new_id)
    told = replace(change, after=notification.issue, events=(*change.events, _event_of(notification)))
    return NotificationPlan(
        change=told,
        decision=decision,
        notification=notification,
        holding=holding,
        caught=routing.caught and any(lane.route is not None for lane in routing.lanes),
    )


def plan_escalation(
    issue: Issue,
    endpoints: tuple[UUID, ...],
    *,
    now: datetime,
    notify_on: Collection[NotificationReason],
    new_id: Callable[[], UUID],
) -> NotificationPlan | None:
    """Plan the notification of a step of an escalation; None if nobody is to be notified of those."""
    if NotificationReason.ESCALATED not in notify_on or not endpoints:
        return None
    change = IssueChange(before=issue, after=replace(issue, version=issue.version + 1, updated_at=now), events=())
    decision = NotificationDecision(notify=True, reason=NotificationReason.ESCALATED)
    notification = _notification(change, change.after, decision, endpoints, now=now, new_id=new_id)
    told = replace(change, after=notification.issue, events=(_event_of(notification),))
    return NotificationPlan(change=told, decision=decision, notification=notification)


_HELD_REASONS = {
    WaitKind.HOURS: NotificationReason.OUT_OF_HOURS,
    WaitKind.SILENCE: NotificationReason.SILENCED,
    WaitKind.INHIBITION: NotificationReason.INHIBITED,
    WaitKind.OUTBREAK: NotificationReason.HELD,
}


def _why_not(routing: RoutingResult, holding: HoldingPlan) -> NotificationReason:
    if routing.muted:
        return NotificationReason.MUTED
    held_by = next((wait.kind for wait in holding.waits if wait.kind in _HELD_REASONS), None)
    if held_by is not None:
        return _HELD_REASONS[held_by]
    return NotificationReason.GROUPED if holding.grouped else NotificationReason.NO_ROUTE


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
        trace=change.trace,
    )


def _audience(issue: Issue, holding: HoldingPlan, directory: RoutingDirectory) -> tuple[UUID, ...]:
    """Return the endpoints that nothing holds and all that were notified before; the latter alone for a resolved issue.

    A repeated notification goes only to endpoints that were not notified yet: the others have a delivery waiting. What
    is due by itself goes to the endpoints that waited alone.
    """
    if holding.due_reason is not None:
        return holding.endpoints
    if issue.told.severity is None:
        return tuple(endpoint for endpoint in holding.endpoints if endpoint not in issue.told.endpoints)
    before = [e for e in issue.told.endpoints if e in directory.endpoints]
    if not issue.unresolved:
        return tuple(before)
    return tuple(dict.fromkeys([*(e for e in before if e not in holding.held_back), *holding.endpoints]))


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
    change: IssueChange, issue: Issue, decision: NotificationDecision, now: datetime, *, news: bool
) -> IssueChange:
    events = change.events
    if decision.reason in AUDITED_REASONS or (news and decision.reason in HOLDING_REASONS):
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
