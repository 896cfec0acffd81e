"""One touchpoint of a source: where it stands now, and what it led to."""

from typing import Annotated

from fastapi import Path
from pydantic import StringConstraints

from services.journey.api.messages import ReadRefusal, refuse
from services.journey.api.resources.access import Api, Language, problems, reader_router
from services.journey.read.touchpoint_fate import TouchpointFateView
from services.runtime.http.fields import PlainText

router = reader_router()

Name = Annotated[PlainText, StringConstraints(min_length=1, max_length=255), Path()]


@router.get(
    "/touchpoints/{source}/{touchpoint}",
    summary="What a touchpoint led to",
    tags=["journeys"],
    responses=problems(404, 422),
    response_model_exclude_none=True,
)
async def read_fate(api: Api, source: Name, touchpoint: Name, accept_language: Language = None) -> TouchpointFateView:
    """Its customer, its journey, and the frictions that it is evidence of; nothing of what it says."""
    found = await api.fates.fate(source, touchpoint)
    if found is None:
        raise refuse(ReadRefusal.TOUCHPOINT_UNKNOWN, accept_language)
    return found
