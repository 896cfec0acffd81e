"""Writes what a worker measured of its rules: to the metrics, and to the table that lists are made from."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from services.journey.costs import cost_rows
from services.journey.costs.rule_sample import RuleSample
from services.journey.metrics import CostMetrics
from services.runtime.postgres.pools import Pool, retrying, transaction
from services.runtime.process.outages import tolerated
from services.runtime.telemetry.logs import get_logger

_log = get_logger(__name__)

EVERY_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CostKeeper:
    """Writes in rounds, over the pool of the worker. `asked` gives the ids of the rules that are on at the moment."""

    pool: Pool
    sample: RuleSample
    metrics: CostMetrics
    asked: Callable[[], Iterable[str]]

    async def run(self) -> None:
        """Write round after round; never return. What cannot be written is only missing from lists."""
        while True:
            await asyncio.sleep(EVERY_S)
            with tolerated(_log, "what rules cost not written"):
                await self.write()

    async def write(self) -> None:
        """Write what was measured since the last time; a rule that was not asked has cost nothing."""
        taken = self.sample.take()
        if not taken.touchpoints:
            return
        for rule, seconds in taken.seconds.items():
            self.metrics.rule_seconds.labels(rule).inc(seconds)
        self.metrics.rule_touchpoints.inc(taken.touchpoints)
        seconds_by_rule = {**dict.fromkeys(self.asked(), 0.0), **taken.seconds}
        await retrying(partial(self._store, seconds_by_rule, taken.touchpoints))

    async def _store(self, seconds: dict[str, float], touchpoints: int) -> None:
        async with transaction(self.pool) as connection:
            await cost_rows.add(connection, seconds, touchpoints)
            await cost_rows.forget(connection)
