"""Rules that parse and cannot mean anything are refused, in words that name the mend; what borders on them is not."""

import re
from datetime import timedelta
from typing import Any

import pytest

from services.journey.domain.friction import BilingualText, FrictionSeverity
from services.journey.domain.rules.book import Rulebook
from services.journey.domain.rules.edition import RuleRefusedError
from services.journey.domain.rules.rule import FieldCondition, FrictionCap, RuleScope
from services.journey.domain.rules.shapes.absence import AbsenceRule
from services.journey.domain.rules.shapes.count import CountRule
from services.journey.domain.rules.shapes.limits import ThresholdLimit
from services.journey.domain.rules.shapes.registry import AnyRule
from services.journey.domain.rules.shapes.sequence import SequenceRule, SequenceStep
from services.journey.domain.rules.shapes.threshold import ThresholdRule

NOTHING, SECOND = timedelta(0), timedelta(seconds=1)
WORDS = BilingualText(en="a title", ko="제목")
SHARED: dict[str, Any] = {"id": "mine", "severity": FrictionSeverity.LOW, "title": WORDS, "explanation": WORDS}
STEPS = (SequenceStep(of={"kind": "order_placed"}), SequenceStep(contacts=True))


def count(**members: Any) -> CountRule:
    return CountRule(**{**SHARED, "at_least": 2, **members})


def steps(**members: Any) -> SequenceRule:
    return SequenceRule(**{**SHARED, "steps": STEPS, **members})


def pattern(*letters: str, **members: Any) -> SequenceRule:
    return SequenceRule(**{**SHARED, "field": "queue", "pattern": letters, **members})


def threshold(**members: Any) -> ThresholdRule:
    return ThresholdRule(**{**SHARED, "field": "wait_s", "limits": (ThresholdLimit(gt=120),), **members})


def absence(**members: Any) -> AbsenceRule:
    return AbsenceRule(**{**SHARED, "after": {"kind": "complaint_made"}, "expect": {"kind": "message_sent"}, **members})


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        (count(cooldown=NOTHING), "cooldown is more than nothing"),
        (count(cap=FrictionCap(max=1, within=NOTHING)), "cap.within is more than nothing"),
        (count(cap=FrictionCap(max=0, within=SECOND)), "cap.max is at least 1"),
        (count(within=NOTHING), "within is more than nothing"),
        (count(within=-SECOND), "within is more than nothing"),
        (count(at_least=0), "at_least is 1 to 200"),
        (count(at_least=201), "at_least is 1 to 200"),
        (count(at_least=200, changes="channel"), "at_least is 1 to 199"),
        (count(distinct="agent", changes="channel"), "distinct and changes exclude one another"),
        (count(per=RuleScope.TOUCHPOINT), "one touchpoint cannot be counted twice"),
        (count(per=RuleScope.TOUCHPOINT, at_least=1, changes="queue"), "in one touchpoint nothing changes"),
        (steps(within=NOTHING), "within is more than nothing"),
        (steps(per=RuleScope.TOUCHPOINT), "a sequence is more than one touchpoint"),
        (steps(steps=STEPS[:1]), "a sequence has at least two steps"),
        (steps(steps=()), "a sequence has either steps or a pattern"),
        (steps(pattern=("a", "b"), field="queue"), "a sequence has either steps or a pattern"),
        (steps(field="queue"), "field and of go with a pattern"),
        (steps(of={"kind": "case_worked"}), "field and of go with a pattern"),
        (pattern("a", "b", field=None), "a pattern needs a field"),
        (pattern("a"), "a pattern has at least two letters"),
        (pattern("a", "b", "b"), "neighbouring letters of a pattern differ"),
        (pattern("a", "b", same=("reason",)), "same, without and once go with steps"),
        (pattern("a", "b", without={"kind": "case_closed"}), "same, without and once go with steps"),
        (pattern("a", "b", once=True), "same, without and once go with steps"),
        (threshold(limits=()), "limits is empty"),
        (threshold(total=True), "total needs a scope wider than the touchpoint"),
        (threshold(limits=(ThresholdLimit(),)), "a limit has exactly one of gt, gte, lt, lte"),
        (threshold(limits=(ThresholdLimit(gt=1, lt=9),)), "a limit has exactly one of gt, gte, lt, lte"),
        (absence(within=NOTHING), "within is more than nothing"),
        (absence(grace=-SECOND), "grace is not negative"),
        (absence(within=SECOND, grace=SECOND), "grace goes with due_at, not with within"),
        (count(of={"customer.email.proved": True}), "an identifier has no member 'proved'"),
        (count(of={"reason": FieldCondition()}), "nothing is asked of reason"),
        (count(title=BilingualText(en="{who}", ko="제목")), "{who} is not one of channel, count, reason, span, within"),
        (
            count(title=BilingualText(en="a title", ko="{who}")),
            "{who} is not one of channel, count, reason, span, within",
        ),
        (
            count(title=BilingualText(en="{count:>9}", ko="제목")),
            "{count} is not one of channel, count, reason, span, within",
        ),
        (
            count(title=BilingualText(en="{count!r}", ko="제목")),
            "{count} is not one of channel, count, reason, span, within",
        ),
        (count(explanation=BilingualText(en="{", ko="설명")), "the text '{' has a stray brace"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_a_rule_that_cannot_mean_anything_is_refused_by_name_with_the_reason(rule: AnyRule, why: str) -> None:
    with pytest.raises(RuleRefusedError, match=f"^mine: {re.escape(why)}$"):
        Rulebook([rule])


def test_two_rules_of_one_id_are_refused() -> None:
    with pytest.raises(RuleRefusedError, match=r"^mine: this id is given twice$"):
        Rulebook([count(), steps()])


@pytest.mark.parametrize(
    "rule",
    [
        count(at_least=200, within=SECOND, cooldown=SECOND, cap=FrictionCap(max=1, within=SECOND)),
        count(at_least=199, changes="channel"),
        count(at_least=200, distinct="channel"),
        count(at_least=1, per=RuleScope.TOUCHPOINT),
        steps(per=RuleScope.INTERACTION, same=("reason",), without={"kind": "case_closed"}, once=True),
        pattern("a", "b", of={"kind": "case_worked"}, per=RuleScope.INTERACTION, within=SECOND),
        threshold(total=True, per=RuleScope.INTERACTION),
        absence(within=SECOND),
        absence(grace=NOTHING),
    ],
    ids=lambda rule: type(rule).__name__,
)
def test_what_borders_on_it_is_a_rule(rule: AnyRule) -> None:
    assert Rulebook([rule]).rules == (rule,)
