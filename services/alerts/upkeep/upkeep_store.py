"""Bounded deletions that keep the tables small, and the figures of the gauges. The caller repeats deletions."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.alerts.deliver.delivery_store import FIRST_OF_ITS_ISSUE
from services.runtime.postgres.pools import Connection

ATTEMPTS = """
DELETE FROM alerts.attempts WHERE ctid = ANY (ARRAY(
    SELECT a.ctid FROM alerts.attempts a JOIN alerts.deliveries d USING (delivery_id)
     WHERE a.at < $1 AND d.state <> 'pending' LIMIT $2))
"""
DELIVERIES = """
DELETE FROM alerts.deliveries WHERE delivery_id IN (
    SELECT d.delivery_id FROM alerts.deliveries d
     WHERE d.state IN ('delivered', 'superseded') AND coalesce(d.delivered_at, d.created_at) < $1
       AND NOT EXISTS (SELECT FROM alerts.attempts a WHERE a.delivery_id = d.delivery_id) LIMIT $2)
"""
NOTIFICATIONS = """
DELETE FROM alerts.notifications WHERE notification_id IN (
    SELECT n.notification_id FROM alerts.notifications n
     WHERE n.created_at < $1
       AND NOT EXISTS (SELECT FROM alerts.deliveries d WHERE d.notification_id = n.notification_id) LIMIT $2)
"""
OUTBOX = """
DELETE FROM alerts.issue_outbox WHERE id IN (
    SELECT o.id FROM alerts.issue_outbox o
     WHERE o.published_at < $1
       AND EXISTS (SELECT FROM alerts.issue_outbox n WHERE n.issue_id = o.issue_id AND n.version > o.version) LIMIT $2)
"""
FRICTION_COUNTS = """
DELETE FROM alerts.friction_counts WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM alerts.friction_counts WHERE minute < $1 LIMIT $2))
"""
JOURNEYS = """
DELETE FROM alerts.journeys WHERE journey_id IN (
    SELECT j.journey_id FROM alerts.journeys j
     WHERE j.updated_at < $1
       AND NOT EXISTS (SELECT FROM alerts.issues i WHERE i.journey_id = j.journey_id AND i.state <> 'resolved')
       AND NOT EXISTS (SELECT FROM alerts.journeys m WHERE m.merged_into = j.journey_id) LIMIT $2)
"""
"""Journeys that no open issue is on. A later friction finds its journey again: both are published together."""


_DELIVERIES_NOT_DONE = f"""
SELECT CASE WHEN NOT e.enabled THEN 'parked'
            WHEN d.lease_until > $1 THEN 'in_flight'
            WHEN d.next_at > $1 OR e.paused_until > $1 THEN 'scheduled'
            WHEN {FIRST_OF_ITS_ISSUE} THEN 'due'
            ELSE 'scheduled' END AS state, count(*) AS n, min(d.next_at) AS oldest
  FROM alerts.deliveries d JOIN alerts.endpoints e USING (endpoint_id)
 WHERE d.state = 'pending' AND e.deleted_at IS NULL GROUP BY 1
 UNION ALL
SELECT 'exhausted', count(*), NULL
  FROM alerts.deliveries d JOIN alerts.endpoints e USING (endpoint_id)
 WHERE d.state = 'exhausted' AND e.deleted_at IS NULL
"""  # noqa: S608  made of a constant of ours alone


async def prune(connection: Connection, statement: str, before: datetime, limit: int) -> int:
    """Run one of the deletions above and return how many rows it deleted."""
    status = await connection.execute(statement, before, limit)
    return int(status.rpartition(" ")[2])


@dataclass(frozen=True, slots=True, kw_only=True)
class GaugeFigures:
    """The figures that the gauges show."""

    issues: Mapping[tuple[str, str], int]
    oldest_open: Mapping[str, datetime]
    deliveries: Mapping[str, int]
    oldest_due: datetime | None
    endpoints: Mapping[str, int]
    unpublished: int


async def figures(connection: Connection, now: datetime) -> GaugeFigures:
    """Count the figures that the gauges show."""
    issues = await connection.fetch(
        """
        SELECT state, severity, count(*) AS n, min(opened_at) AS oldest FROM alerts.issues
         WHERE state <> 'resolved' GROUP BY state, severity
        """
    )
    deliveries = await connection.fetch(_DELIVERIES_NOT_DONE, now)
    endpoints = await connection.fetch(
        """
        SELECT CASE WHEN NOT enabled THEN 'disabled' WHEN paused_until > $1 THEN 'paused' ELSE 'active' END AS state,
               count(*) AS n FROM alerts.endpoints WHERE deleted_at IS NULL GROUP BY 1
        """,
        now,
    )
    return GaugeFigures(
        issues={(row["state"], row["severity"]): row["n"] for row in issues},
        oldest_open={row["severity"]: row["oldest"] for row in issues if row["state"] == "open"},
        deliveries={row["state"]: row["n"] for row in deliveries},
        oldest_due=next((row["oldest"] for row in deliveries if row["state"] == "due"), None),
        endpoints={row["state"]: row["n"] for row in endpoints},
        unpublished=await connection.fetchval("SELECT count(*) FROM alerts.issue_outbox WHERE published_at IS NULL"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldFigures:
    """What waits, by kind; the silences that are not over, by state; and the escalations under way."""

    waiting: Mapping[str, int]
    silences: Mapping[str, int]
    escalations: int


async def held_figures(connection: Connection, now: datetime) -> HeldFigures:
    """Count what is held on its way to people."""
    waiting = await connection.fetch("SELECT kind, count(*) AS n FROM alerts.waits GROUP BY kind")
    silences = await connection.fetch(
        """
        SELECT CASE WHEN starts_at > $1 THEN 'pending' ELSE 'active' END AS state, count(*) AS n
          FROM alerts.silences WHERE NOT over AND ends_at > $1 GROUP BY 1
        """,
        now,
    )
    return HeldFigures(
        waiting={row["kind"]: row["n"] for row in waiting},
        silences={row["state"]: row["n"] for row in silences},
        escalations=await connection.fetchval("SELECT count(*) FROM alerts.escalations"),
    )


async def ended_snoozes(connection: Connection, now: datetime, limit: int) -> list[UUID]:
    """Return the issues whose snooze is over."""
    rows = await connection.fetch(
        "SELECT issue_id FROM alerts.issues WHERE snoozed_until <= $1 ORDER BY snoozed_until LIMIT $2", now, limit
    )
    return [row["issue_id"] for row in rows]


async def due_priorities(connection: Connection, now: datetime, limit: int) -> list[UUID]:
    """Return the open issues whose priority has reached its next step."""
    rows = await connection.fetch(
        """
        SELECT issue_id FROM alerts.issues WHERE priority_next_s <= $1 AND state <> 'resolved'
         ORDER BY priority_next_s LIMIT $2
        """,
        *(int(now.timestamp()), limit),
    )
    return [row["issue_id"] for row in rows]
