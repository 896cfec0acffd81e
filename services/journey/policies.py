"""Builds the policies of the domain from the catalogues of the contract: contacts, and journeys."""

from datetime import datetime

from services.journey.contact_catalogue import contact_policy
from services.journey.domain.identity.constraints import ConstraintPolicy
from services.journey.domain.identity.planning import IdentityPolicy
from services.journey.domain.journey import JourneyPolicy
from services.journey.domain.projection import ProjectionPolicy
from services.journey.rulebook import identity_file


def projection(conversations_since: datetime | None = None) -> ProjectionPolicy:
    """Return the policy of projections; contacts are conversations from the given moment on, None for always."""
    return ProjectionPolicy(
        contacts=contact_policy(conversations_since), journeys=JourneyPolicy(since=conversations_since)
    )


def constraints() -> ConstraintPolicy:
    """Return the shipped policy that decides which links are followed, and who holds what is between customers."""
    return identity_file.shipped_book().constraints


def identity() -> IdentityPolicy:
    """Return the shipped policy that decides which identifiers may link."""
    return identity_file.shipped_book().latest.policy
