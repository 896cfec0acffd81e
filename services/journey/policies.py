"""Builds the policies of the domain from the catalogues of the contract: contact kinds, and identifiers that link."""

from functools import lru_cache
from typing import Final

from schemas import kinds
from schemas.identifiers import blocked, identifier_types
from services.journey.domain.identity import IdentityPolicy
from services.journey.domain.projection import ProjectionPolicy

REMEMBERED: Final = 8192
"""Identifiers for which the answer whether they are blocked is cached: the same ones come again and again."""


def projection() -> ProjectionPolicy:
    """Return the policy of projections."""
    return ProjectionPolicy(contact_kinds=kinds.load().contacts)


def identity() -> IdentityPolicy:
    """Return the policy that decides which identifiers may link."""
    catalogue = identifier_types.load()
    return IdentityPolicy(
        blocked=lru_cache(maxsize=REMEMBERED)(blocked.is_blocked),
        shared_types=frozenset(name for name, known in catalogue.items() if known.shared),
        strength={name: known.strength for name, known in catalogue.items()},
        unknown_strength=identifier_types.UNKNOWN.strength,
    )
