"""What became of published touchpoints, for ingest, with the secret that both services share."""

from typing import Final

from fastapi import APIRouter, Depends, Request, Response
from fastapi.security import HTTPBearer

from services.journey.api import outcomes
from services.journey.api.messages import ReadRefusal, refuse
from services.journey.api.resources.access import Api, Language, problems, require_ingest
from services.journey.read.views import OutcomesView

router = APIRouter(
    prefix="/v1",
    dependencies=[
        Depends(HTTPBearer(auto_error=False, scheme_name="ingest", description="The secret that ingest shares.")),
        Depends(require_ingest),
    ],
    responses=problems(401, 422, 503),
)

_ASKED: Final = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["touchpoints"],
                    "properties": {
                        "touchpoints": {"type": "array", "maxItems": outcomes.MOST, "items": {"type": "object"}}
                    },
                }
            }
        },
    }
}


@router.post(
    "/touchpoints/outcomes",
    summary="What became of touchpoints, for ingest",
    tags=["touchpoints"],
    openapi_extra=_ASKED,
    response_model=OutcomesView,
)
async def tell_outcomes(api: Api, request: Request, accept_language: Language = None) -> Response:
    """Say of each touchpoint, as it was published, what became of it: applied, late, duplicate, conflict, dead letter.

    One that is in no table yet is `waiting`. Nothing is changed by asking.
    """
    try:
        body = await outcomes.answer(api.pool, await request.body())
    except outcomes.MalformedQuestionError as error:
        raise refuse(ReadRefusal.INVALID_REQUEST, accept_language) from error
    return Response(content=body, media_type="application/json")
