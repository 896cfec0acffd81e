"""The resource of impact: before and after of a rule, a fix, a team or a date."""

from datetime import datetime
from typing import Annotated, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from services.alerts.api.access import InjectedParts, Reader, problems
from services.alerts.api.views import ResponseView, TitleView
from services.alerts.loop.impact import (
    LONGEST_DAYS,
    Impact,
    ImpactScope,
    ImpactVerdict,
    MeasureName,
    TooEarlyError,
)
from services.alerts.loop.impact_store import measure_impact
from services.runtime.http.fields import Moment, PlainText
from services.runtime.http.problems import Problem
from services.runtime.postgres.pools import acquire

router = APIRouter(prefix="/v1", tags=["loop"], responses=problems(400, 401, 403, 413, 422, 503))

Word = Annotated[PlainText | None, Field(max_length=200)]


class ScopeQuery(BaseModel):
    """What is compared; a parameter that is left out does not restrict it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rule: Word = None
    team: Word = None
    reason: Word = None
    channel: Word = None
    service_level: Word = None


class ImpactQuery(ScopeQuery):
    """What is compared, and when the difference was made."""

    at: Moment = Field(description="When it changed: the rule, the fix, the team.")
    days: int = Field(28, ge=1, le=LONGEST_DAYS, description="Days before and after, at most.")

    def scope(self) -> ImpactScope:
        """Return what the parameters describe."""
        return ImpactScope(**self.model_dump(include=set(ScopeQuery.model_fields)))


class EstimateView(ResponseView):
    """A figure of one period with its 95 % interval; absent where there is nothing to tell it from."""

    number: int = Field(description="Cases: resolutions, issues, or days.")
    value: float | None = None
    low: float | None = None
    high: float | None = None


class ChangeView(ResponseView):
    """One measure before and after; of each, less is better."""

    name: MeasureName
    before: EstimateView
    after: EstimateView
    change: float | None = Field(None, description="After less before.")
    low: float | None = None
    high: float | None = None
    verdict: ImpactVerdict = Field(description="unclear: no difference can be told from chance.")


class PeriodsView(ResponseView):
    """The time before and the time after, equally long."""

    start: datetime
    at: datetime
    end: datetime
    days: int


class ImpactView(ResponseView):
    """What changed, what changed elsewhere meanwhile, and what to mind."""

    periods: PeriodsView
    changes: list[ChangeView]
    elsewhere: list[ChangeView] = Field(description="The same of everything else; empty if everything is compared.")
    caveats: list[TitleView]
    frictions_before: list[int] = Field(description="Day by day.")
    frictions_after: list[int]
    currency: str | None = None

    @classmethod
    def of(cls, impact: Impact) -> Self:
        """Return the view of an impact."""
        return cls.model_validate(impact, from_attributes=True)


@router.get("/impact", summary="Compare before and after", response_model_exclude_none=True)
async def read_impact(parts: InjectedParts, _: Reader, query: Annotated[ImpactQuery, Query()]) -> ImpactView:
    """Compare the time before with the time after: recontacts, frictions, effort, contacts, value at stake.

    Each difference has its 95 % interval, and says `too_few` where the numbers are too small to say.
    """
    async with acquire(parts.pool) as connection:
        try:
            found = await measure_impact(connection, query.scope(), at=query.at, days=query.days, now=parts.clock.now())
        except TooEarlyError:
            raise too_early() from None
    return ImpactView.of(found)


def too_early() -> Problem:
    """Return the problem of a change that is not a day old."""
    return Problem(422, "too_early", "Not a whole day has passed since then; give an earlier time, or ask tomorrow.")
