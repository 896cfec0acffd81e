"""Writes the changes of customers with a fixed number of statements, however many customers there are.

It decides nothing: what to write is left to `CustomerChanges` of the domain, the published form to `publication`.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from services.journey.consume.decoding import DecodedRecord
from services.journey.domain.comparison.changes import (
    DissolvedJourney,
    JourneyAlias,
    JourneyChange,
    TouchpointPlacement,
)
from services.journey.domain.comparison.revision import FrictionChange, FrictionEvent
from services.journey.domain.contacts.contact_events import ContactEvent, contact_events
from services.journey.domain.funnels import FunnelCounts
from services.journey.domain.paths import StepCounts
from services.journey.outbox import outbox_rows
from services.journey.outbox.outbox_rows import OutgoingRecord
from services.journey.renew import contested_changes, publication
from services.journey.renew.contested_changes import ContestedChange
from services.journey.renew.customer_update import CustomerComparison
from services.journey.renew.kept_customers import KeptCustomer
from services.journey.store import (
    customers,
    frictions,
    journeys,
    passages,
    path_rows,
    shadow_rows,
    timer_rows,
    touchpoints,
)
from services.journey.store.customers import CustomerNoteRow
from services.journey.store.frictions import FrictionRow, RuleFailureRow
from services.journey.store.journeys import JourneyRow, RetiredJourney
from services.journey.store.passages import PassageRow
from services.journey.store.rollups import funnel_rows
from services.journey.store.timer_rows import TimerRow
from services.journey.store.touchpoints import PlacementRow, TouchpointRow
from services.runtime.postgres.pools import Connection


@dataclass(slots=True, kw_only=True)
class WriteCounts:
    """Counts of what was written, for metrics. Frictions are counted by rule, event and whether they are quiet,
    contacts by channel and what happened to them.

    `versions` are those that were written; `outdone` are customers whose friction another one holds. `kept` is what to
    remember of customers once all this is committed.
    """

    frictions: Counter[tuple[str, FrictionEvent, bool]] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    contacts: Counter[tuple[str, ContactEvent]] = field(default_factory=Counter)
    outgoing: int = 0
    versions: dict[UUID, int] = field(default_factory=dict)
    outdone: set[UUID] = field(default_factory=set)
    kept: dict[UUID, KeptCustomer] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerWriter:
    """Writes comparisons. With `publish_journeys`, journeys are published like frictions."""

    publish_journeys: bool

    async def write(
        self, connection: Connection, comparisons: Sequence[CustomerComparison], now: datetime, written: WriteCounts
    ) -> None:
        """Write all comparisons, and add to the counts in `written`."""
        noted = [_note(one) for one in comparisons if _is_noted(one)]
        written.versions |= await customers.note(connection, noted)
        await _write_touchpoints(connection, comparisons)
        records = await _write_journeys(connection, comparisons, now)
        changed = await _write_frictions(connection, comparisons, now, written)
        await _hand_over(connection, comparisons)
        await _write_timers(connection, comparisons)
        await _write_failures(connection, comparisons, written)
        await _write_paths(connection, comparisons)
        await _write_passages(connection, comparisons)
        await _write_shadow(connection, comparisons)
        for one in comparisons:
            written.contacts += contact_events(one.projection.contacts, [new.touchpoint for new in one.update.fresh])
        if outgoing := [*(records if self.publish_journeys else ()), *changed]:
            await outbox_rows.add(connection, outgoing)
            written.outgoing += len(outgoing)


def _is_noted(comparison: CustomerComparison) -> bool:
    """Return whether anything about the customer has changed, be it only whose its touchpoints are."""
    update = comparison.update
    return bool(update.fresh or comparison.changes or update.absorbed or update.relocation.touchpoints)


def _note(comparison: CustomerComparison) -> CustomerNoteRow:
    counted = comparison.projection.history
    times = [fresh.touchpoint.occurred_at for fresh in comparison.update.fresh]
    times += [one.touchpoint.occurred_at for one in (*counted[:1], *counted[-1:])]
    levels = (one.touchpoint.service_level for one in reversed(counted))
    return CustomerNoteRow(
        customer_id=comparison.customer_id,
        service_level=next((level for level in levels if level is not None), None),
        first_at=min(times, default=None),
        last_at=max(times, default=None),
        new_identifiers=comparison.update.new_identifiers,
    )


async def _write_touchpoints(connection: Connection, comparisons: Sequence[CustomerComparison]) -> None:
    rows: list[TouchpointRow] = []
    moved: list[PlacementRow] = []
    for comparison in comparisons:
        placed = {placement.touchpoint: placement for placement in comparison.changes.placements}
        for fresh in comparison.update.fresh:
            placement = placed.pop(fresh.touchpoint.key, None)
            rows.append(_touchpoint_row(comparison.customer_id, fresh, placement))
        moved += [
            PlacementRow(
                source=key[0],
                id=key[1],
                occurred_at=placement.occurred_at,
                journey_id=placement.journey_id,
                rules=placement.rules,
            )
            for key, placement in placed.items()
        ]
    if rows:
        await touchpoints.insert(connection, rows)
        await touchpoints.name_accounts(connection, rows)
    if moved:
        await touchpoints.place(connection, moved)


def _touchpoint_row(customer_id: UUID, fresh: DecodedRecord, placement: TouchpointPlacement | None) -> TouchpointRow:
    return TouchpointRow(
        touchpoint=fresh.touchpoint,
        customer_id=customer_id,
        journey_id=placement.journey_id if placement else None,
        rules=placement.rules if placement else (),
        appended_at=fresh.appended_at,
        late=fresh.late,
        payload=fresh.payload,
    )


async def _write_journeys(
    connection: Connection, comparisons: Sequence[CustomerComparison], now: datetime
) -> list[OutgoingRecord]:
    changes = [(one.update.trace, change) for one in comparisons for change in one.changes.journeys]
    said = [publication.journey(change.journey, now, trace) for trace, change in changes]
    if changes:
        rows = [_journey_row(change, one) for (_, change), one in zip(changes, said, strict=True)]
        await journeys.write(connection, rows, now)
    return said + await _retire_journeys(connection, comparisons, now)


def _journey_row(change: JourneyChange, said: OutgoingRecord) -> JourneyRow:
    return JourneyRow(journey=change.journey, digest=change.digest, payload=said.document)


async def _retire_journeys(
    connection: Connection, comparisons: Sequence[CustomerComparison], now: datetime
) -> list[OutgoingRecord]:
    gone = [
        (one.update.trace, RetiredJourney(what=what, customer_id=one.customer_id))
        for one in comparisons
        for what in _gone(one)
    ]
    if not gone:
        return []
    last = await journeys.payloads(connection, [one.what.id for _, one in gone])
    await journeys.retire(connection, [one for _, one in gone], now)
    return [publication.gone_journey(last[one.what.id], one, now, trace) for trace, one in gone if one.what.id in last]


def _gone(comparison: CustomerComparison) -> list[JourneyAlias | DissolvedJourney]:
    return [*comparison.changes.aliased, *comparison.changes.dissolved]


async def _write_frictions(
    connection: Connection, comparisons: Sequence[CustomerComparison], now: datetime, written: WriteCounts
) -> list[OutgoingRecord]:
    changes = contested_changes.one_change_per_friction(
        (one, change) for one in comparisons for change in one.changes.frictions
    )
    if not changes:
        return []
    kept = {id(change) for _, change in changes}
    written.outdone |= {
        one.customer_id for one in comparisons for change in one.changes.frictions if id(change) not in kept
    }
    absorbed = [other for one in comparisons for other in (*one.update.absorbed, *one.update.gained_from)]
    outgoing, lost = await _write_changes(connection, changes, now, absorbed, written)
    if lost:
        written.outdone |= {one.customer_id for one, _ in lost}
        holders = await frictions.holders(connection, [change.friction.id for _, change in lost])
        won = contested_changes.winning_changes(lost, holders)
        more, _ = await _write_changes(
            connection, won, now, [holder.customer_id for holder in holders.values()], written
        )
        outgoing += more
    return outgoing


async def _write_changes(
    connection: Connection,
    changes: Sequence[ContestedChange],
    now: datetime,
    yielding: Sequence[UUID],
    written: WriteCounts,
) -> tuple[list[OutgoingRecord], list[ContestedChange]]:
    """Write changes; return what to publish, and the changes whose friction another customer holds and keeps."""
    said = [publication.friction(change.friction, one.update.trace) for one, change in changes]
    rows = [_friction_row(change, one) for (_, change), one in zip(changes, said, strict=True)]
    ours = await frictions.write(connection, rows, now, yielding) if rows else set()
    outgoing, lost = [], []
    for one, document in zip(changes, said, strict=True):
        change = one[1]
        if change.friction.id in ours:
            written.frictions[change.friction.rule, change.event, change.friction.quiet] += 1
            outgoing.append(document)
        else:
            lost.append(one)
    return outgoing, lost


def _friction_row(change: FrictionChange, said: OutgoingRecord) -> FrictionRow:
    return FrictionRow(friction=change.friction, digest=change.digest, payload=said.document)


async def _hand_over(connection: Connection, comparisons: Sequence[CustomerComparison]) -> None:
    pairs = [(absorbed, one.customer_id) for one in comparisons for absorbed in one.update.absorbed]
    if pairs:
        absorbed, survivors = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        await journeys.rekey(connection, absorbed, survivors)
        await frictions.rekey(connection, absorbed, survivors)
        await passages.rekey(connection, absorbed, survivors)


async def _write_timers(connection: Connection, comparisons: Sequence[CustomerComparison]) -> None:
    armed = [TimerRow(timer=timer, customer_id=one.customer_id) for one in comparisons for timer in one.changes.armed]
    cancelled = [timer for one in comparisons for timer in one.changes.cancelled]
    if armed:
        await timer_rows.arm(connection, armed)
    if cancelled:
        await timer_rows.cancel(connection, cancelled)


async def _write_failures(
    connection: Connection, comparisons: Sequence[CustomerComparison], written: WriteCounts
) -> None:
    failures = [
        RuleFailureRow(
            rule=failed.rule, rule_version=failed.rule_version, customer_id=one.customer_id, error=failed.error
        )
        for one in comparisons
        for failed in (*one.projection.failures, *one.projection.tried.failures)
    ]
    written.failures.update(failure.rule for failure in failures)
    await frictions.note_failures(connection, [one.customer_id for one in comparisons], failures)


async def _write_shadow(connection: Connection, comparisons: Sequence[CustomerComparison]) -> None:
    """Remove before writing: what an absorbed customer had is written for the survivor."""
    gone = [row for one in comparisons for row in one.changes.shadow.gone]
    written = [row for one in comparisons for row in one.changes.shadow.written]
    if gone:
        await shadow_rows.remove(connection, gone)
    if written:
        await shadow_rows.write(connection, written)


async def _write_paths(connection: Connection, comparisons: Sequence[CustomerComparison]) -> None:
    counts = StepCounts()
    for comparison in comparisons:
        counts.merge(comparison.changes.paths)
    await path_rows.note(connection, counts)


async def _write_passages(connection: Connection, comparisons: Sequence[CustomerComparison]) -> None:
    changed = [one for one in comparisons if one.changes.passages]
    if not changed:
        return
    counts = FunnelCounts()
    for one in changed:
        counts.merge(one.changes.passages.counts)
    written = [
        PassageRow(customer_id=one.customer_id, passage=passage)
        for one in changed
        for passage in one.changes.passages.written
    ]
    gone = [(one.customer_id, key) for one in changed for key in one.changes.passages.gone]
    if written:
        await passages.write(connection, written)
    if gone:
        await passages.remove(connection, gone)
    if rows := counts.rows():
        await funnel_rows.note(connection, rows)
