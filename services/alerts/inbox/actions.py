"""Decides about the actions that people and the clock take on an issue.

Pure. An action that is repeated has no further effect, and an impossible action returns the reason. Permissions are
left to `api`, and notifying people to `notify`.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from services.alerts.issues.lifecycle import reopen_issue
from services.alerts.issues.model import SYSTEM, Issue, IssueChange, IssueEvent, IssueEventKind, IssueState
from services.alerts.issues.sharing import passed_on, taken_for
from services.alerts.loop.outcomes import Gesture
from services.alerts.notify.routing import RoutingDirectory, any_alive, evaluate_routes
from services.alerts.policy.tree import routing_facts

LONGEST_SNOOZE = timedelta(days=366)
"""The longest snooze: an issue that should stay silent for longer should be resolved."""


class ActionOutcome(StrEnum):
    """What happened to an action."""

    DONE = "done"
    ALREADY = "already"
    """The issue is in that state already: nothing changes, and the action succeeds."""
    RESOLVED = "issue_resolved"
    """The issue is resolved: it can be neither acknowledged nor snoozed."""
    MERGED = "issue_merged"
    """The issue was merged into another one."""
    SUPERSEDED = "issue_superseded"
    """A later issue of the same fingerprint is unresolved."""
    UNRESOLVED = "issue_unresolved"
    """The issue is not resolved, so nothing came of it yet."""
    NOT_ITS_TEAM = "team_not_on_issue"
    """The issue does not belong to the team that is to take it."""
    IN_THE_PAST = "snooze_in_the_past"
    TOO_LONG = "snooze_too_long"


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionVerdict:
    """What was decided about an action: its outcome, and the change to write if the outcome is `done`."""

    outcome: ActionOutcome
    change: IssueChange | None = None


def acknowledge(
    issue: Issue, *, actor: str, now: datetime, note: str | None = None, team: UUID | None = None
) -> ActionVerdict:
    """Acknowledge an issue: somebody is working on it, for one of its teams or, without `team`, for all of them."""
    if issue.state is IssueState.RESOLVED:
        return ActionVerdict(outcome=ActionOutcome.RESOLVED)
    shares = [share for share in issue.teams if team in {None, share.id}]
    if team is not None and not shares:
        return ActionVerdict(outcome=ActionOutcome.NOT_ITS_TEAM)
    if issue.state is IssueState.ACKNOWLEDGED or (team is not None and all(s.at is not None for s in shares)):
        return ActionVerdict(outcome=ActionOutcome.ALREADY)
    after = taken_for(issue, {share.id for share in shares}, actor=actor, now=now)
    whole = after.state is IssueState.ACKNOWLEDGED
    kind = IssueEventKind.ACKNOWLEDGED if whole else IssueEventKind.TEAM_ACKNOWLEDGED
    detail = {"team": shares[0].name} if team is not None else {}
    return _done(issue, after, _event(kind, actor, note, **detail), now)


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedTeam:
    """A team by its id and its name."""

    id: UUID
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """Who is to have an issue: `teams` instead of those assigned before (None: the same ones), and the owner.

    `hands_over` says that the other teams need not take it any more. `owner` is who is to own it, or who does already.
    """

    teams: tuple[NamedTeam, ...] | None
    owner: str | None
    hands_over: bool = False


def assign(
    issue: Issue, assignment: Assignment, *, actor: str, now: datetime, note: str | None = None
) -> ActionVerdict:
    """Assign an issue to teams and to a person; teams that did not have it are told."""
    if issue.state is IssueState.RESOLVED:
        return ActionVerdict(outcome=ActionOutcome.RESOLVED)
    teams = issue.assigned if assignment.teams is None else tuple(team.id for team in assignment.teams)
    after = replace(issue, assigned=teams, owner=assignment.owner)
    if assignment.hands_over:
        after = passed_on(after, teams, actor=actor, now=now)
    if after == issue:
        return ActionVerdict(outcome=ActionOutcome.ALREADY)
    detail: dict[str, str | int | list[str] | None] = {}
    if assignment.teams is not None:
        detail["teams"] = [team.name for team in assignment.teams]
    if after.owner != issue.owner:
        detail["owner"] = after.owner
    if assignment.hands_over:
        detail["handed_over"] = 1
    if note:
        detail["note"] = note
    return _done(issue, after, IssueEvent(kind=IssueEventKind.ASSIGNED, actor=actor, detail=detail), now)


def resolve(
    issue: Issue,
    *,
    actor: str,
    now: datetime,
    resolution: str,
    note: str | None = None,
    gesture: Gesture | None = None,
) -> ActionVerdict:
    """Resolve an issue with a resolution in the person's own word, and what the customer was given."""
    if issue.state is IssueState.RESOLVED:
        return ActionVerdict(outcome=ActionOutcome.ALREADY)
    after = replace(
        issue,
        state=IssueState.RESOLVED,
        resolved_at=now,
        resolved_by=actor,
        resolution=resolution,
        snoozed_until=None,
    )
    given = {name: value for name, value in gesture.detail().items() if value} if gesture else {}
    return _done(issue, after, _event(IssueEventKind.RESOLVED, actor, note, resolution=resolution, **given), now)


def reopen(issue: Issue, *, actor: str, now: datetime, superseded: bool, note: str | None = None) -> ActionVerdict:
    """Reopen a resolved issue, unless it was merged or another issue of its fingerprint is unresolved."""
    if issue.unresolved:
        return ActionVerdict(outcome=ActionOutcome.ALREADY)
    if issue.merged_into is not None:
        return ActionVerdict(outcome=ActionOutcome.MERGED)
    if superseded:
        return ActionVerdict(outcome=ActionOutcome.SUPERSEDED)
    reopened = replace(reopen_issue(issue, now), kept_open_at=now)
    return _done(issue, reopened, _event(IssueEventKind.REOPENED, actor, note), now)


def snooze(issue: Issue, *, actor: str, now: datetime, until: datetime, note: str | None = None) -> ActionVerdict:
    """Silence an issue until a time; only a raise to critical breaks through."""
    if issue.state is IssueState.RESOLVED:
        return ActionVerdict(outcome=ActionOutcome.RESOLVED)
    if until <= now:
        return ActionVerdict(outcome=ActionOutcome.IN_THE_PAST)
    if until - now > LONGEST_SNOOZE:
        return ActionVerdict(outcome=ActionOutcome.TOO_LONG)
    if issue.snoozed_until == until:
        return ActionVerdict(outcome=ActionOutcome.ALREADY)
    event = _event(IssueEventKind.SNOOZED, actor, note, until=until.isoformat())
    return _done(issue, replace(issue, snoozed_until=until), event, now)


def end_snooze(issue: Issue, *, now: datetime) -> ActionVerdict:
    """End a snooze whose time is over."""
    if issue.snoozed_until is None or issue.snoozed_until > now:
        return ActionVerdict(outcome=ActionOutcome.ALREADY)
    return _done(
        issue, replace(issue, snoozed_until=None), IssueEvent(kind=IssueEventKind.SNOOZE_ENDED, actor=SYSTEM), now
    )


def notify_again(issue: Issue, directory: RoutingDirectory, *, now: datetime) -> ActionVerdict:
    """Decide whether an open issue needs a new notification, because no working endpoint has received one.

    Either there was no endpoint, or all notified endpoints are deleted or silent. Only endpoints that were not notified
    yet are notified now; deliveries that wait for a silent endpoint go on waiting.
    """
    if issue.state is not IssueState.OPEN or issue.snoozed_until is not None:
        return ActionVerdict(outcome=ActionOutcome.ALREADY)
    told = issue.told
    routing = evaluate_routes(routing_facts(issue), directory, now=now, assigned=issue.assigned)
    gone = told.severity is not None and not any(e in directory.endpoints for e in told.endpoints)
    dead = told.severity is not None and not any_alive(told.endpoints, directory, now) and routing.heard
    if not (gone or dead or (issue.unheard_since is not None and routing.endpoints)):
        return ActionVerdict(outcome=ActionOutcome.ALREADY)
    anew = replace(told, severity=None, resolved=False) if gone or dead else told
    after = replace(issue, told=anew, version=issue.version + 1, updated_at=now)
    return ActionVerdict(outcome=ActionOutcome.DONE, change=IssueChange(before=issue, after=after, events=()))


def verdict_of(change: IssueChange | None) -> ActionVerdict:
    """Return the verdict about a change that no person asked for; without one there is nothing to do."""
    outcome = ActionOutcome.ALREADY if change is None else ActionOutcome.DONE
    return ActionVerdict(outcome=outcome, change=change)


def add_note(issue: Issue, *, actor: str, now: datetime, text: str) -> ActionVerdict:
    """Add a note to the audit of an issue; it counts as a change, so that the live stream shows it."""
    return _done(issue, issue, _event(IssueEventKind.NOTE, actor, text), now)


def _event(kind: IssueEventKind, actor: str, note: str | None, **detail: str) -> IssueEvent:
    return IssueEvent(kind=kind, actor=actor, detail={**detail, "note": note} if note else detail)


def _done(before: Issue, after: Issue, event: IssueEvent, now: datetime) -> ActionVerdict:
    after = replace(after, version=before.version + 1, updated_at=now)
    return ActionVerdict(outcome=ActionOutcome.DONE, change=IssueChange(before=before, after=after, events=(event,)))
