"""Decides which stored id each journey keeps after later touchpoints have joined, split or emptied journeys."""

from collections.abc import Callable, Mapping, Sequence
from uuid import UUID

import msgspec

from services.journey.domain.journey import JourneySegment, StoredJourney
from services.journey.domain.names import JourneyId
from services.journey.domain.touchpoint import RecordedTouchpoint


class JourneyIdAssignment(msgspec.Struct, frozen=True, gc=False):
    """The `ids` of the journeys in the order of the projection; `kept` are the stored ones among them.

    `aliased` journeys lead to the journey that holds their touchpoints now; `emptied` ones have no touchpoint left.
    """

    ids: tuple[JourneyId, ...]
    kept: Mapping[JourneyId, StoredJourney]
    aliased: Sequence[tuple[StoredJourney, JourneyId]]
    emptied: Sequence[StoredJourney]


def assign_journey_ids(
    history: Sequence[RecordedTouchpoint],
    segments: Sequence[JourneySegment],
    stored: Sequence[StoredJourney],
    new_id: Callable[[], UUID],
) -> JourneyIdAssignment:
    """Give each segment an id.

    The oldest stored id goes first, to the journey that holds the earliest of its touchpoints and has no id yet. Of ids
    given out at the same time it is the one that has the earliest touchpoint: what an id looks like decides nothing.
    """
    holders = _holders(history, segments)
    ids: list[JourneyId | None] = [None] * len(segments)
    kept: dict[JourneyId, StoredJourney] = {}
    left_over: list[tuple[StoredJourney, int]] = []
    emptied = []
    place_of = {id_: place for place, id_ in enumerate(holders)}
    for journey in sorted(stored, key=lambda one: (one.created_at, place_of.get(one.id, len(holders)), one.id)):
        held_by = holders.get(journey.id)
        if held_by is None:
            emptied.append(journey)
            continue
        free = next((number for number in held_by if ids[number] is None), None)
        if free is None:
            left_over.append((journey, held_by[0]))
        else:
            ids[free] = journey.id
            kept[journey.id] = journey
    named = tuple(JourneyId(new_id()) if one is None else one for one in ids)
    return JourneyIdAssignment(named, kept, [(journey, named[number]) for journey, number in left_over], emptied)


def _holders(history: Sequence[RecordedTouchpoint], segments: Sequence[JourneySegment]) -> dict[UUID, list[int]]:
    """Return, for each stored id, the journeys that hold its touchpoints, the one with the earliest first.

    The ids come in the order of their earliest touchpoints.
    """
    journey_of = [0] * len(history)
    for number, segment in enumerate(segments):
        for position in segment.members:
            journey_of[position] = number
    holders: dict[UUID, list[int]] = {}
    last: tuple[UUID | None, int] = (None, 0)
    for recorded, number in zip(history, journey_of, strict=True):
        id_ = recorded.journey_id
        if id_ is None or (id_ is last[0] and number == last[1]):  # hashing an id costs more than all the rest
            continue
        last = id_, number
        held_by = holders.setdefault(id_, [])
        if number not in held_by:
            held_by.append(number)
    return holders
