"""Spells identifiers in one way, so that those that two channels write differently become equal.

Part of the contract, because whoever looks a customer up must spell as the writer did. Pure. Which values name nobody
is left to `schemas.identifiers.blocked`.
"""

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import idna
from email_validator import EmailNotValidError, validate_email

from schemas.identifiers import blocked, telephone
from schemas.identifiers.telephone import PhoneRejection

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


class DropReason(StrEnum):
    """Why a value names no customer; also a code in ingest's answers."""

    BLOCKED = "identifier_blocked"
    SERVICE_NUMBER = "identifier_service_number"
    INVALID = "identifier_invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpelledIdentifier:
    """An identifier's value in its one spelling."""

    value: str


@lru_cache(maxsize=8192)
def identifier(type_: str, value: str, region: str) -> SpelledIdentifier | DropReason:
    """Return the one spelling of an identifier, or why it names no customer.

    `region` is the two-letter region of phone numbers that carry no country code.
    """
    plain = unicodedata.normalize("NFKC", value).strip()
    if blocked.is_blocked(type_, plain):
        return DropReason.BLOCKED
    spelt = _spelt(type_, plain, region)
    if isinstance(spelt, DropReason):
        return spelt
    if not spelt.value or len(spelt.value) > MAX_IDENTIFIER_LENGTH:
        return DropReason.INVALID
    return DropReason.BLOCKED if blocked.is_blocked(type_, spelt.value) else spelt


def earlier(type_: str, spelt: str) -> str:
    """Return how the identifier `spelt` may stand where it was written down before extensions and `ß` were kept.

    Who holds such a writing (what was promised to suppress, what a touchpoint said that is sent again) must know the
    identifier by both; nobody links by this one, which is why it was given up.
    """
    match type_:
        case "email":
            return spelt.casefold()
        case "phone":
            return telephone.without_extension(spelt)
        case _:
            return spelt


def _spelt(type_: str, plain: str, region: str) -> SpelledIdentifier | DropReason:
    match type_:
        case "email":
            return _email(plain)
        case "phone":
            return _phone(plain, region)
        case _:
            return SpelledIdentifier(value=plain)


def _email(plain: str) -> SpelledIdentifier | DropReason:
    """Lower case for what stands before the @, IDNA 2008 for the domain: `ß` is a letter of its own, and no `ss`."""
    lower = plain.lower()
    if _PLAIN_EMAIL.fullmatch(lower):
        return SpelledIdentifier(value=lower)
    local, _, domain = plain.rpartition("@")
    joined = _joined(domain)
    try:
        address = validate_email(
            plain if joined is None else f"{local}@{joined.translate(_NO_JOINERS)}",
            check_deliverability=False,
            test_environment=True,
        )
    except EmailNotValidError:
        return DropReason.INVALID
    return SpelledIdentifier(value=f"{address.local_part.lower()}@{address.domain if joined is None else joined}")


_JOINERS = "\u200c\u200d"
_NO_JOINERS = str.maketrans("", "", _JOINERS)


def _joined(domain: str) -> str | None:
    """Return a domain with joiners in IDNA 2008's form; None where it has none, or has them where none may stand.

    Sinhala and Persian names need them, and with one it is another domain. The validator refuses them everywhere.
    """
    if "xn--" not in domain.lower() and not any(joiner in domain for joiner in _JOINERS):
        return None
    try:
        spelt = idna.decode(domain, uts46=True)
    except (idna.IDNAError, UnicodeError):
        return None
    return spelt if any(joiner in spelt for joiner in _JOINERS) else None


def _phone(plain: str, region: str) -> SpelledIdentifier | DropReason:
    if _KOREAN_MOBILE.fullmatch(plain):
        return SpelledIdentifier(value=plain)
    match telephone.spell(plain, region):
        case PhoneRejection.SERVICE:
            return DropReason.SERVICE_NUMBER
        case PhoneRejection.INVALID:
            return DropReason.INVALID
        case spelt:
            return SpelledIdentifier(value=spelt)
