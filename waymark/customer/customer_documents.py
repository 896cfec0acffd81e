"""What the command needs of the journey API's answers; members that it does not know are passed over."""

from datetime import datetime

import msgspec

from schemas.vocabulary import TextDocument, TouchpointRefDocument


class AnswerIdentifier(msgspec.Struct, frozen=True, kw_only=True):
    """One identifier of the customer."""

    type: str
    value: str
    verified: bool = False


class AnswerProgress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a journey that is defined has come; `stage` is its present one, or that in which it ended."""

    definition: str
    stage: str
    stage_since: datetime
    due_at: datetime | None = None
    overdue: bool = False
    end: str | None = None
    ended_at: datetime | None = None


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
    progress: list[AnswerProgress] = []


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


class AnswerIssue(msgspec.Struct, frozen=True, kw_only=True):
    """One issue that nobody has resolved yet; `priority` is of 0 to 100."""

    id: str
    state: str
    severity: str
    title: TextDocument
    opened_at: datetime
    count: int = 1
    priority: int | None = None
    team: str | None = None
    owner: str | None = None
    respond_by: datetime | None = None
    snoozed_until: datetime | None = None
    held_by: str | None = None
    quiet: bool = False


class AnswerCustomer(msgspec.Struct, frozen=True, kw_only=True):
    """The customer; `effort` is that of the hardest open journey, `issues_from` says whether `issues` are known."""

    customer_id: str
    identifiers: list[AnswerIdentifier]
    effort: float
    journeys: list[AnswerJourney]
    frictions: list[AnswerFriction]
    issues: list[AnswerIssue] = []
    issues_from: str | None = None
    service_level: str | None = None
    merged_from: list[str] = []
    first_seen_at: datetime | None = None
    last_seen_at: datetime | None = None


class AnswerTimeline(msgspec.Struct, frozen=True, kw_only=True):
    """One page of a timeline; `next_cursor` is absent on the last."""

    touchpoints: list[AnswerTouchpoint]
    next_cursor: str | None = None


class AnswerContact(msgspec.Struct, frozen=True, kw_only=True):
    """One conversation of the customer with the company; numbers of seconds end in `_s`."""

    channel: str
    contacted_at: datetime
    outcome: str | None = None
    reason: str | None = None
    turn_count: int = 0
    first_reply_after_s: float | None = None
    handed_over_at: datetime | None = None
    wait_s: float | None = None
    transfers: int | None = None


class AnswerContacts(msgspec.Struct, frozen=True, kw_only=True):
    """One page of contacts; `next_cursor` is absent on the last."""

    contacts: list[AnswerContact]
    next_cursor: str | None = None


class AnswerEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """A reason to take two identifiers for one customer; `refusal` says why it is not followed."""

    one: str
    other: str
    trust: str
    seen_at: datetime
    source: str
    touchpoint_id: str
    refusal: str | None = None


class AnswerWhy(msgspec.Struct, frozen=True, kw_only=True):
    """What holds a customer together, and what does not."""

    held_by: list[AnswerEvidence] = []
    refused: list[AnswerEvidence] = []
