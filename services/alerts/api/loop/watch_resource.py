"""The resources of outcomes and watches: how an issue was resolved, and whether the customer came back."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from services.alerts.api.access import Agent, InjectedParts, Reader, problems
from services.alerts.api.cursors import cursor_of_watches, place_in_watches
from services.alerts.api.issue_resource import shown_result
from services.alerts.api.views import IssueView, OutcomeBody, ResponseView
from services.alerts.inbox import outcome_actions
from services.alerts.loop import recontact_counts
from services.alerts.loop.intervals import wilson_interval
from services.alerts.loop.outcomes import ResolutionOutcome
from services.alerts.loop.recontact_counts import RecontactCount, RecontactGrouping, WatchFilter
from services.alerts.loop.watches import Watch, WatchState
from services.runtime.http.fields import Moment, PlainText
from services.runtime.postgres.pools import acquire

router = APIRouter(prefix="/v1", tags=["loop"], responses=problems(400, 401, 403, 413, 422, 503))

FEW = 30
"""Fewer decided resolutions than this say little; the answer says so."""


@router.post(
    "/issues/{issue_id}/outcome",
    summary="Say how an issue was resolved",
    responses=problems(404, 409),
    response_model_exclude_none=True,
)
async def state_outcome(parts: InjectedParts, caller: Agent, issue_id: UUID, body: OutcomeBody) -> IssueView:
    """Say, or correct, the outcome of a resolved issue, and the gesture that the customer was given."""
    result = await parts.executor.execute(
        issue_id,
        lambda issue, _: outcome_actions.state_outcome(
            issue,
            actor=caller.label,
            now=parts.clock.now(),
            outcome=body.outcome,
            gesture=body.gesture.value() if body.gesture else None,
            note=body.note,
        ),
    )
    return shown_result(result)


class WatchesQuery(BaseModel):
    """Which resolutions; a parameter that is left out does not restrict them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    since: Moment | None = Field(None, description="Resolved at this time or later.")
    until: Moment | None = Field(None, description="Resolved before this time.")
    team: PlainText | None = Field(None, max_length=200)
    rule: PlainText | None = Field(None, max_length=200)
    outcome: ResolutionOutcome | None = None
    gesture: PlainText | None = Field(None, max_length=40)

    def wanted(self) -> WatchFilter:
        """Return the filter that the parameters describe."""
        return WatchFilter(**self.model_dump(include=set(WatchesQuery.model_fields)))


class WatchListQuery(WatchesQuery):
    """Which watches to list, and how many per page."""

    state: WatchState | None = None
    customer: PlainText | None = Field(None, max_length=200, description="The opaque id of a customer.")
    issue: UUID | None = None
    limit: int = Field(50, ge=1, le=200)
    cursor: str | None = Field(None, max_length=200)

    def wanted(self) -> WatchFilter:
        """Return the filter that the parameters describe."""
        given = self.model_dump(include=set(WatchesQuery.model_fields))
        return WatchFilter(**given, state=self.state, customer_id=self.customer, issue_id=self.issue)


class RecontactsQuery(WatchesQuery):
    """What resolutions are counted by, and which."""

    by: RecontactGrouping = Field(RecontactGrouping.TEAM, description="team, rule, outcome or gesture.")


class GestureView(ResponseView):
    """What the customer was given."""

    kind: str
    amount: str | None = None
    currency: str | None = None


class RecontactView(ResponseView):
    """How the customer came back."""

    at: datetime
    issue_id: UUID | None = Field(
        None, description="The issue that is about it; absent for a contact without friction."
    )
    friction_id: str | None = None
    rule: str | None = None


class WatchView(ResponseView):
    """The time after one resolution, and what became of it."""

    id: UUID
    issue_id: UUID
    customer_id: str
    state: WatchState
    worked: bool | None = Field(None, description="The customer did not come back; absent while that is not known.")
    outcome: ResolutionOutcome
    resolved_at: datetime
    resolved_by: str
    until: datetime
    team: str | None = None
    rules: list[str]
    gesture: GestureView | None = None
    recontact: RecontactView | None = None

    @classmethod
    def of(cls, watch: Watch) -> Self:
        """Return the view of a watch."""
        return cls.model_validate(watch, from_attributes=True)


class WatchPageView(ResponseView):
    """A page of watches, those of the latest resolutions first."""

    watches: list[WatchView]
    next_cursor: str | None = Field(None, description="Send it back as `cursor`; absent on the last page.")


class RateView(ResponseView):
    """A proportion with its 95 % interval (Wilson)."""

    value: float
    low: float
    high: float


class RecontactCountView(ResponseView):
    """How the resolutions of one team, rule, outcome or gesture turned out."""

    name: str | None = Field(description="Null where there is none.")
    resolved: int
    held: int = Field(description="The customer did not come back.")
    recontacted: int = Field(description="The customer came back on the same matter.")
    watching: int = Field(description="It is too early to say.")
    recontact_rate: RateView | None = Field(None, description="Of those decided; absent where none is.")
    few: bool = Field(description=f"Fewer than {FEW} are decided: the rate says little.")

    @classmethod
    def of(cls, count: RecontactCount) -> Self:
        """Return the view of a count."""
        rate = None
        if count.decided:
            low, high = wilson_interval(count.recontacted, count.decided)
            rate = RateView(value=count.recontacted / count.decided, low=low, high=high)
        return cls(
            name=count.name,
            resolved=count.decided + count.watching,
            held=count.held,
            recontacted=count.recontacted,
            watching=count.watching,
            recontact_rate=rate,
            few=count.decided < FEW,
        )


class RecontactCountsView(ResponseView):
    """Counts by one grouping, the largest first."""

    by: RecontactGrouping
    counts: list[RecontactCountView]


@router.get("/watches", summary="List what became of resolutions", response_model_exclude_none=True)
async def list_watches(parts: InjectedParts, _: Reader, query: Annotated[WatchListQuery, Query()]) -> WatchPageView:
    """List the time after each resolution: whether the customer is watched, came back or did not."""
    wanted = query.wanted()
    place = place_in_watches(wanted, query.cursor)
    async with acquire(parts.pool) as connection:
        watches, after = await recontact_counts.list_watches(connection, wanted, place, query.limit)
    return WatchPageView(
        watches=[WatchView.of(watch) for watch in watches],
        next_cursor=None if after is None else cursor_of_watches(wanted, after),
    )


@router.get("/recontacts", summary="Count who came back", response_model_exclude_none=True)
async def read_recontacts(
    parts: InjectedParts, _: Reader, query: Annotated[RecontactsQuery, Query()]
) -> RecontactCountsView:
    """Count resolutions by team, rule, outcome or gesture, and how many customers came back on the same matter."""
    async with acquire(parts.pool) as connection:
        counts = await recontact_counts.count_recontacts(connection, query.wanted(), query.by)
    return RecontactCountsView(by=query.by, counts=[RecontactCountView.of(count) for count in counts])
