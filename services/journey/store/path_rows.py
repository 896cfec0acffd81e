"""The tables of the graph of paths: changes that batches append, and the counts that they are folded into."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from services.journey.domain.paths import CLOSED, DROPPED, GAP_BOUNDS_US, NO_GAP, START, StepKey
from services.runtime.postgres.pools import Connection

StepRow = tuple[StepKey, int, int, int]
"""A key with its steps, how many of them led to a friction, and their microseconds."""

_COLUMNS: Final = (*StepKey._fields, "steps", "frictions", "gap_us")


async def note(connection: Connection, rows: Sequence[StepRow]) -> None:
    """Append what a batch changed; nobody waits for anybody."""
    await connection.copy_records_to_table(
        "path_changes",
        schema_name="journey",
        columns=_COLUMNS,
        records=[(*key, steps, frictions, gap_us) for key, steps, frictions, gap_us in rows],
    )


_PARTS: Final[dict[str, object]] = {
    "names": "from_channel, from_kind, to_channel, to_kind, reason, service_level",
    "key": "hour, from_channel, from_kind, to_channel, to_kind, reason, service_level, bucket",
    "sums": "sum(steps)::bigint AS steps, sum(frictions)::bigint AS frictions, sum(gap_us)::bigint AS gap_us",
    "start": START,
    "closed": CLOSED,
    "dropped": DROPPED,
    "no_gap": NO_GAP,
}
"""What several statements have in common, by the name under which they mention it."""


def _statement(text: str, **parts: str) -> str:
    return text.format_map(_PARTS | parts)


_ALONE = "SELECT pg_try_advisory_xact_lock(hashtext('journey.path_counts'))"
_LAST = "SELECT max(id) FROM (SELECT id FROM journey.path_changes ORDER BY id LIMIT $1) AS first"
_NAME = _statement("""
INSERT INTO journey.path_steps ({names})
SELECT DISTINCT {names} FROM journey.path_changes WHERE id <= $1
EXCEPT SELECT {names} FROM journey.path_steps
ON CONFLICT DO NOTHING""")
_FOLD = _statement("""
WITH taken AS (
    DELETE FROM journey.path_changes WHERE id <= $1 RETURNING *
), summed AS (
    SELECT {key}, {sums} FROM taken GROUP BY {key}
)
INSERT INTO journey.path_counts AS p (span, since, step_id, bucket, steps, frictions, gap_us)
SELECT span, date_trunc(unit, hour, 'UTC'), step_id, bucket, {sums}
  FROM summed LEFT JOIN journey.path_steps USING ({names})
 CROSS JOIN (VALUES ('h'::"char", 'hour'), ('d', 'day'), ('m', 'month')) AS s (span, unit)
 GROUP BY 1, 2, 3, 4
ON CONFLICT (span, since, step_id, bucket) DO UPDATE
   SET steps = p.steps + excluded.steps, frictions = p.frictions + excluded.frictions,
       gap_us = p.gap_us + excluded.gap_us""")


async def fold(connection: Connection, most: int) -> bool:
    """Fold up to `most` of the oldest changes into the counts; return whether anything was folded.

    The transaction must be REPEATABLE READ, so that every change that is folded is one whose step was named. Where
    another worker folds, nothing is done.

    Raises:
        asyncpg.SerializationError: another worker folded after this snapshot was taken; begin again.
    """
    if not await connection.fetchval(_ALONE):
        return False
    last = await connection.fetchval(_LAST, most)
    if last is None:
        return False
    await connection.execute(_NAME, last)
    await connection.execute(_FOLD, last)
    return True


_STEPS = _statement("""
WITH placed AS (
    SELECT t.journey_id, t.occurred_at, t.channel, t.kind, t.friction,
           lag(t.channel) OVER w AS came_channel, lag(t.kind) OVER w AS came_kind,
           (extract(epoch FROM t.occurred_at - lag(t.occurred_at) OVER w) * 1000000)::bigint AS took_us,
           lead(t.id) OVER w IS NULL AS is_last
      FROM journey.touchpoints AS t
     WHERE t.journey_id IS NOT NULL AND ($2::uuid[] IS NULL OR t.customer_id = ANY ($2))
    WINDOW w AS (PARTITION BY t.journey_id ORDER BY t.occurred_at, t.sequence, t.source, t.id)
), told AS (
    SELECT p.*, date_trunc('hour', p.occurred_at, 'UTC') AS hour, coalesce(j.reason, '') AS reason,
           coalesce(j.payload ->> 'service_level', '') AS service_level,
           CASE WHEN j.closed_at > j.last_at THEN '{dropped}' WHEN j.closed_at IS NOT NULL THEN '{closed}' END AS ended
      FROM placed AS p LEFT JOIN journey.journeys AS j USING (journey_id)
), steps AS (
    SELECT hour, coalesce(came_channel, '') AS from_channel, coalesce(came_kind, '{start}') AS from_kind,
           channel AS to_channel, kind AS to_kind, reason, service_level,
           CASE WHEN took_us IS NULL THEN {no_gap} ELSE width_bucket(took_us, $1::bigint[]) END AS bucket,
           1 AS steps, friction::int AS frictions, coalesce(took_us, 0) AS gap_us
      FROM told
    UNION ALL
    SELECT hour, channel, kind, '', ended, reason, service_level, {no_gap}, 1, 0, 0
      FROM told WHERE is_last AND ended IS NOT NULL
)
SELECT {key}, {sums} FROM steps GROUP BY {key}""")
_NOTE_STORED = _statement(
    """
INSERT INTO journey.path_changes ({key}, steps, frictions, gap_us)
SELECT {key}, $3 * steps, $3 * frictions, $3 * gap_us FROM ({steps}) AS s""",
    steps=_STEPS,
)


async def note_stored(connection: Connection, customer: UUID, *, sign: int) -> None:
    """Append all steps of a customer as they are stored now, or take them back with `sign` -1.

    Whoever moves stored touchpoints to another customer takes back what was before and appends what is left.
    """
    await connection.execute(_NOTE_STORED, GAP_BOUNDS_US, [customer], sign)


_KEPT = _statement("""
SELECT since AS hour, {names}, bucket, steps, frictions, gap_us
  FROM journey.path_counts JOIN journey.path_steps USING (step_id) WHERE span = 'h'
UNION ALL
SELECT {key}, steps, frictions, gap_us FROM journey.path_changes""")
_WRONG = _statement(
    """
SELECT {key}, {sums}
  FROM (SELECT {key}, steps, frictions, gap_us FROM ({steps}) AS now
        UNION ALL
        SELECT {key}, -steps, -frictions, -gap_us FROM ({kept}) AS kept) AS compared
 GROUP BY {key} HAVING sum(steps) <> 0 OR sum(frictions) <> 0 OR sum(gap_us) <> 0
 ORDER BY {key}""",
    steps=_STEPS,
    kept=_KEPT,
)
_COARSE = """
SELECT span, since, step_id, bucket, sum(steps)::bigint AS steps, sum(frictions)::bigint AS frictions,
       sum(gap_us)::bigint AS gap_us
  FROM (SELECT s.span, date_trunc(s.unit, h.since, 'UTC') AS since, h.step_id, h.bucket, h.steps, h.frictions, h.gap_us
          FROM journey.path_counts AS h CROSS JOIN (VALUES ('d'::"char", 'day'), ('m', 'month')) AS s (span, unit)
         WHERE h.span = 'h'
        UNION ALL
        SELECT span, since, step_id, bucket, -steps, -frictions, -gap_us
          FROM journey.path_counts WHERE span <> 'h') AS c
 GROUP BY span, since, step_id, bucket HAVING sum(steps) <> 0 OR sum(frictions) <> 0 OR sum(gap_us) <> 0"""
_HOW_COARSE = _statement("SELECT count(*) FROM ({coarse}) AS c", coarse=_COARSE)
_HOW_MANY = _statement("SELECT coalesce(sum(steps), 0)::bigint FROM ({kept}) AS k", kept=_KEPT)
_MEND = _statement(
    """
INSERT INTO journey.path_changes ({key}, steps, frictions, gap_us) ({wrong})""",
    wrong=_WRONG,
)
_MEND_COARSE = _statement(
    """
INSERT INTO journey.path_counts AS p (span, since, step_id, bucket, steps, frictions, gap_us) ({coarse})
ON CONFLICT (span, since, step_id, bucket) DO UPDATE
   SET steps = p.steps + excluded.steps, frictions = p.frictions + excluded.frictions,
       gap_us = p.gap_us + excluded.gap_us""",
    coarse=_COARSE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PathDifference:
    """A key for which the graph has other sums than the touchpoints; the numbers are what the graph lacks."""

    key: StepKey
    steps: int
    frictions: int
    gap_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PathDifferences:
    """What differs by hour, how many sums by day or month differ from those by hour, and how many steps there are."""

    hours: Sequence[PathDifference]
    coarse: int
    steps: int


async def differences(connection: Connection) -> PathDifferences:
    """Compute every step anew from the touchpoints, and compare; the transaction must have one snapshot."""
    rows = await connection.fetch(_WRONG, GAP_BOUNDS_US, None)
    return PathDifferences(
        hours=[
            PathDifference(key=StepKey(*row[:8]), steps=row["steps"], frictions=row["frictions"], gap_us=row["gap_us"])
            for row in rows
        ],
        coarse=await connection.fetchval(_HOW_COARSE),
        steps=await connection.fetchval(_HOW_MANY),
    )


async def mend(connection: Connection) -> None:
    """Append what is missing, in the snapshot of `differences`; waits until nobody folds.

    Workers may go on meanwhile: what they append are differences too, and sums do not mind the order.
    """
    await connection.execute(_MEND, GAP_BOUNDS_US, None)
    await connection.execute(_MEND_COARSE)
