"""Applying batches until they are applied: retry what will pass, bisect what will not, stop at what must not be.

- The moment's failures (connection, deadlock, a merge elsewhere): the same batch again, for as long as it takes.
- Somebody claimed a partition after us: its records are dropped, the rest goes on.
- Values that the database will never take: cut the batch in two until the record is found, and bury it.
- Anything else is a bug: the worker stops before the offset moves.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import asyncpg

from services.journey.apply.batch import Batch, FencedError, Run, gather
from services.journey.apply.batch_metrics import count_batch
from services.journey.apply.limit import DeadLetterLimit
from services.journey.apply.resolution import CustomersMergedError
from services.journey.apply.transaction import BatchTransaction
from services.journey.consume.intake import Chunk, Intake
from services.journey.failpoints import Failpoints, WorkerFailpoint
from services.journey.metrics import WorkerMetrics
from services.runtime.clock import Clock
from services.runtime.postgres.pools import Pool, is_transient, transaction
from services.runtime.process.garbage_collection import uncollected
from services.runtime.telemetry.logs import get_logger

_log = get_logger(__name__)

FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 5.0

UNSTORABLE: tuple[type[Exception], ...] = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,
    OverflowError,
    RecursionError,
    UnicodeEncodeError,
)
"""Failures that lie in a value: SQLSTATE classes 22, 23 and 54, and what the client cannot encode."""

CROWDED: tuple[type[Exception], ...] = (asyncpg.LockNotAvailableError, asyncpg.QueryCanceledError)
"""A database that answers, but not in time: 55P03 and 57014. Two workers with long batches can hold one another up for
ever; half as many records need their locks half as long, so somebody gets through."""

UNDIVIDED = 100
"""Records that are not divided for lack of time: fewer take no less."""


class LimitKeeper:
    """Keeps the state of the dead-letter limit; only what is committed counts."""

    def __init__(self, limit: DeadLetterLimit) -> None:
        self._limit = limit

    def remember(self, running: int) -> None:
        """Go on from a row of dead letters that an earlier life left: a restart must not make room for another."""
        self._limit = replace(self._limit, running=running)

    def admit(self, dead: Sequence[bool]) -> None:
        """Raise DeadLetterLimitError where these, if committed, would be too many."""
        self._limit.after(dead)

    def committed(self, dead: Sequence[bool]) -> None:
        """Count them."""
        self._limit = self._limit.after(dead)


@dataclass(frozen=True, slots=True, kw_only=True)
class Applier:
    """The agent's work: one batch after the other, each until nothing of it is left to do."""

    pool: Pool
    attempt: BatchTransaction
    intake: Intake
    limit: LimitKeeper
    metrics: WorkerMetrics
    clock: Clock
    failpoints: Failpoints
    after_commit: Callable[[], None]
    """Told of each commit: there may be something to publish."""

    async def apply(self, chunks: Sequence[Chunk]) -> None:
        """Apply the records in `chunks`, or find that they are somebody else's.

        Raises:
            Exception: a bug, a hole or too many dead letters; nothing of the present transaction is committed.
        """
        self.intake.applying = True
        try:
            with uncollected():
                batch = gather(chunks)
            await self.failpoints.reached(WorkerFailpoint.AFTER_FETCH)
            await self._settle(batch)
        finally:
            self.intake.applying = False

    async def _settle(self, batch: Batch, *, bury: bool = False) -> None:
        """Try until nothing of `batch` is left; with `bury`, its records go to the dead letters unseen."""
        pause = FIRST_PAUSE_S
        while batch.runs:
            try:
                return await self._once(batch, bury=bury)
            except FencedError as fenced:
                batch = self._lose(batch, fenced)
            except CustomersMergedError:
                self.metrics.stream.batch_retries.labels("widened").inc()
            except UNSTORABLE as error:
                if _divides(batch, error, bury=bury):
                    return await self._bisect(batch)
                bury = True
            except Exception as error:  # noqa: BLE001  every failure is waited out or raised again
                await self._wait_out(error, batch, pause)
                if isinstance(error, CROWDED) and batch.size > UNDIVIDED and not bury:
                    return await self._bisect(batch)
                pause = min(pause * 2, LONGEST_PAUSE_S)
        return None

    async def _bisect(self, batch: Batch) -> None:
        for half in batch.halves():
            await self._settle(half)

    async def _wait_out(self, error: Exception, batch: Batch, pause: float) -> None:
        """Sleep if trying again may help; otherwise say which records met the bug, and raise it."""
        if not is_transient(error):
            _log.error("batch failed", offsets=_coordinates(batch), reason=type(error).__name__)
            raise error
        self.metrics.stream.batch_retries.labels("transient").inc()
        _log.warning("batch will be tried again", reason=type(error).__name__, pause_s=pause)
        await asyncio.sleep(pause)

    async def _once(self, batch: Batch, *, bury: bool = False) -> None:
        await self.failpoints.reached(WorkerFailpoint.BEFORE_TRANSACTION)
        started = self.clock.monotonic()
        with uncollected():
            async with transaction(self.pool) as connection:
                applied = await self.attempt.apply(connection, batch, bury=bury)
        self.limit.committed(applied.dead)
        for run in batch.runs:
            run.claim.applied = max(run.claim.applied, run.end)
        count_batch(self.metrics, applied, self.clock.monotonic() - started, self.clock.now())
        await self.failpoints.reached(WorkerFailpoint.AFTER_COMMIT)
        self.after_commit()

    def _lose(self, batch: Batch, fenced: FencedError) -> Batch:
        now = self.clock.monotonic()
        for run in batch.runs:
            if run.claim.partition in fenced.partitions:
                _log.warning("partition lost", partition=run.claim.partition, epoch=run.claim.epoch)
                self.metrics.stream.partitions_fenced.inc()
                self.intake.lose(run.claim, now)
        return batch.without(fenced.partitions)


def _divides(batch: Batch, error: Exception, *, bury: bool) -> bool:
    """Whether to look for the record at fault in halves; it is found when a batch of one cannot be stored."""
    if bury:
        raise error
    _log.warning("batch not storable", offsets=_coordinates(batch), reason=type(error).__name__)
    return batch.size > 1


def _coordinates(batch: Batch) -> list[str]:
    return [_coordinate(run) for run in batch.runs]


def _coordinate(run: Run) -> str:
    return f"{run.claim.partition}:{run.first}-{run.end - 1}"
