"""Fires the timers that the stream has passed, in the same way as a batch is applied.

The loop picks candidates without locks, locks their customers, and then locks and checks the timers again. Several
workers may do this at once: a timer fires in one transaction only. The same loop renews the customers of journeys that
have been idle too long, and customers for whom a rule raised.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from services.journey.apply.batch_metrics import count_written
from services.journey.consume import progress
from services.journey.domain.names import CustomerId
from services.journey.failpoints import Failpoints, WorkerFailpoint
from services.journey.metrics import FrictionMetrics
from services.journey.renew.customer_update import CustomerUpdate
from services.journey.renew.renewal import CustomerRenewer
from services.journey.renew.writer import WriteCounts
from services.journey.store import customers, frictions, journeys, timer_rows
from services.journey.store.timer_rows import TimerReach
from services.journey.timers.horizon import Horizon, stream_horizon
from services.runtime.clock import Clock
from services.runtime.log.progress import TopicLine
from services.runtime.postgres.pools import Pool, acquire, transaction
from services.runtime.process.outages import tolerated
from services.runtime.telemetry.logs import get_logger

_log = get_logger(__name__)

AT_ONCE = 200
"""Customers looked at in one transaction."""

UPKEEP_EVERY = 60
"""Rounds between two checks for idle journeys and failed rules."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerDelays:
    """How long timers wait beyond their due time, when journeys are idle, and how often the loop runs."""

    late_grace: timedelta
    replay_quiet: timedelta
    idle_after: timedelta
    every_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerLoop:
    """Fires timers. `partitions` returns the partitions of the topic, none while the broker does not answer."""

    pool: Pool
    line: TopicLine
    renewer: CustomerRenewer
    metrics: FrictionMetrics
    clock: Clock
    failpoints: Failpoints
    patience: TimerDelays
    partitions: Callable[[], Awaitable[Collection[int]]]
    after_commit: Callable[[], None]

    async def run(self) -> None:
        """Fire timers round after round; never return."""
        rounds = 0
        while True:
            with tolerated(_log, "timers not looked at"):
                await self.once()
                if rounds % UPKEEP_EVERY == 0:
                    await self.keep_up()
                rounds += 1
            await asyncio.sleep(self.patience.every_s)

    async def once(self) -> int:
        """Fire the timers that may fire now, and return how many there were."""
        reach = await self.reach()
        fired = 0
        while reach is not None:
            async with acquire(self.pool) as connection:
                due = await timer_rows.due_customers(connection, reach, AT_ONCE)
            now_fired = await self._renew(due, reach) if due else 0
            if now_fired == 0:  # nothing is due, or a merge was quicker and it is for the next look
                break
            fired += now_fired
        return fired

    async def reach(self) -> TimerReach | None:
        """Return which timers may fire now; None where none may."""
        return (await self._horizon()).reach(self.patience.late_grace)

    async def keep_up(self) -> None:
        """Renew customers with idle journeys and, a few at a time, those for whom a rule raised."""
        async with acquire(self.pool) as connection:
            while await journeys.put_off(connection, self.patience.idle_after, AT_ONCE) == AT_ONCE:
                pass  # many at once only after long: journeys that began on one day
            idle = await journeys.idle_customers(connection, self.patience.idle_after, AT_ONCE)
            failed = await frictions.failed_customers(connection, AT_ONCE)
            rules = await frictions.failing_rules(connection)
        self.metrics.rules_failed.clear()
        for rule, number in rules.items():
            self.metrics.rules_failed.labels(rule).set(number)
        wanted = list(dict.fromkeys([*idle, *failed]))
        if wanted:
            await self._renew(wanted, None)

    async def _horizon(self) -> Horizon:
        partitions = await self.partitions()
        async with acquire(self.pool) as connection:
            marks = await progress.marks(connection, self.line)
        found = stream_horizon(marks, partitions, self.patience.replay_quiet)
        self.metrics.horizon_blocked.clear()
        for partition in found.blocked:
            self.metrics.horizon_blocked.labels(str(partition)).set(1)
        self.metrics.replay_held.set(1 if found.importing else 0)
        if found.passed is not None:
            self.metrics.horizon_age_seconds.set((self.clock.now() - found.passed).total_seconds())
        return found

    async def _renew(self, wanted: Collection[UUID], reach: TimerReach | None) -> int:
        """Fire the due timers of these customers and renew them; a merge meanwhile defers them to the next round."""
        async with transaction(self.pool) as connection:
            roots = await customers.roots(connection, wanted)
            locked = await customers.lock(connection, set(roots.values()))
            fired = [] if reach is None else await timer_rows.fire(connection, reach, list(locked))
            if fired:
                await customers.raise_versions(connection, set(fired))
            news = {CustomerId(customer): CustomerUpdate() for customer in locked}
            written: WriteCounts = await self.renewer.renew(connection, news)
            await self.failpoints.reached(WorkerFailpoint.TIMERS_FIRED)
        count_written(self.metrics, written)
        self.metrics.timers_fired.inc(len(fired))
        if written.outgoing:
            self.after_commit()
        return len(fired)
