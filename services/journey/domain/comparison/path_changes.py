"""Compares the steps of a customer's journeys before and after: what the graph of paths gains, and what it loses.

What was before is known from what is stored with the touchpoints (their journey, of which rules frictions stand there)
and with the journeys (reason, service level, end). Steps before the first touchpoint that changed are the same before
and after, so a touchpoint at the end of a long journey costs one step.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from services.journey.domain.journey import JourneySegment, StoredJourney
from services.journey.domain.names import JourneyId
from services.journey.domain.paths import CLOSED, DROPPED, UNTOLD, PassedTouchpoint, PathTrack, StepCounts
from services.journey.domain.projection import Projection
from services.journey.domain.touchpoint import RecordedTouchpoint, TouchpointKey

_NOWHERE = PathTrack()


Hard = Mapping[int, tuple[str, ...]]
"""The positions of touchpoints at which frictions stand, with their rules, sorted."""


def hard_positions(projection: Projection, *, truncated: bool) -> Hard:
    """Return where frictions stand.

    Where the rules did not see everything (a truncated history, a rule that raised), what stands is left standing.
    """
    history = projection.history
    keep = truncated or bool(projection.failures)
    hard = {place: one.rules or (UNTOLD,) for place, one in enumerate(history) if one.friction} if keep else {}
    if not projection.findings:
        return hard
    anchors: defaultdict[TouchpointKey, set[str]] = defaultdict(set)
    for finding in projection.findings:
        anchors[finding.at.key].add(finding.rule)
    named = {id_ for _, id_ in anchors}
    for place, one in enumerate(history):
        if one.touchpoint.id in named and (rules := anchors.get(one.touchpoint.key)):
            hard[place] = tuple(sorted(rules.union(hard.get(place, ())) - {UNTOLD}))
    return hard


def path_changes(
    projection: Projection,
    ids: Sequence[JourneyId],
    stored: Sequence[StoredJourney],
    hard: Hard,
    now: datetime,
) -> StepCounts:
    """Return the difference between the steps after and before; `hard` are the positions of frictions afterwards."""
    history = projection.history
    before = _walked_before(history)
    tracks = {journey.id: journey.track for journey in stored}
    changed = _changed(history, hard)
    counts = StepCounts()
    for segment, journey_id in zip(projection.journeys, ids, strict=True):
        was = before.pop(journey_id, [])
        track = PathTrack(segment.reason, segment.service_level, _end(segment, now))
        _compare(counts, history, (was, tracks.get(journey_id, track)), (segment.members, track), hard, changed)
    for left, was in before.items():
        _compare(counts, history, (was, tracks.get(JourneyId(left), _NOWHERE)), ((), _NOWHERE), hard, changed)
    return counts


def _walked_before(history: Sequence[RecordedTouchpoint]) -> dict[UUID, list[int]]:
    """Return the positions that each stored journey had."""
    before: dict[UUID, list[int]] = {}
    last: UUID | None = None
    places: list[int] = []
    for place, one in enumerate(history):
        if one.journey_id is None:
            continue
        if one.journey_id is not last:  # hashing an id costs more than all the rest
            last = one.journey_id
            places = before.setdefault(last, [])
        places.append(place)
    return before


def _changed(history: Sequence[RecordedTouchpoint], hard: Hard) -> frozenset[int]:
    """Return the positions of touchpoints at which other frictions stand than before."""
    marked = {place for place, one in enumerate(history) if one.friction or one.rules}
    return frozenset(
        place
        for place in marked.union(hard)
        if history[place].friction != (place in hard) or history[place].rules != hard.get(place, ())
    )


_Walked = tuple[Sequence[int], PathTrack]


def _compare(
    counts: StepCounts,
    history: Sequence[RecordedTouchpoint],
    before: _Walked,
    after: _Walked,
    hard: Hard,
    changed: frozenset[int],
) -> None:
    (was, old), (now, new) = before, after
    first = 0
    if (old.reason, old.service_level) == (new.reason, new.service_level):
        first = most = min(len(was), len(now))
        if was[:most] != [*now[:most]] or not changed.isdisjoint(now[:most]):
            first = next(n for n in range(most) if was[n] != now[n] or now[n] in changed)
    if first < len(was):
        counts.add([_passed(history[place]) for place in was], old, first=first, sign=-1)
    if first < len(now):
        passed = [PassedTouchpoint(history[place].touchpoint, place in hard, hard.get(place, ())) for place in now]
        counts.add(passed, new, first=first)
    if old != new or was[-1:] != [*now[-1:]]:
        if was:
            counts.add_end(history[was[-1]].touchpoint, old, sign=-1)
        if now:
            counts.add_end(history[now[-1]].touchpoint, new)


def _passed(one: RecordedTouchpoint) -> PassedTouchpoint:
    return PassedTouchpoint(one.touchpoint, one.friction, one.rules)


def _end(segment: JourneySegment, now: datetime) -> str | None:
    if segment.closed_at is not None:
        return CLOSED
    return DROPPED if segment.idle_at <= now else None
