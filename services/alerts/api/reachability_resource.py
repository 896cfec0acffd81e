"""The resource of reachability: silent endpoints, what waits for them, and ways that are unheard."""

from datetime import datetime
from typing import Self
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from services.alerts.api.access import InjectedParts, Reader, problems
from services.alerts.api.views import ResponseView
from services.alerts.notify import reachability_store
from services.alerts.notify.reachability import (
    Reachability,
    ReachabilityReport,
    SilenceReason,
    SilentEndpoint,
    Way,
    report_reachability,
)
from services.runtime.postgres.pools import acquire

router = APIRouter(prefix="/v1", tags=["endpoints"], responses=problems(401, 403, 503))


class SilentEndpointView(ResponseView):
    """An endpoint that accepts nothing."""

    id: UUID
    name: str
    reason: SilenceReason = Field(
        description="by_hand, gone, failing (disabled); unreachable, holding (it accepts nothing)."
    )
    since: datetime | None
    catch_all: bool
    waiting: int = Field(description="Messages that wait for it.")
    waiting_since: datetime | None
    given_up: int = Field(description="Messages that are given up.")

    @classmethod
    def of(cls, silent: SilentEndpoint) -> Self:
        """Return the view of a silent endpoint."""
        return cls(
            id=silent.endpoint.id,
            name=silent.endpoint.name,
            reason=silent.why,
            since=silent.since,
            catch_all=silent.endpoint.catch_all,
            waiting=silent.waiting.count,
            waiting_since=silent.waiting.since,
            given_up=silent.waiting.given_up,
        )


class WayView(ResponseView):
    """A route, or the way of what no route matches: its members are null."""

    route_id: UUID | None
    name: str | None

    @classmethod
    def of(cls, way: Way) -> Self:
        """Return the view of a way."""
        return cls(route_id=way.route.id if way.route else None, name=way.route.name if way.route else None)


class ReachabilityView(ResponseView):
    """Who can be notified now, and who cannot."""

    heard: bool = Field(description="No endpoint is silent unless a person disabled it, and no way is unheard.")
    endpoints: int
    living: int
    catching: int = Field(description="Working endpoints that are catch_all.")
    silent: list[SilentEndpointView]
    unheard: list[WayView] = Field(description="Ways without any working endpoint.")
    caught: list[WayView] = Field(
        description="Ways whose issues go to the catch-all endpoints, because none of their own works."
    )
    unheard_issues: int = Field(description="Open issues without any endpoint to notify.")
    unheard_since: datetime | None

    @classmethod
    def of(cls, report: ReachabilityReport) -> Self:
        """Return the view of a report."""
        return cls(
            heard=report.all_heard,
            endpoints=report.endpoints,
            living=report.living,
            catching=report.catching,
            silent=[SilentEndpointView.of(one) for one in report.silent],
            unheard=[WayView.of(way) for way in report.ways_that(Reachability.UNHEARD)],
            caught=[WayView.of(way) for way in report.ways_that(Reachability.CAUGHT)],
            unheard_issues=report.unheard.count,
            unheard_since=report.unheard.since,
        )


@router.get("/hearing", summary="Report who can be notified")
async def read_reachability(parts: InjectedParts, _: Reader) -> ReachabilityView:
    """List silent endpoints with what waits for them, and the routes and issues that nobody is notified of."""
    async with acquire(parts.pool) as connection:
        found = await reachability_store.load_survey(connection)
    return ReachabilityView.of(report_reachability(found, now=parts.clock.now()))
