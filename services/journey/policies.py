"""What the contract's catalogues mean to the domain: which kinds are contacts, which identifiers may link."""

from functools import lru_cache
from typing import Final

from schemas import kinds
from schemas.identifiers import blocked, identifier_types
from services.journey.domain.identity import IdentityPolicy
from services.journey.domain.projection import ProjectionPolicy

REMEMBERED: Final = 8192
"""Identifiers of which it is remembered whether they are blocked: the same ones come again and again."""


def projection() -> ProjectionPolicy:
    """Return what a projection must know of the world."""
    return ProjectionPolicy(contact_kinds=kinds.load().contacts)


def identity() -> IdentityPolicy:
    """Return what may link two identifiers."""
    catalogue = identifier_types.load()
    return IdentityPolicy(
        blocked=lru_cache(maxsize=REMEMBERED)(blocked.is_blocked),
        shared_types=frozenset(name for name, known in catalogue.items() if known.shared),
        strength={name: known.strength for name, known in catalogue.items()},
        unknown_strength=identifier_types.UNKNOWN.strength,
    )
