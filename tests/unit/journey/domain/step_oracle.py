"""The steps of a customer's journeys, counted from what is stored in one go: what the graph of paths means."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

from services.journey.domain.paths import StepCounts
from services.journey.domain.touchpoint import RecordedTouchpoint, Touchpoint
from tests.unit.journey.domain.making import Shelf

Step = tuple[object, ...]


def graph(counts: StepCounts) -> Counter[Step]:
    """The kept sums: how many steps, how many of them into friction, and microseconds, under one name each."""
    found: Counter[Step] = Counter()
    for key, steps, frictions, gap_us in counts.rows():
        found[(*key[:-1], "steps")] += steps
        found[(*key[:-1], "frictions")] += frictions
        found[(*key[:-1], "gap_us")] += gap_us
    for (key, rule), frictions in counts.rule_rows():
        found[(*key[:-1], rule)] += frictions
    return Counter({name: number for name, number in found.items() if number})


def steps_of(shelf: Shelf, history: Sequence[RecordedTouchpoint]) -> Counter[Step]:
    """The same, from the stored touchpoints and journeys."""
    journeys: dict[object, dict[object, Touchpoint]] = {}
    for one in history:
        if one.touchpoint.key in shelf.placed:
            journeys.setdefault(shelf.placed[one.touchpoint.key], {})[one.touchpoint.key] = one.touchpoint
    found: Counter[Step] = Counter()
    for journey_id, members in journeys.items():
        track = next(one.track for one in shelf.journeys.values() if one.id == journey_id)
        common = track.reason or "", track.service_level or ""
        points = sorted(members.values(), key=lambda point: point.order)
        for came, to in zip([None, *points], [*points, None], strict=True):
            if to is None:
                assert came is not None
                if track.end:
                    found[(_hour(came), came.channel, came.kind, "", track.end, *common, "steps")] += 1
                continue
            where = ("", "start") if came is None else (came.channel, came.kind)
            name = (_hour(to), *where, to.channel, to.kind, *common)
            found[(*name, "steps")] += 1
            found[(*name, "frictions")] += to.key in shelf.hard
            found.update((*name, rule) for rule in shelf.hard.get(to.key, ()))
            if came is not None:
                found[(*name, "gap_us")] += (to.occurred_at - came.occurred_at) // timedelta(microseconds=1)
    return Counter({name: number for name, number in found.items() if number})


def _hour(point: Touchpoint) -> object:
    return point.occurred_at.replace(minute=0, second=0, microsecond=0)
