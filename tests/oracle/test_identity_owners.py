"""The oracle of identity under constraints: whose a touchpoint is, by small examples worked by hand."""

from typing import Any

import pytest

from tests.oracle.constrained_identity import resolve
from tests.oracle.test_constrained_identity import Story
from tests.oracle.told_identity import owners, told


@pytest.mark.parametrize(
    ("story", "policy", "whose"),
    [
        pytest.param(("1h email:e", "2h cookie:c"), {}, "e c", id="each its own"),
        pytest.param(
            ("0 customer_id:A phone:p", "1h customer_id:B phone:p", "90d1h phone:p", "90d1h1u phone:p"),
            {},
            "A B B p",
            id="a telephone is held for ninety days to the microsecond",
        ),
        pytest.param(
            ("0 customer_id:A cookie:c", "1h customer_id:B cookie:c", "30d1h cookie:c", "30d1h1u cookie:c"),
            {},
            "A B B c",
            id="a cookie is held for thirty days",
        ),
        pytest.param(
            ("0 customer_id:A kiosk:k", "30m kiosk:k", "30m1u kiosk:k", "2h kiosk:k", "2h1m customer_id:B kiosk:k"),
            {"kiosk": {"shared": True}},
            "A A k B B",
            id="a kiosk is held for half an hour, and waits as long for the next one",
        ),
        pytest.param(
            ("0 kiosk:k", "1u kiosk:k", "30m1u customer_id:A kiosk:k"),
            {"kiosk": {"shared": True}},
            "k A A",
            id="before anybody was known, the first one has it",
        ),
        pytest.param(
            ("1h customer_id:A cookie:c", "1h customer_id:B cookie:c #1", "1h cookie:c #-1"),
            {},
            "A B B",
            id="at one moment the last one in order has it",
        ),
        pytest.param(
            (
                "1h customer_id:A phone:p",
                "2h customer_id:B phone:p",
                "3h customer_id:A cookie:c",
                "4h customer_id:B cookie:c",
                "5h phone:p cookie:c",
                "6h customer_id:A phone:p",
                "7h phone:p cookie:c",
            ),
            {},
            "A B A B B A A",
            id="of two that are held the stronger one says it, and does not tell of the weaker",
        ),
        pytest.param(
            (
                "1h customer_id:A phone:p",
                "2h customer_id:B phone:p",
                "9d customer_id:A cookie:c",
                "10d phone:p cookie:c",
            ),
            {},
            "A B A A",
            id="a free identifier says more than a held one",
        ),
        pytest.param(
            ("0 customer_id:A cookie:c", "40d cookie:c", "41d customer_id:B cookie:c"),
            {},
            "A B B",
            id="what is held by nobody any more is the next one's before they are known",
        ),
        pytest.param(
            (
                "0 customer_id:A! email:e!",
                *(f"{hour}h customer_id:{hour} email:e" for hour in range(1, 6)),
                "9d email:e",
            ),
            {},
            "A 1 2 3 4 5 A",
            id="many assertions do not take a verified identifier away",
        ),
        pytest.param(
            tuple(f"{hour}h customer_id:A! email:{hour}!" for hour in range(1, 7)),
            {"email": {"unique": True}},
            "1 1 1 1 1 1",
            id="six unique addresses do not make a proved customer number shared",
        ),
        pytest.param(
            tuple(f"{hour}h customer_id:A email:{hour}!" for hour in range(1, 7)),
            {},
            "1 2 3 4 5 6",
            id="six proved addresses make a number shared that nobody proved",
        ),
        pytest.param(
            (*(f"{hour}h customer_id:{hour}! phone:p" for hour in range(1, 7)), "6h30m phone:p", "6h30m1u phone:p"),
            {},
            "1 2 3 4 5 6 6 p",
            id="what is recognised as shared is held for half an hour",
        ),
        pytest.param(
            ("1h email:a! cookie:c", "2h email:b! cookie:c", "3h cookie:c"),
            {},
            "a b b",
            id="a device does not join two proved addresses",
        ),
        pytest.param(
            ("1h email:a! phone:p", "2h email:b! phone:p", "3h phone:p"),
            {},
            "a a a",
            id="but a telephone does that somebody gave for both",
        ),
        pytest.param(
            ("1h customer_id:A cookie:c", "2h customer_id:B cookie:c", "3h email:e cookie:c", "4h cookie:c"),
            {},
            "A B e e",
            id="somebody nobody knows holds it too",
        ),
        pytest.param(
            ("1h customer_id:A phone:p", "2h customer_id:B phone:p", "3h email:e phone:p", "4h phone:p"),
            {"phone": {"strength": 40}},
            "A B e B",
            id="what is as strong does not tell who holds",
        ),
        pytest.param(
            (
                "0 customer_id:A cookie:c",
                "1h customer_id:B cookie:c",
                "50d customer_id:C kiosk:k",
                "50d1m kiosk:k cookie:c",
            ),
            {"kiosk": {"shared": True}},
            "A B C C",
            id="what may not link tells whose it is, where nothing else does",
        ),
        pytest.param(
            ("1h email:e phone:p", "2h customer_id:A phone:p", "3h customer_id:B phone:p", "4h email:e phone:p"),
            {"email": {"verified_only": True}},
            "A A B B",
            id="what may not link does not tell who holds",
        ),
    ],
)
def test_whose_a_touchpoint_is(story: Story, policy: dict[str, Any], whose: str) -> None:
    assert owners(resolve(told(*story), policy=policy), whose) == whose


def test_a_touchpoint_without_identifiers_is_nobodys_and_a_second_one_with_its_key_is_a_mistake() -> None:
    assert not resolve(told("1h")).owners
    assert len(resolve([*told("1h email:e"), *told("1h email:e")]).owners) == 1
    with pytest.raises(ValueError, match="t01"):
        resolve([*told("1h email:e"), *told("2h email:e")])
