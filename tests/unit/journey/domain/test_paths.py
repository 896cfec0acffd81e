"""The graph of paths: what a step is, how long it took, and what changes when data comes late."""

import random
from datetime import timedelta
from itertools import pairwise
from math import ceil

import pytest

from services.journey.domain.paths import GAP_BOUNDS_US, NO_GAP, PassedTouchpoint, PathTrack, StepCounts, gap_quantile
from services.journey.domain.rules.book import Rulebook
from services.journey.domain.touchpoint import RecordedTouchpoint
from tests.unit.journey.domain.making import ABSENT, DAYS, HOURS, REPEAT, Shelf, a_rule, at, call, seen, step
from tests.unit.journey.domain.step_oracle import graph, steps_of

CASE = {"refs": {"case_id": "T-1"}}

Plain = tuple[str, str, int, int]


def told(counts: StepCounts) -> list[Plain]:
    """Each step without hour, channel, reason and gap: from, to, how many, how many into friction."""
    sums: dict[tuple[str, str], list[int]] = {}
    for key, steps, frictions, _ in counts.rows():
        both = sums.setdefault((key.from_kind, key.to_kind), [0, 0])
        both[0] += steps
        both[1] += frictions
    return sorted((*kinds, steps, frictions) for kinds, (steps, frictions) in sums.items() if steps or frictions)


def by_rule(counts: StepCounts) -> dict[tuple[str, str], int]:
    """Frictions by where the step came from, and rule."""
    found: dict[tuple[str, str], int] = {}
    for (key, rule), frictions in counts.rule_rows():
        found[key.from_kind, rule] = found.get((key.from_kind, rule), 0) + frictions
    return found


def test_a_journey_begins_goes_on_and_ends() -> None:
    shelf = Shelf()
    history = [seen("a", 0, "case_opened", **CASE), seen("b", 30, "case_worked", **CASE)]
    step(shelf, *history)
    assert told(shelf.paths) == [("case_opened", "case_worked", 1, 0), ("start", "case_opened", 1, 0)]
    history.append(seen("c", 60, "case_closed", **CASE))
    changes = step(shelf, *history)
    assert told(changes.paths) == [("case_closed", "closed", 1, 0), ("case_worked", "case_closed", 1, 0)]


def test_a_journey_that_goes_quiet_is_dropped_until_somebody_comes_back() -> None:
    shelf = Shelf()
    history = [seen("a", 0, "checkout_started", reason="order")]
    step(shelf, *history)
    changes = step(shelf, *history, minutes=31 * DAYS)
    assert told(changes.paths) == [("checkout_started", "dropped", 1, 0)]
    history.append(seen("b", 60, "order_placed", reason="order"))  # it comes late, and stands in the past
    changes = step(shelf, *history, minutes=31 * DAYS)
    assert told(changes.paths) == [
        ("checkout_started", "dropped", -1, 0),
        ("checkout_started", "order_placed", 1, 0),
        ("order_placed", "dropped", 1, 0),
    ]


def test_a_late_touchpoint_parts_a_step_in_two() -> None:
    shelf = Shelf()
    first, last = seen("a", 0, "a", **CASE), seen("c", 60, "c", **CASE)
    step(shelf, first, last)
    changes = step(shelf, first, seen("b", 30, "b", **CASE), last)
    assert told(changes.paths) == [("a", "b", 1, 0), ("a", "c", -1, 0), ("b", "c", 1, 0)]


def test_a_touchpoint_at_the_end_costs_one_step_however_long_the_journey_is() -> None:
    shelf = Shelf()
    history = [seen(f"t{number}", number, "page_viewed", **CASE) for number in range(300)]
    step(shelf, *history)
    changes = step(shelf, *history, seen("last", 400, "page_viewed", **CASE))
    assert len(changes.paths.rows()) == 1


def test_a_friction_that_shows_late_marks_the_step_that_led_to_it() -> None:
    shelf = Shelf()
    first, again = call("a", 0, reason="billing"), call("b", 60, reason="billing")
    step(shelf, again, rules=REPEAT, minutes=2 * HOURS)
    changes = step(shelf, first, again, rules=REPEAT, minutes=2 * HOURS)
    assert told(changes.paths) == [("call_ended", "call_ended", 1, 1)]
    assert told(shelf.paths) == [("call_ended", "call_ended", 1, 1), ("start", "call_ended", 1, 0)]


def test_a_friction_that_is_taken_back_is_no_more_on_its_step() -> None:
    shelf = Shelf()
    promise = seen("p", 0, "callback_promised", due_at=at(60), **CASE)
    step(shelf, promise, rules=ABSENT, minutes=2 * HOURS)
    shelf.fire(at(2 * HOURS))
    changes = step(shelf, promise, rules=ABSENT, minutes=2 * HOURS)
    assert told(changes.paths) == [("start", "callback_promised", 0, 1)]
    changes = step(shelf, promise, seen("made", 30, "callback_made", **CASE), rules=ABSENT, minutes=2 * HOURS)
    assert told(changes.paths) == [("callback_promised", "callback_made", 1, 0), ("start", "callback_promised", 0, -1)]


FAR = a_rule(id="far", shape="count", contacts=True, at_least=2, within="48h")


def test_frictions_are_counted_by_their_rules() -> None:
    """Both rules find the second call; then one rule is no more."""
    shelf = Shelf()
    both = Rulebook([*REPEAT.rules, *FAR.rules])
    first, again = call("a", 0, reason="billing"), call("b", 2 * HOURS, reason="billing")
    step(shelf, first, again, rules=both, minutes=3 * HOURS)
    assert by_rule(shelf.paths) == {("call_ended", "mine"): 1, ("call_ended", "far"): 1}
    step(shelf, first, again, rules=REPEAT, minutes=3 * HOURS)
    assert by_rule(shelf.paths) == {("call_ended", "mine"): 1}


def test_a_friction_that_stood_before_rules_were_noted_is_counted_once_they_are() -> None:
    """As a worker of the version before leaves it: `friction` is told, of which rule is not."""
    shelf = Shelf()
    first, again = call("a", 0, reason="billing"), call("b", 60, reason="billing")
    step(shelf, first, again, rules=REPEAT, minutes=2 * HOURS)
    shelf.hard = dict.fromkeys(shelf.hard, ())
    changes = step(shelf, first, again, rules=REPEAT, minutes=2 * HOURS, truncated=True)
    assert by_rule(changes.paths) == {("call_ended", "mine"): 1}
    assert told(changes.paths) == []


def test_the_reason_of_a_journey_is_that_of_all_its_steps() -> None:
    shelf = Shelf()
    step(shelf, seen("b", 30, "b", **CASE), seen("c", 60, "c", **CASE))
    step(shelf, seen("a", 0, "a", reason="billing", **CASE), seen("b", 30, "b", **CASE), seen("c", 60, "c", **CASE))
    assert {key.reason for key, *_ in shelf.paths.rows()} == {"billing"}
    assert told(shelf.paths) == [("a", "b", 1, 0), ("b", "c", 1, 0), ("start", "a", 1, 0)]


def test_what_is_left_out_of_a_comparison_would_show() -> None:
    """The control of the law: without one of the changes, the graph is not that of the touchpoints."""
    shelf = Shelf()
    history = [seen("a", 0, "a", **CASE), seen("b", 30, "b", **CASE)]
    step(shelf, *history)
    assert graph(shelf.paths) == steps_of(shelf, history)
    shelf.paths = StepCounts()
    assert graph(shelf.paths) != steps_of(shelf, history)


def test_buckets_are_a_fifth_apart_and_hold_twenty_years() -> None:
    assert GAP_BOUNDS_US[0] == 1_000_000
    assert all(later / earlier == pytest.approx(1.2, rel=1e-5) for earlier, later in pairwise(GAP_BOUNDS_US))
    assert GAP_BOUNDS_US[-1] > timedelta(days=20 * 365) / timedelta(microseconds=1)


def points(*gaps_us: int) -> list[PassedTouchpoint]:
    places = [0]
    for gap in gaps_us:
        places.append(places[-1] + gap)
    return [PassedTouchpoint(recorded(number, place).touchpoint) for number, place in enumerate(places)]


def recorded(number: int, place_us: int) -> RecordedTouchpoint:
    return seen(f"t{number}", 0, "a", occurred_at=at(0) + timedelta(microseconds=place_us))


@pytest.mark.parametrize("share", [0.05, 0.5, 0.95, 1.0])
@pytest.mark.parametrize("seed", range(5))
def test_a_quantile_is_less_than_ten_percent_off(seed: int, share: float) -> None:
    chance = random.Random(seed)
    gaps = [int(10 ** chance.uniform(6, 11.5)) for _ in range(chance.randint(1, 400))]
    counts = StepCounts()
    counts.add(points(*gaps), PathTrack())
    found = gap_quantile([(key.bucket, steps) for key, steps, *_ in counts.rows()], share)
    exact = sorted(gaps)[max(1, ceil(share * len(gaps))) - 1] / 1_000_000
    assert found == pytest.approx(exact, rel=0.1)


@pytest.mark.parametrize(("gap_us", "bucket"), [(0, 0), (999_999, 0), (1_000_000, 1), (1_199_999, 1), (1_200_000, 2)])
def test_a_gap_stands_in_the_bucket_that_begins_at_or_below_it(gap_us: int, bucket: int) -> None:
    counts = StepCounts()
    counts.add(points(gap_us), PathTrack())
    assert {key.bucket for key, *_ in counts.rows()} == {NO_GAP, bucket}


def test_without_gaps_there_is_no_quantile() -> None:
    assert gap_quantile([], 0.5) is None
    assert gap_quantile([(NO_GAP, 7)], 0.5) is None
