from __future__ import annotations

import pytest

from schemas.identifiers import blocked, identifier_types
from schemas.identifiers.blocked import BlockReason
from schemas.identifiers.identifier_types import IdentifierTrust


@pytest.mark.parametrize(
    ("kind", "value", "reason"),
    [
        ("email", "", BlockReason.BLANK),
        ("email", " \t", BlockReason.BLANK),
        ("customer_id", "Anonymous", BlockReason.WORD),
        ("customer_id", "NULL", BlockReason.WORD),
        ("cookie", "undefined", BlockReason.WORD),
        ("phone", "없음", BlockReason.WORD),
        ("customer_id", "ｇｕｅｓｔ", BlockReason.WORD),  # full-width, as some Korean and Japanese forms send it
        ("customer_id", "[object Object]", BlockReason.EXACT),
        ("customer_id", "0", BlockReason.EXACT),
        ("customer_id", "-1", BlockReason.EXACT),
        ("device_id", "00000000-0000-0000-0000-000000000000", BlockReason.PATTERN),
        ("customer_id", "0000", BlockReason.PATTERN),
        ("phone", "+266696687", BlockReason.EXACT),
        ("phone", "1111111", BlockReason.PATTERN),
        ("phone", "발신번호표시제한", BlockReason.WORD),
        ("email", "no-reply@example.com", BlockReason.PATTERN),
        ("own_type", "none", BlockReason.WORD),
    ],
)
def test_a_value_that_names_nobody_is_blocked(kind: str, value: str, reason: BlockReason) -> None:
    assert blocked.why(kind, value) is reason
    assert blocked.is_blocked(kind, value)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        # what a platform says of every device
        ("device_id", "02:00:00:00:00:00"),
        ("device_id", "02-00-00-00-00-00"),
        ("device_id", "0200.0000.0000"),
        ("device_id", "020000000000"),
        ("mac", "02:00:00:00:00:00"),
        ("device_id", "00:00:00:00:00:00"),
        ("device_id", "FF:FF:FF:FF:FF:FF"),
        ("device_id", "9774D56D682E549C"),
        ("android_id", "9774d56d682e549c"),
        ("imei", "000000000000000"),
        ("imei", "0049 9901 064000-0"),
        ("device_id", "000000-00-000000-0"),
        ("device_id", "Default String"),
        ("device_id", "03000200-0400-0500-0006-000700080009"),
        ("advertising_id", "00000000-0000-0000-0000-000000000000"),
        ("advertising_id", "{00000000-0000-0000-0000-000000000000}"),
        ("advertising_id", "00000000000000000000000000000000"),
        ("idfa", "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF"),
        ("push_token", "BLACKLISTED"),
        ("ip", "0.0.0.0"),
        ("ip", "127.0.0.1"),
        # what programs and people put where nothing is known
        ("customer_id", "UNKNOWN"),
        ("customer_id", "Not-Available"),
        ("customer_id", "not available"),
        ("customer_id", "userId"),
        ("customer_id", "user_id"),
        ("customer_id", "알 수 없음"),
        ("customer_id", "不明"),
        ("customer_id", "{{user.id}}"),
        ("customer_id", "${userId}"),
        ("advertising_id", "__IDFA__"),
        ("email", "none@company.example"),
        # what is left of a value when it was masked: thousands of people have the same
        ("customer_id", "****"),
        ("email", "***@***.***"),
        ("email", "ab****@mail.example"),
        ("phone", "010-****-0000"),
        ("phone", "***-****-****"),
        ("external_id", "김**"),
        ("external_id", "김*수"),
        ("account_id", "1234-56●●●●●●"),
        ("account_id", "＊＊＊＊"),
        ("customer_id", "xxx-xxxx"),
        ("phone", "xxx-xxxx".upper()),
        ("customer_id", "#####"),
        ("customer_id", "redacted"),
        ("customer_id", "masked"),
        ("customer_id", "마스킹"),
        ("customer_id", "unbekannt"),
        ("customer_id", "não informado"),
        ("email", "TEST@test.co.kr"),
        ("email", "aaa@aaa.com"),
        ("phone", "010-0000-0000"),
        ("phone", "+821011111111"),
        ("phone", "+14155550123"),
        ("phone", "非通知"),
    ],
)
def test_constants_of_platforms_and_placeholders_name_nobody_in_any_spelling(kind: str, value: str) -> None:
    assert blocked.is_blocked(kind, value)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("device_id", "02:00:00:00:00:01"),
        ("customer_id", "020000000000"),  # an address only where devices are named
        ("customer_id", "77777777"),
        ("customer_id", "0-1"),
        ("phone", "+821000008841"),
        ("ip", "10.0.0.0"),
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
        ("session_id", "a1*b2*c3"),
        ("customer_id", "XX-1009"),
        ("external_id", "case #12"),
        ("social", "twitter:xxx"),
    ],
)
def test_a_value_that_may_name_somebody_is_not(kind: str, value: str) -> None:
    assert blocked.why(kind, value) is None


def test_the_strongest_identifier_keys_the_record() -> None:
    values = {"cookie": "c-1", "phone": "+821012345678", "email": "minji@example.com", "customer_id": "C-1009"}
    assert identifier_types.strongest(values) == ("customer_id", "C-1009")
    assert identifier_types.strongest(dict(reversed(values.items()))) == ("customer_id", "C-1009")


def test_a_blocked_value_never_keys_a_record() -> None:
    assert identifier_types.strongest({"customer_id": "null", "cookie": "c-1"}) == ("cookie", "c-1")
    assert identifier_types.strongest({"customer_id": "null", "email": "GUEST"}) is None
    assert identifier_types.strongest({}) is None


def test_an_unknown_type_stands_between_people_and_devices() -> None:
    assert identifier_types.strongest({"branch_card": "1", "cookie": "2"}) == ("branch_card", "1")
    assert identifier_types.strongest({"branch_card": "1", "social": "2"}) == ("social", "2")
    assert identifier_types.get("branch_card").trust is IdentifierTrust.ASSERTED


def test_types_are_ordered_from_the_companys_own_number_to_the_session() -> None:
    ordered = sorted(identifier_types.load(), key=identifier_types.order)
    assert ordered[:3] == ["customer_id", "account_id", "loyalty_id"]
    assert ordered.index("email") < ordered.index("phone") < ordered.index("social") < ordered.index("device_id")
    assert ordered.index("device_id") < ordered.index("cookie") < ordered.index("session_id")


def test_no_two_types_are_equally_strong() -> None:
    strengths = [entry.strength for entry in (*identifier_types.load().values(), identifier_types.UNKNOWN)]
    assert len(set(strengths)) == len(strengths)


def test_devices_are_weaker_than_people_and_nothing_is_shared_by_default() -> None:
    people = [entry.strength for entry in identifier_types.load().values() if entry.trust is IdentifierTrust.ASSERTED]
    devices = [entry.strength for entry in identifier_types.load().values() if entry.trust is IdentifierTrust.DEVICE]
    assert max(people) < identifier_types.UNKNOWN.strength < min(devices)
    assert not [name for name, entry in identifier_types.load().items() if entry.shared]
