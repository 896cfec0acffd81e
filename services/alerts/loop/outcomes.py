"""The outcome of a resolution, in a closed list, and the gesture that went with it.

Pure. The word that people choose when they resolve stays the issue's `resolution`; an outcome is what it counts as.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from services.alerts.issues.model import SYSTEM, Issue, IssueChange, IssueEventKind


class ResolutionOutcome(StrEnum):
    """What a resolution counts as; a metric label."""

    CALLED_BACK = "called_back"
    COMPENSATED = "compensated"
    FIXED = "fixed"
    FALSE_ALARM = "false_alarm"
    OTHER = "other"
    """Resolved with a word of the team's own."""
    UNSTATED = "unstated"
    """Resolved without saying how."""
    SETTLED = "settled"
    """Closed by itself: the customer's journey went on to what its rule names."""


CHOSEN = (
    ResolutionOutcome.CALLED_BACK,
    ResolutionOutcome.COMPENSATED,
    ResolutionOutcome.FIXED,
    ResolutionOutcome.FALSE_ALARM,
)
"""The outcomes that people choose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gesture:
    """What a customer was given to make up for it: a voucher, a refund, an apology; `amount` is a decimal number."""

    kind: str
    amount: str | None = None
    currency: str | None = None

    def detail(self) -> dict[str, str | None]:
        """Return the gesture as members of an event of the audit."""
        return {"gesture": self.kind, "gesture_amount": self.amount, "gesture_currency": self.currency}


def outcome_of(issue: Issue) -> ResolutionOutcome:
    """Return what the resolution of a resolved issue counts as."""
    if issue.resolved_by == SYSTEM:
        return ResolutionOutcome.SETTLED
    if issue.resolution in CHOSEN:
        return ResolutionOutcome(issue.resolution)
    return ResolutionOutcome.UNSTATED if issue.resolution in {None, "resolved"} else ResolutionOutcome.OTHER


def find_gesture(change: IssueChange) -> Gesture | None:
    """Return the gesture that a change of an issue states, None if it states none."""
    for event in reversed(change.events):
        if event.kind in {IssueEventKind.RESOLVED, IssueEventKind.OUTCOME} and event.detail.get("gesture"):
            return _gesture(event.detail)
    return None


def _gesture(detail: Mapping[str, str | int | list[str] | None]) -> Gesture:
    amount, currency = detail.get("gesture_amount"), detail.get("gesture_currency")
    return Gesture(
        kind=str(detail["gesture"]),
        amount=None if amount is None else str(amount),
        currency=None if currency is None else str(currency),
    )
