"""The table of dead letters that a service has in its own schema: how the operator finds letters and notes what became.

Writing letters is left to each service's consumer, which knows what is wrong with a record.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from services.runtime.kafka.record import ProducerRecord
from services.runtime.postgres.pools import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterSelection:
    """Which letters: by ref, or by what they have in common. Without `requeued`, only those not sent again yet."""

    refs: Sequence[str] = ()
    stage: str | None = None
    code: str | None = None
    source: str | None = None
    requeued: bool = False
    since: datetime | None = None
    until: datetime | None = None
    limit: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedDeadLetter:
    """One dead letter; its `ref` names its place in the log. `value` is personal data, as it stood in the log.

    Of what ingest rejected, `value` is what was sent: `mapped` if in another wire form, `truncated` if cut.
    """

    ref: str
    stage: str
    line: str
    topic: str
    partition: int
    offset: int
    code: str
    errors: list[dict[str, Any]]
    source: str | None
    touchpoint_id: str | None
    key: bytes | None
    value: bytes | None
    headers: list[list[str]]
    first_seen: datetime
    requeued_at: datetime | None
    letter_id: str = ""
    mapped: bool = False
    truncated: bool = False

    def record(self) -> ProducerRecord:
        """Return the record to publish: the same bytes, key and headers."""
        headers = tuple((name, base64.b64decode(value)) for name, value in self.headers)
        return ProducerRecord(topic=self.topic, key=self.key, value=self.value, headers=headers)


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterTable:
    """The table `dead_letters` of a service's schema; `of_touchpoints` where it names the source and touchpoint."""

    schema: str
    of_touchpoints: bool

    async def find(self, connection: Connection, selection: DeadLetterSelection) -> list[ListedDeadLetter]:
        """Return the selected letters of this table, oldest first; their stage is its schema."""
        names = "source, touchpoint_id" if self.of_touchpoints else "NULL::text AS source, NULL AS touchpoint_id"
        rows = await connection.fetch(
            _FIND.format(stage=self.schema, names=names),
            *(list(selection.refs), selection.code, selection.source, selection.requeued),
            *(selection.since, selection.until, selection.limit),
        )
        return [
            ListedDeadLetter(**{**dict(row), "errors": _decode(row["errors"]), "headers": _decode(row["headers"])})
            for row in rows
        ]

    async def mark_requeued(self, connection: Connection, letter: ListedDeadLetter) -> None:
        """Note that a letter was sent again now."""
        place = (letter.line, letter.topic, letter.partition, letter.offset)
        await connection.execute(_MARK.format(stage=self.schema), *place)

    async def count_waiting(self, connection: Connection) -> int:
        """Return how many letters were not sent again."""
        count: int = await connection.fetchval(_COUNT.format(stage=self.schema))
        return count


_FIND = """
SELECT * FROM (
    SELECT left(md5(concat_ws('/', '{stage}', line, topic, partition, "offset")), 10) AS ref, '{stage}' AS stage,
           line, topic, partition, "offset", code, errors, {names}, key, value, headers, first_seen, requeued_at
      FROM {stage}.dead_letters
) AS letters
WHERE (cardinality($1::text[]) = 0 OR ref = ANY($1))
  AND ($2::text IS NULL OR code = $2)
  AND ($3::text IS NULL OR source = $3)
  AND ($4::boolean OR requeued_at IS NULL)
  AND ($5::timestamptz IS NULL OR first_seen >= $5)
  AND ($6::timestamptz IS NULL OR first_seen < $6)
ORDER BY first_seen, line, topic, partition, "offset" LIMIT $7"""
_MARK = """
UPDATE {stage}.dead_letters SET requeued_at = now()
 WHERE line = $1 AND topic = $2 AND partition = $3 AND "offset" = $4"""
_COUNT = "SELECT count(*) FROM {stage}.dead_letters WHERE requeued_at IS NULL"


def _decode(text: str) -> Any:
    return msgspec.json.decode(text)
