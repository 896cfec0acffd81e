"""Escalations under way as the database keeps them; whoever writes one has locked its issue."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from services.alerts.issues.json_columns import encode_json
from services.alerts.policy.escalation import Escalation, EscalationProgress
from services.runtime.postgres.pools import Connection, Row, columns


async def begin(connection: Connection, escalations: Sequence[EscalationProgress]) -> None:
    """Write escalations that begin; one that is under way goes on."""
    await _insert(connection, escalations, "NOTHING")


async def save(connection: Connection, progress: EscalationProgress) -> None:
    """Write how far an escalation has come."""
    await _insert(connection, [progress], _PROGRESS)


_PROGRESS = "UPDATE SET step = excluded.step, round = excluded.round, due_at = excluded.due_at"


async def _insert(connection: Connection, escalations: Sequence[EscalationProgress], otherwise: str) -> None:
    if escalations:
        await connection.execute(
            f"""
            INSERT INTO alerts.escalations (issue_id, route_id, policy, step, round, due_at, started_at)
            SELECT issue_id, route_id, policy::json, step, round, due_at, started_at
              FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::int[], $5::int[], $6::timestamptz[],
                          $7::timestamptz[]) AS e (issue_id, route_id, policy, step, round, due_at, started_at)
            ON CONFLICT (issue_id, route_id) DO {otherwise}
            """,  # noqa: S608  one of two constants of ours
            *columns(
                (e.issue_id, e.route_id, encode_json(e.policy), e.step, e.round, e.due_at, e.started_at)
                for e in escalations
            ),
        )


async def end(connection: Connection, issues: Iterable[UUID]) -> None:
    """End every escalation of these issues: somebody has taken them, or they are resolved."""
    if ended := list(issues):
        await connection.execute("DELETE FROM alerts.escalations WHERE issue_id = ANY($1)", ended)


async def end_one(connection: Connection, progress: EscalationProgress) -> None:
    """End an escalation that has taken its last step."""
    await connection.execute(
        "DELETE FROM alerts.escalations WHERE issue_id = $1 AND route_id = $2", progress.issue_id, progress.route_id
    )


async def end_on(connection: Connection, pairs: Sequence[tuple[UUID, UUID]]) -> None:
    """End the escalations of these issues on these routes: the people of a route have taken the issue."""
    if pairs:
        await connection.execute(
            """
            DELETE FROM alerts.escalations e USING unnest($1::uuid[], $2::uuid[]) AS g (issue_id, route_id)
             WHERE e.issue_id = g.issue_id AND e.route_id = g.route_id
            """,
            *columns(pairs),
        )


async def of_issue(connection: Connection, issue_id: UUID) -> list[EscalationProgress]:
    """Return the escalations of an issue that are under way."""
    rows = await connection.fetch("SELECT * FROM alerts.escalations WHERE issue_id = $1 ORDER BY due_at", issue_id)
    return [_progress(row) for row in rows]


def _progress(row: Row) -> EscalationProgress:
    return EscalationProgress(
        issue_id=row["issue_id"],
        route_id=row["route_id"],
        policy=msgspec.json.decode(row["policy"], type=Escalation),
        step=row["step"],
        round=row["round"],
        due_at=row["due_at"],
        started_at=row["started_at"],
    )


async def due_issues(connection: Connection, now: datetime, limit: int) -> list[UUID]:
    """Return the issues with a step that is due, the longest due first."""
    rows = await connection.fetch(
        "SELECT issue_id FROM alerts.escalations WHERE due_at <= $1 ORDER BY due_at LIMIT $2", now, limit
    )
    return list(dict.fromkeys(row["issue_id"] for row in rows))
