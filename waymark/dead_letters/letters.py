"""Dead letters of the journey worker and of alerts: find them, look at them, publish them again.

What ingest rejected stands in a topic and is `waymark.dead_letters.rejections`' to read.

A letter's `ref` names its place in the log (line, topic, partition, offset) in ten characters. To requeue is to publish
the original bytes under the original key again; doing it twice is harmless, because applying is idempotent. How all
kinds of letters go back is `waymark.dead_letters.requeue`'s to say.
"""

import base64
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from services.alerts.admin import operator_access as alerts
from services.journey import administration as journey
from services.runtime.kafka.producer import KafkaProducer
from services.runtime.kafka.record import ProducerRecord
from services.runtime.log.letter_table import LetterQuery
from services.runtime.log.progress import TopicLine
from services.runtime.postgres.pools import Connection

STAGES = ("ingest", "journey", "alerts")
TABLES = {"journey": journey.LETTERS, "alerts": alerts.LETTERS}


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


async def find_letters(connection: Connection, selection: DeadLetterSelection) -> list[ListedDeadLetter]:
    """Return the selected letters, oldest first."""
    query = LetterQuery(
        refs=selection.refs,
        code=selection.code,
        source=selection.source,
        requeued=selection.requeued,
        since=selection.since,
        until=selection.until,
        limit=selection.limit,
    )
    letters = [
        ListedDeadLetter(stage=stage, **asdict(letter))
        for stage, table in TABLES.items()
        if selection.stage in {None, stage}
        for letter in await table.find(connection, query)
    ]
    return sorted(letters, key=_age)[: selection.limit]


def _age(letter: ListedDeadLetter) -> tuple[datetime, str, str, int, int]:
    return letter.first_seen, letter.line, letter.topic, letter.partition, letter.offset


async def republish(connection: Connection, letters: Sequence[ListedDeadLetter], producer: KafkaProducer) -> int:
    """Publish the letters again, record it, and return how many they were.

    Raises:
        PublishError: some were not acknowledged, and none is recorded, so the same call may be repeated.
    """
    await producer.publish([letter.record() for letter in letters])
    async with connection.transaction():
        for letter in letters:
            line = TopicLine(name=letter.line, topic=letter.topic)
            await TABLES[letter.stage].mark_requeued(connection, line, letter.partition, letter.offset)
    return len(letters)
