"""Reads deliveries for people: those of an issue, those of an endpoint, and the attempts of a single one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.runtime.postgres.pools import Connection, Row

DELIVERIES_SHOWN = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryPageStart:
    """The delivery behind which a page of the list begins."""

    at: datetime
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRow:
    """One attempt of a delivery; `excerpt` is the receiver's own text and not to be trusted."""

    attempt: int
    at: datetime
    outcome: str
    reason: str
    status: int | None
    seconds: float
    excerpt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRow:
    """One notification for one endpoint, with its state."""

    id: str
    issue_id: UUID | None
    endpoint_id: UUID
    endpoint: str
    type: str
    reason: str
    sequence: int
    state: str
    attempts: int
    next_at: datetime | None
    created_at: datetime
    delivered_at: datetime | None


_DELIVERY = """
SELECT d.*, n.type, n.reason, n.group_id, e.name AS endpoint
  FROM alerts.deliveries d
  JOIN alerts.notifications n USING (notification_id)
  JOIN alerts.endpoints e USING (endpoint_id)
"""


_OF_ISSUE = f"""{_DELIVERY}
 WHERE d.issue_id = $1 OR d.notification_id = ANY(ARRAY(
       SELECT notification_id FROM alerts.notification_issues WHERE issue_id = $1))
 ORDER BY d.created_at DESC, d.sequence DESC, d.delivery_id LIMIT $2
"""  # noqa: S608  made of the constant above alone


async def deliveries_of_issue(connection: Connection, issue_id: UUID) -> list[DeliveryRow]:
    """Return the deliveries about an issue or a group that it was in, the latest first."""
    rows = await connection.fetch(_OF_ISSUE, issue_id, DELIVERIES_SHOWN)
    return [_delivery(row) for row in rows]


_COUNTS = """
WITH told AS (
    SELECT issue_id, delivery_id, state FROM alerts.deliveries WHERE issue_id = ANY($1)
    UNION
    SELECT g.issue_id, d.delivery_id, d.state
      FROM alerts.notification_issues g JOIN alerts.deliveries d USING (notification_id) WHERE g.issue_id = ANY($1)
)
SELECT issue_id, state, count(*) AS n FROM told GROUP BY issue_id, state
"""


async def counts_of_issues(connection: Connection, issues: Sequence[UUID]) -> dict[UUID, dict[str, int]]:
    """Return how many deliveries about each of these issues are in each state; issues without any are left out."""
    counts: dict[UUID, dict[str, int]] = {}
    for row in await connection.fetch(_COUNTS, issues) if issues else ():
        counts.setdefault(row["issue_id"], {})[row["state"]] = row["n"]
    return counts


async def deliveries_of_endpoint(
    connection: Connection, endpoint_id: UUID, state: str | None, behind: DeliveryPageStart | None, limit: int
) -> list[DeliveryRow]:
    """Return a page of the deliveries to an endpoint, the latest first."""
    rows = await connection.fetch(
        _DELIVERY
        + """
         WHERE d.endpoint_id = $1 AND ($2::text IS NULL OR d.state = $2)
           AND ($3::timestamptz IS NULL OR (d.created_at, d.delivery_id) < ($3, $4))
         ORDER BY d.created_at DESC, d.delivery_id DESC LIMIT $5
        """,
        *(endpoint_id, state, behind.at if behind else None, behind.id if behind else None, limit),
    )
    return [_delivery(row) for row in rows]


async def delivery(connection: Connection, webhook_id: str) -> tuple[DeliveryRow, str, list[AttemptRow]] | None:
    """Return one delivery with its body and its attempts, or None if there is none."""
    row = await connection.fetchrow(_DELIVERY + " WHERE d.delivery_id = $1", webhook_id)
    if row is None:
        return None
    body: bytes = await connection.fetchval(
        "SELECT body FROM alerts.notifications WHERE notification_id = $1", row["notification_id"]
    )
    attempts = await connection.fetch(
        "SELECT * FROM alerts.attempts WHERE delivery_id = $1 ORDER BY attempt", webhook_id
    )
    return _delivery(row), body.decode(), [_attempt(attempt) for attempt in attempts]


def _delivery(row: Row) -> DeliveryRow:
    return DeliveryRow(
        id=row["delivery_id"],
        issue_id=None if row["group_id"] is not None else row["issue_id"],
        endpoint_id=row["endpoint_id"],
        endpoint=row["endpoint"],
        type=row["type"],
        reason=row["reason"],
        sequence=row["sequence"],
        state=row["state"],
        attempts=row["attempt"],
        next_at=row["next_at"] if row["state"] == "pending" else None,
        created_at=row["created_at"],
        delivered_at=row["delivered_at"],
    )


def _attempt(row: Row) -> AttemptRow:
    return AttemptRow(
        attempt=row["attempt"],
        at=row["at"],
        outcome=row["outcome"],
        reason=row["reason"],
        status=row["status"],
        seconds=row["seconds"],
        excerpt=row["excerpt"],
    )
