"""Builds the policies of the domain from the catalogues of the contract: contacts, and identifiers that link."""

from datetime import datetime
from functools import lru_cache
from typing import Final

from schemas.identifiers import blocked, identifier_types
from schemas.identifiers.identifier_types import IdentifierTrust, IdentifierType
from services.journey.contact_catalogue import contact_policy
from services.journey.domain.identity.constraints import ConstraintPolicy, TypeConstraints
from services.journey.domain.identity.planning import IdentityPolicy
from services.journey.domain.journey import JourneyPolicy
from services.journey.domain.projection import ProjectionPolicy

REMEMBERED: Final = 8192
"""Identifiers for which the answer whether they are blocked is cached: the same ones come again and again."""


def projection(conversations_since: datetime | None = None) -> ProjectionPolicy:
    """Return the policy of projections; contacts are conversations from the given moment on, None for always."""
    return ProjectionPolicy(
        contacts=contact_policy(conversations_since), journeys=JourneyPolicy(since=conversations_since)
    )


def constraints() -> ConstraintPolicy:
    """Return the policy that decides which links are followed, and who holds what is between customers."""
    return ConstraintPolicy(
        types={name: _constraints(known) for name, known in identifier_types.load().items()},
        others=_constraints(identifier_types.UNKNOWN),
    )


def _constraints(known: IdentifierType) -> TypeConstraints:
    return TypeConstraints(
        strength=known.strength,
        unique=known.unique,
        personal=known.personal,
        shared=known.shared,
        device=known.trust is IdentifierTrust.DEVICE,
    )


def identity() -> IdentityPolicy:
    """Return the policy that decides which identifiers may link."""
    catalogue = identifier_types.load()
    return IdentityPolicy(
        blocked=lru_cache(maxsize=REMEMBERED)(blocked.is_blocked),
        shared_types=frozenset(name for name, known in catalogue.items() if known.shared),
        strength={name: known.strength for name, known in catalogue.items()},
        unknown_strength=identifier_types.UNKNOWN.strength,
    )
