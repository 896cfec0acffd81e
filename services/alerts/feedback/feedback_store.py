"""The table of what people said about issues, by rule and version of the rule."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from services.alerts.feedback.said_feedback import FeedbackCount, IssueFeedback, SaidFeedback, is_called_false
from services.alerts.issues.model import IssueChange
from services.runtime.postgres.pools import Connection

_STANDS_ON = """
SELECT document ->> 'rule' AS rule, (document ->> 'rule_version')::int AS rule_version
  FROM alerts.frictions f
 WHERE issue_id = $1 AND document IS NOT NULL
   AND (state = 'detected' OR NOT EXISTS (
       SELECT FROM alerts.frictions s WHERE s.issue_id = $1 AND s.state = 'detected'))
 UNION
SELECT f.document ->> 'rule', (f.document ->> 'rule_version')::int
  FROM alerts.outbreak_frictions o JOIN alerts.frictions f USING (friction_id)
 WHERE o.outbreak_id = $1 AND f.document IS NOT NULL
"""
"""An issue whose frictions are all taken back is judged by those, an outbreak by those of the customers it holds."""
_SAY = f"""
INSERT INTO alerts.rule_feedback (issue_id, rule, rule_version, said, implied, said_by, said_at)
SELECT $1, s.rule, s.rule_version, $2, $3, $4, $5 FROM ({_STANDS_ON}) AS s
"""  # noqa: S608  made of constants of ours alone
_COUNT = """
SELECT rule, rule_version, count(*) FILTER (WHERE said = 'useful') AS useful,
       count(*) FILTER (WHERE said = 'noise') AS noise
  FROM alerts.rule_feedback
 WHERE ($1::timestamptz IS NULL OR said_at >= $1) AND ($2::text IS NULL OR rule = $2)
 GROUP BY rule, rule_version ORDER BY rule, rule_version
"""


async def is_there(connection: Connection) -> bool:
    """Return whether this database has the table: it may be another one, or older."""
    return bool(await connection.fetchval("SELECT to_regclass('alerts.rule_feedback') IS NOT NULL"))


async def say(connection: Connection, issue_id: UUID, said: SaidFeedback) -> bool:
    """Keep what was said about an issue, in place of what was said before; False if there is no such issue."""
    if not await connection.fetchval("SELECT true FROM alerts.issues WHERE issue_id = $1 FOR UPDATE", issue_id):
        return False
    await connection.execute("DELETE FROM alerts.rule_feedback WHERE issue_id = $1", issue_id)
    await connection.execute(_SAY, issue_id, said.said, said.implied, said.said_by, said.said_at)
    return True


async def follow_outcomes(connection: Connection, changes: Sequence[IssueChange], now: datetime) -> None:
    """Keep that an outcome calls an issue a false alarm, or does not any more, unless somebody said otherwise."""
    for change in changes:
        called = is_called_false(change)
        if called is None:
            continue
        issue_id = change.after.id
        stated = await connection.fetchval(
            "SELECT true FROM alerts.rule_feedback WHERE issue_id = $1 AND NOT implied LIMIT 1", issue_id
        )
        if stated:
            continue
        if called:
            by = change.after.resolved_by or ""
            implied = SaidFeedback(said=IssueFeedback.NOISE, implied=True, said_by=by, said_at=now)
            await say(connection, issue_id, implied)
        else:
            await connection.execute("DELETE FROM alerts.rule_feedback WHERE issue_id = $1", issue_id)


async def of_issue(connection: Connection, issue_id: UUID) -> SaidFeedback | None:
    """Return what was said last about an issue."""
    rows = await connection.fetch(
        "SELECT said, implied, said_by, said_at FROM alerts.rule_feedback WHERE issue_id = $1 LIMIT 1", issue_id
    )
    return next(
        (
            SaidFeedback(
                said=IssueFeedback(row["said"]),
                implied=row["implied"],
                said_by=row["said_by"],
                said_at=row["said_at"],
            )
            for row in rows
        ),
        None,
    )


async def count(
    connection: Connection, *, since: datetime | None = None, rule: str | None = None
) -> list[FeedbackCount]:
    """Count by rule and version what was said `since` a time, None for ever."""
    return [FeedbackCount(**dict(row)) for row in await connection.fetch(_COUNT, since, rule)]
