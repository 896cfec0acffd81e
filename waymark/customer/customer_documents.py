"""What the command needs of the journey API's answers; members that it does not know are passed over."""

from datetime import datetime

import msgspec

from schemas.vocabulary import TextDocument, TouchpointRefDocument


class AnswerIdentifier(msgspec.Struct, frozen=True, kw_only=True):
    """One identifier of the customer."""

    type: str
    value: str
    verified: bool = False


class AnswerJourney(msgspec.Struct, frozen=True, kw_only=True):
    """One journey; `effort` is of 0 to 100."""

    id: str
    state: str
    touchpoint_count: int
    contact_count: int
    effort: float
    opened_at: datetime
    last_at: datetime
    reason: str | None = None
    outcome: str | None = None
    refs: dict[str, str] = {}


class AnswerFriction(msgspec.Struct, frozen=True, kw_only=True):
    """One friction with the touchpoints that it rests on."""

    id: str
    rule: str
    state: str
    severity: str
    title: TextDocument
    explanation: TextDocument
    touchpoints: list[TouchpointRefDocument]
    occurred_at: datetime
    detected_at: datetime


class AnswerTouchpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One touchpoint; `wait_s` and `hold_s` are seconds."""

    source: str
    id: str
    occurred_at: datetime
    channel: str
    kind: str
    direction: str | None = None
    outcome: str | None = None
    reason: str | None = None
    queue: str | None = None
    text: str | None = None
    sealed_text: str | list[str] | None = None
    wait_s: float | None = None
    hold_s: float | None = None
    transfers: int | None = None
    due_at: datetime | None = None
    late: bool = False


class AnswerCustomer(msgspec.Struct, frozen=True, kw_only=True):
    """The customer; `effort` is that of the hardest open journey."""

    customer_id: str
    identifiers: list[AnswerIdentifier]
    effort: float
    journeys: list[AnswerJourney]
    frictions: list[AnswerFriction]
    service_level: str | None = None
    merged_from: list[str] = []
    first_seen_at: datetime | None = None
    last_seen_at: datetime | None = None


class AnswerTimeline(msgspec.Struct, frozen=True, kw_only=True):
    """One page of a timeline; `next_cursor` is absent on the last."""

    touchpoints: list[AnswerTouchpoint]
    next_cursor: str | None = None
