"""Builds the policy of contacts from the catalogue of kinds: which kinds are contacts, and who speaks in which."""

from datetime import datetime
from functools import cache

from schemas import kinds
from services.journey.domain.contacts.contact_policy import ContactPolicy, ContactSpeaker, KindRole


def contact_policy(since: datetime | None = None) -> ContactPolicy:
    """Return the policy that gathers touchpoints into contacts, in force from `since` on, None for always."""
    return ContactPolicy(roles=_roles(), since=since)


@cache
def _roles() -> dict[str, KindRole]:
    return {
        name: KindRole(kind.contact, None if kind.speaker is None else ContactSpeaker(kind.speaker.value))
        for name, kind in kinds.load().items()
        if kind.contact or kind.speaker is not None
    }
