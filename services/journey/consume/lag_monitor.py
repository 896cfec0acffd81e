"""Monitors the lag: once a second, it compares the end of the log with what is applied.

It marks idle partitions as caught up, because timers wait for that, sets the lag metrics, and lets the watchdog judge
the progress. It observes from the outside, through a Kafka client of its own and the database, and does not rely on
the state of the stream.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from services.journey.consume import progress
from services.journey.consume.intake import Intake
from services.journey.consume.progress import PartitionMark
from services.journey.consume.transport import KAFKA_FAILURES
from services.journey.consume.watchdog import ProgressWatch, StuckReason
from services.journey.metrics import StreamMetrics
from services.runtime.clock import Clock
from services.runtime.kafka.log_ends import LogEnds
from services.runtime.log.progress import TopicLine
from services.runtime.postgres.pools import Pool, acquire
from services.runtime.process.outages import tolerated
from services.runtime.telemetry.logs import get_logger

_log = get_logger(__name__)

EVERY_S = 1.0


@dataclass(slots=True, kw_only=True)
class LagMonitor:
    """Checks `topic_partitions` for lag, and those `assigned` to this worker (all, if none are) for progress."""

    pool: Pool
    line: TopicLine
    intake: Intake
    log: LogEnds
    metrics: StreamMetrics
    clock: Clock
    stuck_after_s: float
    topic_partitions: Callable[[], Collection[int]]
    assigned: Callable[[], Collection[int]]
    stuck: Callable[[list[int]], object]
    beat: Callable[[], None]
    watch: ProgressWatch = field(default_factory=ProgressWatch)

    async def run(self) -> None:
        """Check every second; never return."""
        while True:
            self.beat()
            with tolerated(_log, "lag not measured", also=KAFKA_FAILURES) as outage:
                await self.once()
            if outage:
                self.watch = ProgressWatch()  # nothing can be said meanwhile: time without progress starts anew
            await asyncio.sleep(EVERY_S)

    async def once(self) -> None:
        """Check the lag and the progress once."""
        partitions = self.topic_partitions()
        async with acquire(self.pool) as connection:
            asked_at = await progress.database_time(connection)  # before the ends: see `mark_caught_up`
        ends = await self.log.ends(self.line.topic, partitions) if partitions else {}
        epochs = {partition: claim.epoch for partition, claim in self.intake.claims.items()}
        async with acquire(self.pool) as connection:
            if epochs:
                await progress.mark_caught_up(connection, self.line, epochs, asked_at, ends)
            marks = {mark.partition: mark for mark in await progress.marks(connection, self.line)}
        self._measure(marks, ends, asked_at)
        self._judge(marks, ends)

    def _measure(self, marks: Mapping[int, PartitionMark], ends: Mapping[int, int], now: datetime) -> None:
        self.metrics.waiting_records.set(self.intake.waiting)
        self.metrics.partitions_claimed.set(len(self.intake.claims))
        for partition in self.intake.claims.keys() & ends.keys():
            mark = marks.get(partition)
            behind = max(0, ends[partition] - mark.next_offset) if mark is not None else ends[partition]
            applied = mark.applied_append_time if mark is not None else None
            seconds = max(0.0, (now - applied).total_seconds()) if behind and applied is not None else 0.0
            self.metrics.lag_records.labels(str(partition)).set(behind)
            self.metrics.lag_seconds.labels(str(partition)).set(seconds)

    def _judge(self, marks: Mapping[int, PartitionMark], ends: Mapping[int, int]) -> None:
        answered = self.assigned() or ends.keys()
        applied = {p: marks[p].next_offset if p in marks else 0 for p in answered if p in ends}
        self.watch, reason, still = self.watch.observe(
            applied, ends, self.clock.monotonic(), self.stuck_after_s, busy=self.intake.busy, steps=self.intake.steps
        )
        if reason is StuckReason.STUCK:
            self.stuck(still)
