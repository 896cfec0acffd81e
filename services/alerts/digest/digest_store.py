"""Digests as the database keeps them: who gets them, which were sent, and what a day's digest is made of."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from services.alerts.digest.daily_digest import (
    HARDEST,
    DailyDigest,
    DigestCounts,
    DigestSubscription,
    bounds_of,
    draw,
)
from services.alerts.inbox.attainment import attainment
from services.alerts.issues.json_columns import decode_issue
from services.alerts.issues.model import Issue
from services.runtime.postgres.pools import Connection, Row

_OF_DAY = """
       i.last_at >= $1 AND (i.document ->> 'first_at')::timestamptz < $2 AND i.customer_id <> '' AND i.count > 0
   AND i.document ->> 'loud_severity' IS NOT NULL AND ($3::text IS NULL OR i.document ->> 'team' = $3)
"""


async def list_subscriptions(connection: Connection) -> list[DigestSubscription]:
    """Return who gets a digest, of endpoints that are not deleted."""
    rows = await connection.fetch(
        """
        SELECT d.* FROM alerts.digests d JOIN alerts.endpoints e USING (endpoint_id)
         WHERE e.deleted_at IS NULL AND e.enabled ORDER BY d.endpoint_id
        """
    )
    return [_subscription(row) for row in rows]


def _subscription(row: Row) -> DigestSubscription:
    return DigestSubscription(
        endpoint_id=row["endpoint_id"], team=row["team"], minute=row["minute"], time_zone=row["time_zone"]
    )


async def save_subscription(connection: Connection, subscription: DigestSubscription, now: datetime) -> None:
    """Write who gets a digest; an endpoint gets one at most."""
    await connection.execute(
        """
        INSERT INTO alerts.digests (endpoint_id, team, minute, time_zone, created_at) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (endpoint_id) DO UPDATE SET
            team = excluded.team, minute = excluded.minute, time_zone = excluded.time_zone
        """,
        *(subscription.endpoint_id, subscription.team, subscription.minute, subscription.time_zone, now),
    )


async def remove_subscription(connection: Connection, endpoint_id: UUID) -> bool:
    """Delete a subscription; return whether there was one."""
    return await connection.execute("DELETE FROM alerts.digests WHERE endpoint_id = $1", endpoint_id) == "DELETE 1"


async def claim_day(connection: Connection, endpoint_id: UUID, day: date, now: datetime) -> bool:
    """Record that a digest is sent; return false if that is recorded already. Whoever else tries meanwhile waits."""
    status = await connection.execute(
        "INSERT INTO alerts.sent_digests (endpoint_id, day, sent_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        *(endpoint_id, day, now),
    )
    return status == "INSERT 0 1"


async def was_sent(connection: Connection, endpoint_id: UUID, day: date) -> bool:
    """Return whether the digest of a day is recorded as sent."""
    query = "SELECT EXISTS (SELECT FROM alerts.sent_digests WHERE endpoint_id = $1 AND day = $2)"
    return bool(await connection.fetchval(query, endpoint_id, day))


async def make_digest(
    connection: Connection, *, day: date, team: str | None, time_zone: str, now: datetime
) -> DailyDigest:
    """Return what a local day was like for a team, or for all with None; replays are left out."""
    start, end = bounds_of(day, time_zone)
    hardest = await connection.fetch(
        f"""
        SELECT document FROM alerts.issues i WHERE {_OF_DAY}
         ORDER BY (document #>> '{{journey,effort}}')::float8 DESC NULLS LAST, last_at DESC, issue_id LIMIT $4
        """,  # noqa: S608  made of a constant of ours alone
        *(start, end, team, HARDEST),
    )
    ids = await connection.fetch(f"SELECT issue_id FROM alerts.issues i WHERE {_OF_DAY}", start, end, team)  # noqa: S608  made of a constant of ours alone
    outbreaks = await connection.fetch(
        """
        SELECT i.document
          FROM (SELECT outbreak_id, min(opened_at) AS opened_at FROM alerts.outbreaks
                 WHERE opened_at < $2 AND coalesce(over_at, $2) >= $1 GROUP BY outbreak_id) AS o
          JOIN alerts.issues i ON i.issue_id = o.outbreak_id
         WHERE $3::text IS NULL OR i.document ->> 'team' = $3 ORDER BY o.opened_at, i.issue_id LIMIT 10
        """,
        *(start, end, team),
    )
    return DailyDigest(
        day=day,
        team=team,
        counts=await _counts(connection, start, end, team),
        hardest=_issues(hardest),
        drawn=await _drawn(connection, draw(day, [row["issue_id"] for row in ids])),
        outbreaks=_issues(outbreaks),
        levels=() if team else tuple(await attainment(connection, since=start, now=now)),
    )


def _issues(rows: Sequence[Row]) -> tuple[Issue, ...]:
    return tuple(decode_issue(row["document"]) for row in rows)


async def _drawn(connection: Connection, ids: list[UUID]) -> tuple[Issue, ...]:
    rows = await connection.fetch(
        """
        SELECT i.document FROM unnest($1::uuid[]) WITH ORDINALITY AS d (issue_id, place)
          JOIN alerts.issues i USING (issue_id) ORDER BY place
        """,
        ids,
    )
    return _issues(rows)


async def _counts(connection: Connection, start: datetime, end: datetime, team: str | None) -> DigestCounts:
    [row] = await connection.fetch(
        """
        SELECT count(*) FILTER (WHERE opened_at >= $1 AND opened_at < $2)::int AS opened,
               count(*) FILTER (WHERE resolved_at >= $1 AND resolved_at < $2)::int AS resolved,
               count(*) FILTER (WHERE opened_at < $2 AND (resolved_at IS NULL OR resolved_at >= $2))::int AS unresolved,
               count(DISTINCT customer_id) FILTER (
                   WHERE last_at >= $1 AND (document ->> 'first_at')::timestamptz < $2)::int AS customers,
               (SELECT count(*)::int FROM alerts.watches w
                 WHERE w.state = 'recontacted' AND ($3::text IS NULL OR w.team = $3)
                   AND (w.document #>> '{recontact,at}')::timestamptz >= $1
                   AND (w.document #>> '{recontact,at}')::timestamptz < $2) AS recontacted
          FROM alerts.issues
         WHERE customer_id <> '' AND document ->> 'loud_severity' IS NOT NULL
           AND ($3::text IS NULL OR document ->> 'team' = $3)
           AND (opened_at >= $1 OR last_at >= $1 OR resolved_at IS NULL OR resolved_at >= $1)
        """,
        *(start, end, team),
    )
    return DigestCounts(**dict(row))
