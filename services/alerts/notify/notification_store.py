"""Writes notifications and one delivery per endpoint, in the transaction of the change that caused them.

Leasing and sending deliveries is left to `deliver`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.alerts.deliver import delivery_store
from services.alerts.issues.model import AlertSeverity
from services.alerts.notify.notification import Notification
from services.runtime.postgres.pools import Connection, columns


async def add(
    connection: Connection,
    notifications: Sequence[tuple[Notification, bytes]],
    new_id: Callable[[], UUID],
    *,
    route_version: int | None,
) -> None:
    """Write notifications with their bodies, and one delivery per endpoint that is due at once."""
    await connection.execute(
        """
        INSERT INTO alerts.notifications (
            notification_id, issue_id, sequence, type, reason, route_version, body, revised_at, created_at, traceparent)
        SELECT id, issue_id, sequence, type, reason, $10, body, revised_at, created_at, trace
          FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::bytea[], $7::timestamptz[],
                      $8::timestamptz[], $9::text[])
               AS n (id, issue_id, sequence, type, reason, body, revised_at, created_at, trace)
        """,
        *columns(
            (n.id, n.issue.id, n.sequence, n.type, n.reason, body, n.revised_at, n.created_at, n.trace)
            for n, body in notifications
        ),
        route_version,
    )
    deliveries = [
        (delivery_store.delivery_id(new_id()), n.id, endpoint, n.issue.id, n.sequence, n.created_at, _is_urgent(n))
        for n, _ in notifications
        for endpoint in n.endpoints
    ]
    await connection.execute(
        """
        INSERT INTO alerts.deliveries (
            delivery_id, notification_id, endpoint_id, issue_id, sequence, state, next_at, created_at, urgent)
        SELECT id, notification_id, endpoint_id, issue_id, sequence, 'pending', created_at, created_at, urgent
          FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::uuid[], $5::bigint[], $6::timestamptz[], $7::boolean[])
               AS d (id, notification_id, endpoint_id, issue_id, sequence, created_at, urgent)
        """,
        *columns(deliveries),
    )
    newer = [(endpoint, issue, sequence, key) for key, _, endpoint, issue, sequence, _, _ in deliveries if sequence > 1]
    await delivery_store.supersede_older(connection, newer, notifications[0][0].created_at)
    await _make_urgent(connection, [n.issue.id for n, _ in notifications if _is_urgent(n) and n.sequence > 1])


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupNotification:
    """One message about a group to some endpoints; deliveries keep the order of the group's messages."""

    id: UUID
    group_id: UUID
    sequence: int
    type: str
    reason: str
    endpoints: tuple[UUID, ...]
    issues: tuple[UUID, ...]
    urgent: bool
    body: bytes


async def add_groups(
    connection: Connection,
    messages: Sequence[GroupNotification],
    new_id: Callable[[], UUID],
    *,
    route_version: int | None,
    now: datetime,
) -> None:
    """Write messages about groups, which issues each tells of, and one delivery per endpoint that is due at once."""
    if not messages:
        return
    await connection.execute(
        """
        INSERT INTO alerts.notifications (
            notification_id, group_id, sequence, type, reason, route_version, body, created_at)
        SELECT id, group_id, sequence, type, reason, $7, body, $8
          FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::bytea[])
               AS n (id, group_id, sequence, type, reason, body)
        """,
        *columns((m.id, m.group_id, m.sequence, m.type, m.reason, m.body) for m in messages),
        *(route_version, now),
    )
    await connection.execute(
        """
        INSERT INTO alerts.notification_issues (notification_id, issue_id)
        SELECT * FROM unnest($1::uuid[], $2::uuid[])
        """,
        *columns((m.id, issue) for m in messages for issue in m.issues),
    )
    await connection.execute(
        """
        INSERT INTO alerts.deliveries (
            delivery_id, notification_id, endpoint_id, issue_id, sequence, state, next_at, created_at, urgent)
        SELECT id, notification_id, endpoint_id, group_id, sequence, 'pending', $7, $7, urgent
          FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::uuid[], $5::bigint[], $6::boolean[])
               AS d (id, notification_id, endpoint_id, group_id, sequence, urgent)
        """,
        *columns(
            (delivery_store.delivery_id(new_id()), m.id, endpoint, m.group_id, m.sequence, m.urgent)
            for m in messages
            for endpoint in m.endpoints
        ),
        now,
    )


def _is_urgent(notification: Notification) -> bool:
    return notification.issue.loud_severity is AlertSeverity.CRITICAL


async def _make_urgent(connection: Connection, issues: Sequence[UUID]) -> None:
    """Make the pending deliveries of these issues urgent: the messages about an issue keep their order."""
    if issues:
        await connection.execute(
            "UPDATE alerts.deliveries SET urgent = true WHERE issue_id = ANY($1) AND state = 'pending' AND NOT urgent",
            list(issues),
        )
