"""Flushes groups that are due: decides what each has to tell, and writes the message in the same transaction.

So nothing is recorded as told that is not on its way, and nothing is on its way twice. A group whose route is gone, or
groups otherwise by now, is given up: its open issues find their way again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.alerts.deliver import delivery_store
from services.alerts.hold import group_store, inhibition_store, wait_store
from services.alerts.hold.grouping import group_key, group_labels
from services.alerts.hold.groups import AlertGroup, FlushPlan, GroupSetting, is_critical, plan_flush
from services.alerts.hold.waits import Wait, WaitKind
from services.alerts.issues.model import Issue
from services.alerts.metrics import DeliveryMetrics
from services.alerts.notify import directory_store, notification_store
from services.alerts.notify.decision import NotificationReason
from services.alerts.notify.group_body import group_type, render_group
from services.alerts.notify.notification_store import GroupNotification
from services.alerts.notify.routing import Lane, RoutingDirectory, find_lane, still_wanting
from services.alerts.policy.tree import routing_facts
from services.runtime.clock import Clock
from services.runtime.postgres.pools import Connection, Pool, transaction

AT_ONCE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupFlusher:
    """Flushes groups; any number of replicas share the work."""

    pool: Pool
    clock: Clock
    new_id: Callable[[], UUID]
    metrics: DeliveryMetrics

    async def flush_due(self) -> int:
        """Flush groups that are due, a bounded number, and return how many there were."""
        now = self.clock.now()
        async with transaction(self.pool) as connection:
            await directory_store.share_policy(connection)
            groups = await group_store.take_due(connection, now, AT_ONCE)
            if not groups:
                return 0
            directory = await directory_store.load_directory(connection)
            messages = await self._flush(connection, groups, directory, now)
            await notification_store.add_groups(
                connection, messages, self.new_id, route_version=directory.version, now=now
            )
            if messages:
                await delivery_store.wake(connection)
        for message in messages:
            self.metrics.notifications.labels(message.reason).inc()
        return len(groups)

    async def _flush(
        self, connection: Connection, groups: Sequence[AlertGroup], directory: RoutingDirectory, now: datetime
    ) -> list[GroupNotification]:
        members = await group_store.members_of(connection, [group.id for group in groups])
        issues = list({issue.id: issue for found in members.values() for issue in found}.values())
        inhibitors = await inhibition_store.inhibitors(connection, issues, directory.inhibit_rules)
        messages = []
        for group in groups:
            lane = find_lane(group.route_id, directory)
            if lane is None or not _still_groups(group, lane, members[group.id]):
                await self._give_up(connection, group, members[group.id], now)
                continue
            setting = GroupSetting(
                options=lane.options,
                policy=directory.policy,
                silences=directory.silences,
                inhibitors=inhibitors,
                taken=frozenset(i.id for i in members[group.id] if not still_wanting(i, lane, directory)),
            )
            plan = plan_flush(group, members[group.id], setting, now)
            message = self._message(group, plan, lane, directory, now)
            await group_store.save_flush(
                connection,
                group,
                plan,
                sequence=group.sequence + (message is not None),
                endpoints=tuple(dict.fromkeys([*group.endpoints, *(message.endpoints if message else ())])),
            )
            messages += [message] if message else []
        return messages

    def _message(
        self, group: AlertGroup, plan: FlushPlan, lane: Lane, directory: RoutingDirectory, now: datetime
    ) -> GroupNotification | None:
        if not plan.reason.tells:
            return None
        before = [endpoint for endpoint in group.endpoints if endpoint in directory.endpoints]
        endpoints = tuple(dict.fromkeys([*before, *lane.endpoints] if plan.firing else before))
        if not endpoints:
            return None
        sequence = group.sequence + 1
        name = lane.route.name if lane.route else ""
        return GroupNotification(
            id=self.new_id(),
            group_id=group.id,
            sequence=sequence,
            type=group_type(plan),
            reason=plan.reason,
            endpoints=endpoints,
            issues=tuple(issue.id for issue in (*plan.firing, *plan.resolved)),
            urgent=any(is_critical(issue) for issue in plan.firing),
            body=render_group(group, plan, route=name, sequence=sequence, now=now),
        )

    async def _give_up(
        self, connection: Connection, group: AlertGroup, members: Sequence[Issue], now: datetime
    ) -> None:
        """Delete a group that the policy does not know any more, and have its open issues find their way again."""
        await group_store.delete(connection, group.id)
        waits = [
            Wait(
                issue_id=issue.id,
                route_id=group.route_id,
                kind=WaitKind.REROUTE,
                reason=NotificationReason.FIRST,
                due_at=now,
                since=now,
            )
            for issue in members
            if issue.unresolved
        ]
        await wait_store.save(connection, waits, ())


def _still_groups(group: AlertGroup, lane: Lane, members: Sequence[Issue]) -> bool:
    """Return whether the route still puts the open members into this group."""
    by = lane.options.group_by or ()
    return lane.options.grouped and all(
        group_key(group_labels(routing_facts(issue).labels, by)) == group.key for issue in members if issue.unresolved
    )
