"""How the mood of a customer changed within one contact: the second half of their messages against the first."""

import msgspec

from services.journey.domain.contacts.contact import Contact
from services.journey.domain.contacts.contact_policy import ContactPolicy, ContactSpeaker


class SentimentTrend(msgspec.Struct, frozen=True, gc=False):
    """The means (-1 to 1) of both halves of `messages`, of which `computed` were estimated from their texts."""

    messages: int
    computed: int
    first_half: float
    second_half: float


def sentiment_trend(contact: Contact, policy: ContactPolicy) -> SentimentTrend | None:
    """Return the trend in `contact`; None if fewer than two messages of the customer have a known sentiment.

    The middle message of an odd number counts in neither half.
    """
    told = [
        one
        for one in contact.everything
        if one.sentiment is not None and policy.speaker_of(one) in (None, ContactSpeaker.CUSTOMER)
    ]
    half = len(told) // 2
    if not half:
        return None
    values = [one.sentiment or 0.0 for one in told]
    return SentimentTrend(
        messages=len(told),
        computed=sum(one.sentiment_by is not None for one in told),
        first_half=sum(values[:half]) / half,
        second_half=sum(values[-half:]) / half,
    )
