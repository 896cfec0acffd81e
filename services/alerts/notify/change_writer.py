"""Writes changes of issues in the caller's transaction: issues, audit, feed, outbox, notifications, deliveries, waits.

Both `consume` and `inbox` write through this module, so no issue changes without its audit and its notifications.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from schemas.documents import issue as issue_v1
from services.alerts.deliver import delivery_store
from services.alerts.hold import escalation_store, group_store, inhibition_store, silence_store, wait_store
from services.alerts.issues import issue_store
from services.alerts.issues.contract import write_issue
from services.alerts.issues.model import Issue, IssueChange, IssueEventKind, IssueState
from services.alerts.live import feed_store
from services.alerts.live.feed_filter import IssueAspects, aspects_text
from services.alerts.metrics import AlertsMetrics
from services.alerts.notify import directory_store, notification_store
from services.alerts.notify.decision import NotificationReason
from services.alerts.notify.holding import StandingFacts, escalation_moves
from services.alerts.notify.notification import Notification, NotificationPlan, plan_escalation, plan_notification
from services.alerts.notify.routing import RoutingDirectory
from services.alerts.notify.webhook_body import render_webhook
from services.alerts.priority.ranking import kept_promises, prioritised
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
        await directory_store.share_policy(connection)
        directory = await directory_store.load_directory(connection)
        changes = [prioritised(change, directory.levels, now) for change in changes]
        plans = await self._plan(connection, changes, directory, now)
        await self._save(connection, plans, directory, now)
        return plans

    async def look_again(self, connection: Connection, issue: Issue, now: datetime) -> list[NotificationPlan]:
        """Look at a locked issue whose wait may be due, and notify if nothing holds it; pass the result to `count`.

        The issue changes only if people are notified, or if that fails in a new way.
        """
        await directory_store.share_policy(connection)
        directory = await directory_store.load_directory(connection)
        change = IssueChange(before=issue, after=replace(issue, version=issue.version + 1, updated_at=now), events=())
        plans = await self._plan(connection, [prioritised(change, directory.levels, now)], directory, now)
        after = plans[0].change.after
        if plans[0].notification is not None or after.unheard_since != issue.unheard_since:
            await self._save(connection, plans, directory, now)
            return plans
        await self._hold(connection, plans, now)
        return []

    async def escalate(self, connection: Connection, issue: Issue, now: datetime) -> list[NotificationPlan]:
        """Take the steps of a locked issue's escalations that are due; pass the result to `count`."""
        await directory_store.share_policy(connection)
        due = [one for one in await escalation_store.of_issue(connection, issue.id) if one.due_at <= now]
        if issue.state is not IssueState.OPEN:
            await escalation_store.end(connection, [issue.id])
            return []
        directory = await directory_store.load_directory(connection)
        inhibitors = await inhibition_store.inhibitors(connection, [issue], directory.inhibit_rules)
        moves = escalation_moves(issue, due, directory, inhibitors.get(issue.id), now)
        for progress, move in zip(due, moves, strict=True):
            if move.after is None:
                await escalation_store.end_one(connection, progress)
            else:
                await escalation_store.save(connection, move.after)
        endpoints = tuple(dict.fromkeys(endpoint for move in moves for endpoint in move.endpoints))
        plan = plan_escalation(issue, endpoints, now=now, notify_on=self.notify_on, new_id=self.new_id)
        if plan is None:
            return []
        await self._save(connection, [plan], directory, now)
        return [plan]

    async def _plan(
        self, connection: Connection, changes: Sequence[IssueChange], directory: RoutingDirectory, now: datetime
    ) -> list[NotificationPlan]:
        """Write what the changes inhibit, release what they inhibit no more, and plan every notification."""
        issues = [change.after for change in changes]
        rules = directory.inhibit_rules
        if rules:
            freed = await inhibition_store.update(connection, issues, rules)
            await wait_store.release(connection, freed, now)
        inhibitors = await inhibition_store.inhibitors(connection, issues, rules)
        known = [change.after.id for change in changes if change.before is not None]
        waits = await wait_store.of_issues(connection, known)
        groups = await group_store.memberships(connection, known)
        # whoever reopens an issue joins its group anew: a flush may just be letting the issue go
        lasting = {c.after.id for c in changes if c.before is not None and c.before.unresolved}
        return [
            plan_notification(
                change,
                directory,
                now=now,
                notify_on=self.notify_on,
                new_id=self.new_id,
                standing=StandingFacts(
                    waits=tuple(waits.get(change.after.id, ())),
                    groups={key[1:]: group for key, group in groups.items() if key[0] == change.after.id}
                    if change.after.id in lasting
                    else {},
                    inhibitor=inhibitors.get(change.after.id),
                ),
            )
            for change in changes
        ]

    async def _save(
        self, connection: Connection, plans: Sequence[NotificationPlan], directory: RoutingDirectory, now: datetime
    ) -> None:
        await issue_store.save_changes(connection, [plan.change for plan in plans])
        publications = [_publication(plan.change) for plan in plans]
        await feed_store.add(connection, publications, now)
        resolved = [plan.change.after.id for plan in plans if not plan.change.after.unresolved]
        await silence_store.end_with_issues(connection, resolved, now)
        taken = [p.change.after.id for p in plans if p.change.before and p.change.after.state is not IssueState.OPEN]
        await escalation_store.end(connection, taken)
        await self._hold(connection, plans, now)
        if bodies := self._bodies(plans, publications):
            await notification_store.add(connection, bodies, self.new_id, route_version=directory.version)
            await delivery_store.wake(connection)

    async def _hold(self, connection: Connection, plans: Sequence[NotificationPlan], now: datetime) -> None:
        """Write what waits, what waits no more, and the groups that issues join and leave."""
        waits = [wait for plan in plans for wait in plan.holding.waits]
        kept = {(wait.issue_id, wait.route_id) for wait in waits}
        ended = {(plan.change.after.id, route_id) for plan in plans for route_id in plan.holding.ended} - kept
        await wait_store.save(connection, waits, ended)
        await group_store.join(connection, [one for plan in plans for one in plan.holding.joins], self.new_id, now)
        await group_store.leave(
            connection, [(group, plan.change.after.id) for plan in plans for group in plan.holding.leaves]
        )
        await escalation_store.end_on(
            connection, [(plan.change.after.id, route) for plan in plans for route in plan.holding.taken]
        )
        begun = [one for plan in plans for one in plan.holding.escalations]
        await escalation_store.begin(connection, begun)
        if waits or begun or any(plan.holding.joins for plan in plans):
            await wait_store.wake(connection)

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
            for target, level, met in kept_promises(plan.change):
                self.metrics.promises.service_targets.labels(target, level, "yes" if met else "no").inc()
            if plan.change.before is None:
                self.metrics.intake.issues_opened.labels(issue.severity).inc()
            if plan.decision.notify:
                self.metrics.delivery.notifications.labels(plan.decision.reason).inc()
                if plan.caught:
                    self.metrics.delivery.caught.inc()
            else:
                self.metrics.delivery.suppressed.labels(plan.decision.reason).inc()


def _publication(change: IssueChange) -> feed_store.IssuePublication:
    return feed_store.IssuePublication(
        issue_id=change.after.id,
        version=change.after.version,
        type=_feed_type(change),
        document=issue_v1.encode(write_issue(change.after)),
        was=_aspects(change.before) if change.before is not None else None,
    )


def _aspects(issue: Issue) -> str:
    names = {share.name for share in issue.teams} | ({issue.team} if issue.team is not None else set())
    return aspects_text(IssueAspects(severity=issue.severity, teams=frozenset(names), owner=issue.owner))


def _feed_type(change: IssueChange) -> str:
    """Return the type of the last event of a change; a merge is a resolution with a successor."""
    kinds = {event.kind for event in change.events}
    if IssueEventKind.RESOLVED in kinds and change.after.merged_into is not None:
        return "issue.merged"
    if IssueEventKind.RESOLVED in kinds:
        return "issue.resolved"
    return next((name for kind, name in _FEED_TYPES if kind in kinds), "issue.updated")
