"""Applies a batch of records in one transaction: places frictions, writes every change, and moves progress on.

A `kill -9` at any moment therefore loses nothing and applies nothing twice. A record that can never be applied becomes
a dead letter in the same transaction. Trying again is left to `runtime.log`, and Kafka to `consumer`.
"""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from services.alerts.consume import dead_letters
from services.alerts.consume.dead_letters import FrictionDeadLetter
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
from services.runtime.postgres.pools import Connection, Pool, transaction
from services.runtime.telemetry.logs import get_logger

_log = get_logger(__name__)

SCHEMA = "alerts"
PROGRESS = ProgressTable(f"{SCHEMA}.progress", append_times=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class FrictionRecord:
    """A record as it came from Kafka; `timestamp` is in milliseconds since 1970."""

    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _ReadFriction:
    """A friction that was read from a record, and its document."""

    friction: ReportedFriction
    document: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FrictionIntake:
    """Applies batches of records to issues."""

    pool: Pool
    clock: Clock
    writer: ChangeWriter
    metrics: AlertsMetrics
    new_id: Callable[[], UUID]
    failpoints: AlertsFailpoints
    reopen_window: timedelta
    limit: DeadLetterGuard

    async def apply(self, line: TopicLine, batch: Batch[FrictionRecord], *, bury: bool = False) -> None:
        """Try once to apply what is new in `batch`; with `bury`, make dead letters of its records.

        Raises:
            FencedError, HoleInProgressError, ConcurrentChangeError, DeadLetterLimitError: nothing is committed.
        """
        now = self.clock.now()
        await self.failpoints.reached(AlertsFailpoint.FRICTIONS_READ)
        async with transaction(self.pool) as connection:
            held = await PROGRESS.lock(connection, line, [run.claim.partition for run in batch.runs])
            batch = judge(batch, held)
            if not batch.runs:
                return
            read, letters = _read_all(list(batch.items), reject_all=bury)
            placement, plans = await self._place(connection, read, now)
            rejected = {(arrival.partition, arrival.offset) for arrival, _ in letters}
            dead = [(arrival.partition, arrival.offset) in rejected for arrival in batch.items]
            self.limit.admit(dead)
            await dead_letters.add(connection, line, [_letter(arrival, why) for arrival, why in letters], now)
            await PROGRESS.advance(connection, line, [_advance(run) for run in batch.runs])
        self.limit.committed(dead)
        await self.failpoints.reached(AlertsFailpoint.FRICTIONS_APPLIED)
        self._count(placement, plans, letters)

    async def _place(
        self, connection: Connection, read: Sequence[_ReadFriction], now: datetime
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
        plans = await self.writer.write(connection, placement.changes, now)
        documents = {
            (r.friction.id, r.friction.revision): r.document for r in reversed(read)
        }  # the first of equal ones counts
        await issue_store.save_frictions(connection, placement.frictions, documents, now)
        await issue_store.save_occurrences(connection, placement.occurrences)
        return placement, plans

    def _count(
        self,
        placement: PlacementPlan | None,
        plans: Sequence[NotificationPlan],
        letters: Sequence[tuple[FrictionRecord, UnreadableFrictionError]],
    ) -> None:
        """Count and log what was committed."""
        self.writer.count(plans)
        if placement is not None:
            for outcome in placement.outcomes.values():
                self.metrics.intake.frictions.labels(outcome).inc()
            self.metrics.intake.frictions.labels("stale").inc(placement.stale)
        for arrival, why in letters:
            self.metrics.intake.dead_lettered.labels(why.code).inc()
            _log.warning("friction dead-lettered", code=why.code, partition=arrival.partition, offset=arrival.offset)


def _read_all(
    arrivals: Sequence[FrictionRecord], *, reject_all: bool
) -> tuple[list[_ReadFriction], list[tuple[FrictionRecord, UnreadableFrictionError]]]:
    read: list[_ReadFriction] = []
    letters: list[tuple[FrictionRecord, UnreadableFrictionError]] = []
    for arrival in arrivals:
        try:
            if reject_all:
                raise UnreadableFrictionError("unstorable", message="PostgreSQL refuses a value in it.")
            friction = read_friction(arrival.value)
        except UnreadableFrictionError as rejected:
            letters.append((arrival, rejected))
        else:
            read.append(_ReadFriction(friction=friction, document=(arrival.value or b"").decode()))
    return read, letters


def _letter(arrival: FrictionRecord, rejected: UnreadableFrictionError) -> FrictionDeadLetter:
    return FrictionDeadLetter(
        partition=arrival.partition,
        offset=arrival.offset,
        code=rejected.code,
        at=rejected.at,
        message=rejected.message,
        key=arrival.key,
        value=arrival.value,
        headers=[(name, base64.b64encode(value or b"").decode()) for name, value in arrival.headers],
    )


def _advance(run: Run[FrictionRecord]) -> Advance:
    last = run.items[-1]
    return Advance(
        partition=run.claim.partition,
        epoch=run.claim.epoch,
        was=run.first,
        next_offset=run.end,
        last_hash=fingerprint(last),
    )
