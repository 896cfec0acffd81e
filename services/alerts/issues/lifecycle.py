"""Opens, resolves and reopens issues.

Pure. When that happens is left to `placement` for frictions, and to `inbox` for the actions of people.
"""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from services.alerts.issues.model import SYSTEM, Issue, IssueResolution, IssueState, ReportedFriction
from services.alerts.issues.sharing import untaken


def open_issue(
    friction: ReportedFriction, *, issue_id: UUID, occurrence: int, now: datetime, origin: Issue | None
) -> Issue:
    """Return a new issue for `friction`; it takes over what people did about `origin`, the issue it came from."""
    issue = _new_issue(friction, issue_id=issue_id, occurrence=occurrence, now=now)
    if origin is None:
        return issue
    return replace(
        issue,
        state=origin.state,
        acknowledged_at=origin.acknowledged_at,
        acknowledged_by=origin.acknowledged_by,
        teams=origin.teams,
        assigned=origin.assigned,
        owner=origin.owner,
        resolved_at=origin.resolved_at,
        resolved_by=origin.resolved_by,
        resolution=origin.resolution,
    )


def _new_issue(friction: ReportedFriction, *, issue_id: UUID, occurrence: int, now: datetime) -> Issue:
    return Issue(
        id=issue_id,
        fingerprint=friction.fingerprint,
        occurrence=occurrence,
        version=0,
        state=IssueState.OPEN,
        customer_id=friction.customer_id,
        journey_id=friction.journey_id,
        reason=friction.reason,
        severity=friction.severity,
        loud_severity=None if friction.quiet else friction.severity,
        rules=(friction.rule,),
        channel=friction.channel,
        service_level=friction.service_level,
        title=friction.title,
        why=friction.explanation or friction.title,
        playbook=friction.playbook,
        count=0,
        frictions=(),
        first_at=friction.occurred_at,
        last_at=friction.occurred_at,
        opened_at=now,
        updated_at=now,
    )


def resolve_empty(issue: Issue, now: datetime, *, into: UUID | None) -> Issue:
    """Resolve an issue without standing frictions: as merged `into` another issue, or else as retracted."""
    return replace(
        issue,
        state=IssueState.RESOLVED,
        resolved_at=now,
        resolved_by=SYSTEM,
        resolution=IssueResolution.RETRACTED if into is None else IssueResolution.MERGED,
        merged_into=into,
        snoozed_until=None,
    )


def reopen_issue(issue: Issue, now: datetime) -> Issue:
    """Reopen a resolved issue at `now`; who resolved it before stays in the audit."""
    return replace(
        issue,
        state=IssueState.OPEN,
        opened_at=now,
        acknowledged_at=None,
        acknowledged_by=None,
        teams=untaken(issue.teams),
        resolved_at=None,
        resolved_by=None,
        resolution=None,
        merged_into=None,
        snoozed_until=None,
        kept_open_at=None,
    )
