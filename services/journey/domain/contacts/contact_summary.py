"""What a contact was, told from its touchpoints: when, how it ended, who spoke and who answered when."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from services.journey.domain.contacts.contact import Contact
from services.journey.domain.contacts.contact_policy import ContactPolicy, ContactSpeaker
from services.journey.domain.touchpoint import Touchpoint, TouchpointKey


class ContactSummary(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One contact as people read it (docs/semantics.md, Contacts).

    `touchpoint` is its first inbound touchpoint of a contact kind, at `anchored_at`. `outcome` is the one stated last.
    `messages` counts touchpoints in which somebody speaks, `turns` how often somebody took the word: messages of one
    speaker in a row are one turn. `first_reply_after` is the time from its touchpoint to the first message of the
    company or of a bot after it, None if there is none. `handed_over_at` is when a bot gave it to a person, None if
    that did not happen.
    """

    touchpoint: TouchpointKey
    interaction_id: str | None
    channel: str
    began_at: datetime
    anchored_at: datetime
    ended_at: datetime
    outcome: str | None
    messages: int
    turns: int
    first_reply_after: timedelta | None
    handed_over_at: datetime | None


def summarize(contact: Contact, policy: ContactPolicy) -> ContactSummary:
    """Return what there is to say about `contact`, which was gathered under `policy`."""
    everything = contact.everything
    spoken = [(one, who) for one in everything if (who := policy.speaker_of(one)) is not None]
    speakers = [who for _, who in spoken]
    replies = (
        one.occurred_at - contact.time
        for one, who in spoken
        if who is not ContactSpeaker.CUSTOMER and one.order > contact.order
    )
    return ContactSummary(
        touchpoint=contact.at.key,
        interaction_id=contact.at.interaction_id,
        channel=contact.at.channel,
        began_at=everything[0].occurred_at,
        anchored_at=contact.time,
        ended_at=_end(everything, policy),
        outcome=contact.view.outcome,
        messages=len(spoken),
        turns=sum(who is not before for before, who in zip([None, *speakers], speakers, strict=False)),
        first_reply_after=next(replies, None),
        handed_over_at=_handover(everything, policy),
    )


def _end(everything: Sequence[Touchpoint], policy: ContactPolicy) -> datetime:
    """Return the time of the last touchpoint that is not of a passive kind; the first where all are."""
    for one in reversed(everything):
        if one.kind not in policy.passive_kinds:
            return one.occurred_at
    return everything[0].occurred_at


def _handover(everything: Sequence[Touchpoint], policy: ContactPolicy) -> datetime | None:
    """Return when a bot gave the conversation to a person: it said so, or a person spoke after it."""
    after_bot = False
    for one in everything:
        who = policy.speaker_of(one)
        if one.kind in policy.handover_kinds or (after_bot and who is ContactSpeaker.COMPANY):
            return one.occurred_at
        after_bot = after_bot or who is ContactSpeaker.BOT
    return None
