"""Compares the frictions of customers as they are with those of the customers that they would be.

Both sides are evaluated by the rules in force, each touchpoint by the version of its time, as a worker would: so only
the difference in who is who is counted.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from services.journey.domain.projection import ProjectionPolicy, project
from services.journey.domain.rules.book import Rulebook
from services.journey.domain.touchpoint import RecordedTouchpoint, Touchpoint, in_order
from services.journey.rehearsal.touchpoint_copy import TouchpointCopy
from services.runtime.postgres.pools import Connection, Pool, acquire

_DECODER = msgspec.json.Decoder(Touchpoint)

_READ = """
SELECT t.payload, t.appended_at
  FROM unnest($1::text[], $2::text[]) AS k (source, id)
  JOIN journey.touchpoints AS t ON t.source = k.source AND t.id = k.id
 WHERE NOT t.late"""

_SIDES = ("changed", "customer"), ("becoming", "label")
"""The tables of customers as they are and as they would be, and by what their touchpoints are found."""

_WHOSE = "SELECT source, id FROM seen WHERE {side} = ? ORDER BY occurred DESC, sequence DESC LIMIT ?"


@dataclass(slots=True, kw_only=True)
class FrictionDifference:
    """Frictions that would appear and those that would go, by rule; `kept` stay, perhaps with another customer."""

    kept: int = 0
    new: Counter[str] = field(default_factory=Counter)
    gone: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True, kw_only=True)
class FrictionComparison:
    """Evaluates rules on both sides. `history` is the number of latest touchpoints of a customer that are looked at."""

    pool: Pool
    rulebook: Rulebook
    policy: ProjectionPolicy
    history: int
    now: datetime

    async def compare(self, copy: TouchpointCopy, told: Callable[[int, int], None]) -> FrictionDifference:
        """Return the difference for all customers of a copy who would change; `told` hears of each that is done."""
        whole, done = sum(copy.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table, _ in _SIDES), 0  # noqa: S608  names of ours
        for after, (table, column) in enumerate(_SIDES):
            for one in copy.each(table, "one"):
                found = await self._found(copy, column, one)
                copy.note("INSERT INTO found VALUES (?, ?, ?)", ((after, rule, id_) for rule, id_ in found))
                done += 1
                told(done, whole)
        return _difference(copy)

    async def _found(self, copy: TouchpointCopy, column: str, one: object) -> list[tuple[str, bytes]]:
        rows = copy.execute(_WHOSE.format(side=column), one, self.history).fetchall()
        async with acquire(self.pool) as connection:
            recorded = await _read(connection, rows)
        projection = project(recorded, rulebook=self.rulebook, policy=self.policy)
        due = frozenset(timer.id for timer in projection.timers if timer.due_at <= self.now)
        if due:
            projection = project(recorded, fired=due, rulebook=self.rulebook, policy=self.policy)
        return [(found.rule, found.id.bytes) for found in projection.findings]


async def _read(connection: Connection, rows: Iterable[tuple[str, str]]) -> list[RecordedTouchpoint]:
    keys = list(rows)
    found = await connection.fetch(_READ, [source for source, _ in keys], [id_ for _, id_ in keys])
    recorded = [
        RecordedTouchpoint(touchpoint=_DECODER.decode(row["payload"]), appended_at=row["appended_at"]) for row in found
    ]
    return sorted(recorded, key=in_order)


_DIFFERENCE = """
SELECT rule, max(after = 0) AS before, max(after = 1) AS afterwards FROM found GROUP BY rule, id"""


def _difference(copy: TouchpointCopy) -> FrictionDifference:
    difference = FrictionDifference()
    for rule, before, after in copy.execute(_DIFFERENCE):
        if before and after:
            difference.kept += 1
        elif after:
            difference.new[rule] += 1
        else:
            difference.gone[rule] += 1
    return difference
