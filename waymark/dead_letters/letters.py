"""Dead letters of the journey worker and of alerts: find them, look at them, publish them again.

What ingest rejected stands in a topic and is `waymark.dead_letters.rejections`' to read.

A letter's `ref` names its place in the log (line, topic, partition, offset) in ten characters. To requeue is to publish
the original bytes under the original key again; doing it twice is harmless, because applying is idempotent. How all
kinds of letters go back is `waymark.dead_letters.requeue`'s to say.
"""

from collections.abc import Sequence
from datetime import datetime

from services.alerts.admin import operator_access as alerts
from services.journey import administration as journey
from services.runtime.kafka.producer import KafkaProducer
from services.runtime.log.letter_table import DeadLetterSelection, ListedDeadLetter
from services.runtime.postgres.pools import Connection

STAGES = ("ingest", "journey", "alerts")
TABLES = {"journey": journey.LETTERS, "alerts": alerts.LETTERS}


async def find_letters(connection: Connection, selection: DeadLetterSelection) -> list[ListedDeadLetter]:
    """Return the selected letters, oldest first."""
    letters = [
        letter
        for stage, table in TABLES.items()
        if selection.stage in {None, stage}
        for letter in await table.find(connection, selection)
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
            await TABLES[letter.stage].mark_requeued(connection, letter)
    return len(letters)
