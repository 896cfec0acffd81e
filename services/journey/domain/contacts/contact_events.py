"""What new touchpoints do to the contacts of a customer, as metrics count it: begin one, say how one ended."""

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Final

from services.journey.domain.contacts.contact import Contact
from services.journey.domain.touchpoint import Touchpoint

LASTS: Final = timedelta(days=31)
"""How long before a touchpoint its contact may have begun, as far as counting goes."""

BAD_OUTCOMES: Final = frozenset({"unresolved", "abandoned", "failed"})
"""Outcomes of a contact that did not help."""

_SOLVED: Final = "resolved"


class ContactEvent(StrEnum):
    """What happens to a contact. Outcomes are an open vocabulary, so all but the two that matter are one."""

    BEGAN = "began"
    RESOLVED = "resolved"
    UNRESOLVED = "unresolved"
    OTHER_OUTCOME = "other_outcome"


def contact_events(contacts: Sequence[Contact], fresh: Collection[Touchpoint]) -> Counter[tuple[str, ContactEvent]]:
    """Return how often what happened on which channel with the touchpoints `fresh`; what is replayed is left out.

    `contacts` are those of the customer with `fresh` among them, in order.
    """
    found: Counter[tuple[str, ContactEvent]] = Counter()
    new = {one.key for one in fresh if not one.replay}
    if not new:
        return found
    since = min(one.occurred_at for one in fresh) - LASTS
    for contact in reversed(contacts):
        if contact.time < since:
            break
        channel = contact.at.channel
        if contact.at.key in new:
            found[channel, ContactEvent.BEGAN] += 1
        said = next((one for one in reversed(contact.everything) if one.outcome is not None), None)
        if said is not None and said.key in new:
            found[channel, _ended(said.outcome)] += 1
    return found


def _ended(outcome: str | None) -> ContactEvent:
    if outcome == _SOLVED:
        return ContactEvent.RESOLVED
    return ContactEvent.UNRESOLVED if outcome in BAD_OUTCOMES else ContactEvent.OTHER_OUTCOME
