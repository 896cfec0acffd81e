"""A rule says how long there is any use in telling of what it found."""

import pytest

from services.journey.domain.comparison.revision import FrictionEvent
from tests.unit.journey.domain.making import DAYS, HOURS, Shelf, a_rule, at, call, seen, step

FIRST, SECOND = call("a", 0, reason="billing"), call("b", 10, interaction_id="i")


@pytest.mark.parametrize(
    ("expires", "minutes", "quiet"),
    [
        pytest.param("2h", 10 + 2 * HOURS, False, id="just in time"),
        pytest.param("2h", 10.1 + 2 * HOURS, True, id="too late, long before a day is over"),
        pytest.param("3d", 10 + 2 * DAYS, False, id="in place of the day, also where that is shorter"),
        pytest.param("3d", 10.1 + 3 * DAYS, True, id="after all"),
    ],
)
def test_a_rule_says_how_long_there_is_use_in_telling(expires: str, minutes: float, quiet: bool) -> None:
    rules = a_rule(shape="count", contacts=True, at_least=2, within="24h", same=["reason"], expires_after=expires)
    (change,) = step(Shelf(), FIRST, SECOND, minutes=minutes, rules=rules).frictions
    assert change.friction.quiet is quiet


def test_what_expires_is_an_absence_after_its_due_time() -> None:
    promise = seen("p", 0, "callback_promised", due_at=at(3 * DAYS))
    rules = a_rule(
        shape="absence", after={"kind": "callback_promised"}, expect={"kind": "callback_made"}, expires_after="1h"
    )
    for minutes, quiet in ((3 * DAYS + 59, False), (3 * DAYS + 61, True)):
        shelf = Shelf()
        step(shelf, promise, rules=rules)
        shelf.fire(at(3 * DAYS))
        (change,) = step(shelf, promise, minutes=minutes, rules=rules).frictions
        assert change.friction.quiet is quiet


def test_a_late_touchpoint_and_a_retraction_keep_what_was_decided() -> None:
    rules = a_rule(shape="count", contacts=True, at_least=2, within="24h", same=["reason"], expires_after="2h")
    shelf = Shelf()
    step(shelf, FIRST, SECOND, rules=rules)
    (retracted,) = step(shelf, FIRST, minutes=5 * HOURS, rules=rules).frictions
    (restored,) = step(shelf, FIRST, SECOND, minutes=6 * HOURS, rules=rules).frictions
    assert (retracted.friction.quiet, restored.friction.quiet) == (False, False)
    (_, updated) = step(shelf, FIRST, SECOND, call("c", 5), minutes=7 * HOURS, rules=rules).frictions
    assert (updated.event, updated.friction.quiet) == (FrictionEvent.UPDATED, False)
