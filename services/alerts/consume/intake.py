"""A batch of records in one transaction: progress checked, frictions placed, everything written, progress moved on.

So `kill -9` at any instant loses nothing and doubles nothing. A record that can never be applied becomes a dead letter
in the same transaction. Leaves trying again to `runtime.log`, and Kafka to `consumer`.
"""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from services.alerts.consume import dead_letters
from services.alerts.consume.dead_letters import DeadLetter
from services.alerts.failpoints import AlertsFailpoint, AlertsFailpoints
from services.alerts.issues import issue_store
from services.alerts.issues.contract import UnreadableFrictionError, read_friction
from services.alerts.issues.model import ReportedFriction
from services.alerts.issues.placement import PlacementPlan, place
from services.alerts.metrics import AlertsMetrics
from services.alerts.notify.change_writer import ChangeWriter
from services.alerts.notify.notification import NotificationPlan
from services.runtime.clock import Clock
from services.runtime.log.batch import Batch, Run, judge
from services.runtime.log.dead_letters import DeadLetterGuard
from services.runtime.log.identity import fingerprint
from services.runtime.log.progress import Advance, ProgressTable, TopicLine
from services.runtime.logs import get_logger
from services.runtime.postgres import Connection, Pool, transaction

_log = get_logger(__name__)

SCHEMA = "alerts"
PROGRESS = ProgressTable(f"{SCHEMA}.progress", append_times=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A record as it came from Kafka. `timestamp` is in milliseconds since 1970."""

    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """An arrival that is a friction, and its document."""

    friction: ReportedFriction
    document: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """Applies batches."""

    pool: Pool
    clock: Clock
    publishing: ChangeWriter
    metrics: AlertsMetrics
    new_id: Callable[[], UUID]
    failpoints: AlertsFailpoints
    reopen_window: timedelta
    limit: DeadLetterGuard

    async def apply(self, line: TopicLine, batch: Batch[Arrival], *, bury: bool = False) -> None:
        """Try once to apply what of `batch` is not applied yet; with `bury`, make dead letters of its records.

        Raises:
            FencedError, HoleInProgressError, WidenedError, DeadLetterLimitError: nothing is committed.
        """
        now = self.clock.now()
        await self.failpoints.reached(AlertsFailpoint.FRICTIONS_READ)
        async with transaction(self.pool) as connection:
            held = await PROGRESS.lock(connection, line, [run.claim.partition for run in batch.runs])
            batch = judge(batch, held)
            if not batch.runs:
                return
            read, letters = _read_all(list(batch.items), refuse_all=bury)
            placement, announcements = await self._place(connection, read, now)
            refused = {(arrival.partition, arrival.offset) for arrival, _ in letters}
            dead = [(arrival.partition, arrival.offset) in refused for arrival in batch.items]
            self.limit.admit(dead)
            await dead_letters.add(connection, line, [_letter(arrival, why) for arrival, why in letters], now)
            await PROGRESS.advance(connection, line, [_advance(run) for run in batch.runs])
        self.limit.committed(dead)
        await self.failpoints.reached(AlertsFailpoint.FRICTIONS_APPLIED)
        self._count(placement, announcements, letters)

    async def _place(
        self, connection: Connection, read: Sequence[_Read], now: datetime
    ) -> tuple[PlacementPlan | None, list[NotificationPlan]]:
        if not read:
            return None, []
        frictions = [r.friction for r in read]
        known = await issue_store.load_context(
            connection,
            (f.id for f in frictions),
            (f.fingerprint for f in frictions),
            now=now,
            reopen_window=self.reopen_window,
        )
        placement = place(known, frictions, now=now, new_id=self.new_id, reopen_window=self.reopen_window)
        announcements = await self.publishing.write(connection, placement.changes, now)
        documents = {(r.friction.id, r.friction.revision): r.document for r in reversed(read)}  # the first counts
        await issue_store.save_frictions(connection, placement.frictions, documents, now)
        await issue_store.save_occurrences(connection, placement.occurrences)
        return placement, announcements

    def _count(
        self,
        placement: PlacementPlan | None,
        announcements: Sequence[NotificationPlan],
        letters: Sequence[tuple[Arrival, UnreadableFrictionError]],
    ) -> None:
        """Count and log what was committed."""
        self.publishing.count(announcements)
        if placement is not None:
            for outcome in placement.outcomes.values():
                self.metrics.intake.frictions.labels(outcome).inc()
            self.metrics.intake.frictions.labels("stale").inc(placement.stale)
        for arrival, why in letters:
            self.metrics.intake.dead_lettered.labels(why.code).inc()
            _log.warning("friction dead-lettered", code=why.code, partition=arrival.partition, offset=arrival.offset)


def _read_all(
    arrivals: Sequence[Arrival], *, refuse_all: bool
) -> tuple[list[_Read], list[tuple[Arrival, UnreadableFrictionError]]]:
    read: list[_Read] = []
    letters: list[tuple[Arrival, UnreadableFrictionError]] = []
    for arrival in arrivals:
        try:
            if refuse_all:
                raise UnreadableFrictionError("unstorable", message="PostgreSQL refuses a value in it.")
            friction = read_friction(arrival.value)
        except UnreadableFrictionError as refused:
            letters.append((arrival, refused))
        else:
            read.append(_Read(friction=friction, document=(arrival.value or b"").decode()))
    return read, letters


def _letter(arrival: Arrival, refused: UnreadableFrictionError) -> DeadLetter:
    return DeadLetter(
        partition=arrival.partition,
        offset=arrival.offset,
        code=refused.code,
        at=refused.at,
        message=refused.message,
        key=arrival.key,
        value=arrival.value,
        headers=[(name, base64.b64encode(value or b"").decode()) for name, value in arrival.headers],
    )


def _advance(run: Run[Arrival]) -> Advance:
    last = run.items[-1]
    return Advance(
        partition=run.claim.partition,
        epoch=run.claim.epoch,
        was=run.first,
        next_offset=run.end,
        last_hash=fingerprint(last),
    )
