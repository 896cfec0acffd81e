"""A friction: a difficulty that a rule found in a customer's touchpoints, with what a team needs to know about it.

`RuleFinding` is what a rule says, a pure function of the touchpoints. `Friction` is one published state of it, with
a revision; its members are those of friction v1. How a finding becomes a friction is left to
`services.journey.domain.comparison.revision`.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import blake2b

import msgspec

from services.journey.domain.names import CustomerId, FrictionId, JourneyId
from services.journey.domain.touchpoint import Touchpoint, TouchpointKey

MOST_EVIDENCE = 50
"""How many touchpoints a friction names: the latest ones, oldest first."""

MOST_TIMELINE = 10
"""How many lines the timeline excerpt has: the anchor and what came before it."""

Number = int | float | str


class FrictionSeverity(StrEnum):
    """How bad a friction is, mildest first."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class FrictionState(StrEnum):
    """Whether a friction is there, or was taken back because the data changed."""

    DETECTED = "detected"
    RETRACTED = "retracted"


class BilingualText(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One sentence in English and in Korean."""

    en: str
    ko: str


class Anchor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What completes the condition of a rule: a contact with an interaction id, or one touchpoint."""

    source: str
    interaction_id: str | None = None
    touchpoint_id: str | None = None


class TouchpointRef(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Names one touchpoint by its source and id."""

    source: str
    id: str


class TimelineEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One line of the timeline excerpt; nothing in it points to a person."""

    occurred_at: datetime
    channel: str
    kind: str
    outcome: str | None = None
    reason: str | None = None


class FrictionClosing(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A later touchpoint that settles a friction: one of these kinds; an empty member fits everything."""

    kind: tuple[str, ...]
    direction: str | None = None
    outcome: tuple[str, ...] = ()
    channel: tuple[str, ...] = ()


class FrictionAdvice(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a rule says about its frictions beside their texts: what to do, what settles them, what they imply, and how
    long there is any use in telling of one; None for as long as the worker is told to.
    """

    playbook: BilingualText | None = None
    expires_after: timedelta | None = None
    implies: tuple[str, ...] = ()
    closes_when: tuple[FrictionClosing, ...] = ()


class RuleFinding(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a rule found in the touchpoints alone. It has no revision, no clock and no customer.

    `at` is the touchpoint of the anchor. `journeys` are positions in the projection's list of journeys; the anchor's
    journey comes first. `evidence` holds the numbers of the rule (docs/rules.md). `stale_from` is when the finding
    could first be known: the due time of an absence, otherwise the time of the anchor. `edition` is the number of the
    edition among those of the rule.
    """

    id: FrictionId
    rule: str
    rule_version: int
    edition: int
    severity: FrictionSeverity
    anchor: Anchor
    at: Touchpoint
    stale_from: datetime
    journeys: tuple[int, ...]
    touchpoints: tuple[TouchpointKey, ...]
    evidence: dict[str, Number]
    timeline: tuple[TimelineEntry, ...]
    reason: str | None = None
    service_level: str | None = None
    refs: dict[str, str] = {}


class Friction(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One published state of a friction. Readers keep the highest `revision`.

    `detected_at` is when the friction was first found, `revised_at` when this revision was made. Frictions stored by
    earlier releases have no `revised_at`.
    """

    id: FrictionId
    rule: str
    rule_version: int
    state: FrictionState
    revision: int
    severity: FrictionSeverity
    customer_id: CustomerId
    anchor: Anchor
    occurred_at: datetime
    detected_at: datetime
    channel: str
    touchpoints: tuple[TouchpointRef, ...]
    title: BilingualText
    explanation: BilingualText
    revised_at: datetime | None = None
    previous_customer_id: CustomerId | None = None
    journey_id: JourneyId | None = None
    journey_ids: tuple[JourneyId, ...] = ()
    reason: str | None = None
    service_level: str | None = None
    refs: dict[str, str] = {}
    evidence: dict[str, Number] = {}
    timeline: tuple[TimelineEntry, ...] = ()
    quiet: bool = False
    queue: str | None = None
    product: str | None = None
    playbook: BilingualText | None = None
    implies: tuple[str, ...] = ()
    closes_when: tuple[FrictionClosing, ...] = ()


class StoredFriction(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A friction as it was last published. `payload` is the `Friction` as JSON, decoded only where it is needed."""

    id: FrictionId
    rule: str
    customer_id: CustomerId
    state: FrictionState
    revision: int
    quiet: bool
    detected_at: datetime
    digest: bytes
    payload: bytes


_ENCODER = msgspec.json.Encoder(order="deterministic")
_DECODER = msgspec.json.Decoder(Friction)


def encode(friction: Friction) -> bytes:
    """Return the JSON to keep as `StoredFriction.payload`."""
    return _ENCODER.encode(friction)


def decode(payload: bytes) -> Friction:
    """Return the friction in a stored payload, in any published form of friction v1."""
    return _DECODER.decode(payload)


def digest(finding: RuleFinding, journeys: tuple[JourneyId, ...]) -> bytes:
    """Return 16 bytes that change exactly when the content of the friction changes; its customer does not count."""
    said = (
        finding.rule_version,
        finding.severity,
        journeys,
        finding.at.occurred_at,
        finding.at.channel,
        finding.touchpoints,
        finding.evidence,
        finding.timeline,
        finding.reason,
        finding.service_level,
        finding.refs,
    )
    return blake2b(_ENCODER.encode(said), digest_size=16).digest()
