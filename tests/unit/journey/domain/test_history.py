from typing import Any

import msgspec
import pytest

from services.journey.domain.contacts.contact import Contact
from services.journey.domain.history import CustomerHistory
from services.journey.domain.touchpoint import MonetaryValue, RecordedTouchpoint, SurveyScore
from tests.unit.journey.domain.making import POLICY, at, call, seen


def contacts(*history: RecordedTouchpoint) -> list[Contact]:
    return CustomerHistory(history, POLICY.contacts).contacts


def test_touchpoints_of_one_interaction_are_one_contact_at_the_time_of_the_first() -> None:
    (contact,) = contacts(call("end", 7, interaction_id="c"), call("start", 5, kind="call_started", interaction_id="c"))
    assert (contact.at.id, contact.time) == ("start", at(5))


def test_the_same_interaction_id_of_another_source_is_another_contact() -> None:
    assert len(contacts(call("a", interaction_id="c"), call("b", source="other", interaction_id="c"))) == 2


def test_without_interaction_each_touchpoint_is_its_own_contact() -> None:
    assert len(contacts(call("a"), call("b", 1))) == 2


def test_an_outbound_call_is_no_contact() -> None:
    assert contacts(call("a", direction="outbound")) == []


def test_a_call_without_direction_is_no_contact() -> None:
    assert contacts(call("a", direction=None)) == []


def test_a_kind_that_is_not_marked_is_no_contact() -> None:
    assert contacts(seen("a", direction="inbound")) == []


def test_the_reason_is_the_first_known_among_inbound_touchpoints() -> None:
    (contact,) = contacts(
        seen("menu", 0, interaction_id="c", reason="from the menu"),
        call("start", 1, kind="call_started", interaction_id="c"),
        call("end", 2, interaction_id="c", reason="billing"),
        call("more", 3, interaction_id="c", reason="delivery"),
    )
    assert contact.view.reason == "billing"


def test_the_outcome_is_the_last_known_of_the_interaction() -> None:
    (contact,) = contacts(
        call("start", 1, interaction_id="c", outcome="unresolved"),
        seen("wrap-up", 9, interaction_id="c", outcome="resolved"),
        seen("survey", 10, interaction_id="c"),
    )
    assert contact.view.outcome == "resolved"


def test_numbers_are_the_largest_and_references_are_gathered() -> None:
    (contact,) = contacts(
        call("start", 1, interaction_id="c", wait_s=30, refs={"case_id": "1"}),
        call("end", 2, interaction_id="c", wait_s=12, transfers=2, refs={"case_id": "2", "order_id": "3"}),
    )
    view = contact.view
    assert (view.wait_s, view.transfers, view.refs) == (30, 2, {"case_id": "1", "order_id": "3"})


def test_late_touchpoints_and_doubles_are_left_out() -> None:
    once = call("a", 1)
    history = CustomerHistory([once, call("b", 0, late=True), once], POLICY.contacts)
    assert [unit.at.id for unit in history.units] == ["a"]


def test_contacts_at_one_time_stand_where_their_touchpoints_do() -> None:
    found = contacts(
        call("a", interaction_id="z"), call("m", sequence=9), call("c", interaction_id="b"), call("z", source="alpha")
    )
    assert [contact.at.id for contact in found] == ["z", "a", "c", "m"]


@pytest.mark.parametrize(
    ("field", "first", "second"),
    [
        ("queue", "A", "B"),
        ("agent", "A-1", "A-2"),
        ("text", "환불해 주세요", "again"),
        ("sentiment", -0.5, 0.5),
        ("score", SurveyScore(metric="ces", value=2, scale=7), SurveyScore(metric="ces", value=5, scale=7)),
        ("value", MonetaryValue(amount=129000, currency="KRW"), MonetaryValue(amount=1, currency="KRW")),
        ("service_level", "premium", "basic"),
        ("due_at", at(60), at(90)),
    ],
)
def test_any_other_field_is_the_first_known_of_the_interaction(field: str, first: Any, second: Any) -> None:
    (contact,) = contacts(
        call("start", 1, interaction_id="c"),
        seen("menu", 2, interaction_id="c", **{field: first}),
        call("end", 3, interaction_id="c", **{field: second}),
    )
    assert getattr(contact.view, field) == first


def test_a_touchpoint_that_was_noted_twice_counts_once() -> None:
    once = call("a", 1)
    again = msgspec.structs.replace(once, appended_at=at(9))
    assert [unit.at.id for unit in CustomerHistory([again, once], POLICY.contacts).units] == ["a"]


def test_the_service_level_is_the_last_one_known_up_to_there() -> None:
    levels = [None, "basic", None, "premium"]
    history = CustomerHistory(
        [seen(f"t{n}", n, service_level=level) for n, level in enumerate(levels)], POLICY.contacts
    )
    assert [history.service_level_at(position) for position in range(4)] == [None, "basic", "basic", "premium"]
