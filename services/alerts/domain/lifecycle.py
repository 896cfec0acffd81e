"""How an issue begins, ends and begins again. Leaves when to `placing` (frictions) and `actions` (people)."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from services.alerts.domain.values import SYSTEM, Friction, Issue, Resolution, State


def opened(friction: Friction, *, issue_id: UUID, occurrence: int, now: datetime, origin: Issue | None) -> Issue:
    """Return a new issue for `friction`; one whose friction comes from an acknowledged `origin` is so too."""
    taken = origin is not None and origin.state is State.ACKNOWLEDGED
    return Issue(
        id=issue_id,
        fingerprint=friction.fingerprint,
        occurrence=occurrence,
        version=0,
        state=State.ACKNOWLEDGED if taken else State.OPEN,
        customer_id=friction.customer_id,
        journey_id=friction.journey_id,
        reason=friction.reason,
        severity=friction.severity,
        loud_severity=None if friction.quiet else friction.severity,
        rules=(friction.rule,),
        channel=friction.channel,
        service_level=friction.service_level,
        title=friction.title,
        count=0,
        frictions=(),
        first_at=friction.occurred_at,
        last_at=friction.occurred_at,
        opened_at=now,
        updated_at=now,
        acknowledged_at=origin.acknowledged_at if origin and taken else None,
        acknowledged_by=origin.acknowledged_by if origin and taken else None,
    )


def emptied(issue: Issue, now: datetime) -> Issue:
    """Resolve an issue that no friction stands for any more: merged where they moved away, else retracted."""
    merged = issue.moved_to is not None
    return replace(
        issue,
        state=State.RESOLVED,
        resolved_at=now,
        resolved_by=SYSTEM,
        resolution=Resolution.MERGED if merged else Resolution.RETRACTED,
        merged_into=issue.moved_to,
        snoozed_until=None,
    )


def reopened(issue: Issue, now: datetime) -> Issue:
    """Return a resolved issue as one opened `now`; who dealt with it before stays in the audit."""
    return replace(
        issue,
        state=State.OPEN,
        opened_at=now,
        acknowledged_at=None,
        acknowledged_by=None,
        resolved_at=None,
        resolved_by=None,
        resolution=None,
        merged_into=None,
        moved_to=None,
        snoozed_until=None,
    )
