"""Says which watches begin and which change when issues change.

Pure. A watch begins when an issue is resolved, follows its issue to other customers and journeys, and ends when the
issue is opened again. Whether the customer came back is left to `watches`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from services.alerts.issues.model import SYSTEM, Issue, IssueChange, IssueEventKind, IssueResolution
from services.alerts.loop.outcomes import find_gesture, outcome_of
from services.alerts.loop.watches import Matter, Watch

_NOTHING_DONE = frozenset({IssueResolution.RETRACTED.value, IssueResolution.MERGED.value})


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchPolicy:
    """How long customers are watched, and how long after that late touchpoints are heard; not at all if `time` is 0."""

    time: timedelta
    late: timedelta = timedelta(days=4)
    """More than the lateness that journeys allow (72 h)."""


def begin_watches(
    changes: Iterable[IssueChange], known: Sequence[Watch], *, policy: WatchPolicy, new_id: Callable[[], UUID]
) -> list[Watch]:
    """Return the watches that begin with these changes; `known` are those of the issues that they split from."""
    if not policy.time:
        return []
    return [
        _watch_of(change, known, new_id=new_id, time=policy.time)
        for change in changes
        if _begins(change.before, change.after)
    ]


def _begins(before: Issue | None, after: Issue) -> bool:
    """Return whether somebody's issue was resolved now; replays close nothing for anybody, an outbreak is nobody's."""
    if (
        not after.customer_id
        or after.unresolved
        or (before is not None and not before.unresolved)
        or after.resolution in _NOTHING_DONE
    ):
        return False
    return not (after.quiet and after.resolved_by == SYSTEM)


def _watch_of(change: IssueChange, known: Sequence[Watch], *, new_id: Callable[[], UUID], time: timedelta) -> Watch:
    issue = change.after
    resolved_at = issue.resolved_at or issue.updated_at
    parted = {event.detail.get("split_off") for event in change.events if event.kind is IssueEventKind.RESOLVED}
    origin = next((w for w in known if str(w.issue_id) in parted and w.resolved_at == resolved_at), None)
    return Watch(
        id=new_id(),
        issue_id=issue.id,
        customer_id=issue.customer_id,
        matter=matter_of(issue),
        resolved_at=resolved_at,
        until=resolved_at + time,
        outcome=outcome_of(issue),
        resolved_by=issue.resolved_by or SYSTEM,
        rules=issue.rules,
        team=issue.team or (origin.team if origin else None),
        gesture=find_gesture(change) or (origin.gesture if origin else None),
        contacts_before=issue.journey.contact_count if issue.journey else None,
    )


def matter_of(issue: Issue) -> Matter:
    """Return what an issue is about."""
    return Matter(journey_id=issue.journey_id, reason=issue.reason, refs=dict(issue.refs))


def follow_issues(watches: Iterable[Watch], changes: Sequence[IssueChange], *, now: datetime) -> list[Watch]:
    """Return the watches after these changes of their issues, in the same order."""
    by_issue: dict[UUID, list[IssueChange]] = {}
    for change in changes:
        by_issue.setdefault(change.after.id, []).append(change)
    latest = {issue_id: found[-1].after for issue_id, found in by_issue.items()}
    followed = []
    for watch in watches:
        for change in by_issue.get(watch.issue_id, ()):
            watch = _follow(watch, change, latest, now)  # noqa: PLW2901  each change on top of the one before
        followed.append(watch)
    return followed


def _follow(watch: Watch, change: IssueChange, latest: Mapping[UUID, Issue], now: datetime) -> Watch:
    before, after = change.before, change.after
    into = latest.get(after.merged_into) if after.merged_into else None
    if into is not None:
        return replace(watch, issue_id=into.id, customer_id=into.customer_id, matter=matter_of(into))
    watch = replace(watch, customer_id=after.customer_id, matter=matter_of(after), withdrawn=after.count == 0)
    if before is None or before.resolved_at != watch.resolved_at:
        return watch  # it is about an earlier resolution of this issue
    if after.unresolved:
        return replace(watch, ended_at=_reopened_at(change, now))
    gesture = find_gesture(change) or watch.gesture
    return replace(watch, rules=after.rules or watch.rules, outcome=outcome_of(after), gesture=gesture)


def _reopened_at(change: IssueChange, now: datetime) -> datetime:
    """Return when an issue was opened again: not before the friction that did it, whose clock may be ahead."""
    by_friction = any(e.kind is IssueEventKind.REOPENED and e.detail.get("friction") for e in change.events)
    return max(now, change.after.last_at) if by_friction else now
