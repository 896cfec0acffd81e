"""What the shapes can say beyond the shipped rules."""

from typing import Any

import pytest

from services.journey.domain.friction import FrictionSeverity
from services.journey.domain.history import CustomerHistory
from services.journey.domain.rules.shapes.count import MOST_COUNTED
from services.journey.domain.touchpoint import RecordedTouchpoint
from services.journey.rulebook.rules_file import RulesRefusedError
from tests.unit.journey.domain.making import DAYS, HOURS, POLICY, a_rule, anchors, call, found, seen


def finds(history: list[RecordedTouchpoint], **members: Any) -> list[str]:
    return anchors("mine", *history, rules=a_rule(**members))


def errors(*minutes: float, **fields: Any) -> list[RecordedTouchpoint]:
    return [seen(f"e{number}", minute, "error_shown", **fields) for number, minute in enumerate(minutes)]


ERRORS = {"shape": "count", "of": {"kind": "error_shown"}, "at_least": 2}


@pytest.mark.parametrize(
    ("member", "value"),
    [("within", "{}d"), ("cooldown", "{}d"), ("cap", {"max": 1, "within": "{}d"}), ("grace", "{}d")],
)
def test_a_duration_is_ten_years_at_most(member: str, value: Any) -> None:
    def days(number: int) -> dict[str, Any]:
        given = {**value, "within": f"{number}d"} if isinstance(value, dict) else f"{number}d"
        shape = {"shape": "absence", "after": {}, "expect": {}} if member == "grace" else ERRORS
        return {**shape, member: given}

    assert a_rule(**days(3653))
    with pytest.raises(RulesRefusedError, match=f"{member}.* is at most 3653d"):
        a_rule(**days(3654))


def test_a_count_without_a_window_looks_at_everything() -> None:
    assert finds(errors(0, 900 * DAYS), **ERRORS) == ["e1"]


def test_a_count_of_one_fires_at_every_unit() -> None:
    rules = a_rule(**{**ERRORS, "at_least": 1})
    findings = found("mine", *errors(0, 1, 2), rules=rules)
    assert [(one.at.id, one.evidence["count"]) for one in findings] == [("e0", 1), ("e1", 2), ("e2", 3)]


def test_what_comes_later_cuts_nothing_off() -> None:
    history = [*errors(0, 1), seen("order", 5, "order_placed")]

    assert finds(history, **{**ERRORS, "without": {"kind": "order_placed"}}) == ["e1"]


def test_what_cuts_the_view_does_not_count_itself() -> None:
    history = errors(0, 1, 2, 3, queue="A")
    history[1] = seen("e1", 1, "error_shown", queue="B")

    assert finds(history, **{**ERRORS, "without": {"queue": "B"}}) == ["e1", "e3"]


def test_a_contact_is_neither_before_nor_after_its_own_touchpoint() -> None:
    alone = call("c", 0, sequence=3, interaction_id="a", outcome="unresolved")
    steps = [{"of": {"outcome": "unresolved"}, "contacts": True}, {"of": {}}]
    barrier = {"shape": "count", "contacts": True, "at_least": 2, "without": {"outcome": "unresolved"}}

    assert finds([alone], shape="sequence", steps=steps) == []
    assert finds([call("b", -1, reason="billing"), alone], **barrier) == ["c"]


def test_distinct_counts_values_that_are_known() -> None:
    history = [
        seen(f"t{number}", number, "case_worked", agent=agent)
        for number, agent in enumerate(["kim", "kim", None, "lee", "park", "kim"])
    ]
    assert finds(history, shape="count", of={"kind": "case_worked"}, distinct="agent", at_least=3) == ["t4", "t5"]


def test_distinct_counts_lists_and_objects_by_what_they_hold() -> None:
    history = [
        seen(f"t{number}", number, "case_worked", attributes={"skills": skills})
        for number, skills in enumerate([["ko"], ["ko"], {"en": 1}, {"en": 1.0}, "ko", ["ko", "en"]])
    ]
    rule = {"shape": "count", "of": {"kind": "case_worked"}, "distinct": "attributes.skills", "at_least": 3}

    assert finds(history, **rule) == ["t4", "t5"]


def test_cooldown_lets_the_next_one_through_when_it_is_over() -> None:
    assert finds(errors(0, 1, 30, 61), **ERRORS, cooldown="1h") == ["e1", "e3"]


def test_a_dropped_friction_does_not_start_a_cooldown() -> None:
    assert finds(errors(0, 1, 60, 61, 62), **ERRORS, cooldown="1h") == ["e1", "e3"]


def test_a_cap_counts_what_was_let_through() -> None:
    history = errors(0, 1, 2, 3, 4, 24 * HOURS + 1)
    assert finds(history, **ERRORS, cap={"max": 2, "within": "24h"}) == ["e1", "e2", "e5"]


def test_of_several_caps_each_must_leave_a_place() -> None:
    history = errors(0, 1, 2, 62, 63, 130, 24 * HOURS + 70, 24 * HOURS + 140)
    hourly, daily = {"max": 1, "within": "1h"}, {"max": 2, "within": "24h"}
    assert finds(history, **ERRORS, cap=hourly) == ["e1", "e3", "e5", "e6", "e7"]
    assert finds(history, **ERRORS, cap=daily) == ["e1", "e2", "e6", "e7"]
    assert finds(history, **ERRORS, cap=[hourly, daily]) == ["e1", "e3", "e6", "e7"]
    assert finds(history, **ERRORS, cap=[daily, hourly]) == ["e1", "e3", "e6", "e7"]


def test_a_late_touchpoint_takes_its_place_under_every_cap() -> None:
    hourly, daily = {"max": 1, "within": "1h"}, {"max": 2, "within": "24h"}
    assert finds(errors(0, 61, 200, 300), **ERRORS, cap=[hourly, daily]) == ["e1", "e2"]
    late = [*errors(0, 61, 200, 300), seen("late", 30, "error_shown")]
    assert finds(late, **ERRORS, cap=[hourly, daily]) == ["late", "e2"]  # e1 is taken back, within the hour of it


@pytest.mark.parametrize("most", [2, 3])
def test_a_cap_that_says_nothing_beside_another_is_refused(most: int) -> None:
    with pytest.raises(RulesRefusedError, match="a longer time has a larger max"):
        a_rule(**ERRORS, cap=[{"max": 2, "within": "1d"}, {"max": most, "within": "1h"}])


@pytest.mark.parametrize(
    ("limit", "expected"),
    [({"cap": {"max": 2, "within": "24h"}}, ["e1", "f1"]), ({"cooldown": "20m"}, ["e1", "f1"])],
    ids=["cap", "cooldown"],
)
def test_one_friction_found_again_takes_nothing_from_the_next_one(limit: dict[str, Any], expected: list[str]) -> None:
    one = errors(0, 1, 2, 24, interaction_id="i")
    next_one = [seen(f"f{n}", 30 + n, "error_shown", interaction_id="j") for n in range(2)]
    assert finds([*one, *next_one], **ERRORS, per="interaction", **limit) == expected


@pytest.mark.parametrize(
    ("per", "expected"),
    [
        pytest.param("customer", ["b", "c", "d"], id="customer"),
        pytest.param("case", ["c"], id="case: those without one are left out"),
        pytest.param("interaction", ["d"], id="interaction: those without one stand alone"),
        pytest.param("journey", ["c", "d"], id="journey"),
        pytest.param("matter", ["c", "d"], id="matter: the case, else the journey"),
    ],
)
def test_scopes(per: str, expected: list[str]) -> None:
    history = [
        seen("a", 0, "error_shown", refs={"case_id": "1"}),
        seen("b", 1, "error_shown", interaction_id="i", reason="x"),
        seen("c", 2, "error_shown", refs={"case_id": "1"}),
        seen("d", 3, "error_shown", interaction_id="i"),
    ]
    assert finds(history, **ERRORS, per=per) == expected


def test_a_scope_of_interaction_anchors_at_the_interaction_once() -> None:
    history = errors(0, 1, 2, interaction_id="i")
    (finding,) = found("mine", *history, rules=a_rule(**ERRORS, per="interaction"))
    assert (finding.anchor.interaction_id, finding.at.id) == ("i", "e1")


def test_a_barrier_counts_only_where_it_agrees() -> None:
    history = [
        seen("a", 0, "error_shown", refs={"order_id": "1"}),
        seen("o", 1, "order_placed", refs={"order_id": "2"}),
        seen("b", 2, "error_shown", refs={"order_id": "1"}),
    ]
    rule = {**ERRORS, "without": {"kind": "order_placed"}}
    assert finds(history, **rule) == []
    assert finds(history, **rule, same=["refs.order_id"]) == ["b"]


def test_a_barrier_counts_only_in_its_scope() -> None:
    one, other = {"case_id": "1"}, {"case_id": "2"}
    history = [
        seen("a", 0, "error_shown", refs=one),
        seen("o", 1, "order_placed", refs=other),
        seen("b", 2, "error_shown", refs=one),
    ]
    assert finds(history, **ERRORS, without={"kind": "order_placed"}, per="case") == ["b"]


def test_a_barrier_that_is_counted_itself_does_not_lie_after_itself() -> None:
    kinds = {"kind": ["error_shown", "order_placed"]}
    rule = {"shape": "count", "of": kinds, "at_least": 2, "without": {"kind": "order_placed"}}
    assert finds([seen("o", 0, "order_placed"), *errors(1)], **rule) == []
    assert finds([*errors(0), seen("o", 1, "order_placed")], **rule) == ["o"]
    assert finds([seen("o", 0, "order_placed"), *errors(1, 2)], **rule) == ["e1"]


@pytest.mark.parametrize("interaction", [None, "A-1", "z-1"])
def test_a_contact_lies_where_its_touchpoint_does_however_its_interaction_is_called(interaction: str | None) -> None:
    since_resolved = {"shape": "count", "contacts": True, "at_least": 2, "without": {"outcome": "resolved"}}
    first, second = call("b", 1, interaction_id=interaction), call("c", 2, interaction_id=interaction and "Q")
    resolved = call("b", 1, interaction_id=interaction, outcome="resolved")
    assert finds([call("a"), first, second], **since_resolved) == ["b", "c"]
    assert finds([call("a"), resolved, second], **since_resolved) == ["b"]
    after_resolved = {"shape": "sequence", "steps": [{"contacts": True}] * 2, "without": {"outcome": "resolved"}}
    assert finds([resolved, second], **after_resolved) == ["c"]
    assert finds([call("a"), resolved], **after_resolved) == ["b"]


def test_one_anchor_counts_at_most_two_hundred() -> None:
    (*_, last) = found("mine", *errors(*range(MOST_COUNTED + 50)), rules=a_rule(**ERRORS))
    assert last.evidence["count"] == MOST_COUNTED
    assert len(last.touchpoints) == 50
    assert last.touchpoints[-1] == ("test", f"e{MOST_COUNTED + 49}")


STEPS = {
    "shape": "sequence",
    "steps": [{"of": {"kind": "order_placed"}}, {"of": {"kind": "payment_declined"}}, {"contacts": True}],
}


def story(*kinds: str, **fields: Any) -> list[RecordedTouchpoint]:
    return [
        call(f"t{number}", number) if kind == "call" else seen(f"t{number}", number, kind, **fields)
        for number, kind in enumerate(kinds)
    ]


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        pytest.param("order_placed payment_declined call", ["t2"], id="in order"),
        pytest.param("payment_declined order_placed call", [], id="out of order"),
        pytest.param("order_placed page_viewed payment_declined page_viewed call", ["t4"], id="with others between"),
        pytest.param("order_placed call payment_declined", [], id="the last one is missing"),
        pytest.param("order_placed payment_declined call call", ["t2", "t3"], id="every completion"),
    ],
)
def test_steps(kinds: str, expected: list[str]) -> None:
    assert finds(story(*kinds.split()), **STEPS) == expected


def test_steps_have_to_lie_within() -> None:
    history = story("order_placed", "payment_declined", "call")
    assert finds(history, **STEPS, within="2m") == ["t2"]
    assert finds(history, **STEPS, within="1m") == []


def test_steps_are_broken_by_what_must_not_lie_between() -> None:
    history = story("order_placed", "order_cancelled", "payment_declined", "call")
    assert finds(history, **STEPS, without={"kind": "order_cancelled"}) == []
    history = story("order_cancelled", "order_placed", "payment_declined", "call")
    assert finds(history, **STEPS, without={"kind": "order_cancelled"}) == ["t3"]


def test_the_first_step_does_not_lie_between_itself_and_the_last() -> None:
    rule = {**STEPS, "without": {"kind": ["order_placed", "order_cancelled"]}}
    assert finds(story("order_placed", "payment_declined", "call"), **rule) == ["t2"]
    assert finds(story("order_placed", "payment_declined", "order_placed", "call"), **rule) == []


def test_the_evidence_of_steps_is_the_latest_of_each() -> None:
    history = story("order_placed", "order_placed", "payment_declined", "call")
    (finding,) = found("mine", *history, rules=a_rule(**STEPS))
    assert [id_ for _, id_ in finding.touchpoints] == ["t1", "t2", "t3"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        pytest.param("ab", ["t1", "t2", "t4", "t5"], id="any change"),
        pytest.param("aba", ["t2", "t5"], id="there and back"),
        pytest.param("abc", ["t4"], id="three different ones"),
    ],
)
def test_patterns(pattern: str, expected: list[str]) -> None:
    history = [seen(f"t{n}", n, "case_worked", queue=queue) for n, queue in enumerate("ABAACA")]
    assert finds(history, shape="sequence", field="queue", pattern=list(pattern)) == expected


def test_a_pattern_lies_within_from_when_its_first_value_was_left() -> None:
    history = [seen(f"t{n}", n, "case_worked", queue=queue) for n, queue in enumerate("AABA")]
    assert finds(history, shape="sequence", field="queue", pattern=["a", "b", "a"], within="2m") == ["t3"]
    assert finds(history, shape="sequence", field="queue", pattern=["a", "b", "a"], within="1m") == []


HOLD = {"shape": "threshold", "field": "hold_s", "limits": [{"gte": 300}]}


def test_a_total_is_added_up_in_its_scope_and_fires_once() -> None:
    history = [seen(f"t{n}", n, hold_s=100, interaction_id="i" if n % 2 else "j") for n in range(9)]
    rules = a_rule(**HOLD, per="interaction", total=True)
    first, second = found("mine", *history, rules=rules)
    assert [finding.at.id for finding in (first, second)] == ["t4", "t5"]
    assert first.evidence == {"value": 300, "limit": 300}
    assert [id_ for _, id_ in first.touchpoints] == ["t0", "t2", "t4"]


def test_the_first_limit_that_applies_is_the_one() -> None:
    limits = [{"when": {"service_level": "premium"}, "gt": 60}, {"when": {"channel": ["phone", "chat"]}, "gt": 120}]
    history = [
        call("ordinary", 0, wait_s=61),
        call("long", 1, wait_s=121, channel="chat"),
        call("web", 2, wait_s=999, channel="web"),
        call("promised", 3, wait_s=61, service_level="premium"),
    ]
    assert finds(history, shape="threshold", field="wait_s", limits=limits) == ["long", "promised"]


@pytest.mark.parametrize(
    ("side", "expected"),
    [("gt", ["t2"]), ("gte", ["t1", "t2"]), ("lt", ["t0"]), ("lte", ["t0", "t1"])],
)
def test_sides_of_a_limit(side: str, expected: list[str]) -> None:
    history = [seen(f"t{n}", n, attributes={"stars": n}) for n in range(3)]
    assert finds(history, shape="threshold", field="attributes.stars", limits=[{side: 1}]) == expected


def test_a_number_that_is_text_or_a_truth_value_is_no_number() -> None:
    history = [seen("a", attributes={"stars": "5"}), seen("b", 1, attributes={"stars": True})]
    assert finds(history, shape="threshold", field="attributes.stars", limits=[{"gt": 0}]) == []


def test_an_absence_of_anything_at_all() -> None:
    of = {"after": {"kind": "complaint_made"}, "expect": {"direction": "outbound"}}
    rule = {"shape": "absence", "within": "2d", **of}
    complaint = seen("c", 0, "complaint_made")
    assert finds([complaint], **rule) == ["c"]
    assert finds([complaint, seen("m", 5, "message_sent", direction="outbound")], **rule) == []


def test_a_touchpoint_does_not_satisfy_itself() -> None:
    rule = {"shape": "absence", "after": {"kind": "page_viewed"}, "expect": {"kind": "page_viewed"}, "within": "1h"}
    assert finds([seen("a"), seen("b", 60)], **rule) == ["b"]


def test_a_service_level_changes_the_severity() -> None:
    rules = a_rule(**ERRORS, severity_by_service_level={"premium": "critical"})
    level = seen("l", -5, service_level="premium")
    (before,) = found("mine", *errors(0, 1), seen("l", 5, service_level="premium"), rules=rules)
    (after,) = found("mine", level, *errors(0, 1), rules=rules)
    assert (before.severity, after.severity) == (FrictionSeverity.LOW, FrictionSeverity.CRITICAL)


WAIT = {"shape": "threshold", "field": "wait_s", "limits": [{"when": {"service_level": "premium"}, "gt": 60}]}


def test_a_rule_sees_the_level_that_the_customer_has_where_the_touchpoint_says_none() -> None:
    history = [
        call("unknown", 0, wait_s=61),
        seen("said", 1, service_level="premium"),
        call("premium", 2, wait_s=61),
        call("own", 3, wait_s=61, service_level="basic"),
        call("basic", 4, wait_s=61),
        seen("again", 5, service_level="premium"),
    ]
    assert finds(history, **WAIT) == ["premium"]
    assert finds(history, **WAIT, contacts=True) == ["premium"]
    assert finds(history, shape="count", of={"channel": "phone"}, changes="service_level", at_least=1) == ["own"]


def test_a_level_that_becomes_known_later_changes_nothing_before_it() -> None:
    before = [call("a", 0, wait_s=61), call("b", 10, wait_s=61)]
    assert finds([*before, seen("said", 20, service_level="premium")], **WAIT) == []
    assert finds([*before, seen("said", 5, service_level="premium")], **WAIT) == ["b"]


def test_who_has_no_level_is_found_by_its_absence() -> None:
    history = [*errors(0), seen("said", 1, service_level="premium"), *errors(2)]
    assert finds(history, **{**ERRORS, "of": {"service_level": {"exists": False}}, "at_least": 1}) == ["e0"]


def test_a_touchpoint_with_a_level_from_elsewhere_does_not_satisfy_itself() -> None:
    history = [seen("said", 0, service_level="premium"), seen("armed", 1, "error_shown")]
    waits = {"shape": "absence", "after": {"kind": "error_shown"}, "expect": {"service_level": "premium"}}
    assert finds(history, **waits, within="1h") == ["armed"]


def test_no_view_is_made_anew_unless_a_rule_asks_for_the_level() -> None:
    history = [seen("said", 0, service_level="premium"), call("a", 1)]
    for rules, same in ((a_rule(**ERRORS), True), (a_rule(**WAIT), False)):
        index = CustomerHistory(history, POLICY.contacts)
        views = [unit.view for unit in (*index.units, *index.contacts)]
        rules.evaluate(index)
        now = [unit.view for unit in (*index.units, *index.contacts)]
        assert all(one is other for one, other in zip(views, now, strict=True)) is same


def test_a_disabled_rule_finds_nothing() -> None:
    assert finds(errors(0, 1), **ERRORS, enabled=False) == []
