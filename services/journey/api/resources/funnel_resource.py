"""Funnels: of each kind of journey that is defined, how many enter, how far they come, and where they are lost."""

from enum import StrEnum
from typing import Annotated

from fastapi import Path, Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from schemas.vocabulary import Channel, ServiceLevel
from services.journey.api.messages import ReadRefusal, refuse
from services.journey.api.resources.access import Api, Language, problems, reader_router
from services.journey.api.resources.paging import refuse_empty_span
from services.journey.read.aggregates.customers_behind import CustomersBehindView, PassageFilter
from services.journey.read.aggregates.funnel_reading import FunnelBy, FunnelFilter
from services.journey.read.aggregates.funnel_views import FunnelListView, FunnelView
from services.runtime.http.fields import Moment, PlainText

router = reader_router()


class FunnelsQuery(BaseModel):
    """Which journeys are asked for, by their entry; a parameter that is left out does not filter."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    since: Moment | None = Field(None, alias="from", description="Entered then or later; widened to a whole hour.")
    until: Moment | None = Field(None, alias="to", description="Entered before; widened to a whole hour.")
    channel: Channel | None = Field(None, description="Where it was entered.")
    reason: Annotated[PlainText, StringConstraints(max_length=200)] | None = Field(
        None, description="What the journey is about in which it was entered."
    )
    service_level: ServiceLevel | None = Field(None, description="What its customer was promised.")

    def filter(self, accept_language: str | None) -> FunnelFilter:
        """Return what to read; raises the problem of an empty span."""
        refuse_empty_span(self.since, self.until, accept_language)
        return FunnelFilter(
            since=self.since,
            until=self.until,
            channel=self.channel,
            reason=self.reason,
            service_level=self.service_level,
        )


class FunnelQuery(FunnelsQuery):
    """The funnel that is asked for, whole or also in segments."""

    by: FunnelBy | None = Field(None, description="Also its segments side by side.")
    limit: int = Field(50, ge=1, le=500, description="Most segments.")


class FunnelEnd(StrEnum):
    """What became of journeys; `open` for those that go on."""

    OPEN = "open"
    REACHED = "reached"
    ABANDONED = "abandoned"
    TIMED_OUT = "timed_out"


class FunnelCustomersQuery(FunnelsQuery):
    """Behind which journeys customers are looked for."""

    stage: Annotated[PlainText, StringConstraints(max_length=200)] | None = Field(
        None, description="Where they are, or ended."
    )
    end: FunnelEnd | None = Field(None, description="What became of them.")
    limit: int = Field(50, ge=1, le=200, description="Most customers.")

    def passages(self, accept_language: str | None) -> PassageFilter:
        """Return what to look for; raises the problem of an empty span."""
        wanted = self.filter(accept_language)
        return PassageFilter(
            since=wanted.since,
            until=wanted.until,
            stage=self.stage,
            end=self.end,
            channel=wanted.channel,
            reason=wanted.reason,
            service_level=wanted.service_level,
        )


@router.get(
    "/funnels",
    summary="Kinds of journeys, and what became of them",
    tags=["paths"],
    response_model_exclude_none=True,
)
async def read_funnels(
    api: Api, query: Annotated[FunnelsQuery, Query()], accept_language: Language = None
) -> FunnelListView:
    """Every kind of journey that is defined (`waymark journeys apply`): how many entered, reached it, or were lost."""
    return await api.funnels.funnels(query.filter(accept_language))


@router.get(
    "/funnels/{journey}",
    summary="The funnel of one kind of journey",
    tags=["paths"],
    responses=problems(404),
    response_model_exclude_none=True,
)
async def read_funnel(
    api: Api,
    journey: Annotated[str, Path(max_length=200, description="The definition, by its id.", examples=["delivery"])],
    query: Annotated[FunnelQuery, Query()],
    accept_language: Language = None,
) -> FunnelView:
    """How many entered, who came to which stage, how long they stayed, and where they were lost.

    The journeys are those that were entered in the span, with all that became of them since, so numbers of yesterday
    still change. A journey that comes back to a stage counts there once, its visits each by itself. Late touchpoints,
    merges and deadlines that passed have changed it already.
    """
    funnel = await api.funnels.funnel(journey, query.filter(accept_language), query.by, query.limit)
    if funnel is None:
        raise refuse(ReadRefusal.JOURNEY_NOT_DEFINED, accept_language)
    return funnel


@router.get(
    "/funnels/{journey}/customers",
    summary="The customers in a funnel",
    tags=["paths"],
    response_model_exclude_none=True,
)
async def read_funnel_customers(
    api: Api,
    journey: Annotated[str, Path(max_length=200, description="The definition, by its id.", examples=["delivery"])],
    query: Annotated[FunnelCustomersQuery, Query()],
    accept_language: Language = None,
) -> CustomersBehindView:
    """The latest customers whose journeys are at a stage, or ended there, by their opaque ids."""
    return await api.behind.of_passages(journey, query.passages(accept_language), query.limit)
