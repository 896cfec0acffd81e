"""What is waited for: when it is due while the clock is stopped and runs again, and what becomes of timers then."""

from typing import Any

import pytest

from services.journey.domain.rules.book import Rulebook
from services.journey.domain.touchpoint import RecordedTouchpoint
from tests.unit.journey.domain.making import DAYS, HOURS, Shelf, a_rule, anchors, at, events, seen, step, told

PAUSES: dict[str, Any] = {
    "shape": "absence",
    "after": {"kind": "case_opened"},
    "expect": {"kind": "case_resolved"},
    "within": "10h",
    "same": ["refs.case_id"],
    "pauses": {"kind": "case_waiting"},
    "resumes": {"kind": "message_received"},
}
RULES = a_rule(**PAUSES)
OPENED = seen("opened", 0, "case_opened", refs={"case_id": "T"})


def waits(hours: float, id_: str = "waits", case: str = "T", **fields: Any) -> RecordedTouchpoint:
    return seen(id_, hours * HOURS, "case_waiting", refs={"case_id": case}, **fields)


def answers(hours: float, id_: str = "answers", case: str = "T") -> RecordedTouchpoint:
    return seen(id_, hours * HOURS, "message_received", refs={"case_id": case})


def due(*history: RecordedTouchpoint, rules: Rulebook = RULES) -> list[float]:
    """In how many hours what is waited for is due."""
    return [(timer.due_at - at(0)).total_seconds() / 3600 for timer in told(OPENED, *history, rules=rules).timers]


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        ([], [10]),
        ([waits(4), answers(9)], [15]),
        ([waits(4)], []),  # whoever never answers is not kept waiting
        ([waits(10)], [10]),  # due at that moment
        ([waits(11)], [10]),
        ([waits(4), answers(9), waits(12, "again"), answers(20, "then")], [23]),
        ([waits(4), waits(5, "once more"), answers(9)], [15]),
        ([answers(3), waits(4), answers(9), answers(9.5, "more")], [15]),
        ([waits(4, case="U")], [10]),  # another case
        ([waits(4), answers(9, case="U")], []),
        ([waits(0), answers(9)], [19]),
        ([waits(-1)], [10]),  # before it was opened
    ],
)
def test_the_clock_stands_still_while_the_customer_is_waited_for(
    history: list[RecordedTouchpoint], expected: list[float]
) -> None:
    assert due(*history) == expected


def test_what_stops_the_clock_and_lets_it_run_at_once_lets_it_run() -> None:
    both = a_rule(**PAUSES | {"pauses": {"kind": ["case_waiting", "message_received"]}})
    assert due(answers(4), rules=both) == [10]
    assert due(waits(4), answers(6), rules=both) == [12]


def test_a_follow_up_counts_while_the_clock_stands_still() -> None:
    resolved = seen("resolved", 50 * HOURS, "case_resolved", refs={"case_id": "T"})
    assert due(waits(4), resolved, answers(60)) == []


def test_pauses_stop_business_time_too() -> None:
    hours = {"name": "ours", "time_intervals": [{"times": [{"start_time": "00:00", "end_time": "06:00"}]}]}
    rules = a_rule(**PAUSES | {"active_time_interval": hours})
    assert due(rules=rules) == [24 + 4]
    assert due(waits(2), answers(26), rules=rules) == [48 + 4]
    assert due(waits(8), answers(20), rules=rules) == [24 + 4]  # the hours were closed anyhow


def test_a_promise_has_its_grace_in_business_time_and_is_due_itself_without() -> None:
    hours = {"name": "ours", "time_intervals": [{"times": [{"start_time": "00:00", "end_time": "06:00"}]}]}
    promised = seen("p", 0, "callback_promised", due_at=at(7 * HOURS))
    absent = {"shape": "absence", "after": {"kind": "callback_promised"}, "expect": {"kind": "callback_made"}}
    rules = a_rule(**absent, grace="1h", active_time_interval=hours)
    assert [timer.due_at for timer in told(promised, rules=rules).timers] == [at(25 * HOURS)]
    assert [timer.due_at for timer in told(promised, rules=a_rule(**absent)).timers] == [at(7 * HOURS)]


def test_a_pause_that_is_learnt_late_takes_the_friction_back_and_waits_for_the_new_time() -> None:
    shelf = Shelf()
    step(shelf, OPENED, rules=RULES)
    shelf.fire(at(10 * HOURS))
    assert [event for event, _ in events(step(shelf, OPENED, minutes=10 * HOURS, rules=RULES))] == ["detected"]
    later = [OPENED, waits(4), answers(9)]
    assert [event for event, _ in events(step(shelf, *later, minutes=12 * HOURS, rules=RULES))] == ["retracted"]
    shelf.fire(at(14 * HOURS))
    assert events(step(shelf, *later, minutes=14 * HOURS, rules=RULES)) == []
    shelf.fire(at(15 * HOURS))
    assert [event for event, _ in events(step(shelf, *later, minutes=15 * HOURS, rules=RULES))] == ["restored"]


def test_timers_of_rules_without_pauses_have_the_names_that_databases_know() -> None:
    plain = a_rule(**{name: value for name, value in PAUSES.items() if name not in {"pauses", "resumes"}})
    [timer] = told(OPENED, rules=plain).timers
    assert str(timer.id) == "2d978972-c9d1-5e78-bb9d-ea0fec930e29"


def test_business_days_are_worked_over_a_weekend() -> None:
    days = {"name": "days", "time_intervals": [{"weekdays": ["monday:friday"]}]}
    opened = seen("x", 12 * HOURS, "case_opened")  # 22 November 2026 is a Sunday
    absent = {"shape": "absence", "after": {"kind": "case_opened"}, "expect": {"kind": "case_resolved"}}
    rules = a_rule(**absent, within="4d", active_time_interval=days)
    [timer] = told(opened, rules=rules).timers
    assert timer.due_at == at(5 * DAYS)
    assert anchors("mine", opened, rules=rules) == ["x"]
