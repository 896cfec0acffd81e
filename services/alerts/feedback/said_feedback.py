"""What people say about issues: whether telling them was of use. Pure.

It is said of an issue and counts for the rules, in the versions that found what the issue stands on.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.alerts.issues.model import SYSTEM, IssueChange
from services.alerts.loop.outcomes import ResolutionOutcome


class IssueFeedback(StrEnum):
    """What people say about an issue; a metric label."""

    USEFUL = "useful"
    NOISE = "noise"


@dataclass(frozen=True, slots=True, kw_only=True)
class SaidFeedback:
    """What was said last about an issue. `implied` says that it follows from the outcome."""

    said: IssueFeedback
    implied: bool
    said_by: str
    said_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackCount:
    """How many issues of one version of a rule were called useful, and how many noise."""

    rule: str
    rule_version: int
    useful: int
    noise: int


def is_called_false(change: IssueChange) -> bool | None:
    """Return whether a person calls the issue a false alarm by this outcome; None where no outcome is said.

    An issue that is opened again keeps what was said: that something new came does not make the old one true.
    """
    before = None if change.before is None else change.before.resolution
    after = change.after.resolution
    if after == before or after is None or change.after.resolved_by in {None, SYSTEM}:
        return None
    return after == ResolutionOutcome.FALSE_ALARM
