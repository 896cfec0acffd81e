"""The table of dead letters that a service has in its own schema: how the operator finds letters and notes what became.

Writing letters is left to each service's consumer, which knows what is wrong with a record.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from services.runtime.log.progress import TopicLine
from services.runtime.postgres.pools import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterQuery:
    """Which letters: by ref, or by what they have in common. Without `requeued`, only those not sent again yet."""

    refs: Sequence[str] = ()
    code: str | None = None
    source: str | None = None
    requeued: bool = False
    since: datetime | None = None
    until: datetime | None = None
    limit: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredLetter:
    """A dead letter with its place in the log. `ref` names the place; `errors` and `headers` are decoded JSON."""

    ref: str
    line: str
    topic: str
    partition: int
    offset: int
    code: str
    errors: list[dict[str, Any]]
    source: str | None
    touchpoint_id: str | None
    key: bytes | None = field(repr=False)
    value: bytes | None = field(repr=False)
    headers: list[list[str]] = field(repr=False)
    first_seen: datetime
    requeued_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterTable:
    """The table `dead_letters` of a service's schema; `of_touchpoints` where it names the source and touchpoint."""

    schema: str
    of_touchpoints: bool

    async def find(self, connection: Connection, query: LetterQuery) -> list[StoredLetter]:
        """Return the letters that `query` asks for, oldest first."""
        rows = await connection.fetch(
            _FIND.format(
                stage=self.schema,
                table=f"{self.schema}.dead_letters",
                names="source, touchpoint_id" if self.of_touchpoints else "NULL::text AS source, NULL AS touchpoint_id",
            ),
            *(list(query.refs), query.code, query.source, query.requeued, query.since, query.until, query.limit),
        )
        return [
            StoredLetter(**{**dict(row), "errors": _decode(row["errors"]), "headers": _decode(row["headers"])})
            for row in rows
        ]

    async def mark_requeued(self, connection: Connection, line: TopicLine, partition: int, offset: int) -> None:
        """Note that the letter of this place in the log was sent again now."""
        statement = _MARK.format(table=f"{self.schema}.dead_letters")
        await connection.execute(statement, line.name, line.topic, partition, offset)

    async def count_waiting(self, connection: Connection) -> int:
        """Return how many letters were not sent again."""
        count: int = await connection.fetchval(_COUNT.format(table=f"{self.schema}.dead_letters"))
        return count


_FIND = """
SELECT * FROM (
    SELECT left(md5(concat_ws('/', '{stage}', line, topic, partition, "offset")), 10) AS ref,
           line, topic, partition, "offset", code, errors, {names}, key, value, headers, first_seen, requeued_at
      FROM {table}
) AS letters
WHERE (cardinality($1::text[]) = 0 OR ref = ANY($1))
  AND ($2::text IS NULL OR code = $2)
  AND ($3::text IS NULL OR source = $3)
  AND ($4::boolean OR requeued_at IS NULL)
  AND ($5::timestamptz IS NULL OR first_seen >= $5)
  AND ($6::timestamptz IS NULL OR first_seen < $6)
ORDER BY first_seen, line, topic, partition, "offset" LIMIT $7"""
_MARK = """
UPDATE {table} SET requeued_at = now() WHERE line = $1 AND topic = $2 AND partition = $3 AND "offset" = $4"""
_COUNT = "SELECT count(*) FROM {table} WHERE requeued_at IS NULL"


def _decode(text: str) -> Any:
    return msgspec.json.decode(text)
