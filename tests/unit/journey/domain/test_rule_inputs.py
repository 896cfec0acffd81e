"""What must be in a history for a rule to find anything; a rule is asked wherever it might."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.journey.domain.history import CustomerHistory
from services.journey.domain.journey import segment
from services.journey.domain.rules.book import Rulebook
from services.journey.domain.rules.inputs import needs_of
from services.journey.domain.touchpoint import RecordedTouchpoint, SurveyScore
from tests.unit.journey.domain.making import POLICY, SHIPPED, a_rule, call, seen, told
from tests.unit.waymark.test_signal_cases import CASES, alone

RULES = {rule.id: rule for rule in SHIPPED.rules}


def concerned(rule: dict[str, Any], *history: RecordedTouchpoint) -> bool:
    """Whether a rule is asked about a history."""
    [made] = a_rule(**rule).rules
    index = CustomerHistory(history, POLICY.contacts)
    return all(need.is_met(frozenset(index.by_kind), index.rare_fields()) for need in needs_of(made))


ERRORS: dict[str, Any] = {"shape": "count", "of": {"kind": "error_shown"}, "at_least": 1}
SCORES: dict[str, Any] = {"shape": "threshold", "field": "score.on_7", "limits": [{"lte": 3}]}
STEPS: dict[str, Any] = {
    "shape": "sequence",
    "steps": [{"of": {"kind": "app_crashed"}}, {"of": {"kind": "app_opened"}}],
}


@pytest.mark.parametrize(
    ("rule", "history", "asked"),
    [
        (ERRORS, [seen("a", 0, "error_shown")], True),
        (ERRORS, [seen("a")], False),
        ({"shape": "count", "at_least": 1}, [seen("a")], True),
        (SCORES, [seen("a")], False),
        (SCORES, [seen("a", score=SurveyScore(metric="ces", value=1, scale=7))], True),
        ({**ERRORS, "of": {"agent": {"exists": False}}}, [seen("a")], True),  # which is so where it is unknown
        ({**ERRORS, "of": {"agent": {"not": "x"}}}, [seen("a")], False),
        ({**ERRORS, "of": [{"agent": "x"}, {"kind": "page_viewed"}]}, [seen("a")], True),
        ({"shape": "count", "at_least": 1, "distinct": "agent"}, [seen("a")], False),
        (STEPS, [seen("a", 0, "app_crashed")], False),
        (STEPS, [seen("a", 0, "app_crashed"), seen("b", 1, "app_opened")], True),
    ],
)
def test_a_rule_is_asked_where_its_input_is(
    rule: dict[str, Any], history: list[RecordedTouchpoint], asked: bool
) -> None:
    assert concerned(rule, *history) is asked


@pytest.mark.parametrize("case", [case for case in CASES if case.expect], ids=lambda case: case.name)
def test_what_a_rule_finds_by_itself_it_finds_where_only_some_rules_are_asked(case: Any) -> None:
    """Every signal with its own input alone, and beside the input of all the others."""
    rule = RULES[case.only[0]]
    known = [one for one in case.touchpoints if one.appended_at <= case.until]
    index = CustomerHistory(known, POLICY.contacts)
    segment(index, POLICY.journeys)
    assert list(rule.evaluator().evaluate(index))
    assert all(need.is_met(frozenset(index.by_kind), index.rare_fields()) for need in needs_of(rule))
    waiting = told(*known, rules=alone(rule)).timers
    assert waiting or told(*known, rules=alone(rule)).findings


@given(st.permutations(["error_shown", "call_ended", "page_viewed"]))
def test_what_is_remembered_of_one_customer_does_not_tell_on_the_next(kinds: list[str]) -> None:
    book = Rulebook(a_rule(**ERRORS).rules)
    for kind in kinds:
        found = told(call("a", kind=kind), rules=book).findings
        assert bool(found) is (kind == "error_shown")
