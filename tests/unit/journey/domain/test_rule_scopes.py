"""Which units a rule takes together: scopes, agreement, what lies between, and where windows end."""

from typing import Any

import pytest

from services.journey.domain.touchpoint import RecordedTouchpoint
from tests.unit.journey.domain.making import HOURS, SECOND, a_rule, anchors, call, found, seen


def finds(history: list[RecordedTouchpoint], **members: Any) -> list[str]:
    return anchors("mine", *history, rules=a_rule(**members))


ERRORS = {"shape": "count", "of": {"kind": "error_shown"}, "at_least": 2}
ORDER = {"order_id": "9"}


def errors(*refs: dict[str, str], **fields: Any) -> list[RecordedTouchpoint]:
    return [seen(f"e{n}", n, "error_shown", refs=each, **fields) for n, each in enumerate(refs)]


def test_a_matter_is_the_case_where_there_is_one_and_the_journey_only_without() -> None:
    two_cases_of_one_order = errors({**ORDER, "case_id": "1"}, {**ORDER, "case_id": "2"}, ORDER, ORDER)
    assert finds(two_cases_of_one_order, **ERRORS, per="journey") == ["e1", "e2", "e3"]
    assert finds(two_cases_of_one_order, **ERRORS, per="matter") == ["e3"]


def test_a_window_is_inclusive() -> None:
    history = [seen("a", 0, "error_shown"), seen("b", 60, "error_shown"), seen("c", 120 + SECOND, "error_shown")]
    assert finds(history, **ERRORS, within="1h") == ["b"]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({"reason": "x", "channel": "app"}, ["b"], id="both equal"),
        pytest.param({"reason": "x", "channel": "web"}, [], id="one differs"),
        pytest.param({"reason": "y", "channel": "app"}, [], id="the other one differs"),
        pytest.param({"channel": "app"}, ["b"], id="one unknown"),
    ],
)
def test_two_fields_agree_only_together(fields: dict[str, Any], expected: list[str]) -> None:
    history = [
        seen("a", 0, "error_shown", **fields),
        seen("b", 1, "error_shown", reason="x", channel="app"),
    ]
    assert finds(history, **ERRORS, same=["reason", "channel"]) == expected
    turned = [seen("a", 0, "error_shown", reason="x", channel="app"), seen("b", 1, "error_shown", **fields)]
    assert finds(turned, **ERRORS, same=["reason", "channel"]) == expected


def test_contacts_can_be_asked_what_they_are() -> None:
    history = [call("a"), call("b", 1, channel="chat"), call("c", 2), call("d", 3)]
    assert finds(history, shape="count", contacts=True, of={"channel": "phone"}, at_least=2) == ["c", "d"]
    by_kind = {"shape": "count", "contacts": True, "of": {"kind": "call_ended"}, "at_least": 1}
    assert finds([call("a"), call("b", 1, kind="chat_ended"), seen("c", 2, "call_ended")], **by_kind) == ["a"]


def test_several_kinds_are_looked_at_in_order() -> None:
    of = {"kind": ["error_shown", "rage_click"]}
    history = [seen("a", 0, "rage_click"), seen("b", 1, "error_shown"), seen("c", 2), seen("d", 3, "rage_click")]
    assert finds(history, shape="count", of=of, at_least=2) == ["b", "d"]


@pytest.mark.parametrize("per", ["journey", "case", "matter", "interaction"])
def test_a_barrier_cuts_in_its_own_scope_alone(per: str) -> None:
    one = {"refs": {"case_id": "1"}, "interaction_id": "i"}
    other = {"refs": {"case_id": "2"}, "interaction_id": "j"}
    history = [seen("a", 0, "error_shown", **one), seen("b", 2, "error_shown", **one)]
    rule = {**ERRORS, "without": {"kind": "order_placed"}, "per": per}
    assert finds([*history, seen("o", 1, "order_placed", **one)], **rule) == []
    assert finds([*history, seen("o", 1, "order_placed", **other)], **rule) == ["b"]


def test_a_barrier_cuts_up_to_itself_and_not_what_comes_after() -> None:
    history = [*errors({}, {}), seen("o", 1.5, "order_placed"), *(seen(f"f{n}", n, "error_shown") for n in (2, 3))]
    rule = {**ERRORS, "without": {"kind": "order_placed"}}
    assert finds(history, **rule) == ["e1", "f3"]
    counted = found("mine", *history, rules=a_rule(**rule, within="1h"))
    assert [finding.evidence["count"] for finding in counted] == [2, 2]


CHANGES = {"shape": "count", "changes": "channel", "at_least": 2}


def channels(*names: str) -> list[RecordedTouchpoint]:
    return [seen(f"t{n}", n, channel=name) for n, name in enumerate(names)]


@pytest.mark.parametrize(
    ("names", "at_least", "expected"),
    [
        pytest.param("web app web", 2, ["t2"], id="there and back are two"),
        pytest.param("web app app web", 2, ["t3"], id="where it stayed is none"),
        pytest.param("web app web web", 2, ["t2"], id="the last one has to be a change"),
        pytest.param("web app", 1, ["t1"], id="one"),
        pytest.param("web", 1, [], id="one touchpoint is no change"),
        pytest.param("web web", 1, [], id="no change"),
    ],
)
def test_changes_of_a_field_are_counted(names: str, at_least: int, expected: list[str]) -> None:
    history = channels(*names.split())
    assert finds(history, **{**CHANGES, "at_least": at_least}) == expected
    assert [one.evidence["count"] for one in found("mine", *history, rules=a_rule(**CHANGES))] == [2] * (
        len(expected) if at_least == 2 else 0
    )


def test_one_that_does_not_know_the_field_is_no_change_and_between_two_it_is_not_there() -> None:
    history = [seen(f"t{n}", n, queue=queue) for n, queue in enumerate(["A", None, "B", None, "A"])]
    assert finds(history, shape="count", changes="queue", at_least=1) == ["t2", "t4"]
    assert finds(history, shape="count", changes="queue", at_least=2) == ["t4"]


def test_changes_go_by_scope_and_window() -> None:
    history = [
        seen("a", 0, channel="web", refs={"case_id": "1"}),
        seen("b", 1, channel="app", refs={"case_id": "2"}),
        seen("c", 61, channel="web", refs={"case_id": "1"}),
        seen("d", 62, channel="app", refs={"case_id": "1"}),
    ]
    rule = {"shape": "count", "changes": "channel", "at_least": 1}
    assert finds(history, **rule, per="case") == ["d"]
    assert finds(history, **rule, within="1h") == ["b", "c", "d"]
    assert finds(history, **rule, within="59m") == ["b", "d"]


DECLINED = {"shape": "sequence", "steps": [{"of": {"kind": "order_placed"}}, {"of": {"kind": "payment_declined"}}]}


def story(*kinds: str) -> list[RecordedTouchpoint]:
    return [seen(f"t{n}", n, kind) for n, kind in enumerate(kinds)]


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        pytest.param("order_placed payment_declined payment_declined", ["t1"], id="the first completion"),
        pytest.param("order_placed payment_declined order_placed payment_declined", ["t1", "t3"], id="each time anew"),
        pytest.param("payment_declined order_placed payment_declined", ["t2"], id="what was before does not matter"),
    ],
)
def test_a_sequence_once(kinds: str, expected: list[str]) -> None:
    assert finds(story(*kinds.split()), **DECLINED, once=True) == expected


def test_of_three_steps_the_last_one_counts_once() -> None:
    kinds = ["order_placed", "payment_declined", "error_shown"]
    three = {"shape": "sequence", "steps": [{"of": {"kind": kind}} for kind in kinds], "once": True}
    assert finds(story("order_placed", "payment_declined", "error_shown", "error_shown"), **three) == ["t2"]
    assert finds(story("order_placed", "payment_declined", "payment_declined", "error_shown"), **three) == ["t3"]


def test_every_completion_counts_that_is_not_once() -> None:
    assert finds(story("order_placed", "payment_declined", "payment_declined"), **DECLINED) == ["t1", "t2"]


def test_a_step_that_completes_the_one_before_may_begin_the_next() -> None:
    twice = {"shape": "sequence", "steps": [{"of": {"kind": "error_shown"}}] * 2, "once": True}
    assert finds(errors({}, {}, {}), **twice) == ["e1", "e2"]


@pytest.mark.parametrize("interaction", [None, "A-1", "z-1"])
def test_a_contact_and_its_own_touchpoint_are_not_two_steps_however_its_interaction_is_called(
    interaction: str | None,
) -> None:
    ended, contact = {"of": {"kind": "call_ended"}}, {"contacts": True}
    first, second = call("b", 0, interaction_id=interaction), call("c", 5, interaction_id=interaction and "Q")
    for steps in ([ended, contact], [contact, ended]):
        assert finds([first], shape="sequence", steps=steps) == []
        assert finds([first, second], shape="sequence", steps=steps, once=True) == ["c"]


def test_a_completion_that_does_not_agree_or_lies_in_another_scope_takes_nothing() -> None:
    order, other = {"order_id": "1"}, {"order_id": "2"}
    history = [
        seen("o", 0, "order_placed"),
        seen("a", 1, "payment_declined", refs=other),
        seen("b", 2, "payment_declined", refs=order),
    ]
    assert finds(history, **DECLINED, once=True) == ["a"]
    assert finds(history, **DECLINED, once=True, same=["refs.order_id"]) == ["a", "b"]


@pytest.mark.parametrize(("per", "expected"), [("case", []), ("customer", ["b"]), ("journey", ["b"])])
def test_steps_lie_in_one_scope(per: str, expected: list[str]) -> None:
    history = [
        seen("a", 0, "order_placed", refs={"case_id": "1", **ORDER}),
        seen("b", 1, "payment_declined", refs={"case_id": "2", **ORDER}),
    ]
    assert finds(history, **DECLINED, per=per) == expected


@pytest.mark.parametrize(("per", "expected"), [("case", ["b"]), ("customer", [])])
def test_steps_are_broken_in_their_scope_alone(per: str, expected: list[str]) -> None:
    history = [
        seen("a", 0, "order_placed", refs={"case_id": "1"}),
        seen("x", 1, "order_cancelled", refs={"case_id": "2"}),
        seen("b", 2, "payment_declined", refs={"case_id": "1"}),
    ]
    assert finds(history, **DECLINED, per=per, without={"kind": "order_cancelled"}) == expected


@pytest.mark.parametrize("others", [3, 4])
def test_steps_are_looked_for_one_by_one_back_to_the_first(others: int) -> None:
    order = {"order_id": "1"}
    history = [
        seen("o", 0, "order_placed", refs=order),
        *(seen(f"x{n}", 1 + n, "order_placed", refs={"order_id": f"other {n}"}) for n in range(others)),
        seen("d", 9, "payment_declined", refs=order),
    ]
    (finding,) = found("mine", *history, rules=a_rule(**DECLINED, same=["refs.order_id"]))
    assert [id_ for _, id_ in finding.touchpoints] == ["o", "d"]
    assert finding.evidence == {"span_s": 540.0}


def test_a_pattern_looks_at_what_matches_in_its_scope() -> None:
    history = [
        seen("a", 0, "case_worked", queue="A", refs={"case_id": "1"}),
        seen("b", 1, "case_worked", queue="B", refs={"case_id": "2"}),
        seen("c", 2, "case_waiting", queue="B", refs={"case_id": "1"}),
        seen("d", 3, "case_worked", queue="C", refs={"case_id": "1"}),
    ]
    rule = {"shape": "sequence", "field": "queue", "pattern": ["a", "b"]}
    assert finds(history, **rule) == ["b", "d"]
    assert finds(history, **rule, per="case") == ["c", "d"]
    assert finds(history, **rule, per="case", of={"kind": "case_worked"}) == ["d"]


def test_an_earlier_stay_is_named_by_its_last_touchpoint_and_the_last_by_its_first() -> None:
    history = [seen(f"t{n}", n, "case_worked", queue=queue) for n, queue in enumerate("AAABBBCCC")]
    rules = a_rule(shape="sequence", field="queue", pattern=["a", "b", "c"])
    (finding,) = found("mine", *history, rules=rules)
    assert [id_ for _, id_ in finding.touchpoints] == ["t2", "t5", "t6"]
    assert finding.evidence == {"span_s": 240.0, "values": "A > B > C"}


LONG = {"shape": "threshold", "field": "wait_s", "limits": [{"gt": 120}]}


def test_a_limit_looks_at_what_matches_and_at_contacts_where_it_says_so() -> None:
    history = [
        call("a", wait_s=200),
        call("b", 1, wait_s=200, direction="outbound"),
        call("c", 2, wait_s=60, interaction_id="i"),
        seen("d", 3, "call_ended", wait_s=200, interaction_id="i"),
    ]
    assert finds(history, **LONG) == ["a", "b", "d"]
    assert finds(history, **LONG, of={"direction": "inbound"}) == ["a"]
    assert finds(history, **LONG, contacts=True) == ["a", "c"]


def test_each_touchpoint_is_judged_by_its_own_number_unless_a_total_is_asked_for() -> None:
    history = [seen(f"t{n}", n, wait_s=100, interaction_id="i") for n in range(3)]
    history += [seen("u", 9, wait_s=130, interaction_id="i"), seen("v", 10, wait_s=140, interaction_id="i")]
    assert finds(history, **LONG) == ["u", "v"]
    (finding,) = found("mine", *history, rules=a_rule(**LONG, per="interaction"))
    assert (finding.evidence, finding.touchpoints) == ({"value": 130, "limit": 120}, (("test", "u"),))


@pytest.mark.parametrize(("per", "expected"), [("journey", ["a", "c"]), ("customer", ["a"]), ("case", ["a", "c"])])
def test_the_first_over_the_line_stands_for_its_scope(per: str, expected: list[str]) -> None:
    waits = [("a", 0, "1"), ("b", 1, "1"), ("c", 2 * HOURS, "2")]
    history = [seen(id_, minute, wait_s=200, refs={"case_id": case}) for id_, minute, case in waits]
    assert finds(history, **LONG, per=per) == expected
