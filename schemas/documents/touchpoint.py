"""Touchpoint v1: one contact of one customer with the company, as posted and as it stands on the topic.

`PostedTouchpoint` is what a producer sends. `TouchpointDocument` is the normal form on the topic `touchpoints`: every
identifier is `{"value", "verified"}`, `source` and `received_at` are present, and times are UTC. Ingest makes the one
from the other: it normalises phone numbers, fills in directions and chooses the key.
"""

from __future__ import annotations

from datetime import UTC, datetime
from operator import attrgetter
from typing import Any

import msgspec

from schemas import cloudevents
from schemas.codec import Codec, utc_text
from schemas.vocabulary import Channel, Direction, Moment, MoneyDocument, SentimentOrigin, ServiceLevel, TimeQuality

SCHEMA = "touchpoint.v1"
TOPIC = "touchpoints"

SEALED = "sealed:v1:"
"""What an encrypted value among the attributes begins with; encrypted anew, the same value is another text."""

SEALED_TEXT = "sealed.text"
"""The attribute that an encrypted `text` stands in: what is no text any more must not be read as one."""


class IdentifierValue(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One identifier of the customer; `verified` when the source proved it (a login, an agent's check)."""

    value: str
    verified: bool = False


class ScoreDocument(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An answer to a survey: `value` of at most `scale`, of the `metric` ces, csat or nps (others are allowed)."""

    metric: str
    value: int | float
    scale: int | float


class _TouchpointFields(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What both forms share. Durations are seconds."""

    id: str
    occurred_at: Moment
    channel: Channel
    kind: str
    direction: Direction | None = None
    outcome: str | None = None
    reason: str | None = None
    refs: dict[str, str] = {}
    interaction_id: str | None = None
    wait_s: int | float | None = None
    duration_s: int | float | None = None
    hold_s: int | float | None = None
    transfers: int | None = None
    queue: str | None = None
    agent: str | None = None
    sequence: int | None = None
    text: str | None = None
    sentiment: int | float | None = None
    sentiment_by: SentimentOrigin | None = None
    score: ScoreDocument | None = None
    value: MoneyDocument | None = None
    service_level: ServiceLevel | None = None
    due_at: Moment | None = None
    attributes: dict[str, Any] = {}
    sent_at: Moment | None = None
    reported_at: Moment | None = None
    time_quality: TimeQuality | None = None


class PostedTouchpoint(_TouchpointFields, frozen=True, kw_only=True, omit_defaults=True):
    """What POST takes: an identifier may be bare text, and what ingest adds may be absent.

    `received_at`, `reported_at` and `time_quality` are ingest's to set and ignored when sent; a `sentiment` with
    `sentiment_by` is ingest's as well. `replay` needs a source with the replay scope.
    """

    customer: dict[str, str | IdentifierValue]
    source: str | None = None
    received_at: Moment | None = None
    replay: bool = False


class TouchpointDocument(_TouchpointFields, frozen=True, kw_only=True, omit_defaults=True):
    """The normal form that stands on the topic; its identity is `(source, id)`."""

    customer: dict[str, IdentifierValue]
    source: str
    received_at: Moment
    replay: bool = False


_TIMES = ("occurred_at", "due_at", "sent_at", "reported_at", "received_at")

_times = attrgetter(*_TIMES)
_POSTED = Codec(PostedTouchpoint)
_TOUCHPOINT = Codec(TouchpointDocument)
_ENCODER = msgspec.json.Encoder()


def decode(raw: bytes) -> TouchpointDocument:
    """Return the touchpoint in a record of the topic; raises `schemas.codec.UndecodableError`."""
    return _TOUCHPOINT.decode(raw)


def encode(touchpoint: TouchpointDocument) -> bytes:
    """The value of a record of the topic. `attributes` hold what JSON can say, so all times stand in `_TIMES`.

    Written by msgspec as it is where its texts of all times are the published ones, else from a copy with texts: a
    tenth, and a third, of what a tree of plain values costs (measured).
    """
    if _is_as_msgspec_writes(touchpoint):
        return _ENCODER.encode(touchpoint)
    texts: dict[str, Any] = {}
    for name in _TIMES:
        moment: datetime | None = getattr(touchpoint, name)
        if moment is not None:
            texts[name] = utc_text(moment)
    return _ENCODER.encode(msgspec.structs.replace(touchpoint, **texts))


def _is_as_msgspec_writes(touchpoint: TouchpointDocument) -> bool:
    """Whether all times are UTC and between two seconds: the fraction of a whole one msgspec would leave out."""
    for moment in _times(touchpoint):
        if moment is not None and (not moment.microsecond or moment.tzinfo is not UTC):
            return False
    return True


def decode_posted(raw: bytes) -> PostedTouchpoint:
    """Return what a producer posted; raises `schemas.codec.UndecodableError`.

    Check it with `schemas.validation` first.
    """
    return _POSTED.decode(raw)


def encode_posted(posted: PostedTouchpoint) -> bytes:
    """Return a body for `POST /v1/touchpoints`."""
    return _POSTED.encode(posted)


def headers(touchpoint: TouchpointDocument, traceparent: str | None = None) -> cloudevents.RecordHeaders:
    """Return the headers of its record; the CloudEvents identity (source, id) is the touchpoint's own."""
    return cloudevents.headers(
        cloudevents.CloudEventType.TOUCHPOINT,
        id=touchpoint.id,
        origin=cloudevents.origin("ingest", touchpoint.source),
        time=touchpoint.occurred_at,
        traceparent=traceparent,
    )
