"""The oracle of identity under constraints, by small examples worked by hand."""

from typing import Any, Literal

import pytest

from tests.oracle.constrained_identity import resolve
from tests.oracle.facts import Key
from tests.oracle.identity_terms import OperatorFact, Picture
from tests.oracle.told_identity import SOURCE, identifier, span, told

Story = tuple[str, ...]


def _refused(picture: Picture) -> dict[str, str]:
    return {" ".join(":".join(end) for end in ends): why for ends, why in picture.refused.items()}


def _operator(kind: Literal["merge", "separate", "retract"], one: str, other: str, at: str = "0") -> OperatorFact:
    return OperatorFact(kind=kind, one=identifier(one), other=identifier(other), at=span(at))


def _together(picture: Picture, one: str, other: str) -> bool:
    return picture.component(identifier(one)) == picture.component(identifier(other))


def _key(number: int) -> Key:
    return SOURCE, f"t{number:02d}"


CHAIN = ("1h cookie:a device_id:a", "2h device_id:a email:a", "3h email:a phone:a", "4h phone:a customer_id:a")


@pytest.mark.parametrize(
    ("story", "policy", "refused", "between"),
    [
        pytest.param(CHAIN, {}, {}, [], id="a chain is one customer"),
        pytest.param(
            ("1h customer_id:A phone:p", "2h customer_id:B phone:p"),
            {},
            {"customer_id:A phone:p": "held", "customer_id:B phone:p": "unique"},
            ["phone:p"],
            id="two customer numbers on one telephone",
        ),
        pytest.param(
            ("1h customer_id:A! phone:p!", "2h customer_id:B phone:p"),
            {},
            {"customer_id:B phone:p": "unique"},
            [],
            id="an assertion never takes a verified identifier away",
        ),
        pytest.param(
            ("1h customer_id:B phone:p", "2h customer_id:A! phone:p!"),
            {},
            {"customer_id:B phone:p": "unique"},
            [],
            id="verified before asserted, whenever it was",
        ),
        pytest.param(
            ("1h customer_id:B phone:p", "2h customer_id:A phone:p", "9h customer_id:A! phone:p!"),
            {},
            {"customer_id:B phone:p": "unique"},
            [],
            id="a link is verified if some evidence of it is",
        ),
        pytest.param(
            ("1h customer_id:A email:e", "2h customer_id:B! email:e!", "9h customer_id:A! email:e!"),
            {},
            {"customer_id:A email:e": "held", "customer_id:B email:e": "unique"},
            ["email:e"],
            id="and its time is that of the earliest, verified or not",
        ),
        pytest.param(
            ("2h customer_id:A email:e", "1h customer_id:B email:e"),
            {},
            {"customer_id:A email:e": "unique", "customer_id:B email:e": "held"},
            ["email:e"],
            id="the earlier link first, whatever the keys",
        ),
        pytest.param(
            ("1h phone:p cookie:c", "2h email:e! cookie:c!", "3h customer_id:A phone:p", "4h customer_id:B email:e"),
            {},
            {"cookie:c phone:p": "unique"},
            [],
            id="a device link does not take a cookie that was verified with another",
        ),
        pytest.param(
            ("1h customer_id:A email:e", "2h customer_id:B cookie:c", "3h email:e cookie:c"),
            {},
            {"cookie:c email:e": "unique", "cookie:c customer_id:B": "held"},
            ["cookie:c"],
            id="what two customers meet at may be far from both",
        ),
        pytest.param(
            ("1h customer_id:A email:e", "2h customer_id:B phone:p", "3h email:e phone:p"),
            {"phone": {"strength": 40}},
            {"email:e phone:p": "unique"},
            [],
            id="of two ends of one strength none is between",
        ),
        pytest.param(
            ("1h customer_id:A account_id:x", "2h customer_id:A account_id:y"),
            {"account_id": {"unique": True}},
            {"account_id:y customer_id:A": "unique"},
            [],
            id="an end with no followed link is not between",
        ),
        pytest.param(
            ("1h customer_id:A phone:p", "2h customer_id:B phone:p", "3h phone:p cookie:c", "4h email:e phone:p"),
            {},
            {
                "customer_id:A phone:p": "held",
                "customer_id:B phone:p": "unique",
                "cookie:c phone:p": "held",
                "email:e phone:p": "held",
            },
            ["phone:p"],
            id="what is between links nobody any more, with nothing",
        ),
        pytest.param(
            ("1h customer_id:A email:1", "2h customer_id:A email:2", "3h customer_id:A email:3"),
            {"email": {"limit": 2}},
            {"customer_id:A email:3": "limit"},
            [],
            id="more addresses than the limit",
        ),
        pytest.param(
            ("1h phone:p email:1", "2h social:s email:1", "3h phone:p email:1", "4h social:s email:2"),
            {"email": {"limit": 1}},
            {"email:2 social:s": "limit"},
            [],
            id="two ways to one address are no second address",
        ),
        pytest.param(
            tuple(f"{hour}h customer_id:{hour} phone:p" for hour in range(1, 7)),
            {},
            {f"customer_id:{hour} phone:p": "shared" for hour in range(1, 7)},
            [],
            id="six customer numbers make a telephone shared",
        ),
        pytest.param(
            tuple(f"{hour}h customer_id:{hour}! phone:p!" for hour in range(1, 4)),
            {"phone": {"shared_after": 2}},
            {f"customer_id:{hour} phone:p": "shared" for hour in range(1, 4)},
            [],
            id="also where all is verified",
        ),
        pytest.param(
            ("1h customer_id:A kiosk:k", "2h customer_id:B kiosk:k"),
            {"kiosk": {"shared": True}},
            {},
            [],
            id="what is declared shared makes no link at all",
        ),
        pytest.param(
            ("1h customer_id:A email:e", "2h customer_id:B email:e", "3h customer_id:A email:e!"),
            {"email": {"verified_only": True}},
            {},
            [],
            id="what links only when verified does not link otherwise",
        ),
    ],
)
def test_which_links_are_followed(
    story: Story, policy: dict[str, Any], refused: dict[str, str], between: list[str]
) -> None:
    picture = resolve(told(*story), policy=policy)
    assert _refused(picture) == refused
    assert picture.between == {identifier(one) for one in between}


def test_five_customer_numbers_do_not_make_a_telephone_shared() -> None:
    picture = resolve(told(*(f"{hour}h customer_id:{hour} phone:p" for hour in range(1, 6))))
    assert not picture.shared
    assert picture.between == {("phone", "p")}


def test_a_decision_is_not_taken_again_when_its_reason_has_gone() -> None:
    story = ("1h phone:p email:e", "2h customer_id:A email:e", "3h customer_id:B phone:p", "4h customer_id:B email:e")
    picture = resolve(told(*story))
    assert _refused(picture) == {
        "customer_id:B phone:p": "unique",
        "email:e phone:p": "held",
        "customer_id:B email:e": "unique",
        "customer_id:A email:e": "held",
    }
    assert picture.between == {("phone", "p"), ("email", "e")}


def test_equal_moments_go_by_key_and_the_sequence_says_which_evidence_is_first() -> None:
    story = told("1h customer_id:B email:e", "1h customer_id:A email:e")
    assert resolve(story, most=2).refused == {(("customer_id", "A"), ("email", "e")): "unique"} | {
        (("customer_id", "B"), ("email", "e")): "held"
    }
    picture = resolve(told("1h customer_id:A email:1 #1", "1h customer_id:A email:2"), policy={"email": {"limit": 1}})
    assert _refused(picture) == {"customer_id:A email:2": "limit"}


def test_a_customer_has_no_more_identifiers_than_the_cap() -> None:
    assert list(_refused(resolve(told(*CHAIN), most=4)).values()) == ["too_many_identifiers"]
    assert not resolve(told(*CHAIN), most=5).refused


@pytest.mark.parametrize(
    ("facts", "together"),
    [
        pytest.param([], False, id="nobody said anything"),
        pytest.param([_operator("merge", "customer_id:A", "customer_id:B", "5h")], True, id="merged"),
        pytest.param(
            [
                _operator("merge", "customer_id:A", "customer_id:B", "5h"),
                _operator("separate", "customer_id:A", "customer_id:B", "6h"),
            ],
            False,
            id="separated later",
        ),
        pytest.param(
            [
                _operator("merge", "customer_id:A", "customer_id:B", "5h"),
                _operator("separate", "customer_id:A", "customer_id:B", "4h"),
            ],
            True,
            id="merged later",
        ),
        pytest.param(
            [
                _operator("merge", "customer_id:A", "customer_id:B", "5h"),
                _operator("separate", "customer_id:A", "customer_id:B", "5h"),
            ],
            False,
            id="both at one moment",
        ),
        pytest.param(
            [
                _operator("merge", "customer_id:A", "social:s", "4h"),
                _operator("merge", "social:s", "customer_id:B", "5h"),
                _operator("separate", "customer_id:B", "customer_id:A", "6h"),
            ],
            False,
            id="merged by way of a third, separated later",
        ),
    ],
)
def test_what_operators_say_of_two_customers(facts: list[OperatorFact], together: bool) -> None:
    picture = resolve(told("1h customer_id:A", "2h customer_id:B"), facts)
    assert _together(picture, "customer_id:A", "customer_id:B") is together


def test_a_merge_makes_nothing_between_and_is_never_taken_away() -> None:
    story = told("1h customer_id:A! email:e!", "2h customer_id:B! email:e!")
    picture = resolve(story, [_operator("merge", "customer_id:A", "email:e", "9h")])
    assert not picture.between
    assert _refused(picture) == {"customer_id:B email:e": "unique"}


def test_links_within_merged_customers_are_followed() -> None:
    story = told("1h customer_id:A email:e", "2h customer_id:B email:e", "3h customer_id:B cookie:c")
    picture = resolve(story, [_operator("merge", "customer_id:A", "customer_id:B")])
    assert not picture.refused
    assert _together(picture, "cookie:c", "customer_id:A")


def test_a_limit_that_operators_exceeded_is_no_reason_against_other_links() -> None:
    merged = [_operator("merge", "email:1", "email:2")]
    assert not resolve(told("1h email:1 cookie:c"), merged, {"email": {"limit": 1}}).refused


def test_a_separation_is_for_all_ways_between_the_two() -> None:
    picture = resolve(told(*CHAIN), [_operator("separate", "cookie:a", "customer_id:a", "9d")])
    assert _refused(picture) == {"device_id:a email:a": "separated"}
    assert not picture.between


def test_a_retracted_link_is_as_if_never_seen() -> None:
    story = told(*(f"{hour}h customer_id:{hour} phone:p" for hour in range(1, 7)), "7h customer_id:6 phone:p")
    picture = resolve(story, [_operator("retract", "phone:p", "customer_id:6", "6h")])
    assert not picture.shared
    assert (identifier("customer_id:6"), identifier("phone:p")) not in picture.refused
