"""Writes changes of issues in the caller's transaction: issues, audit, feed, outbox, notifications and deliveries.

Both `consume` and `inbox` write through this module, so no issue changes without its audit and its notifications.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from schemas.documents import issue as issue_v1
from services.alerts.deliver import delivery_store
from services.alerts.issues import issue_store
from services.alerts.issues.contract import write_issue
from services.alerts.issues.model import IssueChange, IssueEventKind
from services.alerts.live import feed_store
from services.alerts.metrics import AlertsMetrics
from services.alerts.notify import directory_store, notification_store
from services.alerts.notify.decision import NotificationReason
from services.alerts.notify.notification import Notification, NotificationPlan, plan_notification
from services.alerts.notify.webhook_body import render_webhook
from services.runtime.postgres.pools import Connection

_FEED_TYPES = (
    (IssueEventKind.OPENED, "issue.opened"),
    (IssueEventKind.REOPENED, "issue.reopened"),
    (IssueEventKind.RESOLVED, "issue.resolved"),
    (IssueEventKind.ACKNOWLEDGED, "issue.acknowledged"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeWriter:
    """Writes changes of issues and everything that follows from them."""

    notify_on: Collection[NotificationReason]
    public_url: str
    new_id: Callable[[], UUID]
    metrics: AlertsMetrics

    async def write(
        self, connection: Connection, changes: Sequence[IssueChange], now: datetime
    ) -> list[NotificationPlan]:
        """Plan the notifications, write everything, and return the plans; pass them to `count` after the commit."""
        if not changes:
            return []
        directory = await directory_store.load_directory(connection)
        plans = [
            plan_notification(change, directory, now=now, notify_on=self.notify_on, new_id=self.new_id)
            for change in changes
        ]
        await issue_store.save_changes(connection, [plan.change for plan in plans])
        publications = [_publication(plan.change) for plan in plans]
        await feed_store.add(connection, publications, now)
        if bodies := self._bodies(plans, publications):
            await notification_store.add(connection, bodies, self.new_id, route_version=directory.version)
            await delivery_store.wake(connection)
        return plans

    def _bodies(
        self, plans: Sequence[NotificationPlan], publications: Sequence[feed_store.IssuePublication]
    ) -> list[tuple[Notification, bytes]]:
        """Return the notifications with their bodies; each body contains the issue as it was published."""
        return [
            (plan.notification, render_webhook(plan.notification, public_url=self.public_url, document=issue.document))
            for plan, issue in zip(plans, publications, strict=True)
            if plan.notification is not None
        ]

    def count(self, plans: Sequence[NotificationPlan]) -> None:
        """Count the changes and notifications that were committed."""
        for plan in plans:
            issue = plan.change.after
            if plan.change.before is None:
                self.metrics.intake.issues_opened.labels(issue.severity).inc()
            if plan.decision.notify:
                self.metrics.delivery.notifications.labels(plan.decision.reason).inc()
            else:
                self.metrics.delivery.suppressed.labels(plan.decision.reason).inc()


def _publication(change: IssueChange) -> feed_store.IssuePublication:
    return feed_store.IssuePublication(
        issue_id=change.after.id,
        version=change.after.version,
        type=_feed_type(change),
        document=issue_v1.encode(write_issue(change.after)),
    )


def _feed_type(change: IssueChange) -> str:
    """Return the type of the last event of a change; a merge is a resolution with a successor."""
    kinds = {event.kind for event in change.events}
    if IssueEventKind.RESOLVED in kinds and change.after.merged_into is not None:
        return "issue.merged"
    if IssueEventKind.RESOLVED in kinds:
        return "issue.resolved"
    return next((name for kind, name in _FEED_TYPES if kind in kinds), "issue.updated")
