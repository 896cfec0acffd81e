"""What a consumer needs of whoever applies its records."""

from typing import Protocol

from services.alerts.consume.records import ConsumedRecord
from services.runtime.log.batch import Batch
from services.runtime.log.dead_letters import DeadLetterGuard
from services.runtime.log.progress import TopicLine


class RecordIntake(Protocol):
    """Applies the records of one topic, each once."""

    @property
    def limit(self) -> DeadLetterGuard:
        """What stops the process when too many records in a row become dead letters."""

    async def apply(self, line: TopicLine, batch: Batch[ConsumedRecord], *, bury: bool) -> None:
        """Try once to apply what is new in `batch`; with `bury`, make dead letters of its records."""


class ExpressIntake(Protocol):
    """Applies some records before their turn."""

    def urgent(self, record: ConsumedRecord) -> bool:
        """Return whether a record is to overtake others."""

    async def overtake(self, line: TopicLine, batch: Batch[ConsumedRecord]) -> None:
        """Apply records now that come again in their turn, or leave them to it."""
