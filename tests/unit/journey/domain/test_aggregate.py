"""What several numbers come to: each function, windows and scopes, and where a limit is crossed and crossed back."""

from typing import Any

import pytest

from services.journey.domain.touchpoint import RecordedTouchpoint
from tests.unit.journey.domain.making import HOURS, a_rule, anchors, found, note, seen


def waits(*numbers: float | None, **fields: Any) -> list[RecordedTouchpoint]:
    return [seen(f"w{place}", place, "call_ended", wait_s=number, **fields) for place, number in enumerate(numbers)]


def over(*history: RecordedTouchpoint, **members: Any) -> list[str]:
    rule: dict[str, Any] = {"shape": "aggregate", "function": "sum", "field": "wait_s", **members}
    return anchors("mine", *history, rules=a_rule(**rule))


@pytest.mark.parametrize(
    ("function", "numbers", "value"),
    [
        ("sum", (1, 2, 4), 7),
        ("sum", (0.1, 0.2), 0.3),
        ("min", (3, 1, 2), 1),
        ("max", (3, 1, 2), 3),
        ("mean", (1, 2, 6), 3),
        ("late_mean", (6, 3), 4),  # (1 * 6 + 2 * 3) / 3
        ("late_mean", (-0.4, -0.4, -0.4), -0.4),
        ("first", (3, 1, 2), 3),
        ("last", (3, 1, 2), 2),
        ("trend", (1, 3, 9, 5, 7), 4),  # (5 + 7) / 2 - (1 + 3) / 2
        ("trend", (0.5, 0.2), -0.3),
    ],
)
def test_functions(function: str, numbers: tuple[float, ...], value: float) -> None:
    rules = a_rule(shape="aggregate", function=function, field="wait_s", at_least=len(numbers), limits=[{"gte": -1000}])
    [finding] = found("mine", *waits(*numbers), rules=rules)
    assert finding.evidence == {
        "value": value,
        "limit": -1000,
        "count": len(numbers),
        "span_s": (len(numbers) - 1) * 60.0,
    }


def test_the_time_since_the_one_before() -> None:
    history = [seen("a", 0, "call_ended"), seen("b", 59, "call_ended"), seen("c", 119, "call_ended")]
    rules = a_rule(shape="aggregate", function="since", of={"kind": "call_ended"}, limits=[{"gte": 3600}])
    assert anchors("mine", *history, rules=rules) == ["c"]


def test_a_limit_is_crossed_once_until_it_is_crossed_back() -> None:
    history = waits(1, 5, 6, 1, 7)
    assert over(*history, function="last", limits=[{"gte": 5}]) == ["w1", "w4"]


def test_units_without_the_number_are_not_looked_at() -> None:
    assert over(*waits(5, None, 5), at_least=2, limits=[{"gte": 10}]) == ["w2"]
    assert over(*waits(5, None), at_least=2, limits=[{"gte": 5}]) == []


def test_the_window_takes_in_its_limit() -> None:
    history = waits(5, 0, 5)
    assert over(*history, within="2m", limits=[{"gte": 10}]) == ["w2"]
    assert over(*history, within="1m 59s", limits=[{"gte": 10}]) == []


def test_the_limit_that_fits_the_last_unit_applies() -> None:
    limits = [{"when": {"channel": "phone"}, "gte": 1}, {"gte": 10}]
    assert over(*waits(5, channel="phone"), limits=limits) == ["w0"]
    assert over(*waits(5, channel="chat"), limits=limits) == []


def test_scopes_and_agreement() -> None:
    history = [*waits(5, reason="a"), seen("x", 1, "call_ended", wait_s=5, reason="b")]
    assert over(*history, limits=[{"gte": 10}]) == ["x"]
    assert over(*history, same=["reason"], limits=[{"gte": 10}]) == []
    assert over(*history, per="case", limits=[{"gte": 10}]) == []


def test_a_contact_is_a_scope_with_and_without_an_interaction_id() -> None:
    """Messages until it is quiet, and what a newsletter says is in no contact."""
    mood = {"shape": "aggregate", "function": "mean", "field": "sentiment", "per": "contact", "at_least": 2}
    rules = a_rule(**mood, limits=[{"lte": 0}])
    near = [note("a", 0, sentiment=-1), note("b", 20, sentiment=-1)]
    assert anchors("mine", *near, rules=rules) == ["b"]
    far = [note("a", 0, sentiment=-1), note("b", HOURS, sentiment=-1)]
    assert anchors("mine", *far, rules=rules) == []
    alone = [seen("a", 0, sentiment=-1), seen("b", 1, sentiment=-1)]
    assert anchors("mine", *alone, rules=rules) == []


def test_counts_outside_of_hours() -> None:
    hours = {"name": "ours", "time_intervals": [{"times": [{"start_time": "09:00", "end_time": "18:00"}]}]}
    rules = a_rule(shape="count", at_least=2, within="1h", outside_time_interval=hours)
    assert anchors("mine", seen("a", 18 * HOURS), seen("b", 18 * HOURS + 5), rules=rules) == ["b"]
    assert anchors("mine", seen("a", 18 * HOURS - 1), seen("b", 18 * HOURS + 5), rules=rules) == []
    assert anchors("mine", seen("a", 8 * HOURS + 59), seen("b", 9 * HOURS), rules=rules) == []
