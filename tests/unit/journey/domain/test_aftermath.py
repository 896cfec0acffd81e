"""What is said to be stored after changes is what somebody stores who does what the changes say."""

from datetime import datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.journey.domain.comparison.aftermath import placed, stored_after
from services.journey.domain.comparison.changes import StoredCustomer, diff
from services.journey.domain.projection import project
from services.journey.domain.touchpoint import RecordedTouchpoint
from tests.unit.journey.domain.making import DAYS, POLICY, SHIPPED, Shelf, at
from tests.unit.journey.domain.test_laws import LATER, LAWS, touchpoints


def by_id(stored: StoredCustomer) -> list[dict[Any, Any]]:
    return [
        {one.id: one for one in stored.frictions},
        {one.id: one for one in stored.journeys},
        {one.id: one for one in stored.timers},
        {one.key: one for one in stored.passages},
    ]


def renew(shelf: Shelf, history: list[RecordedTouchpoint], now: datetime) -> None:
    before = shelf.stored()
    projection = project(shelf.placed_history(history), fired=shelf.fired(), rulebook=SHIPPED, policy=POLICY)
    changes = diff(projection, before, SHIPPED, shelf.moment(now))
    shelf.write(changes, now)
    assert by_id(stored_after(before, changes, now)) == by_id(shelf.stored())
    counted = [one.touchpoint for one in projection.history]
    expected = {one.touchpoint.key: one for one in shelf.placed_history(history)}
    assert placed(projection.history, changes.placements) == [expected[one.key] for one in counted]


@LAWS
@given(touchpoints(), st.randoms(use_true_random=False))
def test_what_is_stored_afterwards_is_known_without_reading_it(history: list[RecordedTouchpoint], random: Any) -> None:
    arriving = [one for one in history if not one.late]
    random.shuffle(arriving)
    shelf, here = Shelf(), list[RecordedTouchpoint]()
    while arriving:
        size = random.randint(1, 3)
        here += arriving[:size]
        arriving = arriving[size:]
        renew(shelf, here, at(random.choice((0, 9 * DAYS, 60 * DAYS))))
        if random.random() < 0.3:
            shelf.fire(LATER)
    renew(shelf, here, LATER)
