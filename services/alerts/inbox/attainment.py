"""Counts how often the promises of each service level were kept, over the issues that were opened of late."""

from dataclasses import dataclass
from datetime import datetime

from services.runtime.postgres.pools import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelAttainment:
    """Of one service level: how many issues were taken and resolved in time, too late, or still may be."""

    level: str
    issues: int
    responded_in_time: int
    responded_late: int
    resolved_in_time: int
    resolved_late: int


async def attainment(connection: Connection, *, since: datetime, now: datetime) -> list[LevelAttainment]:
    """Return the attainment of each level over the issues opened `since`; a deadline that passed unmet counts as late.

    Issues that were withdrawn or merged, quiet ones and outbreaks were promised to nobody.
    """
    rows = await connection.fetch(
        """
        WITH promised AS (
            SELECT document -> 'priority' -> 'deadlines' ->> 'level' AS level,
                   (document -> 'priority' -> 'deadlines' ->> 'respond_by')::timestamptz AS respond_by,
                   (document -> 'priority' -> 'deadlines' ->> 'resolve_by')::timestamptz AS resolve_by,
                   coalesce(acknowledged_at, resolved_at) AS responded_at, resolved_at
              FROM alerts.issues
             WHERE opened_at >= $1 AND customer_id <> '' AND NOT quiet AND document -> 'priority' IS NOT NULL
               AND coalesce(document ->> 'resolution', '') NOT IN ('retracted', 'merged'))
        SELECT level, count(*)::int AS issues,
               count(*) FILTER (WHERE responded_at <= respond_by)::int AS responded_in_time,
               count(*) FILTER (WHERE coalesce(responded_at, $2) > respond_by)::int AS responded_late,
               count(*) FILTER (WHERE resolved_at <= resolve_by)::int AS resolved_in_time,
               count(*) FILTER (WHERE coalesce(resolved_at, $2) > resolve_by)::int AS resolved_late
          FROM promised WHERE level IS NOT NULL GROUP BY level ORDER BY level
        """,
        *(since, now),
    )
    return [LevelAttainment(**row) for row in rows]
