"""The resource of the live stream: every change of an issue as server-sent events that can be resumed."""

from typing import Annotated

from fastapi import APIRouter, Header, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from services.alerts.api.access import InjectedParts, Reader, problems
from services.alerts.issues.model import AlertSeverity
from services.alerts.live.feed_filter import FeedFilter
from services.runtime.http.event_stream import HEADERS
from services.runtime.http.fields import PlainText
from services.runtime.http.problems import Problem

router = APIRouter(prefix="/v1", tags=["issues"], responses=problems(401, 403, 422, 503))

_EVENTS = """
Each event is named for what happened (`issue.opened`, `issue.updated`, `issue.acknowledged`, `issue.reopened`,
`issue.resolved`, `issue.merged`), its `data` is issue v1, its `id` is where to go on: send the last one back as
`Last-Event-ID` and nothing is missed. `ready` starts a fresh stream; `resync` says that the id is too old: read
`/v1/issues` again. A comment comes every 15 seconds; `bye` says why the server lets a client go (`slow`, `restart`).
With `team`, `severity` or `owner` (repeat a name to give several) only such issues come, and `issue.left` says that a
change made one leave them: drop its row. One that comes to them may begin with any event. Browsers' EventSource cannot
send the Authorization header; use fetch and read the body as a stream.
"""

StreamWord = Annotated[PlainText, Field(max_length=200)]
MOST_WORDS = 50


class StreamQuery(BaseModel):
    """Which issues to follow; a parameter that is left out does not restrict them. Repeat a name to give several."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    severity: list[AlertSeverity] = Field([], max_length=MOST_WORDS)
    team: list[StreamWord] = Field([], max_length=MOST_WORDS, description="Names of teams, one of which has it.")
    owner: list[StreamWord] = Field([], max_length=MOST_WORDS, description="The people one of whom has it.")

    def wanted(self) -> FeedFilter:
        """Return the filter that the parameters describe."""
        return FeedFilter(
            severities=frozenset(severity.value for severity in self.severity),
            teams=frozenset(self.team),
            owners=frozenset(self.owner),
        )


@router.get(
    "/stream",
    summary="Follow issues live",
    description=_EVENTS,
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)
async def stream(
    parts: InjectedParts,
    _: Reader,
    query: Annotated[StreamQuery, Query()],
    last_event_id: Annotated[str | None, Header()] = None,
) -> StreamingResponse:
    """Stream the changes of issues as they happen."""
    if not parts.live.has_room:
        raise Problem(503, "stream_full", "Too many streams are open here; try again.", headers={"retry-after": "5"})
    return StreamingResponse(
        parts.live.stream(last_event_id, query.wanted()),
        media_type="text/event-stream",
        headers=HEADERS,
    )
