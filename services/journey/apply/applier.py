"""The work of the agent: applies fetched chunks, one batch after the other, each until nothing of it is left to do.

Retrying, bisecting and burying are left to `services.runtime.log.applying`, one attempt to `transaction`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from services.journey.apply.batch import BatchRecord, gather
from services.journey.apply.batch_metrics import count_batch
from services.journey.apply.transaction import BatchTransaction
from services.journey.consume.intake import Chunk, Intake
from services.journey.failpoints import Failpoints, WorkerFailpoint
from services.journey.metrics import WorkerMetrics
from services.runtime.clock import Clock
from services.runtime.log.applying import BatchApplier, RetryReason
from services.runtime.log.batch import Batch, Run
from services.runtime.log.dead_letters import DeadLetterGuard
from services.runtime.postgres.pools import Pool, transaction
from services.runtime.process.garbage_collection import without_collection


@dataclass(slots=True, kw_only=True)
class Applier:
    """Applies chunks. `after_commit` is called after each commit, because there may be something to publish."""

    pool: Pool
    attempt: BatchTransaction
    intake: Intake
    limit: DeadLetterGuard
    metrics: WorkerMetrics
    clock: Clock
    failpoints: Failpoints
    after_commit: Callable[[], None]
    _applier: BatchApplier[BatchRecord] = field(init=False)

    def __post_init__(self) -> None:
        self._applier = BatchApplier(attempt=self._once, lost=self._lose, again=self._count_retry)

    async def apply(self, chunks: Sequence[Chunk]) -> None:
        """Apply the records in `chunks`, or find that another worker owns their partitions.

        Raises:
            Exception: a bug, a hole or too many dead letters; nothing of the present transaction is committed.
        """
        self.intake.applying = True
        try:
            with without_collection():
                batch = gather(chunks)
            await self.failpoints.reached(WorkerFailpoint.AFTER_FETCH)
            await self._applier.apply(batch)
        finally:
            self.intake.applying = False

    async def _once(self, batch: Batch[BatchRecord], *, bury: bool) -> None:
        await self.failpoints.reached(WorkerFailpoint.BEFORE_TRANSACTION)
        started = self.clock.monotonic()
        with without_collection():
            async with transaction(self.pool) as connection:
                applied = await self.attempt.apply(connection, batch, bury=bury)
        self.limit.committed(applied.dead)
        count_batch(self.metrics, applied, self.clock.monotonic() - started, self.clock.now())
        await self.failpoints.reached(WorkerFailpoint.AFTER_COMMIT)
        self.after_commit()

    def _lose(self, run: Run[BatchRecord]) -> None:
        self.metrics.stream.partitions_fenced.inc()
        self.intake.lose(run.claim, self.clock.monotonic())

    def _count_retry(self, reason: RetryReason) -> None:
        self.metrics.stream.batch_retries.labels(reason).inc()
