"""Says what is stored of a customer once changes are written, so that it need not be read again."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from services.journey.domain.comparison.changes import CustomerChanges, StoredCustomer, TouchpointPlacement
from services.journey.domain.comparison.revision import FrictionChange
from services.journey.domain.comparison.shadow_changes import ShadowChanges, StoredShadowFriction
from services.journey.domain.friction import StoredFriction, encode
from services.journey.domain.funnels import FunnelPassage
from services.journey.domain.journey import StoredJourney
from services.journey.domain.paths import stored_track
from services.journey.domain.timer import StoredTimer, TimerState
from services.journey.domain.touchpoint import RecordedTouchpoint


def placed(
    history: Sequence[RecordedTouchpoint], placements: Sequence[TouchpointPlacement]
) -> Sequence[RecordedTouchpoint]:
    """Return the ordered `history` as it is stored after `placements`, the latest of which are looked for first."""
    left = {placement.touchpoint: placement for placement in placements}
    after = list(history)
    for place in range(len(after) - 1, -1, -1):
        if not left:
            break
        placement = left.pop(after[place].touchpoint.key, None)
        if placement is not None:
            after[place] = msgspec.structs.replace(
                after[place],
                journey_id=placement.journey_id,
                friction=bool(placement.rules),
                rules=placement.rules,
            )
    return after


def stored_after(stored: StoredCustomer, changes: CustomerChanges, now: datetime) -> StoredCustomer:
    """Return what is stored after `changes` were written at `now`; journeys that are gone are left out."""
    return StoredCustomer(
        frictions=_frictions(stored, changes.frictions),
        journeys=_journeys(stored, changes, now),
        timers=_timers(stored, changes),
        passages=_passages(stored, changes),
        shadow=_shadow(stored, changes.shadow),
        truncated=stored.truncated,
    )


def _frictions(stored: StoredCustomer, changes: Sequence[FrictionChange]) -> Sequence[StoredFriction]:
    if not changes:
        return stored.frictions
    rows = {row.id: row for row in stored.frictions}
    for change in changes:
        said = change.friction
        rows[said.id] = StoredFriction(
            id=said.id,
            rule=said.rule,
            customer_id=said.customer_id,
            state=said.state,
            revision=said.revision,
            quiet=said.quiet,
            detected_at=said.detected_at,
            digest=change.digest,
            payload=encode(said),
        )
    return list(rows.values())


def _journeys(stored: StoredCustomer, changes: CustomerChanges, now: datetime) -> Sequence[StoredJourney]:
    rows = {row.id: row for row in stored.journeys}
    for change in changes.journeys:
        said = change.journey
        before = rows.get(said.id)
        rows[said.id] = StoredJourney(
            id=said.id,
            customer_id=said.customer_id,
            version=said.version,
            created_at=now if before is None else before.created_at,
            last_at=said.last_at,
            digest=change.digest,
            track=stored_track(said.reason, said.service_level, said.last_at, said.closed_at),
        )
    for gone in [one.id for one in changes.aliased] + [one.id for one in changes.dissolved]:
        rows.pop(gone, None)
    return list(rows.values())


def _timers(stored: StoredCustomer, changes: CustomerChanges) -> Sequence[StoredTimer]:
    if not (changes.armed or changes.cancelled):
        return stored.timers
    rows = {row.id: row for row in stored.timers}
    for timer in changes.armed:
        rows[timer.id] = StoredTimer(
            id=timer.id, rule=timer.rule, armed_by=timer.armed_by, state=TimerState.PENDING, due_at=timer.due_at
        )
    for timer_id in changes.cancelled:
        rows[timer_id] = msgspec.structs.replace(rows[timer_id], state=TimerState.CANCELLED)
    return list(rows.values())


def _passages(stored: StoredCustomer, changes: CustomerChanges) -> Sequence[FunnelPassage]:
    if not changes.passages:
        return stored.passages
    rows = {row.key: row for row in stored.passages}
    rows.update((row.key, row) for row in changes.passages.written)
    for key in changes.passages.gone:
        rows.pop(key, None)
    return list(rows.values())


def _shadow(stored: StoredCustomer, changes: ShadowChanges) -> Sequence[StoredShadowFriction]:
    if not changes:
        return stored.shadow
    rows = {(row.customer_id, row.key): row for row in stored.shadow}
    for row in changes.gone:
        rows.pop((row.customer_id, row.key), None)
    rows.update(((row.customer_id, row.key), row) for row in changes.written)
    return list(rows.values())
