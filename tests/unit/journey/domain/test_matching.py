"""Matchers: every field can be asked, and what is not known says no."""

from typing import Any

import pytest

from services.journey.domain.rules.matching import InvalidRuleError, compile_matcher, field_getter
from services.journey.domain.rules.rule import Clause, FieldCondition
from services.journey.domain.touchpoint import Identifier, MonetaryValue, SurveyScore, Touchpoint
from tests.unit.journey.domain.making import at, seen

FULL = seen(
    "t",
    kind="call_ended",
    direction="inbound",
    outcome="resolved",
    wait_s=30,
    replay=False,
    refs={"case_id": "T-1"},
    text="환불이 아직 안 됐어요. REFUND please",
    score=SurveyScore(metric="ces", value=2, scale=5),
    value=MonetaryValue(amount=129000, currency="KRW"),
    due_at=at(5),
    customer={"email": Identifier(value="a@example.org", verified=True)},
    attributes={"plan": {"name": "gold", "months": 24}, "vip": True, "tags": ["a"], "count": 1},
).touchpoint


@pytest.mark.parametrize(
    ("clause", "matches"),
    [
        ({}, True),
        ({"kind": "call_ended"}, True),
        ({"kind": ("chat_ended", "call_ended")}, True),
        ({"kind": "call_ended", "outcome": "unresolved"}, False),
        ({"kind": "chat_ended", "outcome": "resolved"}, False),
        ({"kind": ("chat_ended", "chat_started"), "outcome": "resolved"}, False),
        ({"kind": (), "outcome": "resolved"}, False),
        ({"kind": FieldCondition(is_not="chat_ended")}, True),
        ({"kind": FieldCondition(is_not="call_ended")}, False),
        ({"kind": FieldCondition(is_not="a call_ended by them")}, True),
        ({"kind": FieldCondition(is_not=("chat_ended", "call_started"))}, True),
        ({"outcome": FieldCondition(is_not=("resolved", "done"))}, False),
        ({"reason": FieldCondition(is_not="billing")}, False),
        ({"reason": FieldCondition(exists=False)}, True),
        ({"reason": FieldCondition(exists=True)}, False),
        ({"due_at": FieldCondition(exists=True)}, True),
        ({"wait_s": 30}, True),
        ({"wait_s": 30.0}, True),
        ({"wait_s": FieldCondition(gt=30)}, False),
        ({"wait_s": FieldCondition(gt=29)}, True),
        ({"wait_s": FieldCondition(gte=30)}, True),
        ({"wait_s": FieldCondition(gte=31)}, False),
        ({"wait_s": FieldCondition(lt=31)}, True),
        ({"wait_s": FieldCondition(lt=30)}, False),
        ({"wait_s": FieldCondition(lte=30)}, True),
        ({"wait_s": FieldCondition(lte=29)}, False),
        ({"wait_s": FieldCondition(gte=30, lt=31)}, True),
        ({"wait_s": FieldCondition(gte=30, lt=30)}, False),
        ({"wait_s": FieldCondition(gte=31, lt=32)}, False),
        ({"hold_s": FieldCondition(gt=0)}, False),
        ({"hold_s": FieldCondition(gte=0)}, False),
        ({"hold_s": FieldCondition(lt=30)}, False),
        ({"hold_s": FieldCondition(lte=30)}, False),
        ({"replay": False}, True),
        ({"replay": 0}, False),
        ({"refs.case_id": "T-1"}, True),
        ({"refs.order_id": "T-1"}, False),
        pytest.param({"text": FieldCondition(contains="환불")}, True, id="it contains Korean"),
        ({"text": FieldCondition(contains="refund")}, True),
        pytest.param({"text": FieldCondition(contains="교환")}, False, id="it does not contain this"),
        ({"wait_s": FieldCondition(contains="3")}, False),
        ({"score.metric": "ces", "score.value": 2, "score.scale": 5}, True),
        ({"score.on_7": 2.8}, True),
        ({"score.on_100": 40}, True),
        ({"value.amount": FieldCondition(gte=100_000), "value.currency": "KRW"}, True),
        ({"customer.email": FieldCondition(exists=True), "customer.phone": FieldCondition(exists=False)}, True),
        ({"customer.email.verified": True}, True),
        ({"attributes.plan.name": ("gold", "silver")}, True),
        ({"attributes.plan.months": FieldCondition(lt=25)}, True),
        ({"attributes.plan.months.days": 3}, False),
        ({"attributes.vip": True}, True),
        ({"attributes.vip": 1}, False),
        ({"attributes.count": (True, 2)}, False),
        ({"attributes.tags": "a"}, False),
        (({"kind": "chat_ended"}, {"kind": "call_ended"}), True),
        (({"kind": "chat_ended"}, {"kind": "call_ended", "outcome": "unresolved"}), False),
        (({"kind": "call_ended", "outcome": "unresolved"}, {"wait_s": FieldCondition(gt=5)}), True),
        (({"kind": "call_ended", "wait_s": 1}, {"kind": "call_ended", "wait_s": 30}), True),
    ],
    ids=str,
)
def test_what_matches(clause: Any, matches: bool) -> None:
    assert compile_matcher(clause).matches(FULL) is matches


def test_only_the_kinds_that_can_match_are_looked_at() -> None:
    assert compile_matcher(({"kind": "a"}, {"kind": ("b", "c"), "reason": "x"})).kinds == frozenset("abc")
    assert compile_matcher(({"kind": "a"}, {"reason": "x"})).kinds is None
    assert compile_matcher({"kind": FieldCondition(is_not="a")}).kinds is None


PLAIN = sorted(set(Touchpoint.__struct_fields__) - {"refs", "attributes", "customer", "score", "value", "sentiment_by"})


@pytest.mark.parametrize("field", PLAIN)
def test_every_plain_field_can_be_read(field: str) -> None:
    assert field_getter(field)(FULL) == getattr(FULL, field)


@pytest.mark.parametrize(
    ("clause", "why"),
    [
        ({"colour": "red"}, "no field 'colour'"),
        ({"refs": "T-1"}, "no field 'refs'"),
        ({"score.on_0": 3}, "no field 'score.on_0'"),
        ({"due_at": "2026-11-22"}, "is a time"),
        ({"due_at": FieldCondition(gt=3)}, "is a time"),
        ({"due_at": FieldCondition(exists=True, gt=3)}, "is a time"),
        ({"reason": FieldCondition()}, "nothing is asked of reason"),
        ({"customer.email.proved": True}, "no member 'proved'"),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused(clause: Clause, why: str) -> None:
    with pytest.raises(InvalidRuleError, match=why):
        compile_matcher(clause)
