"""Whether a change is worth telling, and why: one pure decision whose reason is the audit's word and a metric label.

What people were told last is part of the issue (`Told`), so the decision survives any restart. Leaves whom to tell to
`routing`, and how to the dispatcher.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.alerts.issues.aggregates import severity_rose
from services.alerts.issues.model import AlertSeverity, Issue, IssueResolution, IssueState


class Reason(StrEnum):
    """Why people are told something, or why not."""

    FIRST = "first"
    SEVERITY_RAISED = "severity_raised"
    REOPENED = "reopened"
    ACKNOWLEDGED = "acknowledged"
    SNOOZE_ENDED = "snooze_ended"
    RESOLVED = "resolved"
    WITHDRAWN = "withdrawn"
    MERGED = "merged"
    QUIET = "quiet"
    SNOOZED = "snoozed"
    NOTHING_NEW = "nothing_new"
    NEVER_TOLD = "never_told"
    NOT_WANTED = "not_wanted"
    NO_ROUTE = "no_route"
    """There is no endpoint that it could go to."""
    MUTED = "muted"
    """A route that tells nobody took it."""


TYPES = {
    Reason.FIRST: "issue.opened",
    Reason.SEVERITY_RAISED: "issue.updated",
    Reason.REOPENED: "issue.reopened",
    Reason.ACKNOWLEDGED: "issue.acknowledged",
    Reason.SNOOZE_ENDED: "issue.updated",
    Reason.RESOLVED: "issue.resolved",
    Reason.WITHDRAWN: "issue.resolved",
    Reason.MERGED: "issue.merged",
}
"""The `type` of a webhook, by the reason to send it."""

DEFAULT_NOTIFY_ON = frozenset(TYPES) - {Reason.ACKNOWLEDGED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Whether to tell, and the reason for either."""

    tell: bool
    reason: Reason

    @property
    def type(self) -> str:
        """The webhook's type; only where something is told."""
        return TYPES[self.reason]


def decide(before: Issue | None, after: Issue, *, now: datetime, notify_on: Collection[Reason]) -> Decision:
    """Decide whether the change from `before` to `after` is told; `notify_on` names the reasons that are wanted."""
    reason = _ended(after) if after.state is IssueState.RESOLVED else _standing(before, after, now)
    if reason in TYPES and reason not in notify_on:
        reason = Reason.NOT_WANTED
    return Decision(tell=reason in TYPES, reason=reason)


def _ended(issue: Issue) -> Reason:
    if issue.told.severity is None:
        return Reason.NEVER_TOLD
    if issue.told.resolved:
        return Reason.NOTHING_NEW
    if issue.merged_into is not None:
        return Reason.MERGED
    return Reason.WITHDRAWN if issue.resolution == IssueResolution.RETRACTED else Reason.RESOLVED


def _standing(before: Issue | None, issue: Issue, now: datetime) -> Reason:
    """The reason for an issue that somebody still has to deal with."""
    told = issue.told
    back = told.resolved or (before is not None and not before.unresolved)
    if told.severity is None or back:
        if issue.quiet:
            return Reason.QUIET
        return Reason.SNOOZED if _asleep(issue, now) else Reason.FIRST if told.severity is None else Reason.REOPENED
    if severity_rose(told.severity, issue.loud_severity):
        return Reason.SNOOZED if _asleep(issue, now) else Reason.SEVERITY_RAISED
    return _of_people(before, issue)


def _asleep(issue: Issue, now: datetime) -> bool:
    """Whether a snooze keeps news of it back. What is critical and not quiet breaks through."""
    snoozed = issue.snoozed_until is not None and issue.snoozed_until > now
    return snoozed and issue.loud_severity is not AlertSeverity.CRITICAL


def _of_people(before: Issue | None, issue: Issue) -> Reason:
    if before is not None and before.state is IssueState.OPEN and issue.state is IssueState.ACKNOWLEDGED:
        return Reason.ACKNOWLEDGED
    if before is not None and before.snoozed_until is not None and issue.snoozed_until is None:
        return Reason.SNOOZE_ENDED
    if issue.unheard_since is not None:
        return Reason.SNOOZE_ENDED  # the only news that is not in the issue itself; nobody was there to hear it
    return Reason.NOTHING_NEW
