"""Reads the data of a reachability report: endpoints, routes, their backlogs, and issues nobody was notified of."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec

from services.alerts.issues.json_columns import decode_issue
from services.alerts.issues.model import Issue
from services.alerts.notify.directory_store import DIRECTORY_COLUMNS, read_directory
from services.alerts.notify.reachability import DeliveryBacklog, ReachabilitySurvey, UnheardIssues
from services.runtime.postgres.pools import Connection

_SURVEY = f"""
SELECT {DIRECTORY_COLUMNS},
    coalesce((SELECT json_agg(json_build_object(
                'endpoint_id', endpoint_id, 'count', pending.n, 'since', pending.since, 'given_up', exhausted.n))
                FROM alerts.endpoints e
               CROSS JOIN LATERAL (SELECT count(*) AS n, min(created_at) AS since FROM alerts.deliveries d
                                    WHERE d.endpoint_id = e.endpoint_id AND d.state = 'pending') pending
               CROSS JOIN LATERAL (SELECT count(*) AS n FROM alerts.deliveries d
                                    WHERE d.endpoint_id = e.endpoint_id AND d.state = 'exhausted') exhausted
               WHERE e.deleted_at IS NULL), '[]')::text AS waiting,
    (SELECT count(*) FROM alerts.issues WHERE unheard_since IS NOT NULL) AS unheard,
    (SELECT min(unheard_since) FROM alerts.issues WHERE unheard_since IS NOT NULL) AS unheard_since,
    EXISTS (SELECT FROM alerts.endpoints) AS begun
"""  # noqa: S608  made of the constant above alone


class _BacklogRow(msgspec.Struct, frozen=True, kw_only=True):
    """The backlog of one endpoint in the JSON that PostgreSQL returns."""

    endpoint_id: UUID
    count: int
    since: datetime | None
    given_up: int


async def load_survey(connection: Connection) -> ReachabilitySurvey:
    """Return the survey as it is in this transaction."""
    [row] = await connection.fetch(_SURVEY)
    found = dict(row)
    rows = msgspec.json.decode(found["waiting"], type=list[_BacklogRow])
    return ReachabilitySurvey(
        directory=read_directory(found),
        waiting={
            row.endpoint_id: DeliveryBacklog(count=row.count, since=row.since, given_up=row.given_up) for row in rows
        },
        unheard=UnheardIssues(count=found["unheard"], since=found["unheard_since"]),
        begun=found["begun"],
    )


async def unheard_issues(connection: Connection, limit: int) -> list[UUID]:
    """Return the issues that have waited longest for an endpoint to notify."""
    rows = await connection.fetch(
        "SELECT issue_id FROM alerts.issues WHERE unheard_since IS NOT NULL ORDER BY unheard_since LIMIT $1", limit
    )
    return [row["issue_id"] for row in rows]


async def issues_held_by_silent(
    connection: Connection, dead: Sequence[UUID], living: Sequence[UUID], limit: int
) -> list[Issue]:
    """Return open issues with a delivery that waits for a silent endpoint and none to a working one."""
    rows = await connection.fetch(
        """
        SELECT i.document FROM alerts.issues i
         WHERE i.state = 'open' AND i.snoozed_until IS NULL AND i.issue_id IN (
               SELECT d.issue_id FROM alerts.deliveries d WHERE d.endpoint_id = ANY($1) AND d.state = 'pending')
           AND NOT EXISTS (
               SELECT FROM alerts.deliveries d WHERE d.issue_id = i.issue_id AND d.endpoint_id = ANY($2))
         ORDER BY i.opened_at LIMIT $3
        """,
        *(list(dead), list(living), limit),
    )
    return [decode_issue(row["document"]) for row in rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrphanedDelivery:
    """A delivery to a deleted endpoint; without an `issue_id` it is about the service itself."""

    delivery_id: str
    issue_id: UUID | None


async def orphaned_deliveries(connection: Connection, limit: int) -> list[OrphanedDelivery]:
    """Return pending deliveries to deleted endpoints, which nobody will attempt."""
    rows = await connection.fetch(
        """
        SELECT d.delivery_id, d.issue_id FROM alerts.endpoints e JOIN alerts.deliveries d USING (endpoint_id)
         WHERE e.deleted_at IS NOT NULL AND d.state = 'pending' LIMIT $1
        """,
        limit,
    )
    return [OrphanedDelivery(delivery_id=row["delivery_id"], issue_id=row["issue_id"]) for row in rows]


async def give_up(connection: Connection, delivery_ids: Sequence[str]) -> None:
    """Mark deliveries as exhausted; their rows are kept."""
    await connection.execute(
        """
        UPDATE alerts.deliveries SET state = 'exhausted', lease_until = NULL, lease_owner = NULL
         WHERE delivery_id = ANY($1) AND state = 'pending'
        """,
        list(delivery_ids),
    )
