"""The resource of issues: lists, the details of one, and the actions of people."""

from datetime import timedelta
from typing import Annotated, Literal, Self
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.alerts.admin import team_store
from services.alerts.api.access import Agent, InjectedParts, Reader, not_found, problems
from services.alerts.api.cursors import cursor_of_issues, place_in_issues, scope_of_issues
from services.alerts.api.views import (
    ActionBody,
    DeliveryView,
    IssueDetailView,
    IssueEventView,
    IssuePageView,
    IssueSummaryView,
    IssueView,
    Name,
    NoteBody,
    OmittedCountsView,
    ResolveBody,
    SnoozeBody,
)
from services.alerts.deliver import delivery_history
from services.alerts.inbox import actions, issue_details, issue_list
from services.alerts.inbox.action_executor import ActionResult
from services.alerts.inbox.actions import ActionOutcome, ActionVerdict, Assignment, NamedTeam
from services.alerts.inbox.issue_list import IssueFilter, IssueOrder, WalkExpiredError
from services.alerts.issues.model import AlertSeverity, Issue, IssueState
from services.runtime.http.fields import PlainText
from services.runtime.http.problems import Problem
from services.runtime.postgres.pools import acquire

router = APIRouter(prefix="/v1/issues", tags=["issues"], responses=problems(400, 401, 403, 413, 422, 503))


class FilterQuery(BaseModel):
    """Which issues to list; a parameter that is left out does not restrict them. Repeat a name to give a list."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    state: list[IssueState | Literal["unresolved"]] = Field([], description="`unresolved` is open and acknowledged.")
    severity: list[AlertSeverity] = []
    rule: PlainText | None = Field(None, max_length=200)
    channel: PlainText | None = Field(None, max_length=40)
    reason: PlainText | None = Field(None, max_length=200)
    service_level: PlainText | None = Field(None, max_length=40, description="As of now: basic, enhanced, premium.")
    q: PlainText | None = Field(
        None,
        min_length=1,
        max_length=200,
        description="A text in the title, the sentence why, the reason, a reference or a rule, whatever the case.",
    )
    customer: PlainText | None = Field(None, max_length=200, description="The opaque id of a customer.")
    team: PlainText | None = Field(None, max_length=200, description="The name of a team that has it.")
    owner: PlainText | None = Field(None, max_length=200, description="The person who has it.")
    outbreak: UUID | None = Field(None, description="Issues that this outbreak holds.")
    held: bool | None = Field(None, description="Issues that an outbreak holds: only these, or none of them.")
    snoozed: bool | None = Field(None, description="Issues that somebody silenced for a while: only these, or none.")
    outbreaks: bool | None = Field(None, description="What many customers meet at once: only these, or none of them.")
    quiet: bool | None = Field(None, description="Issues that nobody is notified of: only these, or none of them.")

    def wanted(self) -> IssueFilter:
        """Return the filter that the parameters describe."""
        states = {s.value for s in self.state if isinstance(s, IssueState)}
        if "unresolved" in self.state:
            states |= {IssueState.OPEN.value, IssueState.ACKNOWLEDGED.value}
        return IssueFilter(
            states=tuple(sorted(states)),
            severities=tuple(sorted({severity.value for severity in self.severity})),
            rule=self.rule,
            channel=self.channel,
            reason=self.reason,
            service_level=self.service_level,
            text=self.q,
            customer_id=self.customer,
            team=self.team,
            quiet=self.quiet,
            outbreak=str(self.outbreak) if self.outbreak else None,
            held=self.held,
            owner=self.owner,
            snoozed=self.snoozed,
            outbreaks=self.outbreaks,
        )


class AcknowledgeBody(ActionBody):
    """For whom an issue is taken."""

    team: Name | None = Field(None, description="Name or id of one of its teams; left out, for all of them.")


class AssignBody(ActionBody):
    """Who is to have an issue."""

    teams: list[Name] | None = Field(
        None, max_length=20, description="Names or ids of all teams that it is assigned to; `[]` for none."
    )
    owner: Name | None = Field(None, description="The person who has it; null for nobody.")
    hand_over: bool = Field(False, description="The other teams need not take it any more.")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.teams is None and "owner" not in self.model_fields_set:
            raise ValueError("give `teams`, an `owner`, or both")
        if self.hand_over and not self.teams:
            raise ValueError("an issue is handed over to `teams`; give at least one")
        return self


class IssuesQuery(FilterQuery):
    """Which issues to list, in which order, and how many per page."""

    sort: IssueOrder = Field(
        IssueOrder.LATEST,
        description="`latest`: the latest friction first; `severity`: the most severe first, and of those the latest; "
        "`priority`: the most urgent first, and of those the latest.",
    )
    limit: int = Field(50, ge=1, le=200)
    cursor: str | None = Field(None, max_length=200)
    told: bool = Field(False, description="Say of each issue what became of its notifications, too.")


@router.get("", summary="List issues", responses=problems(410), response_model_exclude_none=True)
async def list_issues(parts: InjectedParts, _: Reader, query: Annotated[IssuesQuery, Query()]) -> IssuePageView:
    """List issues, those with the latest friction first, or the most severe first.

    Issues move while you read page after page: a new friction moves one to the front. The last pages therefore hold the
    issues that changed since your first page, and every issue that matches the filter all that time appears at least
    once. If one appears twice, the higher `version` counts.
    """
    wanted = query.wanted()
    scope = scope_of_issues(wanted, query.sort)
    place = place_in_issues(scope, query.cursor)
    async with acquire(parts.pool) as connection:
        try:
            page = await issue_list.page(connection, wanted, query.sort, place, query.limit)
        except WalkExpiredError:
            message = "This walk began too long ago to be ended; begin anew without a cursor."
            raise Problem(410, "cursor_expired", message) from None
        told = await delivery_history.counts_of_issues(
            connection, [one.id for one in page.issues] if query.told else []
        )
    return IssuePageView(
        issues=[IssueView.of(issue) for issue in page.issues],
        next_cursor=None if page.next is None else cursor_of_issues(scope, page.next),
        told=told if query.told else None,
    )


@router.get("/summary", summary="Count issues")
async def summarise(parts: InjectedParts, _: Reader, query: Annotated[FilterQuery, Query()]) -> IssueSummaryView:
    """Count the matching issues by severity and state, and say since when the oldest open one waits."""
    async with acquire(parts.pool) as connection:
        return IssueSummaryView.of(await issue_list.summary(connection, query.wanted()))


@router.get("/{issue_id}", summary="Read one issue", responses=problems(404), response_model_exclude_none=True)
async def read_issue(parts: InjectedParts, _: Reader, issue_id: UUID) -> IssueDetailView:
    """Read one issue with its frictions, its timeline, its audit and its deliveries."""
    async with acquire(parts.pool) as connection:
        issue = await issue_details.issue(connection, issue_id)
        if issue is None:
            raise not_found("issue")
        evidence = await issue_details.frictions(connection, issue_id)
        events = await issue_details.events(connection, issue_id)
        deliveries = await delivery_history.deliveries_of_issue(connection, issue_id)
        held = await issue_details.count_details(connection, issue_id)
    return IssueDetailView(
        **IssueView.of(issue).model_dump(),
        evidence=evidence,
        events=[IssueEventView.of(event) for event in events],
        deliveries=[DeliveryView.of(row) for row in deliveries],
        not_shown=OmittedCountsView(
            evidence=max(0, held.evidence - len(evidence)),
            events=max(0, held.events - len(events)),
            deliveries=max(0, held.deliveries - len(deliveries)),
        ),
    )


@router.post(
    "/{issue_id}/acknowledge",
    summary="Acknowledge an issue",
    responses=problems(404, 409),
    response_model_exclude_none=True,
)
async def acknowledge(
    parts: InjectedParts, caller: Agent, issue_id: UUID, body: AcknowledgeBody | None = None
) -> IssueView:
    """Acknowledge an issue: somebody is working on it. Repeating this has no effect.

    With `team` it is taken for one of its teams: the others are still reminded, and it is open until each took it.
    """
    note = body.note if body else None
    team = await _team(parts, body.team) if body and body.team is not None else None
    result = await parts.executor.execute(
        issue_id,
        lambda issue, _: actions.acknowledge(
            issue, actor=caller.label, now=parts.clock.now(), note=note, team=team.id if team else None
        ),
    )
    return shown_result(result)


@router.post(
    "/{issue_id}/assign", summary="Assign an issue", responses=problems(404, 409), response_model_exclude_none=True
)
async def assign(parts: InjectedParts, caller: Agent, issue_id: UUID, body: AssignBody) -> IssueView:
    """Give an issue to teams, to a person, or to both; teams that did not have it are told, with the reason `assigned`.

    What is left out stays as it is. `teams` are all teams that it is assigned to; those that it is routed to have it
    too, unless it is handed over.
    """
    teams = None if body.teams is None else tuple([await _team(parts, word) for word in body.teams])

    def decide(issue: Issue, _: bool) -> ActionVerdict:
        owner = body.owner if "owner" in body.model_fields_set else issue.owner
        assignment = Assignment(teams=teams, owner=owner, hands_over=body.hand_over)
        return actions.assign(issue, assignment, actor=caller.label, now=parts.clock.now(), note=body.note)

    return shown_result(await parts.executor.execute(issue_id, decide))


async def _team(parts: InjectedParts, word: str) -> NamedTeam:
    """Return the team with this name or id; raise `Problem` if there is none."""
    async with acquire(parts.pool) as connection:
        teams = await team_store.list_teams(connection)
    found = next((team for team in teams if word in {team.name, str(team.id)}), None)
    if found is None:
        raise Problem(422, "team_unknown", "There is no such team; `GET /v1/teams` lists their names and ids.")
    return NamedTeam(id=found.id, name=found.name)


@router.post(
    "/{issue_id}/resolve", summary="Resolve an issue", responses=problems(404, 409), response_model_exclude_none=True
)
async def resolve(parts: InjectedParts, caller: Agent, issue_id: UUID, body: ResolveBody | None = None) -> IssueView:
    """Resolve an issue. Repeating this has no effect; a new friction within the reopen window reopens it.

    The customer is watched afterwards: `GET /v1/watches` says whether they came back on the same matter.
    """
    given = body or ResolveBody(note=None, resolution="resolved", gesture=None)
    result = await parts.executor.execute(
        issue_id,
        lambda issue, _: actions.resolve(
            issue,
            actor=caller.label,
            now=parts.clock.now(),
            resolution=given.resolution,
            note=given.note,
            gesture=given.gesture.value() if given.gesture else None,
        ),
    )
    return shown_result(result)


@router.post(
    "/{issue_id}/reopen",
    summary="Reopen an issue",
    responses=problems(404, 409),
    response_model_exclude_none=True,
)
async def reopen(parts: InjectedParts, caller: Agent, issue_id: UUID, body: ActionBody | None = None) -> IssueView:
    """Reopen an issue, unless it was merged or a later issue of the same fingerprint is unresolved."""
    note = body.note if body else None
    result = await parts.executor.execute(
        issue_id,
        lambda issue, superseded: actions.reopen(
            issue, actor=caller.label, now=parts.clock.now(), superseded=superseded, note=note
        ),
    )
    return shown_result(result)


@router.post(
    "/{issue_id}/snooze",
    summary="Snooze an issue",
    responses=problems(404, 409),
    response_model_exclude_none=True,
)
async def snooze(parts: InjectedParts, caller: Agent, issue_id: UUID, body: SnoozeBody) -> IssueView:
    """Silence an issue until a time, except for a raise to critical; people are reminded when it ends."""
    until = body.until or parts.clock.now() + timedelta(seconds=body.for_s or 0)
    result = await parts.executor.execute(
        issue_id,
        lambda issue, _: actions.snooze(issue, actor=caller.label, now=parts.clock.now(), until=until, note=body.note),
    )
    return shown_result(result)


@router.post("/{issue_id}/note", summary="Write a note", responses=problems(404), response_model_exclude_none=True)
async def note(parts: InjectedParts, caller: Agent, issue_id: UUID, body: NoteBody) -> IssueView:
    """Add a note for the next person; it stays in the audit for good."""
    result = await parts.executor.execute(
        issue_id, lambda issue, _: actions.add_note(issue, actor=caller.label, now=parts.clock.now(), text=body.text)
    )
    return shown_result(result)


_CONFLICTS = {
    ActionOutcome.RESOLVED: "It is resolved; reopen it first.",
    ActionOutcome.MERGED: "It was merged; `merged_into` names the issue that continues it.",
    ActionOutcome.NOT_ITS_TEAM: "That team does not have it; `teams` names those that do. Assign it first.",
    ActionOutcome.UNRESOLVED: "Resolve it first; `resolution` can state the outcome at once.",
    ActionOutcome.SUPERSEDED: "A later issue of the same matter is unresolved; work on that one.",
    ActionOutcome.IN_THE_PAST: "Give a time in the future.",
}
_TOO_LONG = f"A snooze lasts {actions.LONGEST_SNOOZE.days} days at most."


def shown_result(result: ActionResult | None) -> IssueView:
    """Return the issue after an action; raise `Problem` if the action was not possible."""
    if result is None:
        raise not_found("issue")
    if result.outcome is ActionOutcome.TOO_LONG:
        raise Problem(422, result.outcome, _TOO_LONG)
    if result.outcome in _CONFLICTS:
        raise Problem(409, result.outcome, _CONFLICTS[result.outcome])
    return IssueView.of(result.issue)
