"""Which customer a caller means: `type:value` in the address, brought to the form in which ingest published the value.

A mirror of ingest's normalisation, because services share no code: `tests/contract` holds the two together.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID

import phonenumbers

from schemas import blocked

BY_ID: Final = "id"
_MAX_TYPE: Final = 64
_MAX_VALUE: Final = 1024


class LookupFault(StrEnum):
    """Why a reference names nobody that could be looked for."""

    MALFORMED = "malformed"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A customer by identifier, normalised."""

    type: str
    value: str


def parse(reference: str, phone_region: str) -> UUID | Named | LookupFault:
    """What `reference` (`type:value`, already URL-decoded) names.

    Args:
        reference: `phone:+821012345678`, `email:a@b.example`, or `id:` with a customer id.
        phone_region: region of phone numbers written without a country code, as ingest has it.
    """
    type_, colon, value = reference.partition(":")
    value = value.strip()
    if not colon or not type_ or not value or len(type_) > _MAX_TYPE or len(value) > _MAX_VALUE or "\x00" in reference:
        return LookupFault.MALFORMED
    if type_ == BY_ID:
        return _customer_id(value)
    if blocked.is_blocked(type_, value):
        return LookupFault.BLOCKED
    normal = normalise(type_, value, phone_region)
    return LookupFault.MALFORMED if normal is None else Named(type=type_, value=normal)


def normalise(type_: str, value: str, phone_region: str) -> str | None:
    """The value as ingest would publish it; None where it does not have the form of its type."""
    if type_ == "email":
        return value.lower() if "@" in value else None
    if type_ == "phone":
        return _e164(value, phone_region)
    return value


def _e164(value: str, region: str) -> str | None:
    try:
        number = phonenumbers.parse(value, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _customer_id(value: str) -> UUID | LookupFault:
    try:
        return UUID(value)
    except ValueError:
        return LookupFault.MALFORMED
