"""Publishes the records of the outbox outside any transaction, and marks them after the acknowledgement.

The relay is kicked after every commit, and also looks by itself every second. If it dies between acknowledgement and
mark, another relay publishes the records again once the lease has ended; readers keep the highest revision.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from schemas.documents import journey as journey_v1
from services.journey.failpoints import Failpoints, WorkerFailpoint
from services.journey.metrics import FrictionMetrics
from services.journey.outbox import outbox_rows
from services.journey.outbox.outbox_rows import LeasedRecord
from services.runtime.kafka.producer import PublishError, RecordPublisher
from services.runtime.kafka.record import ProducerRecord
from services.runtime.postgres.pools import Pool, acquire, transaction
from services.runtime.process.outages import tolerated
from services.runtime.telemetry.logs import get_logger
from services.runtime.telemetry.tracing import NO_TRACING, SpanRecorder, SpanRole, traceparent_of

_log = get_logger(__name__)

CUSTOMERS_AT_ONCE = 500
SWEEP_EVERY = 600
"""Rounds between two sweeps, which delete what was published long ago."""

SWEPT_AT_ONCE = 5_000
"""Records that one statement of the sweep takes, so that months of them do not exceed the time limit of a statement."""

NOT_KEPT = frozenset({journey_v1.TOPIC})
"""Topics whose published rows are not kept for a new line, because the state of a journey can be read at any time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxRelay:
    """Publishes on `line`, and keeps published rows for `keep_days`."""

    pool: Pool
    publisher: RecordPublisher
    line: str
    metrics: FrictionMetrics
    failpoints: Failpoints
    every_s: float
    lease_s: float
    keep_days: int
    tracing: SpanRecorder = NO_TRACING
    _kicked: asyncio.Event = field(default_factory=asyncio.Event)

    def kick(self) -> None:
        """Wake the relay, because there may be something to publish."""
        self._kicked.set()

    async def run(self) -> None:
        """Publish records as they come; never return."""
        looks = 0
        while True:
            self._kicked.clear()
            with tolerated(_log, "outbox not read") as outage:
                if looks % SWEEP_EVERY == 0:
                    await self._sweep()
                looks += await self._publish_all()
            if outage:
                await asyncio.sleep(self.every_s)
            await self._pause()

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(self.every_s):
                await self._kicked.wait()
        except TimeoutError:
            return

    async def _publish_all(self) -> bool:
        """Publish what waits, and measure what is left; false where Kafka did not take it."""
        try:
            while await self.once() > 0:
                pass
        except PublishError as error:
            self.metrics.publish_failures.labels(error.reason).inc()
            _log.warning("records not published", reason=error.reason, records=len(error.failed))
            await asyncio.sleep(self.every_s)
            return False
        await self._measure()
        return True

    async def once(self) -> int:
        """Publish the records of one lease, and return how many there were.

        Raises:
            PublishError: some are not acknowledged; they are released for the next round, all others are marked.
        """
        async with transaction(self.pool) as connection:
            leased = await outbox_rows.lease(connection, CUSTOMERS_AT_ONCE, self.lease_s)
        if not leased:
            return 0
        try:
            await self._publish([one.record for one in leased])
        except PublishError as error:
            await self._settle(_before_the_first_failure(leased, error.failed), leased)
            raise
        await self.failpoints.reached(WorkerFailpoint.AFTER_PUBLISH)
        await self._settle(leased, leased)
        return len(leased)

    async def _publish(self, records: Sequence[ProducerRecord]) -> None:
        with self.tracing.batch("publish outbox", "publish record", SpanRole.PRODUCER) as spans:
            if self.tracing.on:
                for one in records:
                    spans.follow(traceparent_of(one.headers))
            await self.publisher.publish(records)

    async def _settle(self, acknowledged: Sequence[LeasedRecord], leased: Sequence[LeasedRecord]) -> None:
        done = {one.id for one in acknowledged}
        dropped = [one.id for one in acknowledged if one.record.topic in NOT_KEPT]
        kept = [one.id for one in acknowledged if one.record.topic not in NOT_KEPT]
        free = [one.id for one in leased if one.id not in done]
        async with transaction(self.pool) as connection:
            if kept:
                await outbox_rows.mark(connection, kept, self.line)
            if dropped:
                await outbox_rows.drop(connection, dropped)
            if free:
                await outbox_rows.release(connection, free)
        for topic, records in Counter(one.record.topic for one in acknowledged).items():
            self.metrics.published.labels(topic).inc(records)

    async def _measure(self) -> None:
        async with acquire(self.pool) as connection:
            records, age_s = await outbox_rows.waiting(connection)
        self.metrics.outbox_records.set(records)
        self.metrics.outbox_age_seconds.set(age_s)

    async def _sweep(self) -> None:
        again = 0
        async with acquire(self.pool) as connection:
            while moved := await outbox_rows.publish_again(connection, self.line, SWEPT_AT_ONCE):
                again += moved
            while await outbox_rows.forget(connection, self.line, self.keep_days, SWEPT_AT_ONCE):
                pass
        if again:
            _log.warning("a new line: what was published is published again", records=again)


def _before_the_first_failure(leased: Sequence[LeasedRecord], failed: frozenset[int]) -> list[LeasedRecord]:
    """Return what need not be sent again: for each key, the records before the first that was not acknowledged."""
    broken: set[tuple[str, bytes | None]] = set()
    kept = []
    for place, one in enumerate(leased):
        key = one.record.topic, one.record.key
        if place in failed:
            broken.add(key)
        elif key not in broken:
            kept.append(one)
    return kept
