"""The tables of the graph of paths: changes that batches append, and the counts that they are folded into."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from services.journey.domain.paths import CLOSED, DROPPED, GAP_BOUNDS_US, NO_GAP, START, UNTOLD, StepCounts, StepKey
from services.journey.store.rollups.rollup import Rollup
from services.runtime.postgres.pools import Connection

_NAMES: Final = ("from_channel", "from_kind", "to_channel", "to_kind", "reason", "service_level")

PATHS: Final = Rollup(table="path", names=_NAMES, sums=("steps", "frictions", "gap_us"))

RULES: Final = Rollup(table="path_rule", names=(*_NAMES, "rule"), sums=("frictions",))
"""Of the steps that led to a friction, those of each rule; their bucket is always `NO_GAP`."""


async def note(connection: Connection, counts: StepCounts) -> None:
    """Append what a batch changed; nobody waits for anybody."""
    if rows := counts.rows():
        await PATHS.note(connection, [(*key, steps, frictions, gap_us) for key, steps, frictions, gap_us in rows])
    if by_rule := counts.rule_rows():
        told = [(*key[:-1], rule, key.bucket, frictions) for (key, rule), frictions in by_rule]
        await RULES.note(connection, told)


_WORDS: Final = {"start": START, "closed": CLOSED, "dropped": DROPPED, "no_gap": str(NO_GAP), "untold": UNTOLD}
_TOLD = PATHS.statement(
    """
WITH placed AS (
    SELECT t.journey_id, t.occurred_at, t.channel, t.kind, t.friction, t.rules,
           lag(t.channel) OVER w AS came_channel, lag(t.kind) OVER w AS came_kind,
           (extract(epoch FROM t.occurred_at - lag(t.occurred_at) OVER w) * 1000000)::bigint AS took_us,
           lead(t.id) OVER w IS NULL AS is_last
      FROM journey.touchpoints AS t
     WHERE t.journey_id IS NOT NULL AND ($1::uuid[] IS NULL OR t.customer_id = ANY ($1))
    WINDOW w AS (PARTITION BY t.journey_id ORDER BY t.occurred_at, t.sequence, t.source, t.id)
), told AS (
    SELECT p.*, date_trunc('hour', p.occurred_at, 'UTC') AS hour, coalesce(j.reason, '') AS reason,
           coalesce(j.payload ->> 'service_level', '') AS service_level,
           CASE WHEN j.closed_at > j.last_at THEN '{dropped}' WHEN j.closed_at IS NOT NULL THEN '{closed}' END AS ended
      FROM placed AS p LEFT JOIN journey.journeys AS j USING (journey_id)
)""",
    **_WORDS,
)
_WHERE = PATHS.statement(
    """hour, coalesce(came_channel, '') AS from_channel, coalesce(came_kind, '{start}') AS from_kind,
           channel AS to_channel, kind AS to_kind, reason, service_level""",
    **_WORDS,
)
_STEPS = PATHS.statement(
    """
{told}, steps AS (
    SELECT {where},
           CASE WHEN took_us IS NULL THEN {no_gap} ELSE width_bucket(took_us, $2::bigint[]) END AS bucket,
           1 AS steps, friction::int AS frictions, coalesce(took_us, 0) AS gap_us
      FROM told
    UNION ALL
    SELECT hour, channel, kind, '', ended, reason, service_level, {no_gap}, 1, 0, 0
      FROM told WHERE is_last AND ended IS NOT NULL
)
SELECT {key}, {summed} FROM steps GROUP BY {key}""",
    told=_TOLD,
    where=_WHERE,
    **_WORDS,
)
_RULE_STEPS = RULES.statement(
    """
{told}, steps AS (
    SELECT {where}, rule, {no_gap} AS bucket, 1 AS frictions
      FROM told CROSS JOIN LATERAL unnest(rules) AS r (rule) WHERE rule <> '{untold}'
)
SELECT {key}, {summed} FROM steps GROUP BY {key}""",
    told=_TOLD,
    where=_WHERE,
    **_WORDS,
)
_NOTE_STORED = PATHS.statement(
    """
INSERT INTO journey.path_changes ({key}, steps, frictions, gap_us)
SELECT {key}, $3 * steps, $3 * frictions, $3 * gap_us FROM ({steps}) AS s""",
    steps=_STEPS,
)
_NOTE_STORED_RULES = RULES.statement(
    "INSERT INTO journey.path_rule_changes ({key}, frictions) SELECT {key}, $2 * frictions FROM ({steps}) AS s",
    steps=_RULE_STEPS,
)


async def note_stored(connection: Connection, customer: UUID, *, sign: int) -> None:
    """Append all steps of a customer as they are stored now, or take them back with `sign` -1.

    Whoever moves stored touchpoints to another customer takes back what was before and appends what is left.
    """
    await connection.execute(_NOTE_STORED, [customer], GAP_BOUNDS_US, sign)
    await connection.execute(_NOTE_STORED_RULES, [customer], sign)


_WRONG = PATHS.statement(
    """
SELECT {key}, {summed}
  FROM (SELECT {key}, steps, frictions, gap_us FROM ({steps}) AS now
        UNION ALL
        SELECT {key}, -steps, -frictions, -gap_us FROM ({kept}) AS kept) AS compared
 GROUP BY {key} HAVING {differs}
 ORDER BY {key}""",
    steps=_STEPS,
    kept=PATHS.kept,
)
_WRONG_RULES = RULES.statement(
    """
SELECT {key}, {summed}
  FROM (SELECT {key}, frictions FROM ({steps}) AS now
        UNION ALL
        SELECT {key}, -frictions FROM ({kept}) AS kept) AS compared
 GROUP BY {key} HAVING {differs}""",
    steps=_RULE_STEPS,
    kept=RULES.kept,
)
_HOW_MANY = f"SELECT coalesce(sum(steps), 0)::bigint FROM ({PATHS.kept}) AS k"  # noqa: S608  our own columns
_MEND = PATHS.statement(
    """
INSERT INTO journey.path_changes ({key}, steps, frictions, gap_us) ({wrong})""",
    wrong=_WRONG,
)
_MEND_RULES = RULES.statement("INSERT INTO journey.path_rule_changes ({key}, frictions) ({wrong})", wrong=_WRONG_RULES)


@dataclass(frozen=True, slots=True, kw_only=True)
class PathDifference:
    """A key for which the graph has other sums than the touchpoints; the numbers are what the graph lacks."""

    key: StepKey
    steps: int
    frictions: int
    gap_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PathDifferences:
    """What differs by hour, how many sums by day or month differ from those by hour, and how many steps there are.

    `rules` says how many sums of frictions by rule and hour differ.
    """

    hours: Sequence[PathDifference]
    rules: int
    coarse: int
    steps: int

    @property
    def differing(self) -> int:
        """How many sums differ."""
        return len(self.hours) + self.rules + self.coarse


async def differences(connection: Connection) -> PathDifferences:
    """Compute every step anew from the touchpoints, and compare; the transaction must have one snapshot."""
    rows = await connection.fetch(_WRONG, None, GAP_BOUNDS_US)
    return PathDifferences(
        hours=[
            PathDifference(key=StepKey(*row[:8]), steps=row["steps"], frictions=row["frictions"], gap_us=row["gap_us"])
            for row in rows
        ],
        rules=len(await connection.fetch(_WRONG_RULES, None)),
        coarse=await PATHS.coarse_differences(connection) + await RULES.coarse_differences(connection),
        steps=await connection.fetchval(_HOW_MANY),
    )


async def mend(connection: Connection) -> None:
    """Append what is missing, in the snapshot of `differences`; waits until nobody folds.

    Workers may go on meanwhile: what they append are differences too, and sums do not mind the order.
    """
    await connection.execute(_MEND, None, GAP_BOUNDS_US)
    await connection.execute(_MEND_RULES, None)
    for rollup in (PATHS, RULES):
        await rollup.mend_coarse(connection)
