"""Waits as the database keeps them; whoever writes one has locked its issue."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from services.alerts.hold.waits import Wait, WaitKind
from services.runtime.postgres.pools import Connection, Row, columns

WAKE = "alerts_waits"
"""LISTEN channel: something waits. A message can be lost, so the loop also polls."""


async def of_issues(connection: Connection, issues: Sequence[UUID]) -> dict[UUID, list[Wait]]:
    """Return the waits of these issues."""
    found: dict[UUID, list[Wait]] = {}
    if not issues:
        return found
    rows = await connection.fetch("SELECT * FROM alerts.waits WHERE issue_id = ANY($1) ORDER BY route_id", list(issues))
    for row in rows:
        found.setdefault(row["issue_id"], []).append(_wait(row))
    return found


def _wait(row: Row) -> Wait:
    return Wait(
        issue_id=row["issue_id"],
        route_id=row["route_id"],
        kind=WaitKind(row["kind"]),
        reason=row["reason"],
        due_at=row["due_at"],
        since=row["since"],
        blocker=row["blocker"],
        repeats=row["repeats"],
    )


async def save(connection: Connection, waits: Sequence[Wait], ended: Iterable[tuple[UUID, UUID]]) -> None:
    """Write `waits`, each in place of the one on its route, and delete those of the pairs of issue and route."""
    if gone := list(ended):
        await connection.execute(
            """
            DELETE FROM alerts.waits w USING unnest($1::uuid[], $2::uuid[]) AS g (issue_id, route_id)
             WHERE w.issue_id = g.issue_id AND w.route_id = g.route_id
            """,
            *columns(gone),
        )
    if not waits:
        return
    await connection.execute(
        """
        INSERT INTO alerts.waits (issue_id, route_id, kind, reason, due_at, since, blocker, repeats)
        SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[],
                             $7::text[], $8::int[])
        ON CONFLICT (issue_id, route_id) DO UPDATE SET
            kind = excluded.kind, reason = excluded.reason, due_at = excluded.due_at, since = excluded.since,
            blocker = excluded.blocker, repeats = excluded.repeats
        """,
        *columns((w.issue_id, w.route_id, w.kind, w.reason, w.due_at, w.since, w.blocker, w.repeats) for w in waits),
    )


async def due_issues(connection: Connection, now: datetime, limit: int) -> list[UUID]:
    """Return the issues with a wait that is due, the longest due first."""
    rows = await connection.fetch(
        """
        SELECT issue_id, min(due_at) AS due FROM (
            SELECT issue_id, due_at FROM alerts.waits WHERE due_at <= $1 ORDER BY due_at LIMIT $2) due
         GROUP BY issue_id ORDER BY due
        """,
        *(now, limit),
    )
    return [row["issue_id"] for row in rows]


async def forget(connection: Connection, issue_id: UUID) -> None:
    """Delete every wait of an issue that does not exist."""
    await connection.execute("DELETE FROM alerts.waits WHERE issue_id = $1", issue_id)


async def release(connection: Connection, blockers: Sequence[str], now: datetime) -> None:
    """Make due what these silences and inhibitions hold."""
    if blockers:
        await connection.execute(
            "UPDATE alerts.waits SET due_at = $2 WHERE blocker = ANY($1) AND due_at > $2", list(blockers), now
        )


async def release_all(connection: Connection, now: datetime) -> None:
    """Make everything due that is held, and every group: the policy has changed."""
    await connection.execute("UPDATE alerts.waits SET due_at = $1 WHERE kind <> 'repeat' AND due_at > $1", now)
    await connection.execute("UPDATE alerts.groups SET next_flush_at = $1 WHERE next_flush_at > $1", now)


async def wake(connection: Connection) -> None:
    """Have every replica look for the next due time as soon as this transaction is committed."""
    await connection.execute("SELECT pg_notify($1, '')", WAKE)


async def next_due(connection: Connection) -> datetime | None:
    """Return when the next wait, group or step of an escalation is due, None if nothing waits."""
    due: datetime | None = await connection.fetchval(
        """
        SELECT least((SELECT min(due_at) FROM alerts.waits), (SELECT min(next_flush_at) FROM alerts.groups),
                     (SELECT min(due_at) FROM alerts.escalations))
        """
    )
    return due
