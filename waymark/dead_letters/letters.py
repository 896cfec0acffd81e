"""Dead letters of the journey worker and of alerts: find them, look at them, publish them again.

What ingest rejected stands in a topic and is `waymark.dead_letters.rejections`' to read.

A letter's `ref` names its place in the log (line, topic, partition, offset) in ten characters. To requeue is to publish
the original bytes under the original key again; doing it twice is harmless, because applying is idempotent. How all
kinds of letters go back is `waymark.dead_letters.requeue`'s to say.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from services.runtime.kafka.producer import KafkaProducer
from services.runtime.kafka.record import ProducerRecord

STAGES = ("ingest", "journey", "alerts")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedDeadLetter:
    """One dead letter. `value` and `headers` are as they stood in the log; `value` is personal data.

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


_LETTERS = """
SELECT * FROM (
    SELECT left(md5(concat_ws('/', 'journey', line, topic, partition, "offset")), 10) AS ref, 'journey' AS stage,
           line, topic, partition, "offset", code, errors, source, touchpoint_id, key, value, headers, first_seen,
           requeued_at
      FROM journey.dead_letters
    UNION ALL
    SELECT left(md5(concat_ws('/', 'alerts', line, topic, partition, "offset")), 10), 'alerts',
           line, topic, partition, "offset", code, errors, NULL, NULL, key, value, headers, first_seen, requeued_at
      FROM alerts.dead_letters
) AS letters
WHERE (%(refs)s::text[] = '{}' OR ref = ANY(%(refs)s))
  AND (%(stage)s::text IS NULL OR stage = %(stage)s)
  AND (%(code)s::text IS NULL OR code = %(code)s)
  AND (%(source)s::text IS NULL OR source = %(source)s)
  AND (%(requeued)s OR requeued_at IS NULL)
  AND (%(since)s::timestamptz IS NULL OR first_seen >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR first_seen < %(until)s)
ORDER BY first_seen, line, topic, partition, "offset" LIMIT %(limit)s"""


def find_letters(connection: psycopg.Connection, selection: DeadLetterSelection) -> list[ListedDeadLetter]:
    """Return the selected letters, oldest first."""
    wanted = {
        "refs": list(selection.refs),
        "stage": selection.stage,
        "code": selection.code,
        "source": selection.source,
        "requeued": selection.requeued,
        "since": selection.since,
        "until": selection.until,
        "limit": selection.limit,
    }
    with connection.cursor(row_factory=class_row(ListedDeadLetter)) as cursor:
        return cursor.execute(_LETTERS, wanted).fetchall()


async def republish(
    connection: psycopg.Connection, letters: Sequence[ListedDeadLetter], producer: KafkaProducer
) -> int:
    """Publish the letters again, record it, and return how many they were.

    Raises:
        PublishError: some were not acknowledged, and none is recorded, so the same call may be repeated.
    """
    await producer.publish([letter.record() for letter in letters])
    for letter in letters:
        _note(connection, letter)
    connection.commit()
    return len(letters)


def _note(connection: psycopg.Connection, letter: ListedDeadLetter) -> None:
    statement = 'UPDATE {} SET requeued_at = now() WHERE line = %s AND topic = %s AND partition = %s AND "offset" = %s'
    place = (letter.line, letter.topic, letter.partition, letter.offset)
    connection.execute(sql.SQL(statement).format(sql.Identifier(letter.stage, "dead_letters")), place)
