"""How far the topics were applied, and what ends the transaction of a batch, whatever its records are."""

from collections.abc import Sequence
from datetime import datetime

from services.alerts.consume import dead_letters
from services.alerts.consume.dead_letters import RecordDeadLetter
from services.alerts.consume.records import ConsumedRecord, advance, buried
from services.runtime.log.batch import Batch
from services.runtime.log.dead_letters import DeadLetterGuard
from services.runtime.log.progress import ProgressTable, TopicLine
from services.runtime.postgres.pools import Connection

SCHEMA = "alerts"
PROGRESS = ProgressTable(f"{SCHEMA}.progress", append_times=False)


async def advance_over(
    connection: Connection,
    line: TopicLine,
    batch: Batch[ConsumedRecord],
    letters: Sequence[RecordDeadLetter],
    limit: DeadLetterGuard,
    now: datetime,
) -> list[bool]:
    """Bury what cannot be read, and advance the progress over the batch; return which of its records are dead.

    Raises:
        DeadLetterLimitError: too many are dead; nothing may be committed.
    """
    dead = buried(batch.items, letters)
    limit.admit(dead)
    await dead_letters.add(connection, line, letters, now)
    await PROGRESS.advance(connection, line, [advance(run) for run in batch.runs])
    return dead
