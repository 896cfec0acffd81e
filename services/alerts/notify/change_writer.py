"""From changes to rows: issues, audit, live feed, topic outbox, notifications, deliveries; in the caller's transaction.

Intake and people's actions both end here, so nothing can change an issue without its audit and its messages.
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
from services.alerts.metrics import Metrics
from services.alerts.notify import directory_store, notification_store
from services.alerts.notify.decision import NotificationReason
from services.alerts.notify.notification import Notification, NotificationPlan, plan_notification
from services.alerts.notify.webhook_body import render_webhook
from services.runtime.postgres import Connection

_FEED_TYPES = (
    (IssueEventKind.OPENED, "issue.opened"),
    (IssueEventKind.REOPENED, "issue.reopened"),
    (IssueEventKind.RESOLVED, "issue.resolved"),
    (IssueEventKind.ACKNOWLEDGED, "issue.acknowledged"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeWriter:
    """Writes changes of issues with all that follows from them."""

    notify_on: Collection[NotificationReason]
    public_url: str
    new_id: Callable[[], UUID]
    metrics: Metrics

    async def write(
        self, connection: Connection, changes: Sequence[IssueChange], now: datetime
    ) -> list[NotificationPlan]:
        """Decide who is told, write everything, and return the decisions; `count` them once committed."""
        if not changes:
            return []
        whom = await directory_store.load_directory(connection)
        announcements = [
            plan_notification(change, whom, now=now, notify_on=self.notify_on, new_id=self.new_id) for change in changes
        ]
        await issue_store.save_changes(connection, [a.change for a in announcements])
        publications = [_publication(a.change) for a in announcements]
        await feed_store.add(connection, publications, now)
        told = [(a.notification, p.document) for a, p in zip(announcements, publications, strict=True)]
        await self._deliver(connection, [(n, document) for n, document in told if n is not None], whom.version)
        return announcements

    async def _deliver(
        self, connection: Connection, told: Sequence[tuple[Notification, bytes]], route_version: int | None
    ) -> None:
        """Write notifications, each with its issue as it was published."""
        if not told:
            return
        bodies = [(n, render_webhook(n, public_url=self.public_url, document=document)) for n, document in told]
        ids = {(n.id, endpoint): delivery_store.delivery_id(self.new_id()) for n, _ in told for endpoint in n.endpoints}
        await notification_store.add(connection, bodies, ids, route_version=route_version)
        await delivery_store.wake(connection)

    def count(self, announcements: Sequence[NotificationPlan]) -> None:
        """Count what was committed."""
        for announcement in announcements:
            issue = announcement.change.after
            if announcement.change.before is None:
                self.metrics.intake.issues_opened.labels(issue.severity).inc()
            if announcement.decision.tell:
                self.metrics.delivery.notifications.labels(announcement.decision.reason).inc()
            else:
                self.metrics.delivery.suppressed.labels(announcement.decision.reason).inc()


def _publication(change: IssueChange) -> feed_store.IssuePublication:
    return feed_store.IssuePublication(
        issue_id=change.after.id,
        version=change.after.version,
        type=_feed_type(change),
        document=issue_v1.encode(write_issue(change.after)),
    )


def _feed_type(change: IssueChange) -> str:
    """The last turn that the change took; a merge is a resolution with a successor."""
    kinds = {event.kind for event in change.events}
    if IssueEventKind.RESOLVED in kinds and change.after.merged_into is not None:
        return "issue.merged"
    if IssueEventKind.RESOLVED in kinds:
        return "issue.resolved"
    return next((name for kind, name in _FEED_TYPES if kind in kinds), "issue.updated")
