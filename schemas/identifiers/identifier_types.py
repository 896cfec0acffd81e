"""The catalogue of identifier types (`identifiers.yaml`): how strong, how trusted, and whether shared.

Types are an open vocabulary; an unknown one counts as asserted, and ranks between social handles and devices.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import cache

import msgspec

from schemas import data_files
from schemas.identifiers import blocked
from schemas.vocabulary import TextDocument


class IdentifierTrust(StrEnum):
    """Where the claim comes from: a person or a system said so, or a machine carried it."""

    ASSERTED = "asserted"
    DEVICE = "device"


class IdentifierType(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One type of identifier.

    `strength` orders the types, the lowest number first: the strongest usable identifier keys the record. `shared`
    says that many people use one value (a kiosk), so it never links. `unique` says that a customer has at most one,
    `personal` that two proved values are two people where nothing but a device joins them.
    """

    title: TextDocument
    description: str
    strength: int
    trust: IdentifierTrust
    shared: bool = False
    unique: bool = False
    personal: bool = False


UNKNOWN = IdentifierType(
    title=TextDocument(en="Other identifier", ko="기타 식별자"),
    description="A type that the catalogue does not know.",
    strength=500,
    trust=IdentifierTrust.ASSERTED,
)


@cache
def load() -> Mapping[str, IdentifierType]:
    """Return the catalogue by type, read once."""
    return data_files.read(data_files.FOLDER / "identifiers.yaml", dict[str, IdentifierType])


def get(type: str) -> IdentifierType:  # noqa: A002 - an identifier is a type and a value
    """Return what is known of `type`."""
    return load().get(type, UNKNOWN)


def order(type: str) -> tuple[int, str]:  # noqa: A002 - an identifier is a type and a value
    """Return the sort key of `type`: strongest first, then by name."""
    return get(type).strength, type


def strongest(values: Mapping[str, str]) -> tuple[str, str] | None:
    """The (type, value) that keys the record: the strongest of `values` that is not blocked; None if all are.

    A shared type is used only when there is nothing else, since its values gather many people on one partition.
    """
    usable = [
        (get(name).shared, *order(name), value) for name, value in values.items() if not blocked.is_blocked(name, value)
    ]
    return min(usable)[2:] if usable else None
