"""Projects customers anew from their touchpoints and writes what changed.

A batch of records, a fired timer and a repaired rule all use this one code path. The caller locks the customers. What
a projection says, and what differs from the stored state, is left to the domain; writing is left to `writer`.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import zip_longest
from uuid import UUID

import msgspec

from services.journey.costs.rule_sample import RuleSample
from services.journey.domain.comparison.aftermath import placed, stored_after
from services.journey.domain.comparison.changes import ComparisonContext, StoredCustomer, diff
from services.journey.domain.comparison.memory import history_bytes
from services.journey.domain.comparison.shadow_changes import StoredShadowFriction
from services.journey.domain.friction import StoredFriction, decode
from services.journey.domain.funnels import FunnelPassage
from services.journey.domain.history import latest_of
from services.journey.domain.journey import StoredJourney
from services.journey.domain.names import CustomerId
from services.journey.domain.projection import ProjectionPolicy, SegmentedHistory, project_segmented
from services.journey.domain.timer import StoredTimer
from services.journey.domain.touchpoint import RecordedTouchpoint, TouchpointKey, in_order
from services.journey.renew.customer_update import CustomerComparison, CustomerUpdate
from services.journey.renew.kept_customers import KeptCustomer, KeptCustomers, continued
from services.journey.renew.writer import CustomerWriter, WriteCounts
from services.journey.store import customers, frictions, journeys, passages, shadow_rows, timer_rows, touchpoints
from services.journey.versions.in_force import HeldPolicies, PolicySource
from services.runtime.postgres.pools import Connection
from services.runtime.process.tasks import run_beside

GROUP = 100
"""Customers whose histories are read, compared and written together. Three groups are in memory: while one is compared,
the group before it is written and the group after it is read."""

MARGIN = timedelta(days=31)
"""How far back stored rows are loaded before the first touchpoint of a truncated history: a contact may last weeks."""

BREATH_S = 0.5
"""Pause after which a statement is sent to the server, which ends transactions that are idle for 3 s."""

TURN_S = 0.002
"""Time after which comparing yields the event loop, first of all to the reading and writing of the other groups."""


ProgressCallback = Callable[[], None]
"""Called whenever a part of the work is done."""


def ignore_progress() -> None:
    """Do nothing: a progress callback for callers that need none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """What is stored about the customers of a group, including absorbed ones; `remembered` was not read but kept."""

    histories: Mapping[UUID, Sequence[RecordedTouchpoint]]
    frictions: Mapping[UUID, Sequence[StoredFriction]]
    journeys: Mapping[UUID, Sequence[StoredJourney]]
    timers: Mapping[UUID, Sequence[StoredTimer]]
    passages: Mapping[UUID, Sequence[FunnelPassage]]
    shadow: Mapping[UUID, Sequence[StoredShadowFriction]]
    remembered: Mapping[UUID, KeptCustomer]


_NOTHING = _Kept(histories={}, journeys={}, frictions={}, timers={}, passages={}, shadow={}, remembered={})


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerRenewer:
    """Renews customers. `history` is the number of latest touchpoints that are looked at.

    After the commit, hand what is to be remembered (`WriteCounts.kept`) to `kept`. `sample` learns what rules cost.
    """

    policies: PolicySource
    policy: ProjectionPolicy
    new_id: Callable[[], UUID]
    stale_after_s: float
    history: int
    writer: CustomerWriter
    kept: KeptCustomers
    sample: RuleSample

    async def renew(
        self,
        connection: Connection,
        updates: Mapping[CustomerId, CustomerUpdate],
        step: ProgressCallback = ignore_progress,
        held: HeldPolicies | None = None,
    ) -> WriteCounts:
        """Write the changes of each customer by the policies in force, `held` already or not; call `step` per group."""
        written = WriteCounts()
        if not updates:
            return written
        held = held or await self.policies.hold(connection)
        session = _Session(renewer=self, connection=connection, updates=updates, held=held, written=written, step=step)
        kept = await session.load((groups := _groups(updates))[0])
        compared: Sequence[CustomerComparison] = ()
        for group, following in zip_longest(groups, groups[1:], fillvalue=()):
            done = asyncio.Event()
            async with run_beside("renewal", session.meanwhile(compared, following, done)) as moving:
                compared = await self._compare(group, updates, kept, held)
                done.set()
            kept = moving.result()
        await self.writer.write(connection, compared, held.now, written)
        session.remember(compared)
        step()
        return written

    async def _compare(
        self, group: Sequence[CustomerId], updates: Mapping[CustomerId, CustomerUpdate], kept: _Kept, held: HeldPolicies
    ) -> list[CustomerComparison]:
        """Project each customer of a group, and compare the projection with what is stored."""
        loop = asyncio.get_running_loop()
        rules, defined, shadow = held.rulebook, held.definitions, held.shadow
        comparisons = []
        turn_ends = loop.time()
        for customer in group:
            if loop.time() >= turn_ends:  # at once, so that what is beside begins before the first customer
                await asyncio.sleep(0)
                turn_ends = loop.time() + TURN_S
            recorded, stored = self._combine(customer, updates[customer], kept)
            segmented = self._segmented(recorded, stored, kept.remembered.get(customer))
            asked = self.sample.of(rules, len(updates[customer].fresh))
            projection = project_segmented(segmented, asked, defined, shadow)
            changes = diff(projection, stored, rules, self._context(customer, held.now), shadow)
            comparisons.append(CustomerComparison(customer, updates[customer], segmented, projection, stored, changes))
        return comparisons

    def _segmented(
        self, recorded: Sequence[RecordedTouchpoint], stored: StoredCustomer, remembered: KeptCustomer | None
    ) -> SegmentedHistory:
        """Return the history with its journeys; one that is remembered only grows where that is enough."""
        if remembered is None:
            return SegmentedHistory(recorded, self.policy, stored.fired)
        return remembered.segmented.with_all_of(recorded, stored.fired)

    def _context(self, customer: CustomerId, now: datetime) -> ComparisonContext:
        return ComparisonContext(customer_id=customer, now=now, new_id=self.new_id, stale_after_s=self.stale_after_s)

    def _combine(
        self, customer: CustomerId, update: CustomerUpdate, kept: _Kept
    ) -> tuple[Sequence[RecordedTouchpoint], StoredCustomer]:
        """Return the history of a customer with what is new, and what is stored of it and of absorbed customers."""
        fresh = [one.recorded for one in update.fresh if not one.late]
        if (remembered := kept.remembered.get(customer)) is not None:
            return self._continue(remembered, fresh)
        recorded: Sequence[RecordedTouchpoint] = [*kept.histories.get(customer, ()), *fresh]
        if truncated := len(recorded) > self.history:
            recorded = latest_of(sorted(recorded, key=in_order), self.history)
        everyone = (customer, *update.absorbed, *update.gained_from)
        frictions = [friction for one in everyone for friction in kept.frictions.get(one, ())]
        journeys = [journey for one in everyone for journey in kept.journeys.get(one, ())]
        if moved := update.relocation.touchpoints:
            mine = {customer, *update.absorbed}
            frictions = [one for one in frictions if _is_with(one, mine, customer, moved)]
            journeys = [one for one in journeys if one.customer_id in mine]
        return recorded, StoredCustomer(
            frictions=frictions,
            journeys=journeys,
            timers=kept.timers.get(customer, ()),
            passages=[passage for one in (customer, *update.absorbed) for passage in kept.passages.get(one, ())],
            shadow=[row for one in (customer, *update.absorbed) for row in kept.shadow.get(one, ())],
            truncated=truncated,
        )

    def _continue(
        self, remembered: KeptCustomer, fresh: Sequence[RecordedTouchpoint]
    ) -> tuple[Sequence[RecordedTouchpoint], StoredCustomer]:
        """Return the history of a remembered customer with what is new, and what is stored of it."""
        stored = remembered.stored
        ordered = continued(remembered.recorded, fresh)
        truncated = stored.truncated or len(ordered) > self.history
        recorded = latest_of(ordered, self.history, is_cut=stored.truncated)
        return recorded, msgspec.structs.replace(stored, truncated=truncated)


def _groups(updates: Mapping[CustomerId, CustomerUpdate]) -> list[Sequence[CustomerId]]:
    """Return the customers in groups; those between whom touchpoints moved are in one, and so are read at one time."""
    givers = {giver for update in updates.values() for giver in update.gained_from}
    moved = sorted(
        one for one, update in updates.items() if update.gained_from or not givers.isdisjoint((one, *update.absorbed))
    )
    rest = sorted(updates.keys() - set(moved))
    groups: list[Sequence[CustomerId]] = [rest[first : first + GROUP] for first in range(0, len(rest), GROUP)]
    return [moved, *groups] if moved else groups


def _is_with(friction: StoredFriction, mine: set[UUID], customer: UUID, moved: Mapping[TouchpointKey, UUID]) -> bool:
    """Return whether a stored friction is this customer's, after the touchpoint that completed it may have moved."""
    completed_by = decode(friction.payload).touchpoints[-1]
    moved_to = moved.get((completed_by.source, completed_by.id))
    return friction.customer_id in mine if moved_to is None else moved_to == customer


@dataclass(frozen=True, slots=True, kw_only=True)
class _Session:
    """The statements of one renewal, one after the other, on the connection that holds the locks.

    `since` is since when rows of a customer were read, None for all; `remembered` are customers who were not read.
    """

    renewer: CustomerRenewer
    connection: Connection
    updates: Mapping[CustomerId, CustomerUpdate]
    held: HeldPolicies
    written: WriteCounts
    step: ProgressCallback
    since: dict[UUID, datetime | None] = field(default_factory=dict)
    remembered: dict[UUID, KeptCustomer] = field(default_factory=dict)

    async def load(self, group: Sequence[CustomerId]) -> _Kept:
        """Read what is stored about a group, except of those who are remembered."""
        if not group:
            return _NOTHING
        remembered = await self._remembered(group)
        self.remembered.update(remembered)
        group = [customer for customer in group if customer not in remembered]
        latest = self.renewer.history + 1
        histories = await touchpoints.history(self.connection, group, latest)
        since: dict[UUID, datetime | None] = {
            customer: _floor(histories[customer]) if len(histories.get(customer, ())) >= latest else None
            for customer in group
        }
        self.since.update(since)
        updates = [self.updates[customer] for customer in group]
        absorbed = dict.fromkeys(one for update in updates for one in (*update.absorbed, *update.gained_from))
        return _Kept(
            histories=histories,
            journeys=await journeys.load(self.connection, {**since, **absorbed}),
            frictions=await frictions.load(self.connection, {**since, **absorbed}),
            timers=await timer_rows.load(self.connection, since),
            passages=await passages.load(self.connection, {**since, **absorbed}) if self.held.definitions.known else {},
            shadow=await shadow_rows.load(self.connection, {**since, **absorbed}, self.held.shadow.numbers),
            remembered=remembered,
        )

    async def _remembered(self, group: Sequence[CustomerId]) -> Mapping[UUID, KeptCustomer]:
        """Return what is remembered of customers whom nobody has changed since; what is outdated is forgotten."""
        taken = {customer: self.renewer.kept.take(customer) for customer in group}
        known: dict[UUID, KeptCustomer] = {
            one: kept for one, kept in taken.items() if kept is not None and kept.is_enough_for(self.updates[one])
        }
        if not known:
            return {}
        standing = await customers.standing(self.connection, {one: kept.since for one, kept in known.items()})
        return {one: kept for one, kept in known.items() if kept.is_of(standing[one], self.held.now)}

    def remember(self, compared: Sequence[CustomerComparison]) -> None:
        """Note what is to be remembered of a group that is written."""
        for one in compared:
            if self._is_worth_keeping(one):
                self.written.kept[one.customer_id] = self._kept_after(one)

    def _is_worth_keeping(self, one: CustomerComparison) -> bool:
        """Return whether it is known what is stored of the customer now, and worth to be remembered."""
        return (
            one.update.is_plain
            and not (one.projection.failures or one.projection.tried.failures)
            and one.customer_id not in self.written.outdone
            and self.renewer.kept.is_worth(len(one.projection.history))
        )

    def _kept_after(self, one: CustomerComparison) -> KeptCustomer:
        before, history = self.remembered.get(one.customer_id), one.projection.history
        counted = (fresh.recorded for fresh in one.update.fresh if not fresh.late)
        return KeptCustomer(
            version=self.written.versions[one.customer_id],
            recorded=placed(history, one.changes.placements),
            stored=stored_after(one.stored, one.changes, self.held.now),
            since=self.since[one.customer_id] if before is None else before.since,
            read_at=self.held.now if before is None else before.read_at,
            history_bytes=history_bytes(history) if before is None else before.bytes_after(counted, history),
            segmented=one.segmented,
        )

    async def meanwhile(
        self, compared: Sequence[CustomerComparison], following: Sequence[CustomerId], done: asyncio.Event
    ) -> _Kept:
        """Write the previous group, load the next, and keep the transaction alive until the present one is `done`."""
        if compared:
            await self.renewer.writer.write(self.connection, compared, self.held.now, self.written)
            self.remember(compared)
            self.step()
        kept = await self.load(following)
        while not done.is_set():
            try:
                async with asyncio.timeout(BREATH_S):
                    await done.wait()
            except TimeoutError:
                await self.connection.execute("SELECT 1")
        return kept


def _floor(history: Sequence[RecordedTouchpoint]) -> datetime:
    """Return since when stored rows matter for a customer with a truncated history."""
    return min(one.touchpoint.occurred_at for one in history) - MARGIN
