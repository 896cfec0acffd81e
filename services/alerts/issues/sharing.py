"""Decides who has an issue: its teams, each with an acknowledgement of its own, and its owner.

Pure. An issue is acknowledged once every team that has it has taken it; until then each team is reminded and escalated
to for itself. Which teams the routes and the rules of ownership name is left to `notify`.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from services.alerts.issues.model import SYSTEM, Issue, IssueEvent, IssueEventKind, IssueState, TeamShare


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamsFound:
    """The teams that have an issue now, by id: those of its routes, and those that were assigned it or own it.

    `names` has every team that exists; others are left out. `owner` is the person whom a rule of ownership names.
    """

    routed: Sequence[UUID]
    assigned: Sequence[UUID]
    names: Mapping[UUID, str]
    owner: str | None = None


def shared_out(before: Issue | None, issue: Issue, found: TeamsFound) -> tuple[Issue, tuple[IssueEvent, ...]]:
    """Return an unresolved issue with the teams that have it now, and what is to be noted about that.

    A team keeps its acknowledgement. One that is assigned anew has not taken the issue, which is open again for it. A
    rule of ownership names the owner when it joins an issue that has none.
    """
    known = {share.id: share for share in issue.teams}
    assigned = set(found.assigned)
    teams = tuple(
        replace(known.get(team, TeamShare(id=team, name="")), name=found.names[team], assigned=team in assigned)
        for team in dict.fromkeys((*found.routed, *found.assigned))
        if team in found.names
    )
    joins = before is None or not before.unresolved or before.rules != issue.rules
    owner = found.owner if joins and issue.owner is None else issue.owner
    after = replace(issue, teams=teams, team=teams[0].name if teams else None, owner=owner)
    new = newly_assigned(before, after)
    if after.state is IssueState.ACKNOWLEDGED and any(share.at is None for share in teams if share.id in new):
        after = replace(after, state=IssueState.OPEN)
    elif after.acknowledged_at is not None and teams and all(share.at is not None for share in teams):
        after = replace(after, state=IssueState.ACKNOWLEDGED)  # whoever had yet to take it has it no more
    by_rule = [share.name for share in teams if share.id in new and share.id not in issue.assigned]
    if not by_rule and owner == issue.owner:
        return after, ()
    detail = {"teams": by_rule, "owner": owner if owner != issue.owner else None, "by": "rule"}
    return after, (IssueEvent(kind=IssueEventKind.ASSIGNED, actor=SYSTEM, detail=detail),)


def newly_assigned(before: Issue | None, after: Issue) -> frozenset[UUID]:
    """Return the teams that were assigned an issue or came to own it, and did not have it before."""
    had = {share.id for share in before.teams} if before is not None else set()
    return frozenset(share.id for share in after.teams if share.assigned and share.id not in had)


def taken_teams(issue: Issue) -> frozenset[UUID]:
    """Return the teams that have taken an issue."""
    return frozenset(share.id for share in issue.teams if share.at is not None)


def taken_for(issue: Issue, teams: Collection[UUID], *, actor: str, now: datetime) -> Issue:
    """Return an issue that `actor` took for these teams; it is acknowledged if no other team has yet to take it."""
    shares = tuple(
        replace(share, at=now, by=actor) if share.id in teams and share.at is None else share for share in issue.teams
    )
    whole = all(share.at is not None for share in shares)
    return replace(
        issue,
        teams=shares,
        state=IssueState.ACKNOWLEDGED if whole else IssueState.OPEN,
        acknowledged_at=issue.acknowledged_at or now,
        acknowledged_by=issue.acknowledged_by or actor,
    )


def passed_on(issue: Issue, teams: Collection[UUID], *, actor: str, now: datetime) -> Issue:
    """Return an issue that `actor` passes on to these teams: the others need not take it any more."""
    shares = tuple(
        share if share.id in teams or share.at is not None else replace(share, at=now, by=actor)
        for share in issue.teams
    )
    return replace(issue, teams=shares)


def untaken(shares: Iterable[TeamShare]) -> tuple[TeamShare, ...]:
    """Return the shares as they are before anybody took them."""
    return tuple(replace(share, at=None, by=None) for share in shares)
