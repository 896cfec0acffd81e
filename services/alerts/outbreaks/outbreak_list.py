"""Lists outbreaks for people: those that go on and those that were, the latest first."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.alerts.issues.json_columns import decode_issue
from services.alerts.issues.model import Issue
from services.runtime.postgres.pools import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedOutbreak:
    """An outbreak with its issue, how many issues it holds, and how many frictions came in which minute.

    `opened_at` is when it was found first, `episodes` how often it came.
    """

    issue: Issue
    opened_at: datetime
    over_at: datetime | None
    episodes: int
    held: int
    trend: tuple[tuple[datetime, int], ...]


async def list_outbreaks(connection: Connection, *, running: bool | None, limit: int) -> list[ListedOutbreak]:
    """Return at most `limit` outbreaks: those that go on (`running`), those that are over, or with None both."""
    rows = await connection.fetch(
        """
        SELECT o.*, i.document,
               (SELECT count(*) FROM alerts.issues h
                 WHERE h.held_by = o.outbreak_id::text AND h.state <> 'resolved') AS held
          FROM (SELECT outbreak_id, min(opened_at) AS opened_at, max(opened_at) AS latest,
                       CASE WHEN bool_and(over_at IS NOT NULL) THEN max(over_at) END AS over_at,
                       count(DISTINCT coalesce(over_at, 'infinity'))::int AS episodes
                  FROM alerts.outbreaks GROUP BY outbreak_id) AS o
          JOIN alerts.issues i ON i.issue_id = o.outbreak_id
         WHERE $1::boolean IS NULL OR (o.over_at IS NULL) = $1
         ORDER BY o.over_at IS NOT NULL, o.latest DESC LIMIT $2
        """,
        *(running, limit),
    )
    trends = await _trends(connection, [row["outbreak_id"] for row in rows])
    return [
        ListedOutbreak(
            issue=decode_issue(row["document"]),
            opened_at=row["opened_at"],
            over_at=row["over_at"],
            episodes=row["episodes"],
            held=row["held"],
            trend=trends.get(row["outbreak_id"], ()),
        )
        for row in rows
    ]


async def _trends(connection: Connection, outbreaks: list[UUID]) -> dict[UUID, tuple[tuple[datetime, int], ...]]:
    """Return for each outbreak how many frictions happened in each of its last sixty minutes with any."""
    rows = await connection.fetch(
        """
        SELECT outbreak_id, minute, n FROM (
            SELECT outbreak_id, minute, count(*)::int AS n,
                   row_number() OVER (PARTITION BY outbreak_id ORDER BY minute DESC) AS back
              FROM alerts.outbreak_frictions WHERE outbreak_id = ANY($1) GROUP BY outbreak_id, minute) AS t
         WHERE back <= 60 ORDER BY outbreak_id, minute
        """,
        outbreaks,
    )
    found: dict[UUID, list[tuple[datetime, int]]] = {}
    for row in rows:
        found.setdefault(row["outbreak_id"], []).append((row["minute"], row["n"]))
    return {outbreak: tuple(trend) for outbreak, trend in found.items()}
