"""Does the periodic work: ends snoozes and leases of dead processes, refreshes gauges, deletes old rows.

SQL is left to `upkeep_store`, and the decisions to `inbox` and `notify`.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.alerts.deliver import delivery_store
from services.alerts.digest.digest_sender import DigestSender
from services.alerts.feedback import feedback_store
from services.alerts.feedback.said_feedback import FeedbackCount, IssueFeedback
from services.alerts.hold.waits import WaitKind
from services.alerts.inbox.action_executor import ActionExecutor
from services.alerts.inbox.actions import end_snooze, notify_again, verdict_of
from services.alerts.issues.model import AlertSeverity, IssueState
from services.alerts.live import feed_store
from services.alerts.loop.improvement_store import measure_due
from services.alerts.loop.loop_follower import LoopFollower
from services.alerts.loop.outcomes import ResolutionOutcome
from services.alerts.loop.recontact_counts import watches_by_state
from services.alerts.loop.watches import WatchState
from services.alerts.metrics import HoldingMetrics, LoopMetrics, ReachabilityMetrics, StateMetrics
from services.alerts.notify import directory_store, reachability_store
from services.alerts.notify.reachability import Reachability, ReachabilityReport, SilenceReason, report_reachability
from services.alerts.outbreaks.outbreak_watch import OutbreakWatch
from services.alerts.policy.silences import SilenceState
from services.alerts.priority.ranking import grown_older
from services.alerts.upkeep import upkeep_store as store
from services.runtime.clock import Clock
from services.runtime.postgres.pools import Pool, acquire, transaction
from services.runtime.process.outages import tolerated
from services.runtime.telemetry.logs import get_logger

_log = get_logger(__name__)

EVERY_S = 2.0
REFRESH_EVERY_S = 10.0
"""Seconds between two refreshes of the gauges: counting deliveries takes long if many are pending."""

PRUNE_EVERY_S = 300.0
AT_ONCE = 1000
OUTBOX_KEPT = timedelta(days=30)
COUNTS_KEPT = timedelta(days=16)
"""What is usual is asked of the fourteen days before."""
WATCHES_COUNTED = timedelta(days=28)
NAN = float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class UpkeepLoop:
    """Runs until cancelled; every replica runs it, and work that one has done is done for all."""

    pool: Pool
    clock: Clock
    executor: ActionExecutor
    outbreaks: OutbreakWatch
    loop: LoopFollower
    metrics: StateMetrics
    reachability: ReachabilityMetrics
    holding: HoldingMetrics
    watches: LoopMetrics
    digests: DigestSender
    owner: str
    feed_kept: timedelta
    history_kept: timedelta

    async def run(self) -> None:
        """Do all periodic work until cancelled."""
        prune_at = refresh_at = self.clock.monotonic()
        while True:
            with tolerated(_log, "upkeep interrupted"):
                await self.end_snoozes()
                await self.grow_older()
                await self.end_watches()
                await self.release_dead()
                if self.clock.monotonic() >= refresh_at:
                    refresh_at = self.clock.monotonic() + REFRESH_EVERY_S
                    self.metrics.outbreaks.set(await self.outbreaks.look())
                    await self.notify_unheard()
                    await self.digests.send_due()
                    await self.refresh()
                if self.clock.monotonic() >= prune_at:
                    prune_at = self.clock.monotonic() + PRUNE_EVERY_S
                    await self.prune()
                    await self.measure_improvements()
            await asyncio.sleep(EVERY_S)

    async def end_snoozes(self) -> None:
        """End the snoozes whose time is over."""
        async with acquire(self.pool) as connection:
            due = await store.ended_snoozes(connection, self.clock.now(), AT_ONCE)
        for issue_id in due:
            await self.executor.execute(issue_id, lambda issue, _: end_snooze(issue, now=self.clock.now()))

    async def grow_older(self) -> None:
        """Bring the priorities up to date whose next step has come."""
        async with acquire(self.pool) as connection:
            due = await store.due_priorities(connection, self.clock.now(), AT_ONCE)
        for issue_id in due:
            await self.executor.execute(issue_id, lambda issue, _: verdict_of(grown_older(issue, now=self.clock.now())))

    async def end_watches(self) -> None:
        """Judge the watches whose time is over: did the customer come back?"""
        ended = AT_ONCE
        while ended == AT_ONCE:
            async with transaction(self.pool) as connection:
                ended = await self.loop.end_due(connection, self.clock.now(), AT_ONCE)

    async def measure_improvements(self) -> None:
        """Measure for good what improvements brought whose time has come, each in its own transaction."""
        measured = 1
        while measured:
            async with transaction(self.pool) as connection:
                measured = await measure_due(connection, self.clock.now())

    async def notify_unheard(self) -> None:
        """Notify again of issues for which no working endpoint has received a notification."""
        now = self.clock.now()
        async with acquire(self.pool) as connection:
            directory = await directory_store.load_directory(connection)
            waiting = await reachability_store.unheard_issues(connection, AT_ONCE)
            orphans = await reachability_store.orphaned_deliveries(connection, AT_ONCE)
            living = [e.id for e in directory.endpoints.values() if e.alive(now)]
            dead = [e for e in directory.endpoints if e not in living]
            kept = (
                await reachability_store.issues_held_by_silent(connection, dead, living, AT_ONCE)
                if living and dead
                else []
            )
        silent = [issue.id for issue in kept if notify_again(issue, directory, now=now).change is not None]
        for issue_id in dict.fromkeys([*waiting, *(o.issue_id for o in orphans if o.issue_id is not None), *silent]):
            await self.executor.execute(issue_id, lambda issue, _: notify_again(issue, directory, now=self.clock.now()))
        if orphans:
            async with acquire(self.pool) as connection:
                await reachability_store.give_up(connection, [orphan.delivery_id for orphan in orphans])
            _log.warning("messages to deleted endpoints given up", count=len(orphans))

    async def release_dead(self) -> None:
        """End the leases of processes that died, before they run out."""
        async with transaction(self.pool) as connection:
            released = await delivery_store.release_dead(connection, self.owner)
            if released:
                _log.warning("leases of a dead process ended", count=released)
                await delivery_store.wake(connection)

    async def refresh(self) -> None:
        """Set the gauges to the state of the database."""
        async with acquire(self.pool) as connection:
            now = self.clock.now()
            figures = await store.figures(connection, now)
            watches = await watches_by_state(connection, now - WATCHES_COUNTED)
            feedback = await feedback_store.count(connection, since=now - WATCHES_COUNTED)
            held = await store.held_figures(connection, now)
            report = report_reachability(await reachability_store.load_survey(connection), now=now)
        for severity in AlertSeverity:
            for state in (IssueState.OPEN, IssueState.ACKNOWLEDGED):
                self.metrics.issues.labels(state, severity).set(figures.issues.get((state, severity), 0))
            self.metrics.oldest_unacknowledged.labels(severity).set(_timestamp(figures.oldest_open.get(severity)))
        for name in ("due", "scheduled", "in_flight", "parked", "exhausted"):
            self.metrics.deliveries.labels(name).set(figures.deliveries.get(name, 0))
        for name in ("active", "paused", "disabled"):
            self.metrics.endpoints.labels(name).set(figures.endpoints.get(name, 0))
        for outcome in ResolutionOutcome:
            for became in WatchState:
                self.watches.watches.labels(outcome, became).set(watches.get((outcome, became), 0))
        self.metrics.oldest_due.set(_timestamp(figures.oldest_due))
        self.metrics.unpublished.set(figures.unpublished)
        self._set_feedback(feedback)
        self._set_held(held)
        self._set_reachability(report)
        self.reachability.looked.set(now.timestamp())

    def _set_feedback(self, counts: Sequence[FeedbackCount]) -> None:
        """Set the gauges of what people said, over all versions of each rule."""
        said = Counter[tuple[str, IssueFeedback]]()
        for one in counts:
            said[one.rule, IssueFeedback.USEFUL] += one.useful
            said[one.rule, IssueFeedback.NOISE] += one.noise
        self.watches.feedback.clear()
        for (rule, feedback), issues in said.items():
            self.watches.feedback.labels(rule, feedback).set(issues)

    def _set_held(self, held: store.HeldFigures) -> None:
        """Set the gauges of what is held."""
        for kind in WaitKind:
            self.holding.waiting.labels(kind).set(held.waiting.get(kind, 0))
        for state in (SilenceState.ACTIVE, SilenceState.PENDING):
            self.holding.silences.labels(state).set(held.silences.get(state, 0))
        self.holding.escalations.set(held.escalations)

    def _set_reachability(self, report: ReachabilityReport) -> None:
        """Set the gauges of reachability."""
        for why in SilenceReason:
            self.reachability.dead_endpoints.labels(why).set(sum(one.why is why for one in report.silent))
        self.reachability.living_endpoints.labels("yes").set(report.catching)
        self.reachability.living_endpoints.labels("no").set(report.living - report.catching)
        for reached in Reachability:
            self.reachability.ways.labels(reached).set(len(report.ways_that(reached)))
        self.reachability.dead_since.set(_timestamp(report.dead_since))
        self.reachability.oldest_waiting.set(_timestamp(report.waiting.since))
        self.reachability.unheard_issues.set(report.unheard.count)

    async def prune(self) -> None:
        """Delete rows that are no longer needed, a bounded number at a time."""
        now = self.clock.now()
        await self._prune(store.OUTBOX, now - OUTBOX_KEPT)
        await self._prune(store.FRICTION_COUNTS, now - COUNTS_KEPT)
        for statement in (store.ATTEMPTS, store.DELIVERIES, store.NOTIFICATIONS, store.JOURNEYS):
            await self._prune(statement, now - self.history_kept)
        async with transaction(self.pool) as connection:
            await feed_store.prune(connection, now - self.feed_kept, AT_ONCE * 10)

    async def _prune(self, statement: str, before: datetime) -> None:
        gone = AT_ONCE
        while gone == AT_ONCE:
            async with acquire(self.pool) as connection:
                gone = await store.prune(connection, statement, before, AT_ONCE)


def _timestamp(moment: datetime | None) -> float:
    return moment.timestamp() if moment else NAN
