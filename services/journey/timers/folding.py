"""Folds what batches append to the graph of paths and to funnels, so that a long span is read from few rows.

Readers see the same sums before and after. Of several workers, one folds at a time.
"""

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import Final

from services.journey.store.path_rows import PATHS, RULES
from services.journey.store.rollups.funnel_rows import FUNNELS
from services.journey.store.rollups.rollup import Rollup
from services.runtime.postgres.pools import Pool, acquire, retrying
from services.runtime.process.outages import tolerated
from services.runtime.telemetry.logs import get_logger

_log = get_logger(__name__)

EVERY_S: Final = 5.0
AT_ONCE: Final = 20_000
"""Changes folded in one transaction: a fraction of a second."""


@dataclass(frozen=True, slots=True)
class RollupFolder:
    """Folds in rounds, over the pool of the worker."""

    pool: Pool

    async def run(self) -> None:
        """Fold round after round; never return."""
        while True:
            await asyncio.sleep(EVERY_S)
            with tolerated(_log, "sums not folded"):
                await self.fold_all()

    async def fold_all(self, at_once: int = AT_ONCE) -> None:
        """Fold until nothing is left, or another worker folds; `at_once` changes in each transaction."""
        for rollup in (PATHS, RULES, FUNNELS):
            while await retrying(partial(self._once, rollup, at_once), attempts=5):
                pass

    async def _once(self, rollup: Rollup, at_once: int) -> bool:
        async with acquire(self.pool) as connection, connection.transaction(isolation="repeatable_read"):
            return await rollup.fold(connection, at_once)
