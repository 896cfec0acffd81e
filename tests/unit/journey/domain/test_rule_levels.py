"""Parameters by service level: whoever has one is judged by its numbers and times, as of what completes the rule."""

from typing import Any

import pytest

from services.journey.domain.touchpoint import RecordedTouchpoint
from services.journey.trial.explanation import explain
from tests.unit.journey.domain.making import (
    HOURS,
    POLICY,
    Shelf,
    a_rule,
    anchors,
    at,
    events,
    found,
    seen,
    step,
    told,
)

ERRORS: dict[str, Any] = {"shape": "count", "of": {"kind": "error_shown"}, "at_least": 3, "within": "10m"}
PREMIUM = {"by_service_level": {"premium": {"at_least": 2, "within": "20m"}}}
RULES = a_rule(**ERRORS, **PREMIUM)


def errors(*minutes: float, level: str | None = None) -> list[RecordedTouchpoint]:
    return [
        seen(f"e{number}", minute, "error_shown", service_level=level if number == 0 else None)
        for number, minute in enumerate(minutes)
    ]


@pytest.mark.parametrize(
    ("level", "minutes", "expected"),
    [
        (None, (0, 5), []),
        (None, (0, 5, 10), ["e2"]),
        ("basic", (0, 5), []),
        ("premium", (0, 20), ["e1"]),
        ("premium", (0, 20.1), []),
        ("premium", (0, 15, 30), ["e1", "e2"]),
    ],
)
def test_a_level_has_its_own_numbers_and_times(level: str | None, minutes: tuple[float, ...], expected: Any) -> None:
    assert anchors("mine", *errors(*minutes, level=level), rules=RULES) == expected


def test_the_level_is_that_of_what_completes_the_rule() -> None:
    history = [*errors(0, 5), seen("crm", 6, service_level="premium"), seen("e9", 7, "error_shown")]
    assert anchors("mine", *history[:2], history[3], rules=a_rule(**ERRORS)) == ["e9"]
    assert anchors("mine", *history, rules=RULES) == ["e9"]  # e1 came before the level was known
    earlier = [seen("crm", -1, service_level="premium"), *errors(0, 5)]
    assert anchors("mine", *earlier, rules=RULES) == ["e1"]


def test_what_a_level_leaves_out_is_the_rules() -> None:
    rules = a_rule(**ERRORS, by_service_level={"premium": {"within": "1h"}})
    assert anchors("mine", *errors(0, 50, level="premium"), rules=rules) == []
    assert anchors("mine", *errors(0, 50, 60, level="premium"), rules=rules) == ["e2"]


def test_cool_down_and_cap_are_those_of_the_level() -> None:
    rules = a_rule(
        **ERRORS | {"at_least": 1},
        cooldown="1h",
        by_service_level={"premium": {"cooldown": "5m", "cap": {"max": 2, "within": "1d"}}},
    )
    assert anchors("mine", *errors(0, 5, 10, 60), rules=rules) == ["e0", "e3"]
    assert anchors("mine", *errors(0, 4, 5, 60, level="premium"), rules=rules) == ["e0", "e2"]


SILENT: dict[str, Any] = {
    "shape": "absence",
    "after": {"kind": "case_opened"},
    "expect": {"kind": "case_worked"},
    "within": "10h",
    "by_service_level": {"premium": {"within": "2h"}},
}


def test_an_absence_is_due_by_the_level_of_what_started_the_clock() -> None:
    rules = a_rule(**SILENT)
    opened = seen("opened", 0, "case_opened")
    level = seen("crm", 1, service_level="premium")
    [timer] = told(opened, level, rules=rules).timers
    assert timer.due_at == at(10 * HOURS)
    [timer] = told(seen("crm", -1, service_level="premium"), opened, rules=rules).timers
    assert timer.due_at == at(2 * HOURS)


def test_a_level_that_is_learnt_late_moves_what_is_due_and_takes_a_friction_back() -> None:
    rules = a_rule(**SILENT | {"within": "2h", "by_service_level": {"basic": {"within": "10h"}}})
    opened, level = seen("opened", 0, "case_opened"), seen("crm", -1, service_level="basic")
    shelf = Shelf()
    step(shelf, opened, rules=rules)
    shelf.fire(at(2 * HOURS))
    assert [event for event, _ in events(step(shelf, opened, minutes=2 * HOURS, rules=rules))] == ["detected"]
    changes = step(shelf, opened, level, minutes=3 * HOURS, rules=rules)
    assert [event for event, _ in events(changes)] == ["retracted"]
    shelf.fire(at(10 * HOURS))
    changes = step(shelf, opened, level, minutes=10 * HOURS, rules=rules)
    assert [event for event, _ in events(changes)] == ["restored"]


def test_severity_and_numbers_are_those_of_the_level() -> None:
    rules = a_rule(**ERRORS, **PREMIUM, severity_by_service_level={"premium": "critical"})
    [one] = found("mine", *errors(0, 15, level="premium"), rules=rules)
    assert (one.severity, one.evidence["within_s"]) == ("critical", 20 * 60)


@pytest.mark.parametrize(("level", "wanted"), [(None, "3"), ("premium", "2")])
def test_an_explanation_is_about_the_level_that_the_customer_has(level: str | None, wanted: str) -> None:
    [rule] = RULES.rules
    explained = explain(rule, errors(0, level=level), at(60), POLICY)
    [count] = [one for one in explained.conditions if one.member == "at_least"]
    assert count.wanted == wanted
