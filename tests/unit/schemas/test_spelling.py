import phonenumbers
import pytest
from email_validator import validate_email
from hypothesis import given
from hypothesis import strategies as st

from schemas.identifiers.spelling import (
    _KOREAN_MOBILE,
    _PLAIN_EMAIL,
    DropReason,
    SpelledIdentifier,
    earlier,
    identifier,
)


def normal(type_: str, value: str, region: str = "KR") -> str | DropReason:
    found = identifier(type_, value, region)
    return found.value if isinstance(found, SpelledIdentifier) else found


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
        ("02-123-4567 ext. 12", "+8221234567;ext=12"),
        ("070-1234-5678", "+827012345678"),
        ("0505-123-4567", "+825051234567"),
        ("+1 415 555 2671", "+14155552671"),
        ("+447400123456", "+447400123456"),
        # whole and international, though the library's tables do not know it
        ("+82 10 1234 567", "+82101234567"),
        # companies and services, not customers
        ("1588-1234", DropReason.SERVICE_NUMBER),
        ("+82 1577 0000", DropReason.SERVICE_NUMBER),
        ("080-123-4567", DropReason.SERVICE_NUMBER),
        ("060-700-1234", DropReason.SERVICE_NUMBER),
        ("114", DropReason.SERVICE_NUMBER),
        ("*114", DropReason.SERVICE_NUMBER),
        ("02-120", DropReason.SERVICE_NUMBER),
        ("+800 1234 5678", DropReason.SERVICE_NUMBER),
        # no number
        ("call me", DropReason.INVALID),
        ("010-9999-99999", DropReason.INVALID),
        ("00821012345678", "+821012345678"),
        ("+999123456789", DropReason.INVALID),
        # withheld
        ("발신번호표시제한", DropReason.BLOCKED),
        ("Private", DropReason.BLOCKED),
        ("+266696687", DropReason.BLOCKED),
        ("0000000000", DropReason.BLOCKED),
        ("", DropReason.BLOCKED),
    ],
)
def test_phone_numbers_have_one_spelling(sent: str, expected: str | DropReason) -> None:
    assert normal("phone", sent) == expected


@pytest.mark.parametrize(
    ("sent", "region", "expected"),
    [
        # 00 for the plus, where the region dials something else
        ("0082 10 7135 5736", "KR", "+821071355736"),
        ("00821071355736", "KR", "+821071355736"),
        ("0086 139 7135 5736", "KR", "+8613971355736"),
        ("00 82 (0)10 7135 5736", "KR", "+821071355736"),
        ("0082-010-7135-5736", "KR", "+821071355736"),
        ("００８２ １０ ７１３５ ５７３６", "KR", "+821071355736"),
        ("tel:0082-10-7135-5736", "KR", "+821071355736"),
        ("00082 10 7135 5736", "KR", "+821071355736"),
        ("+0082 10 7135 5736", "KR", "+821071355736"),
        ("+082 10 7135 5736", "KR", "+821071355736"),
        ("0014155552671", "KR", "+14155552671"),
        ("0082 10 7135 5736", "JP", "+821071355736"),
        ("0082 10 7135 5736", "US", "+821071355736"),
        ("0082 1588 1234", "KR", DropReason.SERVICE_NUMBER),
        # the region's own prefixes
        ("001-82-10-7135-5736", "KR", "+821071355736"),
        ("00186 139 7135 5736", "KR", "+8613971355736"),
        ("002 82 10 7135 5736", "KR", "+821071355736"),
        ("00700-82-10-7135-5736", "KR", "+821071355736"),
        ("00727821071355736", "KR", "+821071355736"),
        ("011 82 10 7135 5736", "US", "+821071355736"),
        ("+011 82 10 7135 5736", "US", "+821071355736"),
        ("010 82 10 7135 5736", "JP", "+821071355736"),
        ("0011 82 10 7135 5736", "AU", "+821071355736"),
        ("0082 10 7135 5736", "DE", "+821071355736"),
        # in Korea 010 and 011 are mobile telephones, and no prefix
        ("010 82 10 7135 5736", "KR", DropReason.INVALID),
        ("011 82 10 7135 5736", "KR", DropReason.INVALID),
        ("010-8210-7135", "KR", "+821082107135"),
        # two numbers in one row of digits: the groups say which, else nobody does
        ("0081 90 1234 5678", "KR", "+819012345678"),
        ("008 1 901 234 5678", "KR", "+19012345678"),
        ("00819012345678", "KR", DropReason.INVALID),
        ("001 65 9234 5678", "KR", "+6592345678"),
        ("00165-9234-5678", "KR", "+6592345678"),
        ("00 1 659 234 5678", "KR", "+16592345678"),
        ("0016592345678", "KR", DropReason.INVALID),
        ("008 20 107 135 5736", "KR", "+201071355736"),
        ("008201071355736", "KR", DropReason.INVALID),
    ],
)
def test_an_international_prefix_is_the_plus_that_it_stands_for(
    sent: str, region: str, expected: str | DropReason
) -> None:
    assert normal("phone", sent, region) == expected


@pytest.mark.parametrize(
    "sent",
    [
        *("02-7135-0410 ext. 12", "02-7135-0410 Extension 12", "02-7135-0410 Ext. No. 12", "02-7135-0410 x12"),
        *("02-7135-0410x12", "02-7135-0410;ext=12", "02-7135-0410#12", "02-7135-0410 #12", "02-7135-0410,12#"),
        *("02-7135-0410 내선 12", "02-7135-0410내선12번", "02-7135-0410 (내선 12)", "02-7135-0410 내선번호:12"),
        *("02-7135-0410 구내 12", "02-7135-0410 교환 12", "대표 02-7135-0410 내선 12", "02-7135-0410 内線12"),
        *("02-7135-0410 转12", "02-7135-0410 доб. 12", "02-7135-0410,,12", "02-7135-0410p12", "02-7135-0410w12"),
        *("tel:+82-2-7135-0410;ext=12", "tel:7135-0410;ext=12;phone-context=+82-2", "tel:+8227135 0410;postd=pp12"),
        *(
            "tel:7135-0410;phone-context=+82-2;ext=12",
            "tel:+82-2-7135-0410;isub=12",
            "０２－７１３５－０４１０　ｅｘｔ　１２",
        ),
        *("0082-2-7135-0410 ext. 12", "+82271350410;ext=12"),
    ],
)
def test_a_number_with_an_extension_keeps_it(sent: str) -> None:
    assert normal("phone", sent) == "+82271350410;ext=12"


@pytest.mark.parametrize(
    "sent",
    [
        *("02-7135-0410 내선", "02-7135-0410 교환", "02-7135-0410 ext.", "02-7135-0410 ext. 0", "02-7135-0410 교환 0"),
        *("02-7135-0410 대표", "02-7135-0410 (대표)", "대표번호: 02-7135-0410", "02-7135-0410~3", "02-7135-0410,0411"),
        "1588-1234 ext. 12",
    ],
)
def test_a_companys_own_line_names_nobody(sent: str) -> None:
    assert normal("phone", sent) is DropReason.SERVICE_NUMBER


@pytest.mark.parametrize("sent", ["02-7135-0410 ext. 12-13", "02-7135-0410/1", "02-7135-0410 (12)", "1 " * 120])
def test_what_may_be_an_extension_or_another_number_is_not_guessed(sent: str) -> None:
    assert normal("phone", sent) is DropReason.INVALID


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("q@straße.example", "q@strasse.example"),
        ("q@βόλος.example", "q@βόλοσ.example"),
        ("q@ıstanbul.example", "q@istanbul.example"),
        ("q@İstanbul.example", "q@istanbul.example"),
        ("q@ශ්\u200dරී.example", "q@ශ්රී.example"),  # a joiner is a letter where the script needs it
        ("q@نامه\u200cای.example", "q@نامهای.example"),
        ("straße@example.com", "strasse@example.com"),
    ],
)
def test_two_domains_and_two_names_stay_two(one: str, other: str) -> None:
    first, second = normal("email", one), normal("email", other)

    assert first != second
    assert not isinstance(first, DropReason)
    assert not isinstance(second, DropReason)


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("straße.example", "xn--strae-oqa.example"),
        ("STRASSE.example", "strasse.example"),
        ("ΒΌΛΟΣ.example", "xn--nxasmq6b.example"),
        ("βόλος.example", "xn--nxasmm1c.example"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("ශ්\u200dරී.example", "XN--10CL1A0B660P.example"),
        ("\u1112\u1161\u11ab\u1100\u116e\u11a8.kr", "XN--3E0B707E.kr"),  # 한국 in its letters
        ("한국。kr", "xn--3e0b707e.kr"),
    ],
)
def test_a_domain_in_its_own_script_and_in_ascii_is_one(label: str, expected: str) -> None:
    assert normal("email", f"q@{label}") == normal("email", f"q@{expected}")


def test_a_joiner_where_none_may_stand_is_no_domain() -> None:
    assert normal("email", "q@exa\u200dmple.example") is DropReason.INVALID


def test_what_was_written_down_before_is_known_by_its_earlier_spelling() -> None:
    assert earlier("phone", "+82271350410;ext=12") == "+82271350410"
    assert earlier("email", "q@straße.example") == "q@strasse.example"
    assert earlier("customer_id", "Straße;ext=1") == "Straße;ext=1"


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
        ("straße@example.com", "straße@example.com"),  # as RFC 8265 has it for names of users: lower case, not folded
        ("고객이름@한국.kr", "고객이름@한국.kr"),
        ("kim@xn--3e0b707e.kr", "kim@한국.kr"),
        ("kim@shop.test", "kim@shop.test"),
        ("kim+tag@example.com", "kim+tag@example.com"),
        ("a@b", DropReason.INVALID),
        ("a..b@example.com", DropReason.INVALID),
        ("kim", DropReason.INVALID),
        ("kim@example.com, lee@example.com", DropReason.INVALID),
        ("kim@[127.0.0.1]", DropReason.INVALID),
        ("k" * 244 + "@example.com", DropReason.INVALID),
        ("test@test.com", DropReason.BLOCKED),
        ("NoReply@shop.example.com", DropReason.BLOCKED),
        ("null", DropReason.BLOCKED),
    ],
)
def test_addresses_have_one_spelling(sent: str, expected: str | DropReason) -> None:
    assert normal("email", sent) == expected


@pytest.mark.parametrize(
    ("type_", "sent", "expected"),
    [
        ("customer_id", " C-1009 ", "C-1009"),
        ("customer_id", "Ｃ－１００９", "C-1009"),
        ("customer_id", "c-1009", "c-1009"),  # case may matter to whoever gave the number
        ("loyalty_id", "\u1100\u1161", "가"),
        ("customer_id", "undefined", DropReason.BLOCKED),
        ("customer_id", "　", DropReason.BLOCKED),
        ("cookie", "00000000-0000-0000-0000-000000000000", DropReason.BLOCKED),
        ("device_id", "9774d56d682e549c", DropReason.BLOCKED),
        ("customer_id", "ﷺ" * 20, DropReason.INVALID),  # 18 characters each in NFKC
    ],
)
def test_other_identifiers_are_trimmed_and_folded_to_nfkc(type_: str, sent: str, expected: str | DropReason) -> None:
    assert normal(type_, sent) == expected


_words = st.text("abz019_+.-", min_size=1, max_size=12)


@given(_words, st.text("abz019.-", min_size=1, max_size=12), st.sampled_from(["com", "net", "org", "kr", "test"]))
def test_the_short_way_for_addresses_agrees_with_the_validator(user: str, domain: str, top: str) -> None:
    address = f"{user}@{domain}.{top}"
    if _PLAIN_EMAIL.fullmatch(address):
        assert validate_email(address, check_deliverability=False, test_environment=True).normalized == address


@given(st.from_regex(_KOREAN_MOBILE, fullmatch=True))
def test_the_short_way_for_korean_mobiles_agrees_with_the_library(number: str) -> None:
    parsed = phonenumbers.parse(number, "KR")

    assert phonenumbers.is_valid_number(parsed)
    assert phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164) == number


@given(st.sampled_from(["email", "phone", "customer_id", "cookie", "acme_id"]), st.text(max_size=30))
def test_a_normal_identifier_is_its_own_normal_form(type_: str, value: str) -> None:
    once = normal(type_, value)
    if not isinstance(once, DropReason):
        assert normal(type_, once) == once
