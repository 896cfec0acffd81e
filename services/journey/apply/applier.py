"""The work of the agent: applies fetched chunks, one batch after the other, each until nothing of it is left to do.

Retrying, bisecting and burying are left to `services.runtime.log.applying`, one attempt to `transaction`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from services.journey.apply.transaction import BatchTransaction
from services.journey.consume.decoding import BatchRecord, decode_record
from services.journey.consume.intake import Chunk, Intake
from services.journey.domain.identity.facts import IdentifierKey
from services.journey.failpoints import WorkerFailpoint
from services.journey.settle.settling import WidenedPartError
from services.runtime.log.applying import BatchApplier, RetryReason
from services.runtime.log.batch import Batch, Run, gather
from services.runtime.process.garbage_collection import without_collection

WIDENINGS = 20
"""How often more identifiers are locked for one batch; what still needs more is tried again from the beginning."""


@dataclass(slots=True, kw_only=True)
class Applier:
    """Applies chunks; touchpoints received more than `late_after` after they happened are only kept."""

    attempt: BatchTransaction
    intake: Intake
    late_after: timedelta
    _applier: BatchApplier[BatchRecord] = field(init=False)

    def __post_init__(self) -> None:
        self._applier = BatchApplier(attempt=self._attempt, lost=self._lose, again=self._count_retry)

    async def apply(self, chunks: Sequence[Chunk]) -> None:
        """Decode and apply the records in `chunks`, or find that another worker owns their partitions.

        Raises:
            Exception: a bug, a hole or too many dead letters; nothing of the present transaction is committed.
        """
        self.intake.applying = True
        try:
            with without_collection():
                records = [
                    decode_record(chunk.partition, one, self.late_after) for chunk in chunks for one in chunk.records
                ]
                batch = gather(records, {chunk.partition: chunk.claim for chunk in chunks})
            await self.attempt.failpoints.reached(WorkerFailpoint.AFTER_FETCH)
            await self._applier.apply(batch)
        finally:
            self.intake.applying = False

    async def _attempt(self, batch: Batch[BatchRecord], *, bury: bool) -> None:
        """Try to apply a batch, with more identifiers locked each time that some are missing."""
        widened: frozenset[IdentifierKey] = frozenset()
        for _ in range(WIDENINGS):
            try:
                return await self.attempt.apply(batch, bury=bury, widened=widened)
            except WidenedPartError as error:
                widened |= error.keys
        return await self.attempt.apply(batch, bury=bury, widened=widened)

    def _lose(self, run: Run[BatchRecord]) -> None:
        self.attempt.metrics.stream.partitions_fenced.inc()
        self.intake.lose(run.claim, self.attempt.clock.monotonic())

    def _count_retry(self, reason: RetryReason) -> None:
        self.attempt.metrics.stream.batch_retries.labels(reason).inc()
