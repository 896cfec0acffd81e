"""One spelling for one thing: identifiers that two channels write differently become equal.

Part of the contract, because whoever looks a customer up must spell as whoever wrote it down did. Pure. Which values
name nobody is `schemas.blocked`'s business.
"""

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberType

from schemas import blocked

MAX_IDENTIFIER_LENGTH = 255
"""Characters; what the contract allows. NFKC and case folding can make a value longer than it was sent."""

_PLAIN_EMAIL = re.compile(
    r"(?=.{6,60}$)[a-z0-9_+]+(?:[.-][a-z0-9_+]+)*@[a-z0-9]+(?:-[a-z0-9]+)*(?:\.[a-z0-9]+(?:-[a-z0-9]+)*)*"
    r"\.(?:com|net|org|kr)"
)
"""Addresses that need no second look; too short for any limit of the standard. A property test holds that
email-validator leaves them as they are."""

_KOREAN_MOBILE = re.compile(r"\+8210[2-46-9][0-9]{7}")
"""Numbers that are in E.164 already; a property test holds that phonenumbers agrees."""

_PERSONAL_LINES = frozenset(
    {
        PhoneNumberType.FIXED_LINE,
        PhoneNumberType.FIXED_LINE_OR_MOBILE,
        PhoneNumberType.MOBILE,
        PhoneNumberType.PERSONAL_NUMBER,
        PhoneNumberType.VOIP,
    }
)
"""Types of number that a customer can have. The others are companies: 1588-xxxx, 080, 060."""

_SHORTEST_SUBSCRIBER = 7
"""Digits after the country code below which a number is a service's (114, 120), not a subscriber's."""


class Dropped(StrEnum):
    """Why a value names no customer; also a code in ingest's answers."""

    BLOCKED = "identifier_blocked"
    SERVICE_NUMBER = "identifier_service_number"
    INVALID = "identifier_invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Normalised:
    """The one spelling of an identifier's value."""

    value: str


@lru_cache(maxsize=8192)
def identifier(type_: str, value: str, region: str) -> Normalised | Dropped:
    """Return the one spelling of an identifier, or why it names no customer.

    `region` is the two-letter region of phone numbers that carry no country code.
    """
    plain = unicodedata.normalize("NFKC", value).strip()
    if blocked.is_blocked(type_, plain):
        return Dropped.BLOCKED
    spelt = _spelt(type_, plain, region)
    if isinstance(spelt, Dropped):
        return spelt
    if not spelt.value or len(spelt.value) > MAX_IDENTIFIER_LENGTH:
        return Dropped.INVALID
    return Dropped.BLOCKED if blocked.is_blocked(type_, spelt.value) else spelt


def _spelt(type_: str, plain: str, region: str) -> Normalised | Dropped:
    match type_:
        case "email":
            return _email(plain)
        case "phone":
            return _phone(plain, region)
        case _:
            return Normalised(value=plain)


def _email(plain: str) -> Normalised | Dropped:
    folded = plain.casefold()
    if _PLAIN_EMAIL.fullmatch(folded):
        return Normalised(value=folded)
    try:
        address = validate_email(folded, check_deliverability=False, test_environment=True).normalized
    except EmailNotValidError:
        return Dropped.INVALID
    return Normalised(value=address.casefold())


def _phone(plain: str, region: str) -> Normalised | Dropped:
    if _KOREAN_MOBILE.fullmatch(plain):
        return Normalised(value=plain)
    try:
        number = phonenumbers.parse(plain, region)
    except NumberParseException:
        return Dropped.INVALID
    reason = _why_no_customer(number, international=plain.startswith("+"))
    if reason is not None:
        return reason
    return Normalised(value=phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def _why_no_customer(number: PhoneNumber, *, international: bool) -> Dropped | None:
    if len(str(number.national_number)) < _SHORTEST_SUBSCRIBER:
        return Dropped.SERVICE_NUMBER
    if phonenumbers.is_valid_number(number):
        return None if phonenumbers.number_type(number) in _PERSONAL_LINES else Dropped.SERVICE_NUMBER
    # Numbering plans change faster than the library's tables: believe a whole number of a possible length.
    return None if international and phonenumbers.is_possible_number(number) else Dropped.INVALID
