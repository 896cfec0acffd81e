"""Writes notifications, and a delivery for each endpoint, in the transaction of the change that they tell of.

Leaves claiming and sending them to `deliver`.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

from services.alerts.issues.model import AlertSeverity
from services.alerts.notify.notification import Notification
from services.runtime.postgres import Connection, columns


async def add(
    connection: Connection,
    notifications: Sequence[tuple[Notification, bytes]],
    ids: Mapping[tuple[UUID, UUID], str],
    *,
    route_version: int | None,
) -> None:
    """Write notifications with their bodies, and one delivery for each endpoint, due at once.

    `ids` holds the webhook-id by notification and endpoint.
    """
    await connection.execute(
        """
        INSERT INTO alerts.notifications (
            notification_id, issue_id, sequence, type, reason, route_version, body, revised_at, created_at)
        SELECT id, issue_id, sequence, type, reason, $9, body, revised_at, created_at
          FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::bytea[], $7::timestamptz[],
                      $8::timestamptz[]) AS n (id, issue_id, sequence, type, reason, body, revised_at, created_at)
        """,
        *columns(
            (n.id, n.issue.id, n.sequence, n.type, n.reason, body, n.revised_at, n.created_at)
            for n, body in notifications
        ),
        route_version,
    )
    await connection.execute(
        """
        INSERT INTO alerts.deliveries (
            delivery_id, notification_id, endpoint_id, issue_id, sequence, state, next_at, created_at, urgent)
        SELECT id, notification_id, endpoint_id, issue_id, sequence, 'pending', created_at, created_at, urgent
          FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::uuid[], $5::bigint[], $6::timestamptz[], $7::boolean[])
               AS d (id, notification_id, endpoint_id, issue_id, sequence, created_at, urgent)
        """,
        *columns(
            (ids[n.id, endpoint], n.id, endpoint, n.issue.id, n.sequence, n.created_at, _is_urgent(n))
            for n, _ in notifications
            for endpoint in n.endpoints
        ),
    )
    await _hurry(connection, [n.issue.id for n, _ in notifications if _is_urgent(n) and n.sequence > 1])


def _is_urgent(notification: Notification) -> bool:
    return notification.issue.loud_severity is AlertSeverity.CRITICAL


async def _hurry(connection: Connection, issues: Sequence[UUID]) -> None:
    """Make urgent what stands before something urgent: an issue's messages keep their order."""
    if issues:
        await connection.execute(
            "UPDATE alerts.deliveries SET urgent = true WHERE issue_id = ANY($1) AND state = 'pending' AND NOT urgent",
            list(issues),
        )
