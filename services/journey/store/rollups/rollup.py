"""Three tables that keep sums by hour, day and month: changes that are appended, names, and the counts of each name.

Workers only append, so they never wait for one another. The oldest changes are folded into the counts by one worker at
a time, and readers see the same sums before and after.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from services.runtime.postgres.pools import Connection

_LAST: Final = "SELECT max(id) FROM (SELECT id FROM journey.{table}_changes ORDER BY id LIMIT $1) AS first"
_ALONE: Final = "SELECT pg_try_advisory_xact_lock(hashtext('journey.{table}_counts'))"
_NAME: Final = """
INSERT INTO journey.{table}_steps ({names})
SELECT DISTINCT {names} FROM journey.{table}_changes WHERE id <= $1
EXCEPT SELECT {names} FROM journey.{table}_steps
ON CONFLICT DO NOTHING"""
_FOLD: Final = """
WITH taken AS (
    DELETE FROM journey.{table}_changes WHERE id <= $1 RETURNING *
), summed AS (
    SELECT {key}, {summed} FROM taken GROUP BY {key}
)
INSERT INTO journey.{table}_counts AS p (span, since, step_id, bucket, {sums})
SELECT span, date_trunc(unit, hour, 'UTC'), step_id, bucket, {summed}
  FROM summed LEFT JOIN journey.{table}_steps USING ({names})
 CROSS JOIN (VALUES ('h'::"char", 'hour'), ('d', 'day'), ('m', 'month')) AS s (span, unit)
 GROUP BY 1, 2, 3, 4
ON CONFLICT (span, since, step_id, bucket) DO UPDATE SET {added}"""
_KEPT: Final = """
SELECT since AS hour, {names}, bucket, {sums}
  FROM journey.{table}_counts JOIN journey.{table}_steps USING (step_id) WHERE span = 'h'
UNION ALL
SELECT {key}, {sums} FROM journey.{table}_changes"""
_COARSE: Final = """
SELECT span, since, step_id, bucket, {summed}
  FROM (SELECT s.span, date_trunc(s.unit, h.since, 'UTC') AS since, h.step_id, h.bucket, {sums}
          FROM journey.{table}_counts AS h CROSS JOIN (VALUES ('d'::"char", 'day'), ('m', 'month')) AS s (span, unit)
         WHERE h.span = 'h'
        UNION ALL
        SELECT span, since, step_id, bucket, {negative}
          FROM journey.{table}_counts WHERE span <> 'h') AS c
 GROUP BY span, since, step_id, bucket HAVING {differs}"""
_MEND_COARSE: Final = """
INSERT INTO journey.{table}_counts AS p (span, since, step_id, bucket, {sums}) ({coarse})
ON CONFLICT (span, since, step_id, bucket) DO UPDATE SET {added}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollup:
    """The tables `table`_changes, `table`_steps and `table`_counts.

    `names` are the columns that a step has a name by, besides its hour and its bucket; `sums` are what is added up.
    """

    table: str
    names: tuple[str, ...]
    sums: tuple[str, ...]

    def statement(self, text: str, **parts: str) -> str:
        """Return `text` with the table, its columns and `parts` where it mentions them by name."""
        names, sums = ", ".join(self.names), ", ".join(self.sums)
        return text.format_map(
            {
                "table": self.table,
                "names": names,
                "key": f"hour, {names}, bucket",
                "sums": sums,
                "summed": ", ".join(f"sum({one})::bigint AS {one}" for one in self.sums),
                "negative": ", ".join(f"-{one}" for one in self.sums),
                "differs": " OR ".join(f"sum({one}) <> 0" for one in self.sums),
                "added": ", ".join(f"{one} = p.{one} + excluded.{one}" for one in self.sums),
                **parts,
            }
        )

    @property
    def kept(self) -> str:
        """The query of everything that is kept, by hour: what is folded, and what is not yet."""
        return self.statement(_KEPT)

    async def note(self, connection: Connection, rows: Sequence[Sequence[object]]) -> None:
        """Append what a batch changed, each row in the order of the columns; nobody waits for anybody."""
        await connection.copy_records_to_table(
            f"{self.table}_changes",
            schema_name="journey",
            columns=("hour", *self.names, "bucket", *self.sums),
            records=rows,
        )

    async def fold(self, connection: Connection, most: int) -> bool:
        """Fold up to `most` of the oldest changes into the counts; return whether anything was folded.

        The transaction must be REPEATABLE READ, so that every change that is folded is one whose step was named. Where
        another worker folds, nothing is done.

        Raises:
            asyncpg.SerializationError: another worker folded after this snapshot was taken; begin again.
        """
        if not await connection.fetchval(self.statement(_ALONE)):
            return False
        last = await connection.fetchval(self.statement(_LAST), most)
        if last is None:
            return False
        await connection.execute(self.statement(_NAME), last)
        await connection.execute(self.statement(_FOLD), last)
        return True

    @property
    def coarse(self) -> str:
        """The query of what the sums by day and month lack of those by hour."""
        return self.statement(_COARSE)

    async def coarse_differences(self, connection: Connection) -> int:
        """Return how many sums by day or month differ from those by hour."""
        return int(await connection.fetchval(f"SELECT count(*) FROM ({self.coarse}) AS c"))  # noqa: S608  our own columns

    async def mend_coarse(self, connection: Connection) -> None:
        """Make the sums by day and month those of the hours; waits until nobody folds."""
        await connection.execute(self.statement(_MEND_COARSE, coarse=self.coarse))
