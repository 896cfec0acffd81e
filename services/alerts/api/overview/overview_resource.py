"""The resources that look at many issues at once: outbreaks, and how the promises of service levels were kept."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query

from services.alerts.api.access import InjectedParts, Reader, problems
from services.alerts.api.overview.overview_views import AttainmentView, OutbreakListView, OutbreakView
from services.alerts.inbox import attainment
from services.alerts.outbreaks import outbreak_list
from services.runtime.postgres.pools import acquire

router = APIRouter(prefix="/v1", responses=problems(401, 403, 422, 503))


@router.get("/issues/attainment", tags=["issues"], summary="Count kept promises")
async def read_attainment(
    parts: InjectedParts,
    _: Reader,
    days: Annotated[int, Query(ge=1, le=366, description="Over the issues that were opened in so many days.")] = 30,
) -> AttainmentView:
    """Count by service level how many issues were taken and resolved in time, too late, or still may be."""
    now = parts.clock.now()
    since = now - timedelta(days=days)
    async with acquire(parts.pool) as connection:
        levels = await attainment.attainment(connection, since=since, now=now)
    return AttainmentView.of(levels, since)


@router.get("/outbreaks", tags=["outbreaks"], summary="List outbreaks", response_model_exclude_none=True)
async def list_outbreaks(
    parts: InjectedParts,
    _: Reader,
    running: Annotated[bool | None, Query(description="Only those that go on, or only those that are over.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> OutbreakListView:
    """List what many customers met at once, with exact counts, the most frequent values and the trend."""
    async with acquire(parts.pool) as connection:
        listed = await outbreak_list.list_outbreaks(connection, running=running, limit=limit)
    return OutbreakListView(outbreaks=[OutbreakView.of(one) for one in listed])
