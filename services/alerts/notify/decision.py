"""Decides whether people are notified of a change, and why.

Pure. The reason is the word of the audit and a metric label. What people were last notified of is part of the issue
(`NotificationRecord`), so a restart changes no decision. Whom to notify is left to `routing`, and sending to `deliver`.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from services.alerts.issues.aggregates import severity_rose
from services.alerts.issues.model import AlertSeverity, Issue, IssueResolution, IssueState
from services.alerts.issues.sharing import newly_assigned


class NotificationReason(StrEnum):
    """Why people are notified of a change, or why not."""

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
    HELD = "held"
    """It belongs to an outbreak, of which people are notified instead."""
    NO_ROUTE = "no_route"
    """There is no endpoint to notify."""
    MUTED = "muted"
    """Only routes that notify nobody matched."""
    REPEATED = "repeated"
    """Nobody has acknowledged it since it was told."""
    ASSIGNED = "assigned"
    """A team was assigned it, or came to own it."""
    ESCALATED = "escalated"
    """Nobody has acknowledged it for the time of a step of its escalation."""
    OUT_OF_HOURS = "out_of_hours"
    """Held until the hours of its routes open."""
    SILENCED = "silenced"
    """Held by a silence."""
    INHIBITED = "inhibited"
    """Held by an issue that stands for it."""
    GROUPED = "grouped"
    """A message about its group will tell of it."""


NOTIFICATION_TYPES = {
    NotificationReason.FIRST: "issue.opened",
    NotificationReason.SEVERITY_RAISED: "issue.updated",
    NotificationReason.REOPENED: "issue.reopened",
    NotificationReason.ACKNOWLEDGED: "issue.acknowledged",
    NotificationReason.SNOOZE_ENDED: "issue.updated",
    NotificationReason.RESOLVED: "issue.resolved",
    NotificationReason.WITHDRAWN: "issue.resolved",
    NotificationReason.MERGED: "issue.merged",
    NotificationReason.REPEATED: "issue.updated",
    NotificationReason.ESCALATED: "issue.updated",
    NotificationReason.ASSIGNED: "issue.updated",
}
"""The `type` of a webhook by the reason for sending it."""

DEFAULT_NOTIFY_ON = frozenset(NOTIFICATION_TYPES) - {NotificationReason.ACKNOWLEDGED}


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationDecision:
    """Whether to notify, and the reason in either case; `teams` alone are to be notified, if there are any."""

    notify: bool
    reason: NotificationReason
    teams: frozenset[UUID] = frozenset()

    @property
    def type(self) -> str:
        """The type of the webhook; only for a decision to notify."""
        return NOTIFICATION_TYPES[self.reason]


def decide(
    before: Issue | None, after: Issue, *, now: datetime, notify_on: Collection[NotificationReason]
) -> NotificationDecision:
    """Decide whether people are notified of the change from `before` to `after`, for the reasons in `notify_on`."""
    reason = (
        _reason_of_resolved(after) if after.state is IssueState.RESOLVED else _reason_of_unresolved(before, after, now)
    )
    if reason in NOTIFICATION_TYPES and reason not in notify_on:
        reason = NotificationReason.NOT_WANTED
    alone = newly_assigned(before, after) if reason is NotificationReason.ASSIGNED else frozenset()
    return NotificationDecision(notify=reason in NOTIFICATION_TYPES, reason=reason, teams=alone)


def _reason_of_resolved(issue: Issue) -> NotificationReason:
    if issue.told.severity is None:
        return NotificationReason.NEVER_TOLD
    if issue.told.resolved:
        return NotificationReason.NOTHING_NEW
    if issue.merged_into is not None:
        return NotificationReason.MERGED
    return (
        NotificationReason.WITHDRAWN if issue.resolution == IssueResolution.RETRACTED else NotificationReason.RESOLVED
    )


def _reason_of_unresolved(before: Issue | None, issue: Issue, now: datetime) -> NotificationReason:
    """Return the reason for an unresolved issue."""
    told = issue.told
    assigned = before is not None and before.unresolved and bool(newly_assigned(before, issue))
    returned = told.resolved or (before is not None and not before.unresolved)
    if told.severity is None or returned:
        if issue.quiet:
            return NotificationReason.QUIET
        if issue.held_by is not None:
            return NotificationReason.HELD
        return (
            NotificationReason.SNOOZED
            if is_snoozed(issue, now)
            else NotificationReason.FIRST
            if told.severity is None
            else NotificationReason.REOPENED
        )
    if severity_rose(told.severity, issue.loud_severity) and issue.held_by is None:
        return NotificationReason.SNOOZED if is_snoozed(issue, now) else NotificationReason.SEVERITY_RAISED
    if assigned:
        return NotificationReason.SNOOZED if is_snoozed(issue, now) else NotificationReason.ASSIGNED
    return _reason_of_action(before, issue)


def is_snoozed(issue: Issue, now: datetime) -> bool:
    """Return whether a snooze holds the notification back; a critical issue that is not quiet breaks through."""
    snoozed = issue.snoozed_until is not None and issue.snoozed_until > now
    return snoozed and issue.loud_severity is not AlertSeverity.CRITICAL


def _reason_of_action(before: Issue | None, issue: Issue) -> NotificationReason:
    if before is not None and before.state is IssueState.OPEN and issue.state is IssueState.ACKNOWLEDGED:
        return NotificationReason.ACKNOWLEDGED
    if before is not None and before.snoozed_until is not None and issue.snoozed_until is None:
        return NotificationReason.SNOOZE_ENDED
    if issue.unheard_since is not None:
        return (
            NotificationReason.SNOOZE_ENDED
        )  # only this reason is not visible in the issue itself; there was no endpoint then
    return NotificationReason.NOTHING_NEW
