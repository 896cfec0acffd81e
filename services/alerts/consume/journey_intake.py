"""Applies a batch of journeys in one transaction: keeps the highest version of each, and brings open issues up to date.

Like `intake`, it loses nothing and applies nothing twice. Of journeys without friction that no issue names, and whose
customer is not watched, nothing is kept: they are most of the topic, and no issue has anything to say of them.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.alerts.consume.dead_letters import RecordDeadLetter
from services.alerts.consume.progress import PROGRESS, advance_over
from services.alerts.consume.records import ConsumedRecord, read_all
from services.alerts.failpoints import AlertsFailpoint, AlertsFailpoints
from services.alerts.issues import issue_store, journey_store
from services.alerts.issues.contract import read_journey
from services.alerts.issues.model import IssueChange, JourneyNow
from services.alerts.issues.situation import journey_change
from services.alerts.loop.loop_follower import LoopFollower
from services.alerts.metrics import AlertsMetrics
from services.alerts.notify.change_writer import ChangeWriter
from services.runtime.clock import Clock
from services.runtime.log.batch import Batch, judge
from services.runtime.log.dead_letters import DeadLetterGuard
from services.runtime.log.progress import TopicLine
from services.runtime.postgres.pools import Connection, Pool, transaction
from services.runtime.telemetry.logs import get_logger

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class JourneyIntake:
    """Applies batches of journeys to the issues that are open on them."""

    pool: Pool
    clock: Clock
    writer: ChangeWriter
    loop: LoopFollower
    metrics: AlertsMetrics
    failpoints: AlertsFailpoints
    limit: DeadLetterGuard

    async def apply(self, line: TopicLine, batch: Batch[ConsumedRecord], *, bury: bool) -> None:
        """Try once to apply what is new in `batch`; with `bury`, make dead letters of its records.

        Raises:
            FencedError, HoleInProgressError, ConcurrentChangeError, DeadLetterLimitError: nothing is committed.
        """
        now = self.clock.now()
        async with transaction(self.pool) as connection:
            held = await PROGRESS.lock(connection, line, [run.claim.partition for run in batch.runs])
            batch = judge(batch, held)
            if not batch.runs:
                return
            journeys, letters = read_all(batch.items, lambda record: read_journey(record.value), bury=bury)
            watched = await self.loop.watched(connection, journeys, now)
            fresh = await _keep(connection, journeys, watched, now)
            plans = await self.writer.write(connection, await _changes(connection, fresh, now), now)
            await self.loop.follow(connection, [plan.change for plan in plans], now, customers=watched if fresh else ())
            dead = await advance_over(connection, line, batch, letters, self.limit, now)
        self.limit.committed(dead)
        await self.failpoints.reached(AlertsFailpoint.JOURNEYS_APPLIED)
        self.writer.count(plans)
        self._count(journeys, fresh, letters)

    def _count(
        self, journeys: Sequence[JourneyNow], fresh: Sequence[JourneyNow], letters: Sequence[RecordDeadLetter]
    ) -> None:
        self.metrics.intake.journeys.labels("kept").inc(len(fresh))
        self.metrics.intake.journeys.labels("passed_over").inc(len(journeys) - len(fresh))
        for letter in letters:
            self.metrics.intake.dead_lettered.labels(letter.code).inc()
            _log.warning("journey dead-lettered", code=letter.code, partition=letter.partition, offset=letter.offset)


async def _keep(
    connection: Connection, journeys: Sequence[JourneyNow], watched: Collection[str], now: datetime
) -> list[JourneyNow]:
    """Write the journeys that are newer than what is known, and return them; those of `watched` customers too."""
    newest: dict[str, JourneyNow] = {}
    for journey in journeys:
        if journey.id not in newest or journey.version > newest[journey.id].version:
            newest[journey.id] = journey
    await journey_store.await_journeys(
        connection, [j.id for j in journeys if j.friction_count or j.customer_id in watched], now
    )
    known = await journey_store.known_versions(connection, newest)
    fresh = [journey for id_, journey in sorted(newest.items()) if id_ in known and journey.version > known[id_]]
    await journey_store.save(connection, fresh, now)
    return fresh


async def _changes(connection: Connection, fresh: Sequence[JourneyNow], now: datetime) -> list[IssueChange]:
    """Return how the open issues change that are on one of these journeys."""
    if not fresh:
        return []
    names = await journey_store.names_of(connection, [journey.id for journey in fresh])
    opened = await issue_store.load_open_on_journeys(connection, names)
    if not opened:
        return []
    found = await journey_store.find(connection, [one.issue.journey_id for one in opened if one.issue.journey_id])
    changes = (
        journey_change(one.issue, found.get(one.issue.journey_id or ""), one.standing, now=now) for one in opened
    )
    return [change for change in changes if change is not None]
