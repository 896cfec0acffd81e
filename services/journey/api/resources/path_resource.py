"""Paths and segments: how customers go from touchpoint to touchpoint, and where it gets hard or ends."""

from typing import Annotated

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from schemas.vocabulary import Channel, ServiceLevel
from services.journey.api.resources.access import Api, Language, reader_router
from services.journey.api.resources.paging import refuse_empty_span
from services.journey.read.aggregates.path_reading import PathFilter, SegmentBy
from services.journey.read.aggregates.path_views import PathsView, SegmentsView
from services.runtime.http.fields import Moment, PlainText

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
