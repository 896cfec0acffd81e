"""What is said about a rule that fired and about one that did not; it never disagrees with the rule itself."""

from datetime import datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.journey.domain.rules.book import Rulebook
from services.journey.domain.rules.shapes.registry import AnyRule
from services.journey.domain.touchpoint import RecordedTouchpoint
from services.journey.rulebook import rules_file
from services.journey.trial.case import findings_at
from services.journey.trial.explanation import RuleExplanation, explain
from tests.unit.journey.domain.making import DAYS, HOURS, POLICY, SHIPPED, a_rule, at, call, mail, note, seen

RULES: dict[str, AnyRule] = {rule.id: rule for rule in SHIPPED.rules}
LATER = at(30 * DAYS)


def told(rule: str, *history: RecordedTouchpoint, now: datetime = LATER) -> RuleExplanation:
    return explain(RULES[rule], history, now, POLICY)


def switched_on(rule: AnyRule) -> AnyRule:
    """The rule as it is asked where somebody wants it; an explanation tells of one that is off as well."""
    return msgspec.structs.replace(rule, enabled=True)


def kept_by(explanation: RuleExplanation) -> dict[str, str | None]:
    """The conditions that alone keep the rule from firing, with what is there instead."""
    return {one.member: one.found for one in explanation.conditions if not one.holds}


def test_a_rule_that_fires_needs_no_conditions() -> None:
    explanation = told("repeat_contact_24h", call("a", 0, reason="x"), call("b", 60, reason="x"))
    assert [one.anchor.touchpoint_id for one in explanation.fired] == ["b"]
    assert explanation.conditions == ()


@pytest.mark.parametrize(
    ("rule", "history", "kept"),
    [
        (
            "repeat_contact_24h",
            [call("a", 0, reason="x"), call("b", 26 * HOURS + 10, reason="x")],
            {"at_least": "1", "within": "1d 2h 10m"},
        ),
        ("repeat_contact_24h", [call("a", 0, reason="x"), call("b", 60, reason="y")], {"at_least": "1", "same": None}),
        ("long_wait", [call("a", 0, wait_s=118), call("b", 5, wait_s=20)], {"limits[0].gt": "118"}),
        ("low_ces", [seen("a", 0, "survey_answered")], {"field": None}),
        ("transfers", [call("a", 0)], {"field": None}),
        ("fcr_failed", [call("a", 0, outcome="abandoned"), call("b", 5)], {"steps[0].outcome": "abandoned"}),
        ("fcr_failed", [call("a", 0, outcome="resolved"), call("b", 8 * DAYS)], {"within": "8d"}),
        (
            "case_reopened",
            [seen("a", 0, "case_resolved", refs={"case_id": "1"}), seen("b", 9, "case_worked", refs={"case_id": "2"})],
            {"per": None},
        ),
        (
            "payment_declines",
            [seen("a", 0, "payment_declined"), seen("o", 5, "order_placed"), seen("b", 7, "payment_declined")],
            {"at_least": "1", "without": None},
        ),
        (
            "callback_missed",
            [seen("a", 0, "callback_promised", due_at=at(60)), seen("b", 7, "callback_made")],
            {"expect": "2026-11-22T00:07:00+00:00"},
        ),
    ],
)
def test_the_conditions_that_keep_a_rule_from_firing_are_named(
    rule: str, history: list[RecordedTouchpoint], kept: dict[str, str | None]
) -> None:
    assert kept_by(told(rule, *history)) == kept


def test_two_conditions_that_fail_together_are_both_said_to_hold() -> None:
    far_and_other = [call("a", 0, reason="x"), call("b", 9 * DAYS, reason="y")]
    conditions = told("fcr_failed", *far_and_other).conditions
    assert conditions
    assert all(one.holds for one in conditions)


def test_an_absence_that_is_not_due_waits() -> None:
    promise = seen("a", 0, "callback_promised", due_at=at(60))
    explanation = told("callback_missed", promise, now=at(74))
    assert [timer.armed_by for timer in explanation.waiting] == [("test", "a")]
    assert (explanation.fired, explanation.conditions) == ((), ())
    assert [one.at.id for one in told("callback_missed", promise, now=at(75)).fired] == ["a"]


def test_a_reply_that_came_in_time_is_named_and_one_in_another_contact_is_not() -> None:
    rules = a_rule(
        shape="response", reply="first", after={"channel": "email"}, expect={"kind": "message_sent"}, within="4h"
    )
    chat = {"channel": "chat", "interaction_id": "c"}
    elsewhere = [note("c", 1, "chat_started", **chat), seen("r", 2, "message_sent", **chat)]
    sent = seen("s", 3, "message_sent", channel="email", direction="outbound")
    said = explain(rules.rules[0], [mail("m"), *elsewhere, sent], at(60), POLICY)
    [expect] = [one for one in said.conditions if one.member == "expect"]
    assert (expect.holds, expect.found) == (False, at(3).isoformat())


def test_what_is_looked_at_is_counted() -> None:
    explanation = told("payment_declines", seen("a", 0, "payment_declined"), seen("b", 1), seen("c", 2))
    assert (explanation.looked_at, explanation.units) == (1, 3)
    without_direction = [seen("a", 0, "call_ended"), seen("b", 1, "call_ended")]
    assert told("repeat_contact_24h", *without_direction).units == 0


def test_a_rule_that_is_switched_off_is_asked_all_the_same() -> None:
    off = msgspec.structs.replace(RULES["long_wait"], enabled=False)
    explanation = explain(off, [call("a", 0, wait_s=300)], LATER, POLICY)
    assert not explanation.enabled
    assert len(explanation.fired) == 1


def test_every_limit_of_a_threshold_is_told() -> None:
    [rule] = a_rule(
        shape="threshold",
        field="wait_s",
        limits=[{"when": {"channel": "phone"}, "gt": 120}, {"when": {"channel": "chat"}, "gte": 40}],
    ).rules
    history = [call("a", 0, wait_s=90), call("b", 1, wait_s=39, channel="chat", kind="chat_ended")]
    assert kept_by(explain(rule, history, LATER, POLICY)) == {"limits[0].gt": "90", "limits[1].gte": "39"}


def test_patterns_are_told_by_their_scope() -> None:
    history = [
        seen("a", 0, "case_worked", queue="x", refs={"case_id": "1"}),
        seen("b", 1, "case_worked", queue="y", refs={"case_id": "1"}),
        seen("c", 2, "case_worked", queue="x", refs={"case_id": "2"}),
    ]
    assert kept_by(told("group_ping_pong", *history)) == {"per": None}


REASONS = st.sampled_from([None, "x", "y"])
TOUCHPOINTS = st.lists(
    st.tuples(
        st.integers(0, 3 * DAYS),
        st.sampled_from(["call_ended", "payment_declined", "order_placed", "callback_promised", "callback_made"]),
        REASONS,
        st.sampled_from([None, "resolved", "unresolved"]),
        st.sampled_from([None, 20, 119, 300]),
    ),
    max_size=6,
)


@settings(max_examples=300, deadline=None)
@given(TOUCHPOINTS, st.sampled_from(sorted(RULES)))
def test_an_explanation_never_disagrees_with_the_rule(made: list[Any], rule: str) -> None:
    history = [
        seen(
            str(place),
            minutes,
            kind,
            channel="phone",
            direction="inbound",
            reason=reason,
            outcome=outcome,
            wait_s=wait,
            due_at=at(minutes + 60) if kind == "callback_promised" else None,
        )
        for place, (minutes, kind, reason, outcome, wait) in enumerate(made)
    ]
    explanation = told(rule, *history)
    findings, _ = findings_at(history, LATER, Rulebook([switched_on(RULES[rule])]), POLICY)
    assert {one.id for one in explanation.fired} == {one.id for one in findings}
    for condition in explanation.conditions:  # a condition with the value that is there in its place lets the rule fire
        if condition.member == "within" and condition.found is not None:
            wider = rules_file.read(
                f"extends: default\nchange: {{{rule}: {{within: {condition.found}}}}}", name="wider.yaml"
            )
            [changed] = [one for one in wider.rules if one.id == rule]
            assert explain(changed, history, LATER, POLICY).fired
