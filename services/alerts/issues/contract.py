"""Converts documents of the contract: friction v1 and journey v1 into our values, and an issue into issue v1.

Only this module knows both forms. A record that is neither raises `UnreadableRecordError` with a code and a
message that quotes nothing of the record.
"""

from uuid import UUID

import msgspec

from schemas.codec import UndecodableError
from schemas.documents import friction as friction_v1
from schemas.documents import issue as issue_v1
from schemas.documents import journey as journey_v1
from schemas.vocabulary import (
    Channel,
    ClosingDocument,
    Direction,
    JourneyStepDocument,
    MoneyDocument,
    ServiceLevel,
    TextDocument,
    TimelineEntryDocument,
)
from schemas.vocabulary import Severity as WireSeverity
from services.alerts.issues.model import (
    AlertSeverity,
    ClosingStep,
    Issue,
    IssuePriority,
    JourneyNow,
    JourneySituation,
    LatestStep,
    LocalizedTitle,
    OutbreakFacts,
    ReportedFriction,
    TeamShare,
    TimelineStep,
    ValueAtStake,
)
from services.alerts.issues.story import tell

TEAMS_NAMED = 200
"""The contract names at most so many teams of an issue."""

MAX_RECORD_BYTES = 262_144
"""A friction has at most 50 touchpoints, a journey 20 steps; nothing near this size is one of them."""


class UnreadableRecordError(Exception):
    """A record that can never be applied: a `code` for programs, and a path (`at`) and a `message` for people."""

    def __init__(self, code: str, *, at: str = "", message: str) -> None:
        super().__init__(code)
        self.code = code
        self.at = at
        self.message = message


def read_friction(value: bytes | None) -> ReportedFriction:
    """Return the friction in the value of a record.

    Raises:
        UnreadableRecordError: the value is no valid friction.
    """
    value = _readable(value, no_value="A friction is never deleted by a tombstone; retract it.")
    try:
        wire = friction_v1.decode(value)
    except UndecodableError as error:
        raise UnreadableRecordError("not_a_friction", at=error.path, message=error.message) from error
    return _friction(wire, value.decode())


class _Urgency(msgspec.Struct, frozen=True):
    """What says whether a friction is urgent."""

    severity: str = ""
    quiet: bool = False


_urgency = msgspec.json.Decoder(_Urgency)


def is_urgent(value: bytes | None) -> bool:
    """Return whether the value of a record is a critical friction that is not quiet; cheaper than reading it."""
    try:
        found = _urgency.decode(value or b"")
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return found.severity == WireSeverity.CRITICAL.value and not found.quiet


def _readable(value: bytes | None, *, no_value: str) -> bytes:
    """Return the bytes of a record that may be decoded; raise `UnreadableRecordError` otherwise."""
    if value is None:
        raise UnreadableRecordError("no_value", message=no_value)
    if len(value) > MAX_RECORD_BYTES:
        raise UnreadableRecordError("too_large", message=f"At most {MAX_RECORD_BYTES} bytes are read.")
    if b"\\u0000" in value:
        raise UnreadableRecordError("nul_character", message="PostgreSQL keeps no U+0000; leave it out.")
    return value


def read_journey(value: bytes | None) -> JourneyNow:
    """Return the journey in the value of a record.

    Raises:
        UnreadableRecordError: the value is no valid journey.
    """
    value = _readable(value, no_value="A journey ends as merged or dissolved, never by a tombstone.")
    try:
        wire = journey_v1.decode(value)
    except UndecodableError as error:
        raise UnreadableRecordError("not_a_journey", at=error.path, message=error.message) from error
    if wire.version < 1:
        raise UnreadableRecordError("not_a_journey", at="version", message="Versions start at 1.")
    return JourneyNow(
        id=wire.id,
        version=wire.version,
        state=wire.state.value,
        last_at=wire.last_at,
        effort=float(wire.effort),
        contact_count=wire.contact_count,
        friction_count=wire.friction_count,
        outcome=wire.outcome,
        service_level=wire.service_level.value if wire.service_level else None,
        value=ValueAtStake(amount=float(wire.value.amount), currency=wire.value.currency) if wire.value else None,
        latest=tuple(_latest(step) for step in wire.latest),
        merged_into=wire.merged_into,
        customer_id=wire.customer_id or "",
        reason=wire.reason,
        refs=wire.refs,
    )


def _latest(step: JourneyStepDocument) -> LatestStep:
    return LatestStep(
        occurred_at=step.occurred_at,
        channel=step.channel.value,
        kind=step.kind,
        direction=step.direction.value if step.direction else None,
        outcome=step.outcome,
        reason=step.reason,
    )


def _friction(wire: friction_v1.FrictionDocument, document: str) -> ReportedFriction:
    if wire.revision < 1:
        raise UnreadableRecordError("not_a_friction", at="revision", message="Revisions start at 1.")
    try:
        UUID(wire.id)
    except ValueError as error:
        raise UnreadableRecordError("not_a_friction", at="id", message="The id of a friction is a UUID.") from error
    return ReportedFriction(
        id=wire.id,
        revision=wire.revision,
        stands=wire.state is friction_v1.FrictionDocumentState.DETECTED,
        rule=wire.rule,
        severity=AlertSeverity(wire.severity.value),
        customer_id=wire.customer_id,
        journey_id=wire.journey_id,
        reason=wire.reason,
        channel=wire.channel.value,
        service_level=wire.service_level.value if wire.service_level else None,
        occurred_at=wire.occurred_at,
        revised_at=wire.revised_at or wire.detected_at,
        quiet=wire.quiet,
        title=LocalizedTitle(en=wire.title.en, ko=wire.title.ko),
        document=document,
        refs=wire.refs,
        timeline=tuple(_step(entry) for entry in wire.timeline),
        explanation=LocalizedTitle(en=wire.explanation.en, ko=wire.explanation.ko),
        playbook=LocalizedTitle(en=wire.playbook.en, ko=wire.playbook.ko) if wire.playbook else None,
        queue=wire.queue,
        product=wire.product,
        implies=wire.implies,
        closes_when=tuple(_closing(one) for one in wire.closes_when),
    )


def _closing(one: ClosingDocument) -> ClosingStep:
    return ClosingStep(
        kind=one.kind,
        direction=one.direction.value if one.direction else None,
        outcome=one.outcome,
        channel=tuple(channel.value for channel in one.channel),
    )


def _step(entry: TimelineEntryDocument) -> TimelineStep:
    return TimelineStep(
        occurred_at=entry.occurred_at,
        channel=entry.channel.value,
        kind=entry.kind,
        outcome=entry.outcome,
        reason=entry.reason,
    )


def write_issue(issue: Issue) -> issue_v1.IssueDocument:
    """Return the issue as issue v1 of the contract."""
    return issue_v1.IssueDocument(
        id=str(issue.id),
        fingerprint=issue.fingerprint,
        version=issue.version,
        state=issue_v1.IssueDocumentState(issue.state.value),
        severity=WireSeverity(issue.severity.value),
        title=TextDocument(en=issue.title.en, ko=issue.title.ko),
        rules=issue.rules,
        customer_id=issue.customer_id or None,
        journey_id=issue.journey_id,
        channel=Channel(issue.channel),
        reason=issue.reason,
        service_level=ServiceLevel(issue.service_level) if issue.service_level else None,
        team=issue.team,
        teams=tuple(_team(share) for share in issue.teams[:TEAMS_NAMED]),
        owner=issue.owner,
        refs=dict(issue.refs),
        count=issue.count,
        frictions=issue.frictions,
        first_at=issue.first_at,
        last_at=issue.last_at,
        opened_at=issue.opened_at,
        updated_at=issue.updated_at,
        acknowledged_at=issue.acknowledged_at,
        acknowledged_by=issue.acknowledged_by,
        resolved_at=issue.resolved_at,
        resolved_by=issue.resolved_by,
        resolution=issue.resolution,
        snoozed_until=issue.snoozed_until,
        merged_into=str(issue.merged_into) if issue.merged_into else None,
        timeline=tuple(_entry(step) for step in issue.timeline),
        journey=_situation(issue.journey) if issue.journey else None,
        why=_text(issue.why),
        playbook=_text(issue.playbook),
        story=tuple(
            issue_v1.ToldStepDocument(
                occurred_at=step.occurred_at, said=TextDocument(en=step.said.en, ko=step.said.ko), since=step.since
            )
            for step in tell(issue)
        ),
        priority=_priority(issue.priority) if issue.priority else None,
        held_by=str(issue.held_by) if issue.held_by else None,
        outbreak=_outbreak(issue.outbreak) if issue.outbreak else None,
    )


def _team(share: TeamShare) -> issue_v1.IssueTeamDocument:
    return issue_v1.IssueTeamDocument(
        id=str(share.id),
        name=share.name,
        assigned=share.assigned,
        acknowledged_at=share.at,
        acknowledged_by=share.by,
    )


def _text(said: LocalizedTitle | None) -> TextDocument | None:
    return TextDocument(en=said.en, ko=said.ko) if said else None


def _priority(priority: IssuePriority) -> issue_v1.PriorityDocument:
    return issue_v1.PriorityDocument(
        score=priority.score,
        service_level=ServiceLevel(priority.deadlines.level),
        respond_by=priority.deadlines.respond_by,
        resolve_by=priority.deadlines.resolve_by,
        factors=tuple(
            issue_v1.PriorityFactorDocument(factor=one.factor, points=one.points, value=one.value)
            for one in priority.factors
        ),
    )


def _outbreak(facts: OutbreakFacts) -> issue_v1.OutbreakDocument:
    return issue_v1.OutbreakDocument(
        started_at=facts.started_at,
        usual=facts.usual,
        frictions=facts.frictions,
        customers=facts.customers,
        segment=facts.segment,
        value=facts.value,
        lately=facts.lately,
        segments={name: dict(values) for name, values in facts.segments.items()},
        rules=dict(facts.rules),
        held=facts.held,
        over_at=facts.over_at,
    )


def _situation(journey: JourneySituation) -> issue_v1.JourneySituationDocument:
    return issue_v1.JourneySituationDocument(
        state=journey.state,
        last_at=journey.last_at,
        effort=journey.effort,
        contact_count=journey.contact_count,
        outcome=journey.outcome,
        value=MoneyDocument(amount=journey.value.amount, currency=journey.value.currency) if journey.value else None,
        since=tuple(
            JourneyStepDocument(
                occurred_at=step.occurred_at,
                channel=Channel(step.channel),
                kind=step.kind,
                direction=Direction(step.direction) if step.direction else None,
                outcome=step.outcome,
                reason=step.reason,
            )
            for step in journey.since
        ),
    )


def _entry(step: TimelineStep) -> TimelineEntryDocument:
    return TimelineEntryDocument(
        occurred_at=step.occurred_at,
        channel=Channel(step.channel),
        kind=step.kind,
        outcome=step.outcome,
        reason=step.reason,
    )
