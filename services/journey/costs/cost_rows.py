"""The table of what rules cost: seconds by rule and hour, and the touchpoints of the sample that they are for."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from services.runtime.postgres.pools import Connection

KEPT = timedelta(days=7)
"""How long an hour is kept: a list tells what rules cost lately."""

_ADD = """
INSERT INTO journey.rule_costs AS c (rule, hour, seconds, touchpoints)
SELECT s.rule, date_trunc('hour', now()), s.seconds, $3 FROM unnest($1::text[], $2::float8[]) AS s (rule, seconds)
 ORDER BY s.rule
ON CONFLICT (rule, hour) DO UPDATE
   SET seconds = c.seconds + excluded.seconds, touchpoints = c.touchpoints + excluded.touchpoints"""
_SINCE = """
SELECT c.rule, sum(c.seconds) / sum(c.touchpoints) AS cost
  FROM unnest($1::text[], $2::timestamptz[]) AS w (rule, since)
  JOIN journey.rule_costs AS c ON c.rule = w.rule AND c.hour >= w.since AND c.hour > now() - $3::interval
 GROUP BY c.rule HAVING sum(c.touchpoints) > 0"""


async def add(connection: Connection, seconds: Mapping[str, float], touchpoints: int) -> None:
    """Add to the present hour what rules took, in seconds, for so many touchpoints; the same number for each."""
    await connection.execute(_ADD, list(seconds), list(seconds.values()), touchpoints)


async def forget(connection: Connection) -> None:
    """Remove hours that no list tells of any more."""
    await connection.execute("DELETE FROM journey.rule_costs WHERE hour <= now() - $1::interval", KEPT)


async def each(connection: Connection, since: Mapping[str, datetime]) -> Mapping[str, float]:
    """Return seconds a touchpoint by rule, of the whole hours from the given moments on; unmeasured ones are missing.

    An hour counts that began at or after the moment: in the one before, the rule may have said something else.
    """
    rows = await connection.fetch(_SINCE, list(since), list(since.values()), KEPT)
    return {row["rule"]: row["cost"] for row in rows}
