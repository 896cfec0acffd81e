"""The reference job: what every contestant does with a touchpoint, whatever carries it there. Needs only msgspec.

Decode, bring the customer's journey up to date (counters, channels, reasons, the last twenty touchpoints), ask ten
rules; about one touchpoint in twenty breaks one. `update` takes anything with these members, so that idiomatic Faust
can use its own Records with the very same code.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import msgspec

REMEMBERED = 20


class Touchpoint(msgspec.Struct, frozen=True, gc=False):
    """The members that the job reads; the rest of the document is skipped."""

    id: str
    occurred_at: str
    channel: str
    kind: str
    direction: str | None = None
    reason: str | None = None
    wait_s: float | None = None
    transfers: int | None = None


class Journey(msgspec.Struct, array_like=True):
    """One customer's state, about 1 kB as MessagePack once it has twenty touchpoints."""

    touchpoints: int = 0
    contacts: int = 0
    declines: int = 0
    effort: float = 0.0
    first_at: str = ""
    last_at: str = ""
    channels: list[str] = []
    reasons: list[str] = []
    last: list[list[str]] = []


class JourneyState(Protocol):
    """A journey in any spelling."""

    touchpoints: int
    contacts: int
    declines: int
    effort: float
    first_at: str
    last_at: str
    channels: list[str]
    reasons: list[str]
    last: list[list[str]]


_TOUCHPOINTS = msgspec.json.Decoder(Touchpoint)
_JOURNEYS = msgspec.msgpack.Decoder(Journey)
_ENCODER = msgspec.msgpack.Encoder()
_JSON = msgspec.json.Encoder()

decode = _TOUCHPOINTS.decode
"""Bytes of a record to a touchpoint."""

remember = _ENCODER.encode
"""A journey to bytes."""

recall = _JOURNEYS.decode
"""Bytes to a journey."""


def update(journey: JourneyState, touchpoint: Any) -> list[str]:
    """Bring the journey up to date and return the rules that the touchpoint breaks."""
    is_contact = touchpoint.direction == "inbound"
    known_reason = touchpoint.reason is not None and touchpoint.reason in journey.reasons
    journey.touchpoints += 1
    journey.first_at = journey.first_at or touchpoint.occurred_at
    journey.last_at = touchpoint.occurred_at
    journey.contacts += is_contact
    journey.declines += touchpoint.kind == "payment_declined"
    if touchpoint.channel not in journey.channels:
        journey.channels = [*journey.channels, touchpoint.channel]
    if touchpoint.reason is not None and not known_reason:
        journey.reasons = [*journey.reasons, touchpoint.reason]
    journey.last = [
        *journey.last[-(REMEMBERED - 1) :],
        [touchpoint.id, touchpoint.kind, touchpoint.occurred_at],
    ]
    broken = _broken(journey, touchpoint, is_contact=is_contact, known_reason=known_reason)
    journey.effort += 6 * is_contact + len(broken)
    return broken


def _broken(journey: JourneyState, touchpoint: Any, *, is_contact: bool, known_reason: bool) -> list[str]:
    rules = (
        ("repeat_contact", is_contact and known_reason),
        ("many_contacts", is_contact and journey.contacts >= 6),
        ("transfers", (touchpoint.transfers or 0) >= 2),
        ("long_wait", (touchpoint.wait_s or 0) > 190),
        ("channel_switch", is_contact and len(journey.channels) >= 4 and journey.contacts >= 4),
        ("declines", touchpoint.kind == "payment_declined" and journey.declines >= 4),
        ("many_reasons", is_contact and len(journey.reasons) >= 4),
        ("ping_pong", [kind for _, kind, _ in journey.last[-3:]] == ["call_ended", "chat_started", "call_ended"]),
        ("stuck", journey.touchpoints > 500),
        ("effort", is_contact and journey.effort > 100),
    )
    return [name for name, holds in rules if holds]


def friction(touchpoint: Any, broken: Sequence[str]) -> bytes:
    """Return the record to publish about a touchpoint that broke rules."""
    return _JSON.encode({"touchpoint": touchpoint.id, "occurred_at": touchpoint.occurred_at, "rules": broken})


class Expected(msgspec.Struct, frozen=True):
    """What a contestant's durable state must say in the end: touchpoints by key, and frictions published."""

    touchpoints: dict[bytes, int]
    frictions: int


def expected(records: Iterable[tuple[bytes, bytes]]) -> Expected:
    """Do the job for (key, value) pairs and say what must come out."""
    journeys: dict[bytes, Journey] = {}
    frictions = 0
    for key, value in records:
        journey = journeys.get(key)
        if journey is None:
            journey = journeys[key] = Journey()
        frictions += bool(update(journey, decode(value)))
    return Expected(touchpoints={key: one.touchpoints for key, one in journeys.items()}, frictions=frictions)
