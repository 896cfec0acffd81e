import phonenumbers
import pytest
from email_validator import validate_email
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.spelling import _KOREAN_MOBILE, _PLAIN_EMAIL, Dropped, Normalised, identifier


def normal(type_: str, value: str, region: str = "KR") -> str | Dropped:
    found = identifier(type_, value, region)
    return found.value if isinstance(found, Normalised) else found


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        # one number, as people and systems write it
        ("010-1234-5678", "+821012345678"),
        ("01012345678", "+821012345678"),
        ("+82 10-1234-5678", "+821012345678"),
        ("+82 010-1234-5678", "+821012345678"),
        ("821012345678", "+821012345678"),
        ("tel:+82-10-1234-5678", "+821012345678"),
        ("０１０－１２３４－５６７８", "+821012345678"),
        (" 010 1234 5678 ", "+821012345678"),
        # other lines that a person can have
        ("02-123-4567", "+8221234567"),
        ("02-123-4567 ext. 12", "+8221234567"),
        ("070-1234-5678", "+827012345678"),
        ("0505-123-4567", "+825051234567"),
        ("+1 415 555 2671", "+14155552671"),
        ("+447400123456", "+447400123456"),
        # whole and international, though the library's tables do not know it
        ("+82 10 1234 567", "+82101234567"),
        # companies and services, not customers
        ("1588-1234", Dropped.SERVICE_NUMBER),
        ("+82 1577 0000", Dropped.SERVICE_NUMBER),
        ("080-123-4567", Dropped.SERVICE_NUMBER),
        ("060-700-1234", Dropped.SERVICE_NUMBER),
        ("114", Dropped.SERVICE_NUMBER),
        ("*114", Dropped.SERVICE_NUMBER),
        ("02-120", Dropped.SERVICE_NUMBER),
        ("+800 1234 5678", Dropped.SERVICE_NUMBER),
        # no number
        ("call me", Dropped.INVALID),
        ("010-9999-99999", Dropped.INVALID),
        ("00821012345678", Dropped.INVALID),
        ("+999123456789", Dropped.INVALID),
        # withheld
        ("발신번호표시제한", Dropped.BLOCKED),
        ("Private", Dropped.BLOCKED),
        ("+266696687", Dropped.BLOCKED),
        ("0000000000", Dropped.BLOCKED),
        ("", Dropped.BLOCKED),
    ],
)
def test_phone_numbers_have_one_spelling(sent: str, expected: str | Dropped) -> None:
    assert normal("phone", sent) == expected


def test_a_bare_number_belongs_to_the_region_that_is_set() -> None:
    assert normal("phone", "(415) 555-2671", region="US") == "+14155552671"


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("kim@example.com", "kim@example.com"),
        ("Kim.Cheolsu@Example.COM", "kim.cheolsu@example.com"),
        (" kim@example.com\n", "kim@example.com"),
        ("ｋｉｍ@example.com", "kim@example.com"),
        ("STRASSE@example.com", "strasse@example.com"),
        ("straße@example.com", "strasse@example.com"),
        ("고객이름@한국.kr", "고객이름@한국.kr"),
        ("kim@xn--3e0b707e.kr", "kim@한국.kr"),
        ("kim@shop.test", "kim@shop.test"),
        ("kim+tag@example.com", "kim+tag@example.com"),
        ("a@b", Dropped.INVALID),
        ("a..b@example.com", Dropped.INVALID),
        ("kim", Dropped.INVALID),
        ("kim@example.com, lee@example.com", Dropped.INVALID),
        ("kim@[127.0.0.1]", Dropped.INVALID),
        ("k" * 244 + "@example.com", Dropped.INVALID),
        ("test@test.com", Dropped.BLOCKED),
        ("NoReply@shop.example.com", Dropped.BLOCKED),
        ("null", Dropped.BLOCKED),
    ],
)
def test_addresses_have_one_spelling(sent: str, expected: str | Dropped) -> None:
    assert normal("email", sent) == expected


@pytest.mark.parametrize(
    ("type_", "sent", "expected"),
    [
        ("customer_id", " C-1009 ", "C-1009"),
        ("customer_id", "Ｃ－１００９", "C-1009"),
        ("customer_id", "c-1009", "c-1009"),  # case may matter to whoever gave the number
        ("loyalty_id", "\u1100\u1161", "가"),
        ("customer_id", "undefined", Dropped.BLOCKED),
        ("customer_id", "　", Dropped.BLOCKED),
        ("cookie", "00000000-0000-0000-0000-000000000000", Dropped.BLOCKED),
        ("device_id", "9774d56d682e549c", Dropped.BLOCKED),
        ("customer_id", "ﷺ" * 20, Dropped.INVALID),  # 18 characters each in NFKC
    ],
)
def test_other_identifiers_are_trimmed_and_folded_to_nfkc(type_: str, sent: str, expected: str | Dropped) -> None:
    assert normal(type_, sent) == expected


_words = st.text("abz019_+.-", min_size=1, max_size=12)


@settings(deadline=None)  # the machine may be busy
@given(_words, st.text("abz019.-", min_size=1, max_size=12), st.sampled_from(["com", "net", "org", "kr", "test"]))
def test_the_short_way_for_addresses_agrees_with_the_validator(user: str, domain: str, top: str) -> None:
    address = f"{user}@{domain}.{top}"
    if _PLAIN_EMAIL.fullmatch(address):
        assert validate_email(address, check_deliverability=False, test_environment=True).normalized == address


@settings(deadline=None)  # the machine may be busy
@given(st.from_regex(_KOREAN_MOBILE, fullmatch=True))
def test_the_short_way_for_korean_mobiles_agrees_with_the_library(number: str) -> None:
    parsed = phonenumbers.parse(number, "KR")

    assert phonenumbers.is_valid_number(parsed)
    assert phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164) == number


@settings(deadline=None)  # the machine may be busy
@given(st.sampled_from(["email", "phone", "customer_id", "cookie", "acme_id"]), st.text(max_size=30))
def test_a_normal_identifier_is_its_own_normal_form(type_: str, value: str) -> None:
    once = normal(type_, value)
    if not isinstance(once, Dropped):
        assert normal(type_, once) == once
