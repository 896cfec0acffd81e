"""A batch of records in one transaction: progress checked, frictions placed, everything written, progress moved on.

So `kill -9` at any instant loses nothing and doubles nothing. Transient failures are raised to the consumer, which
tries again; a record that can never be applied becomes a dead letter in the same transaction. Leaves Kafka to
`consumer`.
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from services.alerts.consume import dead_letters, progress
from services.alerts.consume.dead_letters import DeadLetter, UnstorableError, recognising
from services.alerts.consume.progress import Advance, Claim, OffsetMismatchError
from services.alerts.failpoints import AlertsFailpoint, AlertsFailpoints
from services.alerts.issues import issue_store
from services.alerts.issues.contract import UnreadableFrictionError, read_friction
from services.alerts.issues.model import ReportedFriction
from services.alerts.issues.placement import PlacementPlan, place
from services.alerts.metrics import Metrics
from services.alerts.notify.change_writer import ChangeWriter
from services.alerts.notify.notification import NotificationPlan
from services.runtime.clock import Clock
from services.runtime.log.identity import fingerprint
from services.runtime.logs import get_logger
from services.runtime.postgres import Connection, Pool, transaction

_log = get_logger(__name__)

WIDENINGS = 10
"""How often a batch starts over because an issue moved under its hands."""


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
class Owned:
    """The claim of a partition, and the offset up to which its owner knows everything to be applied."""

    claim: Claim
    applied: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What a batch came to: the next offset of each partition, the partitions that are not ours any more, poison."""

    next_offsets: Mapping[int, int]
    lost: frozenset[int]
    refused: int


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
    metrics: Metrics
    new_id: Callable[[], UUID]
    failpoints: AlertsFailpoints
    reopen_window: timedelta

    async def apply(self, owned: Mapping[int, Owned], arrivals: Sequence[Arrival]) -> Applied:
        """Apply `arrivals`, in offset order within each partition; `owned` says by which right.

        A batch that the database refuses for its content is halved until the record is found.

        Raises:
            services.alerts.consume.progress.OffsetMismatchError: our claim holds, and there is a hole before the batch.
        """
        try:
            return await self._apply(owned, arrivals)
        except UnstorableError:
            if len(arrivals) == 1:
                return await self._apply(owned, arrivals, refuse_all=True)
        half = len(arrivals) // 2
        first = await self.apply(owned, arrivals[:half])
        rest = [a for a in arrivals[half:] if a.partition not in first.lost]
        if not rest:
            return first
        second = await self.apply(owned, rest)
        return Applied(
            next_offsets={**first.next_offsets, **second.next_offsets},
            lost=first.lost | second.lost,
            refused=first.refused + second.refused,
        )

    async def _apply(
        self, owned: Mapping[int, Owned], arrivals: Sequence[Arrival], *, refuse_all: bool = False
    ) -> Applied:
        for _ in range(WIDENINGS):
            try:
                return await self._once(owned, arrivals, refuse_all=refuse_all)
            except issue_store.IssueMovedError:
                continue
        raise issue_store.IssueMovedError

    async def _once(self, owned: Mapping[int, Owned], arrivals: Sequence[Arrival], *, refuse_all: bool) -> Applied:
        now = self.clock.now()
        wanted = sorted({a.partition for a in arrivals})
        claims = {partition: owned[partition].claim for partition in wanted}
        await self.failpoints.reached(AlertsFailpoint.FRICTIONS_READ)
        with recognising():
            async with transaction(self.pool) as connection:
                held = await progress.held(connection, list(claims.values()))
                _refuse_holes(owned, held)
                ours = [a for a in arrivals if a.partition in held and a.offset >= held[a.partition]]
                read, letters = _read_all(ours, refuse_all=refuse_all)
                placement, announcements = await self._place(connection, read, now)
                await dead_letters.add(connection, [_letter(claims, a, why) for a, why in letters], now)
                advances = _advances(claims, ours, held)
                await progress.advance(connection, advances, now)
        await self.failpoints.reached(AlertsFailpoint.FRICTIONS_APPLIED)
        self._count(placement, announcements, letters)
        return Applied(
            next_offsets={**held, **{a.claim.position.partition: a.next_offset for a in advances}},
            lost=frozenset(wanted) - held.keys(),
            refused=len(letters),
        )

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


def _refuse_holes(owned: Mapping[int, Owned], held: Mapping[int, int]) -> None:
    """More than we know may be applied (a commit whose answer was lost), less may not: something was never applied."""
    for partition, stored in held.items():
        if stored < owned[partition].applied:
            raise OffsetMismatchError(f"partition {partition} is at {stored}, not {owned[partition].applied}")


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


def _letter(claims: Mapping[int, Claim], arrival: Arrival, refused: UnreadableFrictionError) -> DeadLetter:
    return DeadLetter(
        position=claims[arrival.partition].position,
        offset=arrival.offset,
        code=refused.code,
        at=refused.at,
        message=refused.message,
        key=arrival.key,
        value=arrival.value,
        headers=[(name, base64.b64encode(value or b"").decode()) for name, value in arrival.headers],
    )


def _advances(claims: Mapping[int, Claim], ours: Sequence[Arrival], held: Mapping[int, int]) -> list[Advance]:
    last = {arrival.partition: arrival for arrival in ours}
    return [
        Advance(
            claim=claims[partition],
            expected=held[partition],
            next_offset=arrival.offset + 1,
            last_hash=fingerprint(arrival),
        )
        for partition, arrival in sorted(last.items())
    ]
