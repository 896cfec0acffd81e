"""What is one contact, as values: who speaks in which kind, and how long silence may last on which channel."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

import msgspec

from services.journey.domain.touchpoint import Touchpoint

QUIET_FOR: Mapping[str, timedelta] = MappingProxyType(
    {
        "chat": timedelta(minutes=10),
        "email": timedelta(hours=12),
        "messenger": timedelta(minutes=30),
        "sms": timedelta(minutes=30),
        "social": timedelta(hours=12),
    }
)
"""The message-like channels, each with its quiet time: the only place where they are said."""

THREAD_REFS: Mapping[str, tuple[str, ...]] = MappingProxyType({"email": ("thread_id", "case_id")})


class ContactSpeaker(StrEnum):
    """Who says something in a touchpoint: the customer, the company (a person, or a system in its name), or a bot."""

    CUSTOMER = "customer"
    COMPANY = "company"
    BOT = "bot"


class KindRole(msgspec.Struct, frozen=True, gc=False):
    """What a kind of touchpoint means for contacts.

    `contact` if the customer turns to us in it, when its direction is inbound. `speaker` is who speaks in it, None if
    nobody does.
    """

    contact: bool = False
    speaker: ContactSpeaker | None = None


class ContactPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How touchpoints are gathered into contacts (docs/semantics.md, Contacts).

    `roles` come from the catalogue of kinds; a kind that is missing is no contact, and nobody speaks in it. `quiet_for`
    names the message-like channels, and how long after a message another one without an interaction id may come and
    still belong to its contact. On the channels in `thread_refs` messages that have one of these references belong
    together by it (the first that is given), however long it lasts. What the company says with one of `bulk_refs` it
    says to many, and it belongs to no contact. Touchpoints of `passive_kinds` do not prolong a contact. Those of
    `handover_kinds` say that a bot gave the conversation to a person.

    `since` is when all this came into force, None if it always was. What the broker appended before it was judged
    without: there each message is a contact of its own, and stays one.
    """

    roles: Mapping[str, KindRole]
    quiet_for: Mapping[str, timedelta] = QUIET_FOR
    thread_refs: Mapping[str, tuple[str, ...]] = THREAD_REFS
    bulk_refs: frozenset[str] = frozenset({"campaign_id"})
    passive_kinds: frozenset[str] = frozenset({"survey_answered"})
    handover_kinds: frozenset[str] = frozenset({"bot_escalated"})
    since: datetime | None = None

    @property
    def contact_kinds(self) -> frozenset[str]:
        """The kinds in which the customer turns to us, when the direction is inbound."""
        return frozenset(kind for kind, role in self.roles.items() if role.contact)

    def speaker_of(self, touchpoint: Touchpoint) -> ContactSpeaker | None:
        """Return who speaks in `touchpoint`, None if nobody does.

        Where the customer would speak, but the direction is outbound, it is the company; without a direction nobody
        knows who it was.
        """
        role = self.roles.get(touchpoint.kind)
        if role is None or role.speaker is not ContactSpeaker.CUSTOMER or touchpoint.direction == "inbound":
            return None if role is None else role.speaker
        return ContactSpeaker.COMPANY if touchpoint.direction == "outbound" else None

    def is_to_many(self, touchpoint: Touchpoint) -> bool:
        """Return whether the company, or a bot, says the same to many in `touchpoint`: a newsletter, a campaign."""
        if self.bulk_refs.isdisjoint(touchpoint.refs):
            return False
        return self.speaker_of(touchpoint) not in (None, ContactSpeaker.CUSTOMER)
