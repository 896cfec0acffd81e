"""The register of improvements: proposals with their estimated value, decided with a reason, measured afterwards."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Self
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from services.alerts.api.access import Admin, Agent, InjectedParts, Reader, not_found, problems
from services.alerts.api.loop.impact_resource import ChangeView, Word
from services.alerts.api.views import Name, ResponseView, StrictRequestBody, Text
from services.alerts.loop import improvement_store, improvements
from services.alerts.loop.impact import ImpactScope
from services.alerts.loop.improvements import Improvement, ImprovementState, ImprovementStep, WrongStepError
from services.runtime.clock import new_id
from services.runtime.http.fields import Moment
from services.runtime.http.problems import Problem
from services.runtime.postgres.pools import acquire, transaction

router = APIRouter(prefix="/v1/improvements", tags=["loop"], responses=problems(400, 401, 403, 413, 422, 503))

WATCHED = timedelta(days=7)


class ScopeBody(StrictRequestBody):
    """Which frictions it would remove; name at least one."""

    rule: Word = None
    team: Word = None
    reason: Word = None
    channel: Word = None
    service_level: Word = None


class ProposalBody(StrictRequestBody):
    """A proposal to remove a cause of friction."""

    title: Name
    reason: Text = Field(description="Why it would help.")
    scope: ScopeBody
    reduction: float = Field(gt=0, le=1, description="The share of the frictions that would stay away.")


class DecisionBody(StrictRequestBody):
    """A decision with its reason."""

    accept: bool
    reason: Text


class CompletionBody(StrictRequestBody):
    """Since when it is in force."""

    in_force_at: Moment | None = Field(None, description="Now, if left out.")
    note: Text | None = None


class ScopeView(ResponseView):
    """Which frictions it would remove."""

    rule: str | None = None
    team: str | None = None
    reason: str | None = None
    channel: str | None = None
    service_level: str | None = None


class CauseCountsView(ResponseView):
    """What the cause did in the days before the proposal."""

    days: int
    frictions: int
    issues: int
    customers: int
    recontacts: int
    value: float
    currency: str | None = None


class ImprovementEstimateView(ResponseView):
    """What would be saved in as many days."""

    counts: CauseCountsView
    reduction: float
    frictions: float
    customers: float
    value: float


class ImprovementStepView(ResponseView):
    """One entry of its history."""

    at: datetime
    actor: str
    state: ImprovementState
    reason: str


class ImprovementView(ResponseView):
    """An improvement with its estimate, its history, and what it brought."""

    id: UUID
    title: str
    scope: ScopeView
    state: ImprovementState
    estimate: ImprovementEstimateView
    history: list[ImprovementStepView]
    in_force_at: datetime | None = None
    measure_at: datetime | None = Field(None, description="When what it brought is measured for good.")
    changes: list[ChangeView] = Field([], description="What it brought; `GET /v1/impact` tells it before that.")

    @classmethod
    def of(cls, improvement: Improvement) -> Self:
        """Return the view of an improvement."""
        return cls.model_validate(improvement, from_attributes=True)


class ImprovementListView(ResponseView):
    """Improvements, the newest first."""

    improvements: list[ImprovementView]


class ImprovementsQuery(BaseModel):
    """Which improvements to list."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    state: ImprovementState | None = None


@router.get("", summary="List improvements", response_model_exclude_none=True)
async def list_improvements(
    parts: InjectedParts, _: Reader, query: Annotated[ImprovementsQuery, Query()]
) -> ImprovementListView:
    """List improvements, the newest first."""
    async with acquire(parts.pool) as connection:
        found = await improvement_store.list_improvements(connection, query.state)
    return ImprovementListView(improvements=[ImprovementView.of(one) for one in found])


@router.post("", status_code=201, summary="Propose an improvement", response_model_exclude_none=True)
async def propose(parts: InjectedParts, caller: Agent, body: ProposalBody) -> ImprovementView:
    """Propose to remove a cause of friction; its value is estimated from the counts of the last four weeks."""
    scope = ImpactScope(**body.scope.model_dump())
    if scope.everything:
        raise Problem(422, "scope_empty", "Say which frictions it would remove: a rule, team, reason or channel.")
    now = parts.clock.now()
    async with transaction(parts.pool) as connection:
        counts = await improvement_store.count_cause(connection, scope, now)
        made = improvements.propose(
            new_id(),
            ImprovementStep(at=now, actor=caller.label, state=ImprovementState.PROPOSED, reason=body.reason),
            title=body.title,
            scope=scope,
            estimate=improvements.estimate_value(counts, body.reduction),
        )
        await improvement_store.save_improvement(connection, made)
    return ImprovementView.of(made)


@router.post(
    "/{improvement_id}/decide",
    summary="Accept or decline",
    responses=problems(404, 409),
    response_model_exclude_none=True,
)
async def decide(parts: InjectedParts, caller: Admin, improvement_id: UUID, body: DecisionBody) -> ImprovementView:
    """Accept or decline an improvement, with the reason; until it is done the decision can be changed."""
    now = parts.clock.now()
    return await _change(
        parts,
        improvement_id,
        lambda one: improvements.decide(one, accept=body.accept, reason=body.reason, actor=caller.label, now=now),
    )


@router.post(
    "/{improvement_id}/done",
    summary="Say that it is done",
    responses=problems(404, 409),
    response_model_exclude_none=True,
)
async def complete(parts: InjectedParts, caller: Agent, improvement_id: UUID, body: CompletionBody) -> ImprovementView:
    """Say since when it is in force: four weeks and a watch later, what it brought is measured for good."""
    now = parts.clock.now()
    return await _change(
        parts,
        improvement_id,
        lambda one: improvements.complete(
            one,
            in_force_at=body.in_force_at or now,
            watched=WATCHED,
            reason=body.note or "",
            actor=caller.label,
            now=now,
        ),
    )


async def _change(
    parts: InjectedParts, improvement_id: UUID, change: Callable[[Improvement], Improvement]
) -> ImprovementView:
    async with transaction(parts.pool) as connection:
        found = await improvement_store.lock_improvement(connection, improvement_id)
        if found is None:
            raise not_found("improvement")
        try:
            after = change(found)
        except WrongStepError as error:
            raise Problem(409, "wrong_step", str(error)) from None
        await improvement_store.save_improvement(connection, after)
    return ImprovementView.of(after)
