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


class NotificationReason(StrEnum):
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


NOTIFICATION_TYPES = {
    NotificationReason.FIRST: "issue.opened",
    NotificationReason.SEVERITY_RAISED: "issue.updated",
    NotificationReason.REOPENED: "issue.reopened",
    NotificationReason.ACKNOWLEDGED: "issue.acknowledged",
    NotificationReason.SNOOZE_ENDED: "issue.updated",
    NotificationReason.RESOLVED: "issue.resolved",
    NotificationReason.WITHDRAWN: "issue.resolved",
    NotificationReason.MERGED: "issue.merged",
}
"""The `type` of a webhook, by the reason to send it."""

DEFAULT_NOTIFY_ON = frozenset(NOTIFICATION_TYPES) - {NotificationReason.ACKNOWLEDGED}


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationDecision:
    """Whether to tell, and the reason for either."""

    tell: bool
    reason: NotificationReason

    @property
    def type(self) -> str:
        """The webhook's type; only where something is told."""
        return NOTIFICATION_TYPES[self.reason]


def decide(
    before: Issue | None, after: Issue, *, now: datetime, notify_on: Collection[NotificationReason]
) -> NotificationDecision:
    """Decide whether the change from `before` to `after` is told; `notify_on` names the reasons that are wanted."""
    reason = _ended(after) if after.state is IssueState.RESOLVED else _standing(before, after, now)
    if reason in NOTIFICATION_TYPES and reason not in notify_on:
        reason = NotificationReason.NOT_WANTED
    return NotificationDecision(tell=reason in NOTIFICATION_TYPES, reason=reason)


def _ended(issue: Issue) -> NotificationReason:
    if issue.told.severity is None:
        return NotificationReason.NEVER_TOLD
    if issue.told.resolved:
        return NotificationReason.NOTHING_NEW
    if issue.merged_into is not None:
        return NotificationReason.MERGED
    return (
        NotificationReason.WITHDRAWN if issue.resolution == IssueResolution.RETRACTED else NotificationReason.RESOLVED
    )


def _standing(before: Issue | None, issue: Issue, now: datetime) -> NotificationReason:
    """The reason for an issue that somebody still has to deal with."""
    told = issue.told
    back = told.resolved or (before is not None and not before.unresolved)
    if told.severity is None or back:
        if issue.quiet:
            return NotificationReason.QUIET
        return (
            NotificationReason.SNOOZED
            if _asleep(issue, now)
            else NotificationReason.FIRST
            if told.severity is None
            else NotificationReason.REOPENED
        )
    if severity_rose(told.severity, issue.loud_severity):
        return NotificationReason.SNOOZED if _asleep(issue, now) else NotificationReason.SEVERITY_RAISED
    return _of_people(before, issue)


def _asleep(issue: Issue, now: datetime) -> bool:
    """Whether a snooze keeps news of it back. What is critical and not quiet breaks through."""
    snoozed = issue.snoozed_until is not None and issue.snoozed_until > now
    return snoozed and issue.loud_severity is not AlertSeverity.CRITICAL


def _of_people(before: Issue | None, issue: Issue) -> NotificationReason:
    if before is not None and before.state is IssueState.OPEN and issue.state is IssueState.ACKNOWLEDGED:
        return NotificationReason.ACKNOWLEDGED
    if before is not None and before.snoozed_until is not None and issue.snoozed_until is None:
        return NotificationReason.SNOOZE_ENDED
    if issue.unheard_since is not None:
        return (
            NotificationReason.SNOOZE_ENDED
        )  # the only news that is not in the issue itself; nobody was there to hear it
    return NotificationReason.NOTHING_NEW
