from __future__ import annotations

import pytest

from schemas import blocked, identifiers
from schemas.blocked import BlockedBy
from schemas.identifiers import Trust


@pytest.mark.parametrize(
    ("kind", "value", "reason"),
    [
        ("email", "", BlockedBy.BLANK),
        ("email", " \t", BlockedBy.BLANK),
        ("customer_id", "Anonymous", BlockedBy.WORD),
        ("customer_id", "NULL", BlockedBy.WORD),
        ("cookie", "undefined", BlockedBy.WORD),
        ("phone", "없음", BlockedBy.WORD),
        ("customer_id", "ｇｕｅｓｔ", BlockedBy.WORD),  # full-width, as some Korean and Japanese forms send it
        ("customer_id", "[object Object]", BlockedBy.EXACT),
        ("customer_id", "0", BlockedBy.EXACT),
        ("customer_id", "-1", BlockedBy.EXACT),
        ("device_id", "00000000-0000-0000-0000-000000000000", BlockedBy.PATTERN),
        ("customer_id", "0000", BlockedBy.PATTERN),
        ("phone", "+266696687", BlockedBy.EXACT),
        ("phone", "1111111", BlockedBy.PATTERN),
        ("phone", "발신번호표시제한", BlockedBy.WORD),
        ("email", "no-reply@example.com", BlockedBy.PATTERN),
        ("own_type", "none", BlockedBy.WORD),
    ],
)
def test_a_value_that_names_nobody_is_blocked(kind: str, value: str, reason: BlockedBy) -> None:
    assert blocked.why(kind, value) is reason
    assert blocked.is_blocked(kind, value)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("phone", "+821012345678"),
        ("phone", "+821011111118"),
        ("customer_id", "C-1009"),
        ("customer_id", "10"),
        ("customer_id", "00010"),
        ("customer_id", "+266696687"),  # withheld only as a phone number
        ("email", "guest@example.com"),
        ("email", "anonymous.fox@example.com"),
        ("cookie", "[object object]"),  # an exact value is exact
        ("social", "kakao:익명의토끼"),
    ],
)
def test_a_value_that_may_name_somebody_is_not(kind: str, value: str) -> None:
    assert blocked.why(kind, value) is None


def test_the_strongest_identifier_keys_the_record() -> None:
    values = {"cookie": "c-1", "phone": "+821012345678", "email": "minji@example.com", "customer_id": "C-1009"}
    assert identifiers.strongest(values) == ("customer_id", "C-1009")
    assert identifiers.strongest(dict(reversed(values.items()))) == ("customer_id", "C-1009")


def test_a_blocked_value_never_keys_a_record() -> None:
    assert identifiers.strongest({"customer_id": "null", "cookie": "c-1"}) == ("cookie", "c-1")
    assert identifiers.strongest({"customer_id": "null", "email": "GUEST"}) is None
    assert identifiers.strongest({}) is None


def test_an_unknown_type_stands_between_people_and_devices() -> None:
    assert identifiers.strongest({"branch_card": "1", "cookie": "2"}) == ("branch_card", "1")
    assert identifiers.strongest({"branch_card": "1", "social": "2"}) == ("social", "2")
    assert identifiers.get("branch_card").trust is Trust.ASSERTED


def test_types_are_ordered_from_the_companys_own_number_to_the_session() -> None:
    ordered = sorted(identifiers.load(), key=identifiers.order)
    assert ordered[:3] == ["customer_id", "account_id", "loyalty_id"]
    assert ordered.index("email") < ordered.index("phone") < ordered.index("social") < ordered.index("device_id")
    assert ordered.index("device_id") < ordered.index("cookie") < ordered.index("session_id")


def test_no_two_types_are_equally_strong() -> None:
    strengths = [entry.strength for entry in (*identifiers.load().values(), identifiers.UNKNOWN)]
    assert len(set(strengths)) == len(strengths)


def test_devices_are_weaker_than_people_and_nothing_is_shared_by_default() -> None:
    people = [entry.strength for entry in identifiers.load().values() if entry.trust is Trust.ASSERTED]
    devices = [entry.strength for entry in identifiers.load().values() if entry.trust is Trust.DEVICE]
    assert max(people) < identifiers.UNKNOWN.strength < min(devices)
    assert not [name for name, entry in identifiers.load().items() if entry.shared]
