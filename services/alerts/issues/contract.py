"""Converts documents of the contract: friction v1 into a reported friction, and an issue into issue v1.

Only this module knows both forms. A record that is no valid friction raises `UnreadableFrictionError` with a code and a
message that quotes nothing of the record.
"""

from uuid import UUID

from schemas.codec import UndecodableError
from schemas.documents import friction as friction_v1
from schemas.documents import issue as issue_v1
from schemas.vocabulary import Channel, ServiceLevel, TextDocument, TimelineEntryDocument
from schemas.vocabulary import Severity as WireSeverity
from services.alerts.issues.model import AlertSeverity, Issue, LocalizedTitle, ReportedFriction, TimelineStep

MAX_FRICTION_BYTES = 262_144
"""A friction has at most 50 touchpoints and 10 timeline steps; nothing near this size is a friction."""


class UnreadableFrictionError(Exception):
    """A record that can never be applied: a `code` for programs, and a path (`at`) and a `message` for people."""

    def __init__(self, code: str, *, at: str = "", message: str) -> None:
        super().__init__(code)
        self.code = code
        self.at = at
        self.message = message


def read_friction(value: bytes | None) -> ReportedFriction:
    """Return the friction in the value of a record.

    Raises:
        UnreadableFrictionError: the value is no valid friction.
    """
    if value is None:
        raise UnreadableFrictionError("no_value", message="A friction is never deleted by a tombstone; retract it.")
    if len(value) > MAX_FRICTION_BYTES:
        raise UnreadableFrictionError("too_large", message=f"At most {MAX_FRICTION_BYTES} bytes are read.")
    if b"\\u0000" in value:
        raise UnreadableFrictionError("nul_character", message="PostgreSQL keeps no U+0000; leave it out.")
    try:
        wire = friction_v1.decode(value)
    except UndecodableError as error:
        raise UnreadableFrictionError("not_a_friction", at=error.path, message=error.message) from error
    return _friction(wire, value.decode())


def _friction(wire: friction_v1.FrictionDocument, document: str) -> ReportedFriction:
    if wire.revision < 1:
        raise UnreadableFrictionError("not_a_friction", at="revision", message="Revisions start at 1.")
    try:
        UUID(wire.id)
    except ValueError as error:
        raise UnreadableFrictionError("not_a_friction", at="id", message="The id of a friction is a UUID.") from error
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
        customer_id=issue.customer_id,
        journey_id=issue.journey_id,
        channel=Channel(issue.channel),
        reason=issue.reason,
        service_level=ServiceLevel(issue.service_level) if issue.service_level else None,
        team=issue.team,
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
    )


def _entry(step: TimelineStep) -> TimelineEntryDocument:
    return TimelineEntryDocument(
        occurred_at=step.occurred_at,
        channel=Channel(step.channel),
        kind=step.kind,
        outcome=step.outcome,
        reason=step.reason,
    )
