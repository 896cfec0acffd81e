"""What people can do to an issue. Doing it twice is doing it once; what cannot be done says why.

Leaves who may do it to the API, and telling anybody to `notifying`.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from services.alerts.domain.lifecycle import reopened
from services.alerts.domain.values import SYSTEM, Change, Event, EventKind, Issue, State


class Verdict(StrEnum):
    """What came of an action."""

    DONE = "done"
    ALREADY = "already"
    """It is so already: nothing changes, and that is a success."""
    RESOLVED = "issue_resolved"
    """Only an unresolved issue can be acknowledged or snoozed."""
    MERGED = "issue_merged"
    """It lives on in another issue."""
    SUPERSEDED = "issue_superseded"
    """A later issue of the same fingerprint is unresolved."""
    IN_THE_PAST = "snooze_in_the_past"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The verdict, and what to write where it is `done`."""

    verdict: Verdict
    change: Change | None = None


def acknowledge(issue: Issue, *, actor: str, now: datetime) -> Outcome:
    """Take the issue: somebody is on it."""
    if issue.state is State.ACKNOWLEDGED:
        return Outcome(verdict=Verdict.ALREADY)
    if issue.state is State.RESOLVED:
        return Outcome(verdict=Verdict.RESOLVED)
    after = replace(issue, state=State.ACKNOWLEDGED, acknowledged_at=now, acknowledged_by=actor)
    return _done(issue, after, Event(kind=EventKind.ACKNOWLEDGED, actor=actor), now)


def resolve(issue: Issue, *, actor: str, now: datetime, resolution: str, note: str | None = None) -> Outcome:
    """Declare the issue dealt with."""
    if issue.state is State.RESOLVED:
        return Outcome(verdict=Verdict.ALREADY)
    after = replace(
        issue,
        state=State.RESOLVED,
        resolved_at=now,
        resolved_by=actor,
        resolution=resolution,
        snoozed_until=None,
    )
    detail: dict[str, str | int | list[str] | None] = {"resolution": resolution}
    if note:
        detail["note"] = note
    return _done(issue, after, Event(kind=EventKind.RESOLVED, actor=actor, detail=detail), now)


def reopen(issue: Issue, *, actor: str, now: datetime, superseded: bool) -> Outcome:
    """Take a resolution back. `superseded`: another issue of the same fingerprint is unresolved."""
    if issue.unresolved:
        return Outcome(verdict=Verdict.ALREADY)
    if issue.merged_into is not None:
        return Outcome(verdict=Verdict.MERGED)
    if superseded:
        return Outcome(verdict=Verdict.SUPERSEDED)
    return _done(issue, reopened(issue, now), Event(kind=EventKind.REOPENED, actor=actor), now)


def snooze(issue: Issue, *, actor: str, now: datetime, until: datetime) -> Outcome:
    """Keep the issue silent until a time; only a raise to critical breaks through."""
    if issue.state is State.RESOLVED:
        return Outcome(verdict=Verdict.RESOLVED)
    if until <= now:
        return Outcome(verdict=Verdict.IN_THE_PAST)
    if issue.snoozed_until == until:
        return Outcome(verdict=Verdict.ALREADY)
    event = Event(kind=EventKind.SNOOZED, actor=actor, detail={"until": until.isoformat()})
    return _done(issue, replace(issue, snoozed_until=until), event, now)


def wake(issue: Issue, *, now: datetime) -> Outcome:
    """End a snooze whose time has come."""
    if issue.snoozed_until is None or issue.snoozed_until > now:
        return Outcome(verdict=Verdict.ALREADY)
    return _done(issue, replace(issue, snoozed_until=None), Event(kind=EventKind.SNOOZE_ENDED, actor=SYSTEM), now)


def _done(before: Issue, after: Issue, event: Event, now: datetime) -> Outcome:
    after = replace(after, version=before.version + 1, updated_at=now)
    return Outcome(verdict=Verdict.DONE, change=Change(before=before, after=after, events=(event,)))
