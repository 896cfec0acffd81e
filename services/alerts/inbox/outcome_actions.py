"""Decides about the outcome of a resolution that a person states or corrects later. Pure."""

from dataclasses import replace
from datetime import datetime

from services.alerts.inbox.actions import ActionOutcome, ActionVerdict
from services.alerts.issues.model import Issue, IssueChange, IssueEvent, IssueEventKind
from services.alerts.loop.outcomes import Gesture


def state_outcome(
    issue: Issue, *, actor: str, now: datetime, outcome: str, gesture: Gesture | None = None, note: str | None = None
) -> ActionVerdict:
    """Say how a resolved issue was resolved; what was said before stays in the audit."""
    if issue.unresolved:
        return ActionVerdict(outcome=ActionOutcome.UNRESOLVED)
    if issue.merged_into is not None:
        return ActionVerdict(outcome=ActionOutcome.MERGED)
    if issue.resolution == outcome and gesture is None and note is None:
        return ActionVerdict(outcome=ActionOutcome.ALREADY)
    detail = {"resolution": outcome, "before": issue.resolution, **(gesture.detail() if gesture else {})}
    event = IssueEvent(kind=IssueEventKind.OUTCOME, actor=actor, detail={**detail, "note": note} if note else detail)
    after = replace(issue, resolution=outcome, resolved_by=actor, version=issue.version + 1, updated_at=now)
    return ActionVerdict(outcome=ActionOutcome.DONE, change=IssueChange(before=issue, after=after, events=(event,)))
