"""What comes after frictions, or does not; stages that last too long; journeys that become hard."""

from typing import Any

import pytest

from services.journey.domain.rules.shapes.consequence import ConsequenceRule
from services.journey.domain.rules.shapes.count import CountRule
from services.journey.domain.touchpoint import RecordedTouchpoint
from services.journey.rulebook import rules_file
from tests.unit.journey.domain.making import (
    DAYS,
    HOURS,
    Shelf,
    a_rule,
    anchors,
    at,
    call,
    events,
    found,
    seen,
    step,
    told,
)

WORDS = {"en": "x", "ko": "엑스"}
ERRORS: dict[str, Any] = {
    "id": "errors",
    "shape": "count",
    "severity": "low",
    "title": WORDS,
    "explanation": WORDS,
    "of": {"kind": "error_shown"},
    "at_least": 2,
}
MISSED: dict[str, Any] = {
    **ERRORS,
    "id": "missed",
    "shape": "absence",
    "after": {"kind": "case_opened"},
    "expect": {"kind": "case_worked"},
    "within": "1h",
}
del MISSED["of"], MISSED["at_least"]


def error(id_: str, minutes: float, **fields: Any) -> RecordedTouchpoint:
    return seen(id_, minutes, "error_shown", **fields)


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        ([error("a", 0), error("b", 1), call("c", 2)], ["c"]),
        ([error("a", 0), call("c", 2)], []),
        ([error("a", 0), call("c", 1), error("b", 2)], []),  # before the friction
        ([error("a", 0), error("b", 1), call("c", 61)], ["c"]),
        ([error("a", 0), error("b", 1), call("c", 61.1)], []),
        ([error("a", 0), error("b", 1), error("d", 50), call("c", 110)], ["c"]),  # after the second one
        ([error("a", 0), error("b", 1), call("c", 2), call("d", 3)], ["c", "d"]),
    ],
)
def test_what_comes_after_a_friction(history: list[RecordedTouchpoint], expected: list[str]) -> None:
    rules = a_rule(shape="consequence", frictions=[ERRORS], contacts=True, within="1h")
    assert anchors("mine", *history, rules=rules) == expected
    assert anchors("mine", *reversed(history), rules=rules) == expected


def test_it_names_the_friction_and_how_long_ago_it_could_be_known() -> None:
    rules = a_rule(shape="consequence", frictions=[ERRORS, MISSED], contacts=True)
    [finding] = found("mine", seen("o", 0, "case_opened"), call("c", 90), rules=rules)
    assert finding.evidence == {"friction": "missed", "span_s": 1800.0}
    assert [id_ for _, id_ in finding.touchpoints] == ["o", "c"]
    assert found("mine", seen("o", 0, "case_opened"), call("c", 59), rules=rules) == []


def test_a_friction_that_is_settled_has_no_consequence() -> None:
    settled = {**ERRORS, "closes_when": [{"kind": "login_succeeded"}]}
    rules = a_rule(shape="consequence", frictions=[settled], contacts=True)
    errors = [error("a", 0), error("b", 1)]
    assert anchors("mine", *errors, seen("s", 2, "login_succeeded"), call("c", 3), rules=rules) == []
    assert anchors("mine", *errors, call("c", 2), seen("s", 3, "login_succeeded"), rules=rules) == ["c"]
    elsewhere = seen("s", 2, "login_succeeded", refs={"order_id": "A"})  # another journey
    assert anchors("mine", *errors, elsewhere, call("c", 3), rules=rules) == ["c"]


def test_the_same_contact_is_not_what_comes_after() -> None:
    rules = a_rule(
        shape="consequence", frictions=[{**ERRORS, "of": {"kind": "call_started"}}], of={"kind": "call_ended"}
    )
    one = [call(name, minute, kind="call_started", interaction_id=name) for minute, name in enumerate("ab")]
    assert anchors("mine", *one, call("e", 5, interaction_id="b"), rules=rules) == []
    assert anchors("mine", *one, call("e", 5, interaction_id="a"), rules=rules) == ["e"]


def test_silence_is_waited_for_and_taken_back_by_a_sign_of_life_that_is_learnt_late() -> None:
    rules = a_rule(shape="consequence", frictions=[ERRORS], expect={"kind": "page_viewed"}, within="14d")
    history = [error("a", 0), error("b", 1)]
    shelf = Shelf()
    step(shelf, *history, rules=rules)
    assert [timer.due_at for timer in told(*history, rules=rules).timers] == [at(14 * DAYS + 1)]
    shelf.fire(at(14 * DAYS + 1))
    assert [event for event, _ in events(step(shelf, *history, minutes=15 * DAYS, rules=rules))] == ["detected"]
    late = seen("p", 13 * DAYS)
    changes = step(shelf, *history, late, minutes=15 * DAYS, rules=rules)
    assert [event for event, _ in events(changes)] == ["retracted"]


def test_a_file_names_shipped_rules_and_the_rule_carries_them() -> None:
    text = (
        "extends: default\nrules: [{id: mine, shape: consequence, severity: low, frictions: [payment_declines],"
        " contacts: true, title: {en: a, ko: b}, explanation: {en: a, ko: b}}]"
    )
    resolved = rules_file.resolve(text, name="mine.yaml")
    [mine] = [rule for rule in resolved.book.rules if rule.id == "mine"]
    assert isinstance(mine, ConsequenceRule)
    [carried] = mine.frictions
    assert isinstance(carried, CountRule)
    assert (carried.id, carried.at_least) == ("payment_declines", 2)
    [raw] = [rule for rule in resolved.rules if rule["id"] == "mine"]
    assert rules_file.read_rule(raw) == mine  # as a worker reads what is stored


STAGES: dict[str, Any] = {
    "shape": "stage",
    "stages": [
        {"name": "filed", "begins": {"kind": "case_opened"}, "within": "2h"},
        {"name": "asked", "begins": {"kind": "case_waiting"}},
        {"name": "worked", "begins": {"kind": "case_worked"}, "within": "1h"},
    ],
    "ends": {"kind": "case_closed"},
    "same": ["refs.case_id"],
}


def mark(kind: str, hours: float, case: str | None = "1") -> RecordedTouchpoint:
    return seen(f"{kind}@{hours:g}", hours * HOURS, f"case_{kind}", refs={} if case is None else {"case_id": case})


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        ([mark("opened", 0)], ["opened@0"]),
        ([mark("opened", 0), mark("worked", 2), mark("closed", 3)], []),
        ([mark("opened", 0), mark("worked", 2.01), mark("closed", 3)], ["opened@0"]),
        ([mark("opened", 0), mark("worked", 1), mark("worked", 1.5), mark("closed", 2.5)], ["worked@1"]),
        ([mark("opened", 0), mark("worked", 1), mark("opened", 1.5), mark("closed", 2)], []),  # back again
        ([mark("opened", 0), mark("waiting", 1), mark("closed", 90)], []),  # as long as it takes
        ([mark("opened", 0), mark("waiting", 1), mark("worked", 90)], ["worked@90"]),
        ([mark("opened", 0), mark("worked", 1, "2"), mark("closed", 1.5, "2")], ["opened@0"]),
        ([mark("opened", 0), mark("closed", 1, None)], []),  # of no case that is known
        ([mark("closed", 0), mark("opened", 0)], []),  # at one moment
    ],
)
def test_stages(history: list[RecordedTouchpoint], expected: list[str]) -> None:
    rules = a_rule(**STAGES)
    assert anchors("mine", *history, rules=rules) == expected
    assert anchors("mine", *reversed(history), rules=rules) == expected


def test_a_stage_says_its_name() -> None:
    [finding] = found("mine", mark("opened", 0), rules=a_rule(**STAGES))
    assert (finding.evidence["stage"], finding.evidence["waited_s"]) == ("filed", 7200.0)


def test_effort_counts_until_the_line_is_reached() -> None:
    rules = a_rule(shape="effort", at_least=26)
    history = [call("a"), call("b", 1), call("c", 2), call("d", 3)]  # six points each, from the second on
    [finding] = found("mine", *history, rules=rules)
    assert (finding.at.id, finding.evidence) == ("c", {"score": 45.1, "limit": 26, "count": 3})


def test_effort_goes_by_what_became_of_a_contact() -> None:
    """A call that ended unresolved is resolved by its wrap-up."""
    rules = a_rule(shape="effort", at_least=39)
    history = [call("a"), call("b", 1, interaction_id="i", outcome="unresolved")]
    solved = seen("w", 2, "call_ended", interaction_id="i", channel="phone", outcome="resolved")
    assert anchors("mine", *history, rules=rules) == ["b"]
    assert anchors("mine", *history, solved, rules=rules) == []
