"""Improvements as the database keeps them, the counts that they are estimated from, and measuring what is due."""

from datetime import datetime
from uuid import UUID

import msgspec

from services.alerts.issues.json_columns import encode_json
from services.alerts.issues.model import SYSTEM
from services.alerts.loop.impact import DAY, ImpactScope
from services.alerts.loop.impact_store import OF_FRICTION, measure_impact
from services.alerts.loop.improvements import ESTIMATED_DAYS, CauseCounts, Improvement, record_changes
from services.runtime.postgres.pools import Connection

_decoder = msgspec.json.Decoder(Improvement)
MOST_LISTED = 500

_COUNTS = f"""
WITH found AS MATERIALIZED (
    SELECT i.issue_id, i.customer_id, (i.document #>> '{{journey,value,amount}}')::float8 AS amount,
           i.document #>> '{{journey,value,currency}}' AS currency, count(*) AS n
      FROM alerts.issues i JOIN alerts.frictions f USING (issue_id)
     WHERE ({OF_FRICTION}) AND i.last_at >= $1 AND f.state = 'detected'
       AND i.document ->> 'loud_severity' IS NOT NULL
       AND (f.document ->> 'occurred_at')::timestamptz >= $1 AND (f.document ->> 'occurred_at')::timestamptz < $2
       AND $3::timestamptz IS NOT NULL
     GROUP BY 1, 2, 3, 4
)
SELECT coalesce(sum(n), 0)::bigint AS frictions, count(*) AS issues, count(DISTINCT customer_id) AS customers,
       (SELECT count(*) FROM alerts.watches w JOIN found USING (issue_id)
         WHERE w.state = 'recontacted' AND w.resolved_at >= $1 AND w.resolved_at < $2) AS recontacts,
       (SELECT currency FROM found WHERE currency IS NOT NULL
         GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1) AS currency
  FROM found
"""  # noqa: S608  made of constants of ours alone
_VALUE = f"""
SELECT coalesce(sum((i.document #>> '{{journey,value,amount}}')::float8), 0) FROM alerts.issues i
 WHERE i.document #>> '{{journey,value,currency}}' = $9 AND i.last_at >= $1 AND $3::timestamptz IS NOT NULL
   AND i.document ->> 'loud_severity' IS NOT NULL
   AND EXISTS (SELECT FROM alerts.frictions f
                WHERE f.issue_id = i.issue_id AND f.state = 'detected' AND ({OF_FRICTION})
                  AND (f.document ->> 'occurred_at')::timestamptz >= $1
                  AND (f.document ->> 'occurred_at')::timestamptz < $2)
"""  # noqa: S608  made of constants of ours alone


async def count_cause(connection: Connection, scope: ImpactScope, now: datetime) -> CauseCounts:
    """Count what a cause did in the last four weeks, by when it happened."""
    where = (scope.rule, scope.team, scope.reason, scope.channel, scope.service_level)
    arguments = (now - ESTIMATED_DAYS * DAY, now, now, *where)
    [row] = await connection.fetch(_COUNTS, *arguments)
    value = await connection.fetchval(_VALUE, *arguments, row["currency"]) if row["currency"] else 0.0
    return CauseCounts(days=ESTIMATED_DAYS, value=value, **dict(row))


async def save_improvement(connection: Connection, improvement: Improvement) -> None:
    """Write an improvement that is locked or new."""
    await connection.execute(
        """
        INSERT INTO alerts.improvements (improvement_id, document, state, proposed_at, measure_at)
        VALUES ($1, $2::json, $3, $4, $5)
        ON CONFLICT (improvement_id) DO UPDATE SET
            document = excluded.document, state = excluded.state, measure_at = excluded.measure_at
        """,
        *(improvement.id, encode_json(improvement), improvement.state, improvement.proposed_at),
        improvement.measure_at,
    )


async def lock_improvement(connection: Connection, improvement_id: UUID) -> Improvement | None:
    """Lock and return an improvement, None if there is no such one."""
    document = await connection.fetchval(
        "SELECT document FROM alerts.improvements WHERE improvement_id = $1 FOR UPDATE", improvement_id
    )
    return _decoder.decode(document) if document else None


async def list_improvements(connection: Connection, state: str | None) -> list[Improvement]:
    """Return the latest improvements, the newest first."""
    rows = await connection.fetch(
        """
        SELECT document FROM alerts.improvements WHERE $1::text IS NULL OR state = $1
         ORDER BY proposed_at DESC, improvement_id LIMIT $2
        """,
        *(state, MOST_LISTED),
    )
    return [_decoder.decode(row["document"]) for row in rows]


async def measure_due(connection: Connection, now: datetime) -> int:
    """Measure for good what one improvement brought whose time has come; return how many it was, 0 or 1."""
    document = await connection.fetchval(
        """
        SELECT document FROM alerts.improvements WHERE state = 'done' AND measure_at <= $1
         ORDER BY measure_at LIMIT 1 FOR UPDATE SKIP LOCKED
        """,
        now,
    )
    if document is None:
        return 0
    improvement = _decoder.decode(document)
    at = improvement.in_force_at or improvement.proposed_at
    found = await measure_impact(connection, improvement.scope, at=at, days=ESTIMATED_DAYS, now=now)
    await save_improvement(connection, record_changes(improvement, found.changes, actor=SYSTEM, now=now))
    return 1
