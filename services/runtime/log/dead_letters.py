"""Which records can never be applied, and how many of them are too many.

The limit stops a bad release from draining a topic into dead letters: the transaction that would go over it is rolled
back and the process stops. A row of dead letters that an earlier life of the process left behind counts as well.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import asyncpg

from services.runtime.log.progress import TopicLine
from services.runtime.postgres.pools import Connection

UNSTORABLE: tuple[type[Exception], ...] = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,
    OverflowError,
    RecursionError,
    UnicodeEncodeError,
)
"""Failures that lie in a value: SQLSTATE classes 22, 23 and 54, and what the client cannot encode."""

WINDOW = 1_000
"""How many of the latest records the ratio is taken over, and the fewest it says anything about: a tenth of them."""


class LimitReason(StrEnum):
    """Which limit was reached."""

    RUN = "run"
    RATIO = "ratio"


class DeadLetterLimitError(Exception):
    """Too many records in a row, or of the latest thousand, are dead letters: the reader is broken, not the records."""

    def __init__(self, reason: LimitReason, dead: int, seen: int) -> None:
        super().__init__(f"{dead} of {seen} records are dead letters ({reason})")
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterLimit:
    """What was seen lately: one flag a record, True for a dead letter. A `ratio` of 1 is never exceeded."""

    ratio: float
    run: int
    recent: tuple[bool, ...] = ()
    running: int = 0

    def after(self, dead: Sequence[bool]) -> "DeadLetterLimit":
        """Return the limit after these records.

        Raises:
            DeadLetterLimitError: they are too many.
        """
        running = self.running
        for flag in dead:
            running = running + 1 if flag else 0
            if running >= self.run:
                raise DeadLetterLimitError(LimitReason.RUN, running, running)
        recent = (*self.recent, *dead)[-WINDOW:]
        bad = sum(recent)
        if len(recent) >= WINDOW // 10 and bad > self.ratio * len(recent):
            raise DeadLetterLimitError(LimitReason.RATIO, bad, len(recent))
        return replace(self, recent=recent, running=running)


class DeadLetterGuard:
    """Keeps the state of the limit; only what is committed counts."""

    def __init__(self, limit: DeadLetterLimit) -> None:
        self._limit = limit

    @property
    def most(self) -> int:
        """How many dead letters in a row are too many."""
        return self._limit.run

    def remember(self, running: int) -> None:
        """Go on from a row of dead letters that an earlier life left: a restart must not make room for another."""
        self._limit = replace(self._limit, running=running)

    def admit(self, dead: Sequence[bool]) -> None:
        """Raise DeadLetterLimitError where these, if committed, would be too many."""
        self._limit.after(dead)

    def committed(self, dead: Sequence[bool]) -> None:
        """Count records that were committed."""
        self._limit = self._limit.after(dead)


_TRAILING = """
SELECT count(*) FROM {schema}.progress AS p
 CROSS JOIN LATERAL (
       SELECT d."offset" AS at, row_number() OVER (ORDER BY d."offset" DESC) AS place FROM {schema}.dead_letters AS d
        WHERE d.line = p.line AND d.topic = p.topic AND d.partition = p.partition AND d."offset" < p.next_offset
          AND d.code <> ALL($3::text[])
        ORDER BY d."offset" DESC LIMIT $4) AS letter
 WHERE p.line = $1 AND p.topic = $2 AND letter.at = p.next_offset - letter.place"""


async def trailing(
    connection: Connection, schema: str, line: TopicLine, *, most: int, besides: Collection[str] = ()
) -> int:
    """Return how many dead letters stand in an unbroken row at the ends of what is applied, all partitions together.

    Letters with a code of `besides` do not count, and break the row; at most `most` of a partition are looked at.
    `schema` is the service's own, whose tables `progress` and `dead_letters` are asked.
    """
    query = _TRAILING.format(schema=schema)
    return int(await connection.fetchval(query, line.name, line.topic, list(besides), most))
