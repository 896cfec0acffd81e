"""Which customer a caller means: `type:value` in the address, brought to the form in which ingest published the value.

The spelling is the contract's, which ingest writes by.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID

from schemas import spelling

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
    match spelling.identifier(type_, value, phone_region):
        case spelling.Normalised(value=normal):
            return Named(type=type_, value=normal)
        case spelling.Dropped.INVALID:
            return LookupFault.MALFORMED
        case spelling.Dropped():
            return LookupFault.BLOCKED


def _customer_id(value: str) -> UUID | LookupFault:
    try:
        return UUID(value)
    except ValueError:
        return LookupFault.MALFORMED
