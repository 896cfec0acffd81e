"""Friction v1: a detected difficulty in a journey, detected or taken back; readers keep the highest revision.

It carries what a message to a team needs, and no identifier in clear: customers by their opaque id, evidence by
touchpoint ids.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from schemas import cloudevents
from schemas.codec import Codec
from schemas.vocabulary import (
    Channel,
    ClosingDocument,
    Moment,
    ServiceLevel,
    Severity,
    TextDocument,
    TimelineEntryDocument,
    TouchpointRefDocument,
)

SCHEMA = "friction.v1"
TOPIC = "frictions"


class FrictionDocumentState(StrEnum):
    """A friction is detected, or retracted because the data changed."""

    DETECTED = "detected"
    RETRACTED = "retracted"


class AnchorDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The contact or touchpoint that completes the condition: exactly one of the two ids is given."""

    source: str
    interaction_id: str | None = None
    touchpoint_id: str | None = None


class FrictionDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One difficulty of one customer.

    `id` is a UUID made of rule and anchor alone. `revision` rises with every change of state, under the customer's
    lock. `previous_customer_id` is given when a merge or unmerge moved it. `occurred_at` is the anchor's event time.
    """

    id: str
    rule: str
    rule_version: int
    state: FrictionDocumentState
    revision: int
    severity: Severity
    customer_id: str
    anchor: AnchorDocument
    occurred_at: Moment
    detected_at: Moment
    channel: Channel
    touchpoints: tuple[TouchpointRefDocument, ...]
    title: TextDocument
    explanation: TextDocument
    revised_at: Moment | None = None
    previous_customer_id: str | None = None
    journey_id: str | None = None
    journey_ids: tuple[str, ...] = ()
    reason: str | None = None
    service_level: ServiceLevel | None = None
    refs: dict[str, str] = {}
    evidence: dict[str, int | float | str | bool] = {}
    timeline: tuple[TimelineEntryDocument, ...] = ()
    quiet: bool = False
    queue: str | None = None
    product: str | None = None
    playbook: TextDocument | None = None
    implies: tuple[str, ...] = ()
    closes_when: tuple[ClosingDocument, ...] = ()


_FRICTION = Codec(FrictionDocument)


def decode(raw: bytes) -> FrictionDocument:
    """Return the friction in a record of the topic; raises `schemas.codec.UndecodableError`."""
    return _FRICTION.decode(raw)


def encode(friction: FrictionDocument) -> bytes:
    """Return the value of a record of the topic."""
    return _FRICTION.encode(friction)


def headers(friction: FrictionDocument, traceparent: str | None = None) -> cloudevents.RecordHeaders:
    """Return the headers of its record; each revision is an event of its own."""
    return cloudevents.headers(
        cloudevents.CloudEventType.FRICTION,
        id=f"{friction.id}.{friction.revision}",
        origin=cloudevents.origin("journey"),
        time=friction.revised_at or friction.detected_at,
        traceparent=traceparent,
    )
