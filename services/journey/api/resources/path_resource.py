"""Paths and segments: how customers go from touchpoint to touchpoint, and where it gets hard or ends."""

from datetime import timedelta
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from schemas.vocabulary import Channel, ServiceLevel
from services.journey.api.resources.access import Api, Language, problems, reader_router
from services.journey.api.resources.paging import refuse_empty_span
from services.journey.read.aggregates.customers_behind import CustomersBehindView, StepFilter
from services.journey.read.aggregates.hour_reading import HeatView
from services.journey.read.aggregates.path_reading import PathFilter, SegmentBy
from services.journey.read.aggregates.path_views import PathsView, SegmentsView
from services.runtime.http.fields import Moment, PlainText, Zone

router = reader_router()

Word = Annotated[PlainText, StringConstraints(max_length=200)]


class _StepsQuery(BaseModel):
    """Which steps are asked for; a parameter that is left out does not filter."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    since: Moment | None = Field(None, alias="from", description="Event time, included; widened to a whole hour.")
    until: Moment | None = Field(None, alias="to", description="Event time, not included; widened to a whole hour.")
    channel: Channel | None = Field(None, description="Of either end of a step.")
    kind: Word | None = Field(None, description="Of either end of a step; with `channel`, of the same end.")
    reason: Word | None = Field(None, description="What the journey is about.")
    service_level: ServiceLevel | None = Field(None, description="What the journey's customer was promised.")
    rule: Word | None = Field(None, description="Of frictions: only those of this rule count. Steps are the same.")

    def filter(self, accept_language: str | None) -> PathFilter:
        """Return what to read; raises the problem of an empty span."""
        refuse_empty_span(self.since, self.until, accept_language)
        return PathFilter(
            since=self.since,
            until=self.until,
            channel=self.channel,
            kind=self.kind,
            reason=self.reason,
            service_level=self.service_level,
            rule=self.rule,
        )


class PathsQuery(_StepsQuery):
    """The part of the graph that is asked for."""

    limit: int = Field(100, ge=1, le=2000, description="Most nodes, and most edges.")


class SegmentsQuery(_StepsQuery):
    """The segments that are asked for."""

    by: SegmentBy = Field(SegmentBy.REASON, description="What tells them apart.")
    limit: int = Field(50, ge=1, le=500, description="Most segments.")


class StepCustomersQuery(BaseModel):
    """The steps behind which customers are looked for; a parameter that is left out does not filter."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    since: Moment | None = Field(None, alias="from", description="Event time, included; widened to a whole hour.")
    until: Moment | None = Field(None, alias="to", description="Event time, not included; widened to a whole hour.")
    from_channel: Channel | None = Field(None, description="Where the step begins.")
    from_kind: Word | None = Field(None, description="What it begins with; `start`: with nothing before.")
    to_channel: Channel | None = Field(None, description="Where it leads.")
    to_kind: Word | None = Field(None, description="What it leads to; `closed`, `dropped`: the journey ended so.")
    reason: Word | None = Field(None, description="What the journey is about; empty: nothing is known.")
    service_level: ServiceLevel | None = Field(None, description="What the journey's customer was promised.")
    friction: bool = Field(False, description="Only steps that led to a touchpoint at which a friction stands.")
    hour: int | None = Field(None, ge=0, le=23, description="Only at this hour of the day, in `zone`.")
    zone: Zone = Field("UTC", examples=["Asia/Seoul"])
    limit: int = Field(50, ge=1, le=200, description="Most customers.")

    def filter(self, accept_language: str | None) -> StepFilter:
        """Return what to look for; raises the problem of an empty span."""
        refuse_empty_span(self.since, self.until, accept_language)
        return StepFilter(
            since=self.since,
            until=self.until,
            from_channel=self.from_channel,
            from_kind=self.from_kind,
            to_channel=self.to_channel,
            to_kind=self.to_kind,
            reason=self.reason,
            service_level=self.service_level,
            hard=self.friction,
            hour=self.hour,
            zone=ZoneInfo(self.zone),
        )


LONGEST_HEAT = timedelta(days=92)


class HeatQuery(BaseModel):
    """The span of a heat map."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    since: Moment = Field(alias="from", description="Event time, included; widened to a whole hour.")
    until: Moment = Field(alias="to", description="Event time, not included; at most 92 days after `from`.")
    zone: Zone = Field("UTC", description="Zone of the hours of the day.", examples=["Asia/Seoul"])
    service_level: ServiceLevel | None = Field(None, description="What the journey's customer was promised.")

    @model_validator(mode="after")
    def _demand_span(self) -> Self:
        if not timedelta(0) < self.until - self.since <= LONGEST_HEAT:
            raise ValueError("`from` is before `to`, by 92 days at most")
        return self


@router.get(
    "/heat",
    summary="Friction by channel, reason and hour of the day",
    tags=["paths"],
    responses=problems(422),
    response_model_exclude_none=True,
)
async def read_heat(api: Api, query: Annotated[HeatQuery, Query()]) -> HeatView:
    """How many touchpoints there were, and at how many a friction stands; for `GET /v1/paths/customers` to open."""
    return await api.hours.heat(query.since, query.until, ZoneInfo(query.zone), query.service_level)


@router.get(
    "/paths/customers",
    summary="The customers behind a step",
    tags=["paths"],
    responses=problems(422),
    response_model_exclude_none=True,
)
async def read_customers_behind(
    api: Api, query: Annotated[StepCustomersQuery, Query()], accept_language: Language = None
) -> CustomersBehindView:
    """The latest customers who went from one touchpoint to another, or were at one, by their opaque ids.

    The hours in which it happened are looked at from the latest on, 48 of them at most.
    """
    return await api.behind.of_steps(query.filter(accept_language), query.limit)


@router.get(
    "/paths",
    summary="From touchpoint to touchpoint",
    tags=["paths"],
    response_model_exclude_none=True,
)
async def read_paths(api: Api, query: Annotated[PathsQuery, Query()], accept_language: Language = None) -> PathsView:
    """How often one touchpoint followed another in a journey, how long it took, how often friction stood at its end.

    A journey that went quiet before it reached an end has an edge to `dropped`; one that is open has none yet. A step
    belongs to the hour of the touchpoint that it leads to. Everything is as it stands now: late touchpoints, merges and
    frictions that were taken back have changed it.
    """
    return await api.paths.paths(query.filter(accept_language), query.limit)


@router.get(
    "/segments",
    summary="Journeys side by side",
    tags=["paths"],
    response_model_exclude_none=True,
)
async def read_segments(
    api: Api, query: Annotated[SegmentsQuery, Query()], accept_language: Language = None
) -> SegmentsView:
    """What journeys of one reason, service level, channel or kind of touchpoint are like, beside those of the others.

    By channel and kind, a journey counts as begun, closed or dropped where its first or last touchpoint was.
    """
    return await api.paths.segments(query.by, query.filter(accept_language), query.limit)
