"""Gives an issue its priority: a score of 0 to 100 with the factors that make it, and its deadlines.

Pure. Age and deadlines move a priority without any change of the issue, in steps; `next_at` says when the next one is.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from math import log10

from services.alerts.issues.model import (
    AlertSeverity,
    Issue,
    IssueChange,
    IssuePriority,
    IssueResolution,
    IssueState,
    PriorityFactor,
    ServiceDeadlines,
)
from services.alerts.policy.service_levels import ServiceLevels, ServiceTarget, due_at

_SEVERITY = {AlertSeverity.CRITICAL: 40, AlertSeverity.HIGH: 26, AlertSeverity.MEDIUM: 14, AlertSeverity.LOW: 4}
_LEVEL = {"premium": 10, "enhanced": 5, "basic": 0}
_AGES = ((timedelta(hours=1), 1), (timedelta(hours=4), 2), (timedelta(hours=24), 4), (timedelta(hours=72), 6))
"""Points of an issue that has been open for so long."""
MOST_FOR_EFFORT = 12
MOST_FOR_REPEATS = 8
MOST_FOR_VALUE = 10
MOST_FOR_CUSTOMERS = 20
PASSED = 14
CLOSE = 7
LAST_PART = 4
"""A deadline is close in the last quarter of the time until it."""
SETTLED = -12
"""What an issue loses because the last thing that is known is that it was resolved."""


def prioritised(change: IssueChange, levels: ServiceLevels, now: datetime) -> IssueChange:
    """Return the change with the priority of the issue after it; a resolved issue keeps what it had."""
    issue = change.after
    if not issue.unresolved:
        return change
    deadlines = _deadlines(issue, levels)
    factors = tuple(_factors(issue, levels, deadlines, now))
    score = max(0, min(100, sum(factor.points for factor in factors)))
    moment = _next_at(issue, deadlines, now)
    next_at_s = None if moment is None else int(moment.timestamp()) + 1
    priority = IssuePriority(score=score, factors=factors, deadlines=deadlines, next_at_s=next_at_s)
    return replace(change, after=replace(issue, priority=priority))


def _deadlines(issue: Issue, levels: ServiceLevels) -> ServiceDeadlines:
    level = levels.level_of(issue.service_level)
    promise = levels.promises[level]
    return ServiceDeadlines(
        level=level,
        respond_by=due_at(issue.opened_at, promise.respond, promise.hours),
        resolve_by=due_at(issue.opened_at, promise.resolve, promise.hours),
    )


def pending_deadline(issue: Issue, deadlines: ServiceDeadlines) -> datetime | None:
    """Return the deadline that is next: to respond until somebody took the issue, then to resolve it."""
    return deadlines.respond_by if _unanswered(issue) else deadlines.resolve_by


def _unanswered(issue: Issue) -> bool:
    """Return whether nobody has taken it yet; it stays open for the teams that have not."""
    return issue.state is IssueState.OPEN and issue.acknowledged_at is None


def _factors(
    issue: Issue, levels: ServiceLevels, deadlines: ServiceDeadlines, now: datetime
) -> Iterator[PriorityFactor]:
    given = (
        ("severity", issue.severity.value, _SEVERITY[issue.severity]),
        ("effort", _effort(issue), round((_effort(issue) or 0) / 100 * MOST_FOR_EFFORT)),
        ("repeats", _repeats(issue), min(_repeats(issue) * 2, MOST_FOR_REPEATS)),
        ("value", _value(issue), _value_points(issue, levels)),
        ("service_level", deadlines.level, _LEVEL.get(deadlines.level, 0)),
        ("deadline", *_deadline(issue, deadlines, now)),
        ("age", *_age(issue, now)),
        ("settled", "resolved", SETTLED if _seems_settled(issue) else 0),
        ("customers", _customers(issue), min(round(10 * log10(max(_customers(issue), 1))), MOST_FOR_CUSTOMERS)),
    )
    for name, value, points in given:
        if points:
            yield PriorityFactor(factor=name, value=value, points=points)


def _effort(issue: Issue) -> float | None:
    return issue.journey.effort if issue.journey else None


def _repeats(issue: Issue) -> int:
    """Return how often the customer turned to us again."""
    return max(issue.journey.contact_count - 1, 0) if issue.journey else 0


def _value(issue: Issue) -> str | None:
    value = issue.journey.value if issue.journey else None
    return f"{value.amount:g} {value.currency}" if value else None


def _value_points(issue: Issue, levels: ServiceLevels) -> int:
    value = issue.journey.value if issue.journey else None
    much = levels.much.get(value.currency) if value else None
    return round(min(abs(value.amount) / much, 1) * MOST_FOR_VALUE) if value and much else 0


def _customers(issue: Issue) -> int:
    return issue.outbreak.customers if issue.outbreak else 1


def _seems_settled(issue: Issue) -> bool:
    """Return whether something came after the last friction, and the last outcome of that is that it was resolved."""
    since = issue.journey.since if issue.journey else ()
    outcomes = [step.outcome for step in since if step.outcome is not None]
    return bool(outcomes) and outcomes[-1] == "resolved"


def _deadline(issue: Issue, deadlines: ServiceDeadlines, now: datetime) -> tuple[str | None, int]:
    deadline = pending_deadline(issue, deadlines)
    if deadline is None:
        return None, 0
    if now >= deadline:
        return "passed", PASSED
    return ("close", CLOSE) if now >= _close_from(issue, deadline) else ("ahead", 0)


def _close_from(issue: Issue, deadline: datetime) -> datetime:
    return deadline - (deadline - issue.opened_at) / LAST_PART


def _age(issue: Issue, now: datetime) -> tuple[str | None, int]:
    reached = [(age, points) for age, points in _AGES if now - issue.opened_at >= age]
    return (f"{reached[-1][0] // timedelta(hours=1)}h", reached[-1][1]) if reached else (None, 0)


def _next_at(issue: Issue, deadlines: ServiceDeadlines, now: datetime) -> datetime | None:
    """Return when the next step of age or of a deadline is."""
    steps: Sequence[datetime] = [issue.opened_at + age for age, _ in _AGES]
    if deadline := pending_deadline(issue, deadlines):
        steps = [*steps, _close_from(issue, deadline), deadline]
    return min((step for step in steps if step > now), default=None)


def grown_older(issue: Issue, *, now: datetime) -> IssueChange | None:
    """Return the change of an issue whose priority has reached its next step; None if it has not."""
    due = issue.priority.next_at_s if issue.priority else None
    if not issue.unresolved or due is None or due > now.timestamp():
        return None
    after = replace(issue, version=issue.version + 1, updated_at=now)
    return IssueChange(before=issue, after=after, events=())


def kept_promises(change: IssueChange) -> Iterator[tuple[ServiceTarget, str, bool]]:
    """Yield which targets a change met or missed: the target, the service level, and whether it was in time.

    What was withdrawn, merged or is an outbreak was promised to nobody. An issue that is resolved at once was
    responded to then.
    """
    before, after = change.before, change.after
    if after.priority is None or after.outbreak is not None:
        return
    deadlines = after.priority.deadlines
    taken = before is not None and _unanswered(before) and not _unanswered(after)
    over = before is not None and before.unresolved and not after.unresolved
    if after.resolution in {IssueResolution.RETRACTED, IssueResolution.MERGED}:
        return
    if taken and deadlines.respond_by is not None:
        yield ServiceTarget.RESPOND, deadlines.level, after.updated_at <= deadlines.respond_by
    if over and deadlines.resolve_by is not None:
        yield ServiceTarget.RESOLVE, deadlines.level, after.updated_at <= deadlines.resolve_by
