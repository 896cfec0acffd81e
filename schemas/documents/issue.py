"""Issue v1: what the alert service keeps open until a team resolves it; one record for every change of state."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from schemas import cloudevents
from schemas.codec import Codec
from schemas.vocabulary import (
    Channel,
    JourneyStepDocument,
    Moment,
    MoneyDocument,
    ServiceLevel,
    Severity,
    TextDocument,
    TimelineEntryDocument,
)

SCHEMA = "issue.v1"
TOPIC = "issues"


class IssueDocumentState(StrEnum):
    """Open until somebody acknowledges it, acknowledged until it is resolved; new friction opens it again."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class JourneySituationDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The journey of an issue as it is now; `since` are the touchpoints after the last friction, oldest first."""

    state: str
    last_at: Moment
    effort: int | float
    contact_count: int
    outcome: str | None = None
    value: MoneyDocument | None = None
    since: tuple[JourneyStepDocument, ...] = ()


class ToldStepDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What happened at one time, in a plain sentence; `since` if it came after the last friction."""

    occurred_at: Moment
    said: TextDocument
    since: bool = False


class PriorityFactorDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One part of a priority: what it looks at, what it saw, and the points that it gave or took."""

    factor: str
    points: int
    value: str | int | float | None = None


class PriorityDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """How urgent an issue is, from 0 to 100, why, and until when its service level promises what."""

    score: int
    service_level: ServiceLevel
    respond_by: Moment | None = None
    resolve_by: Moment | None = None
    factors: tuple[PriorityFactorDocument, ...] = ()


class OutbreakDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One cause that many customers meet: exact counts, where, since when, and how many are usual in five minutes."""

    started_at: Moment
    usual: int | float
    frictions: int
    customers: int
    segment: str | None = None
    value: str | None = None
    lately: int | None = None
    segments: dict[str, dict[str, int]] = {}
    rules: dict[str, int] = {}
    held: int | None = None
    over_at: Moment | None = None


class IssueTeamDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A team that has an issue, and who took it for the team; `assigned` if that is not for its routes."""

    id: str
    name: str
    assigned: bool = False
    acknowledged_at: Moment | None = None
    acknowledged_by: str | None = None


class IssueDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One matter for the teams that have it; `acknowledged_at` is when the first of them took it.

    `version` rises with every change; readers keep the highest. `count` is how many frictions it holds, `frictions`
    names the latest of them. `first_at` and `last_at` are event times of the frictions; `updated_at` is when this
    version was written. `resolution` is a word: resolved, retracted, merged or a team's own. `merged_into` names the
    issue that took this one over, `held_by` that of the outbreak which it belongs to. Only an outbreak has no customer.
    """

    id: str
    fingerprint: str
    version: int
    state: IssueDocumentState
    severity: Severity
    title: TextDocument
    rules: tuple[str, ...]
    count: int
    first_at: Moment
    last_at: Moment
    opened_at: Moment
    updated_at: Moment
    customer_id: str | None = None
    journey_id: str | None = None
    channel: Channel | None = None
    reason: str | None = None
    service_level: ServiceLevel | None = None
    team: str | None = None
    teams: tuple[IssueTeamDocument, ...] = ()
    owner: str | None = None
    refs: dict[str, str] = {}
    frictions: tuple[str, ...] = ()
    acknowledged_at: Moment | None = None
    acknowledged_by: str | None = None
    resolved_at: Moment | None = None
    resolved_by: str | None = None
    resolution: str | None = None
    snoozed_until: Moment | None = None
    merged_into: str | None = None
    timeline: tuple[TimelineEntryDocument, ...] = ()
    journey: JourneySituationDocument | None = None
    why: TextDocument | None = None
    playbook: TextDocument | None = None
    story: tuple[ToldStepDocument, ...] = ()
    priority: PriorityDocument | None = None
    held_by: str | None = None
    outbreak: OutbreakDocument | None = None


_ISSUE = Codec(IssueDocument)


def decode(raw: bytes) -> IssueDocument:
    """Return the issue in a record of the topic; raises `schemas.codec.UndecodableError`."""
    return _ISSUE.decode(raw)


def encode(issue: IssueDocument) -> bytes:
    """Return the value of a record of the topic."""
    return _ISSUE.encode(issue)


def headers(issue: IssueDocument, traceparent: str | None = None) -> cloudevents.RecordHeaders:
    """Return the headers of its record; each version is an event of its own."""
    return cloudevents.headers(
        cloudevents.CloudEventType.ISSUE,
        id=f"{issue.id}.{issue.version}",
        origin=cloudevents.origin("alerts"),
        time=issue.updated_at,
        traceparent=traceparent,
    )
