"""Applying a batch until nothing of it is left to do.

- The moment's failures (connection, deadlock): the same batch again, for as long as it takes.
- What was locked is not all that the batch touches: the same batch again, at once.
- Somebody claimed a partition after us: its records are dropped, the rest goes on.
- Values that the database will never take: cut the batch in two until the record is found, and bury it.
- Anything else is a bug: raised, before the offset moves.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, Protocol

import asyncpg

from services.runtime.log.batch import Batch, FencedError, Item, Run
from services.runtime.log.dead_letters import UNSTORABLE
from services.runtime.postgres.pools import ConcurrentChangeError, is_transient
from services.runtime.telemetry.logs import get_logger

_log = get_logger(__name__)

FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 5.0

CROWDED: tuple[type[Exception], ...] = (asyncpg.LockNotAvailableError, asyncpg.QueryCanceledError)
"""A database that answers, but not in time: 55P03 and 57014. Two workers with long batches can hold one another up for
ever; half as many records need their locks half as long, so somebody gets through."""

UNDIVIDED = 100
"""Records that are not divided for lack of time: fewer take no less."""


class RetryReason(StrEnum):
    """Why a batch is applied again."""

    TRANSIENT = "transient"
    WIDENED = "widened"


class Attempt(Protocol[Item]):
    """One try to apply a batch in a transaction of its own; returns when it is committed."""

    async def __call__(self, batch: Batch[Item], *, bury: bool) -> None:
        """Apply `batch`; with `bury`, make each of its records a dead letter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchApplier(Generic[Item]):
    """Carries out attempts. `lost` is called with a run that another owner has; `again`, with the reason of a retry."""

    attempt: Attempt[Item]
    lost: Callable[[Run[Item]], None]
    again: Callable[[RetryReason], None] = lambda _reason: None

    async def apply(self, batch: Batch[Item]) -> None:
        """Try until nothing of `batch` is left to do.

        Raises:
            Exception: a bug, a hole or too many dead letters; nothing of the present transaction is committed.
        """
        pause, bury = FIRST_PAUSE_S, False
        while batch.runs:
            try:
                await self.attempt(batch, bury=bury)
                return self._applied(batch)
            except FencedError as fenced:
                batch = self._lose(batch, fenced)
            except ConcurrentChangeError:
                self.again(RetryReason.WIDENED)
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

    def _applied(self, batch: Batch[Item]) -> None:
        for run in batch.runs:
            run.claim.applied = max(run.claim.applied, run.end)

    async def _bisect(self, batch: Batch[Item]) -> None:
        for half in batch.halves():
            await self.apply(half)

    async def _wait_out(self, error: Exception, batch: Batch[Item], pause: float) -> None:
        """Sleep if trying again may help; otherwise say which records met the bug, and raise it."""
        if not is_transient(error):
            _log.error("batch failed", offsets=batch.coordinates, reason=type(error).__name__)
            raise error
        self.again(RetryReason.TRANSIENT)
        _log.warning("batch will be tried again", reason=type(error).__name__, pause_s=pause)
        await asyncio.sleep(pause)

    def _lose(self, batch: Batch[Item], fenced: FencedError) -> Batch[Item]:
        for run in batch.runs:
            if run.claim.partition in fenced.partitions:
                _log.warning("partition lost", partition=run.claim.partition, epoch=run.claim.epoch)
                self.lost(run)
        return batch.without(fenced.partitions)


def _divides(batch: Batch[Item], error: Exception, *, bury: bool) -> bool:
    """Whether to look for the record at fault in halves; it is found when a batch of one cannot be stored."""
    if bury:
        raise error
    _log.warning("batch not storable", offsets=batch.coordinates, reason=type(error).__name__)
    return batch.size > 1
