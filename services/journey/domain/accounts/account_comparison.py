"""Compares what the touchpoints of an account come to with what is stored of it: what is new, changed and gone."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from hashlib import blake2b
from uuid import UUID

import msgspec

from services.journey.domain.accounts.account_projection import AccountPassage
from services.journey.domain.funnels import FunnelCounts, FunnelPassage
from services.journey.domain.names import JourneyId, TimerId
from services.journey.domain.timer import StoredTimer, Timer, TimerState
from services.journey.domain.touchpoint import TouchpointKey


class StoredAccountJourney(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A journey of an account as it is stored; `created_at` is when its id was given out."""

    id: JourneyId
    version: int
    created_at: datetime
    digest: bytes
    counted: FunnelPassage


class AccountJourneyChange(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A journey of an account that is new or has changed."""

    id: JourneyId
    version: int
    passage: AccountPassage
    digest: bytes


class GoneAccountJourney(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A journey of an account that became part of another one, or that its touchpoints do not come to any more."""

    id: JourneyId
    version: int
    merged_into: JourneyId | None


class AccountChanges(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Everything that is to be written."""

    journeys: Sequence[AccountJourneyChange]
    gone: Sequence[GoneAccountJourney]
    armed: Sequence[Timer]
    cancelled: Sequence[TimerId]
    funnels: FunnelCounts


class AccountWindow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Which touchpoints were looked at. Of what came before `since` nothing is known; None: all were looked at."""

    keys: Collection[TouchpointKey]
    since: datetime | None = None


def compare(
    passages: Sequence[AccountPassage],
    stored: Sequence[StoredAccountJourney],
    timers: Sequence[StoredTimer],
    window: AccountWindow,
    new_id: Callable[[], UUID],
) -> AccountChanges:
    """Return what makes the stored journeys and timers those of `passages`.

    A journey keeps its id as long as the touchpoint that entered it belongs to it. Of several that became one, the
    oldest id is kept.
    """
    changes: list[AccountJourneyChange] = []
    gone: list[GoneAccountJourney] = []
    funnels = FunnelCounts()
    left = {one.id: one for one in stored}
    for passage in passages:
        members = set(passage.members)
        known = [
            one
            for one in left.values()
            if one.counted.progress.definition == passage.progress.definition and one.counted.entry in members
        ]
        known.sort(key=lambda one: (one.created_at, one.id))
        content = _digest(passage)
        kept = known[0] if known else None
        journey_id = JourneyId(new_id()) if kept is None else kept.id
        if kept is None or kept.digest != content:
            version = 1 if kept is None else kept.version + 1
            changes.append(AccountJourneyChange(id=journey_id, version=version, passage=passage, digest=content))
            funnels.add(passage.counted)
            if kept is not None:
                funnels.add(kept.counted, -1)
        gone += [GoneAccountJourney(id=one.id, version=one.version + 1, merged_into=journey_id) for one in known[1:]]
        for one in known:
            del left[one.id]
        for one in known[1:]:
            funnels.add(one.counted, -1)
    for one in left.values():
        if window.since is None or one.counted.entry in window.keys:
            gone.append(GoneAccountJourney(id=one.id, version=one.version + 1, merged_into=None))
            funnels.add(one.counted, -1)
    armed, cancelled = _timers(passages, timers, window)
    return AccountChanges(journeys=changes, gone=gone, armed=armed, cancelled=cancelled, funnels=funnels)


def _timers(
    passages: Sequence[AccountPassage], timers: Sequence[StoredTimer], window: AccountWindow
) -> tuple[list[Timer], list[TimerId]]:
    stored = {one.id: one for one in timers}
    waiting = {timer.id: timer for passage in passages for timer in passage.waiting}
    armed = [timer for timer in waiting.values() if not _waits(stored.get(timer.id), timer)]
    cancelled = [
        one.id
        for one in timers
        if one.state is TimerState.PENDING
        and one.id not in waiting
        and (window.since is None or one.armed_by in window.keys)
    ]
    return armed, cancelled


def _waits(stored: StoredTimer | None, timer: Timer) -> bool:
    return stored is not None and stored.state is TimerState.PENDING and stored.due_at == timer.due_at


_ENCODER = msgspec.json.Encoder(order="deterministic")


def _digest(passage: AccountPassage) -> bytes:
    """Return 16 bytes that change exactly when something changes that is stored or published."""
    said = msgspec.structs.replace(passage.said, members=())
    content = (passage.counted, len(passage.members), said)
    return blake2b(_ENCODER.encode(content), digest_size=16).digest()
