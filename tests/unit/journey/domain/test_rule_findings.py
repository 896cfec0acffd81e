"""What is said of a finding, of a timer and of a rule that fails, whatever the shape."""

from typing import Any

import msgspec
import pytest

from services.journey.domain.friction import TimelineEntry
from services.journey.domain.names import timer_id
from services.journey.domain.projection import project
from services.journey.domain.rules.rule import RuleFailure
from services.journey.domain.timer import Timer
from services.journey.domain.touchpoint import RecordedTouchpoint, SurveyScore
from tests.unit.journey.domain.making import (
    ABSENT,
    HOURS,
    POLICY,
    SECOND,
    a_rule,
    anchors,
    at,
    call,
    found,
    seen,
    told,
)

COUNT = {"shape": "count", "contacts": True, "at_least": 2}


def test_a_finding_tells_the_reason_references_and_service_level_of_its_contact() -> None:
    history = [
        call("a", service_level="basic"),
        call("b", 1, interaction_id="i", refs={"case_id": "T-1"}, service_level="premium"),
        seen("wrap-up", 2, "call_ended", direction="inbound", interaction_id="i", reason="billing"),
    ]
    (finding,) = found("mine", *history, rules=a_rule(**COUNT))
    assert (finding.reason, finding.refs, finding.service_level) == ("billing", {"case_id": "T-1"}, "premium")


def test_a_finding_without_a_service_level_of_its_own_has_the_last_one_known() -> None:
    history = [call("a"), call("b", 1, service_level="basic"), seen("p", 2, service_level="premium"), call("c", 3)]
    assert [one.service_level for one in found("mine", *history, rules=a_rule(**COUNT))] == ["basic", "premium"]


def test_the_excerpt_ends_at_the_anchor_and_has_ten_lines_at_most() -> None:
    history = [seen(f"t{n}", n, "error_shown", outcome=f"o{n}", reason="billing") for n in range(12)]
    findings = found("mine", *history, rules=a_rule(shape="count", of={"kind": "error_shown"}, at_least=2))
    assert [len(finding.timeline) for finding in findings] == [2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 10]
    assert findings[-1].timeline == tuple(
        TimelineEntry(occurred_at=at(n), channel="web", kind="error_shown", outcome=f"o{n}", reason="billing")
        for n in range(2, 12)
    )


def test_evidence_is_the_latest_fifty() -> None:
    history = [seen(f"t{n}", n, "error_shown") for n in range(52)]
    (*_, last) = found("mine", *history, rules=a_rule(shape="count", of={"kind": "error_shown"}, at_least=2))
    assert last.touchpoints == tuple(("test", f"t{n}") for n in range(2, 52))


def test_an_absence_tells_its_due_time_and_how_long_it_waited() -> None:
    promise = seen("p", 0, "callback_promised", due_at=at(90))
    (finding,) = found("mine", promise, rules=ABSENT)
    assert finding.evidence == {"due_at": "2026-11-22T01:30:00.000000Z", "waited_s": 5_400.0}
    assert finding.stale_from == at(90)


def test_a_promise_due_in_the_moment_it_is_made_arms() -> None:
    assert anchors("mine", seen("p", 0, "callback_promised", due_at=at(0)), rules=ABSENT) == ["p"]
    assert anchors("mine", seen("p", 0, "callback_promised", due_at=at(-SECOND)), rules=ABSENT) == []


def test_a_timer_tells_when_its_record_came_and_whether_it_was_a_replay() -> None:
    promise = seen("p", 0, "callback_promised", due_at=at(90), replay=True)
    (timer,) = told(msgspec.structs.replace(promise, appended_at=at(7)), rules=ABSENT).timers
    assert timer == Timer(
        id=timer_id("mine", "test", "p"),
        rule="mine",
        armed_by=("test", "p"),
        due_at=at(90),
        appended_at=at(7),
        replay=True,
    )


def test_a_rule_that_raises_is_reported_by_its_name_and_version_and_never_by_what_it_read() -> None:
    class Broken(str):
        __slots__ = ()

        def __eq__(self, other: object) -> bool:
            raise LookupError("C-1009")

        __hash__ = str.__hash__

    rules = a_rule(**COUNT, same=["reason"], version=3)
    history = [call("a", reason=Broken("x")), call("b", 1, reason="y")]
    assert project(history, rulebook=rules, policy=POLICY).failures == [
        RuleFailure(rule="mine", rule_version=3, error="LookupError")
    ]


@pytest.mark.parametrize(
    ("shape", "history"),
    [
        pytest.param(
            {"shape": "threshold", "field": "score.on_7", "limits": [{"lte": 3}]},
            [seen("a"), seen("b", 1, score=SurveyScore(metric="ces", value=1, scale=0))],
            id="no score, and a score of nothing",
        ),
        pytest.param(
            {"shape": "threshold", "field": "value.amount", "limits": [{"gte": 0}]}, [seen("a")], id="nothing at stake"
        ),
        pytest.param(
            {"shape": "count", "of": {"customer.customer_id": "C-2"}, "at_least": 1}, [seen("a")], id="another value"
        ),
    ],
)
def test_what_is_not_known_finds_nothing(shape: dict[str, Any], history: list[RecordedTouchpoint]) -> None:
    assert anchors("mine", *history, rules=a_rule(**shape)) == []


def test_an_identifier_can_be_asked_for() -> None:
    assert anchors("mine", seen("a"), rules=a_rule(shape="count", of={"customer.customer_id": "C-1"}, at_least=1)) == [
        "a"
    ]


def test_every_finding_of_a_cooldown_is_measured_from_the_last_one_that_stood() -> None:
    rules = a_rule(shape="count", of={"kind": "error_shown"}, at_least=1, cooldown="1h")
    assert anchors("mine", *(seen(f"e{n}", n * HOURS / 2, "error_shown") for n in range(5)), rules=rules) == [
        "e0",
        "e2",
        "e4",
    ]
