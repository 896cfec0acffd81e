"""The resource of the live stream: every change of an issue as server-sent events that can be resumed."""

from typing import Annotated

from fastapi import APIRouter, Header
from fastapi.responses import StreamingResponse

from services.alerts.api.access import InjectedParts, Reader, problems
from services.runtime.http.event_stream import HEADERS
from services.runtime.http.problems import Problem

router = APIRouter(prefix="/v1", tags=["issues"], responses=problems(401, 403, 503))

_EVENTS = """
Each event is named for what happened (`issue.opened`, `issue.updated`, `issue.acknowledged`, `issue.reopened`,
`issue.resolved`, `issue.merged`), its `data` is issue v1, its `id` is where to go on: send the last one back as
`Last-Event-ID` and nothing is missed. `ready` starts a fresh stream; `resync` says that the id is too old: read
`/v1/issues` again. A comment comes every 15 seconds; `bye` says why the server lets a client go (`slow`, `restart`).
Browsers' EventSource cannot send the Authorization header; use fetch and read the body as a stream.
"""


@router.get(
    "/stream",
    summary="Follow issues live",
    description=_EVENTS,
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)
async def stream(
    parts: InjectedParts, _: Reader, last_event_id: Annotated[str | None, Header()] = None
) -> StreamingResponse:
    """Stream the changes of issues as they happen."""
    if not parts.live.has_room:
        raise Problem(503, "stream_full", "Too many streams are open here; try again.", headers={"retry-after": "5"})
    return StreamingResponse(
        parts.live.stream(last_event_id),
        media_type="text/event-stream",
        headers=HEADERS,
    )
