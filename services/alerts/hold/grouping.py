"""Grouping: which issues share a message, and whether a group has something to tell.

Pure. As in Alertmanager: the key of a group is its route and the values of the labels in `group_by`; `decide_flush` is
its table of reasons. An entry of what fires names an issue and its severity, so an issue that becomes worse is news.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from services.alerts.policy.matchers import Labels, value_of
from services.alerts.policy.tree import RouteOptions

_SEPARATOR = "\x1f"


class FlushReason(StrEnum):
    """Why a group is told of, or not."""

    FIRST = "first"
    NEW_ISSUES = "new_issues"
    ALL_RESOLVED = "all_resolved"
    SOME_RESOLVED = "some_resolved"
    REPEATED = "repeated"
    NOTHING_NEW = "nothing_new"

    @property
    def tells(self) -> bool:
        """Whether people are notified for this reason."""
        return self is not FlushReason.NOTHING_NEW


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRecord:
    """What people were last told of a group: what fired, what had ended, when, and how often since then."""

    firing: frozenset[str]
    resolved: frozenset[str]
    at: datetime
    repeats: int = 0


def group_labels(labels: Labels, group_by: Sequence[str]) -> dict[str, str]:
    """Return the labels that name a group, only those that the issue has."""
    return {name: value_of(labels, name) for name in sorted(group_by) if labels.get(name)}


def group_key(named: dict[str, str]) -> str:
    """Return the key of a group within its route."""
    return _SEPARATOR.join(f"{name}={value}" for name, value in sorted(named.items()))


def repeat_pause(intervals: Sequence[timedelta], repeats: int) -> timedelta | None:
    """Return the pause before the next repeat after so many of them; None if nothing is repeated."""
    return intervals[min(repeats, len(intervals) - 1)] if intervals else None


def decide_flush(
    told: GroupRecord | None,
    firing: Collection[str],
    resolved: Collection[str],
    repeat: timedelta | None,
    now: datetime,
) -> FlushReason:
    """Decide whether a group with these firing and resolved entries is told of now, and why."""
    if told is None:
        return FlushReason.FIRST if firing else FlushReason.NOTHING_NEW
    if not set(firing) <= told.firing:
        return FlushReason.NEW_ISSUES if told.firing else FlushReason.FIRST
    if not firing:
        return FlushReason.ALL_RESOLVED if told.firing else FlushReason.NOTHING_NEW
    if not set(resolved) <= told.resolved:
        return FlushReason.SOME_RESOLVED
    due = repeat is not None and told.at <= now - repeat
    return FlushReason.REPEATED if due else FlushReason.NOTHING_NEW


def next_flush(options: RouteOptions, *, opened_at: datetime | None, now: datetime) -> datetime:
    """Return when a group is looked at: after `group_wait` since its first issue opened, then each `group_interval`.

    `opened_at` is that time for a new group, None for one that was looked at just now.
    """
    if opened_at is None:
        return now + (options.group_interval or timedelta(minutes=5))
    return max(now, opened_at + (options.group_wait or timedelta(0)))
