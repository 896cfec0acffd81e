"""Applies a batch of records in one transaction: places frictions, writes every change, and moves progress on.

A `kill -9` at any moment therefore loses nothing and applies nothing twice. A record that can never be applied becomes
a dead letter in the same transaction. Trying again is left to `runtime.log`, and Kafka to `consumer`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from services.alerts.consume.dead_letters import RecordDeadLetter
from services.alerts.consume.progress import PROGRESS, advance_over
from services.alerts.consume.records import ConsumedRecord, read_all
from services.alerts.failpoints import AlertsFailpoint, AlertsFailpoints
from services.alerts.issues import issue_store
from services.alerts.issues.contract import is_urgent, read_friction
from services.alerts.issues.model import ReportedFriction
from services.alerts.issues.placement import PlacementPlan, place
from services.alerts.loop.loop_follower import LoopFollower
from services.alerts.metrics import AlertsMetrics
from services.alerts.notify.change_writer import ChangeWriter
from services.alerts.notify.notification import NotificationPlan
from services.alerts.outbreaks.outbreak_gate import OutbreakGate
from services.runtime.clock import Clock
from services.runtime.log.applying import CROWDED
from services.runtime.log.batch import Batch, FencedError, check_fences, judge
from services.runtime.log.dead_letters import UNSTORABLE, DeadLetterGuard
from services.runtime.log.progress import TopicLine
from services.runtime.postgres.pools import ConcurrentChangeError, Pool, transaction
from services.runtime.process.outages import tolerated
from services.runtime.telemetry.logs import get_logger
from services.runtime.telemetry.tracing import NO_TRACING, OpenBatch, SpanRecorder, SpanRole, traceparent_of

_log = get_logger(__name__)

LEFT_TO_THEIR_TURN = (FencedError, ConcurrentChangeError, *UNSTORABLE, *CROWDED)
"""Why frictions do not overtake: what is wrong is dealt with when their turn comes."""


@dataclass(slots=True, kw_only=True)
class FrictionIntake:
    """Applies batches of records to issues."""

    pool: Pool
    clock: Clock
    writer: ChangeWriter
    loop: LoopFollower
    metrics: AlertsMetrics
    new_id: Callable[[], UUID]
    failpoints: AlertsFailpoints
    reopen_window: timedelta
    limit: DeadLetterGuard
    gate: OutbreakGate
    tracing: SpanRecorder = NO_TRACING

    async def apply(self, line: TopicLine, batch: Batch[ConsumedRecord], *, bury: bool, early: bool = False) -> None:
        """Try once to apply what is new in `batch`; with `bury`, make dead letters; `early`: before its turn.

        Raises:
            FencedError, HoleInProgressError, ConcurrentChangeError, DeadLetterLimitError: nothing is committed.
        """
        now, window = self.clock.now(), self.reopen_window
        await self.failpoints.reached(AlertsFailpoint.FRICTIONS_READ)
        with self.tracing.batch("apply frictions", "apply friction", SpanRole.CONSUMER) as spans:
            async with transaction(self.pool) as connection:
                held = await PROGRESS.lock(connection, line, [run.claim.partition for run in batch.runs])
                check_fences(batch, held)
                batch = batch if early else judge(batch, held)
                if not batch.runs:
                    return
                frictions, letters = read_all(batch.items, self._reader(spans), bury=bury)
                context = await issue_store.load_context(connection, frictions, now=now, reopen_window=window)
                placement = place(context, frictions, now=now, new_id=self.new_id, reopen_window=window)
                changes = await self.gate.pass_through(connection, context, placement, now)
                plans = await self.writer.write(connection, changes, now)
                await issue_store.save_placement(connection, placement, now)
                await self.loop.follow(connection, [plan.change for plan in plans], now)
                dead = [] if early else await advance_over(connection, line, batch, letters, self.limit, now)
        self.limit.committed(dead)
        await self.failpoints.reached(AlertsFailpoint.FRICTIONS_APPLIED)
        self._count(placement, plans, letters)

    def urgent(self, record: ConsumedRecord) -> bool:
        """Return whether a record is a loud friction that is critical, and so may overtake others."""
        return is_urgent(record.value)

    async def overtake(self, line: TopicLine, batch: Batch[ConsumedRecord]) -> None:
        """Apply frictions before their turn, or leave them to it; the progress moves on when that comes.

        By then their revisions are known, so that they change nothing: the effect is once, whenever the process dies.
        """
        with tolerated(_log, "frictions do not overtake", also=LEFT_TO_THEIR_TURN):
            await self.apply(line, batch, bury=False, early=True)

    def _reader(self, spans: OpenBatch) -> Callable[[ConsumedRecord], ReportedFriction]:
        """Return what reads a friction; where something is traced, with the context of its span."""

        def read(record: ConsumedRecord) -> ReportedFriction:
            friction = read_friction(record.value)
            return (
                replace(friction, trace=spans.follow(traceparent_of(record.headers))) if self.tracing.on else friction
            )

        return read

    def _count(
        self, placement: PlacementPlan, plans: Sequence[NotificationPlan], letters: Sequence[RecordDeadLetter]
    ) -> None:
        """Count and log what was committed."""
        self.writer.count(plans)
        for outcome in placement.outcomes.values():
            self.metrics.intake.frictions.labels(outcome).inc()
        self.metrics.intake.frictions.labels("stale").inc(placement.stale)
        for letter in letters:
            self.metrics.intake.dead_lettered.labels(letter.code).inc()
            _log.warning("friction dead-lettered", code=letter.code, partition=letter.partition, offset=letter.offset)
