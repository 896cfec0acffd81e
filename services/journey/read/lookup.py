"""Parses a reference to a customer: `type:value` or a bare id, normalised as ingest published the value.

The spelling is that of the contract, which ingest uses too. If ingest publishes pseudonyms, the caller still asks by
the value: with the secret that both services share, the pseudonym of the value is looked up as well.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID

from schemas.identifiers import pseudonyms, spelling

BY_ID: Final = "id"
_MAX_TYPE: Final = 64
_MAX_VALUE: Final = 1024


class LookupFault(StrEnum):
    """Why a reference cannot be looked up."""

    MALFORMED = "malformed"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentifierReference:
    """An identifier of a customer in every form in which ingest may have published it, the likeliest first."""

    type: str
    values: tuple[str, ...]


def parse(reference: str, phone_region: str, secret: bytes = b"") -> UUID | IdentifierReference | LookupFault:
    """Parse `reference` (`type:value` or a customer id, already URL-decoded).

    Args:
        reference: `phone:+821012345678`, `email:a@b.example`, or a customer id, bare or after `id:`.
        phone_region: region of phone numbers written without a country code, as ingest has it.
        secret: what ingest makes pseudonyms with; empty where it makes none.
    """
    type_, colon, value = reference.partition(":")
    if not colon:
        type_, value = BY_ID, reference
    value = value.strip()
    if not type_ or not value or len(type_) > _MAX_TYPE or len(value) > _MAX_VALUE or "\x00" in reference:
        return LookupFault.MALFORMED
    if type_ == BY_ID:
        return _customer_id(value)
    if pseudonyms.is_pseudonym(value):
        return IdentifierReference(type=type_, values=(value,))
    match spelling.identifier(type_, value, phone_region):
        case spelling.SpelledIdentifier(value=normal):
            hidden = (pseudonyms.pseudonym(secret, type_, normal),) if secret else ()
            return IdentifierReference(type=type_, values=(*hidden, normal))
        case spelling.DropReason.INVALID:
            return LookupFault.MALFORMED
        case spelling.DropReason():
            return LookupFault.BLOCKED


def _customer_id(value: str) -> UUID | LookupFault:
    try:
        return UUID(value)
    except ValueError:
        return LookupFault.MALFORMED
