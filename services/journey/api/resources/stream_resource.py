"""Live streams: what changes about one customer, or about all, as server-sent events that can be resumed."""

from collections.abc import AsyncGenerator
from typing import Annotated, Any

from fastapi import Header
from fastapi.responses import StreamingResponse

from services.journey.api.messages import ReadRefusal, refuse
from services.journey.api.resources.access import Api, Language, problems, reader_router
from services.journey.api.resources.lookups import Reference, count_lookup, customer_named
from services.runtime.http.event_stream import HEADERS

router = reader_router()

LastEventId = Annotated[
    str | None, Header(description="The `id` of the last event that you got; nothing after it is missed.")
]

_EVENTS = """
Events are named `friction` (data: friction v1) and `journey` (journey v1), each whenever a new revision or version is
made: detected, changed, taken back; opened, gone on, closed, merged, dissolved. Within half a second or so of the
worker's commit. `id` says where to resume: send the last one back as `Last-Event-ID` and nothing is missed, though some
may come again; keep the highest `revision` or `version`. `ready` starts a fresh stream; `resync` says that the id is
too old: read again what you show. A comment comes every 15 seconds; `bye` says why the server lets a client go (`slow`,
`restart`). Browsers' EventSource cannot send the Authorization header; use fetch and read the body as a stream.
"""
_STREAM: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}}


@router.get(
    "/stream",
    summary="Follow all customers live",
    description=_EVENTS,
    tags=["customers"],
    response_class=StreamingResponse,
    responses={**_STREAM},
)
async def follow_all(
    api: Api, last_event_id: LastEventId = None, accept_language: Language = None
) -> StreamingResponse:
    """Stream the changes of all customers as they happen."""
    _check_room(api, accept_language)
    return _streaming(api.live.stream(last_event_id))


@router.get(
    "/customers/{reference:path}/stream",
    summary="Follow one customer live",
    description=f"Follows the customer through merges.\n{_EVENTS}",
    tags=["customers"],
    response_class=StreamingResponse,
    responses={**_STREAM, **problems(404)},
)
async def follow_customer(
    api: Api, reference: Reference, last_event_id: LastEventId = None, accept_language: Language = None
) -> StreamingResponse:
    """Stream the changes of one customer as they happen."""
    _check_room(api, accept_language)
    customer = await api.live.find(customer_named(api, reference, accept_language))
    count_lookup(api, found=customer is not None)
    if customer is None:
        raise refuse(ReadRefusal.CUSTOMER_UNKNOWN, accept_language)
    return _streaming(api.live.stream(last_event_id, customer))


def _check_room(api: Api, accept_language: str | None) -> None:
    if not api.live.listeners.has_room:
        raise refuse(ReadRefusal.STREAM_FULL, accept_language)


def _streaming(events: AsyncGenerator[bytes]) -> StreamingResponse:
    return StreamingResponse(events, media_type="text/event-stream", headers=HEADERS)
