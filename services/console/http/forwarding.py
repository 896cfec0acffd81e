"""Forwards what the closed list names: `/api/alerts/v1/issues` of the console is `/v1/issues` of alerts.

The path is built anew from the template and its segments, so what was not foreseen cannot be asked for.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from services.console.forwarded import ApiName, ForwardedRoute, forwarded_routes, right_for
from services.console.http.access import (
    ConsoleParts,
    parts_of,
    refuse_strangers,
    require_right,
    require_session,
    require_token,
)
from services.console.roles import Right
from services.console.sessions import ConsoleSession
from services.console.upstream import UnansweredError, UpstreamAnswer
from services.runtime.credentials.persons import PERSON_HEADER
from services.runtime.http.event_stream import HEADERS, bye_frame
from services.runtime.http.problems import Problem, problem_response

_SENT_ON = ("accept", "accept-language", "content-type", "last-event-id")
_PASSED_BACK = ("content-type", "content-language", "content-location", "retry-after", "vary", "x-waymark-caught")
_EMPTY_SEGMENTS = {"", ".", ".."}
_STREAM_TYPE = "text/event-stream"


class StreamDesk:
    """The live streams that go through this process: how many there may be, and their end when it stops."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open = 0
        self._closing = asyncio.Event()

    @property
    def has_room(self) -> bool:
        """Whether one more may go through."""
        return self._open < self._most and not self._closing.is_set()

    def close(self) -> None:
        """End all streams; their readers resume elsewhere, or when we are back."""
        self._closing.set()

    async def passed_on(self, parts: ConsoleParts, answer: UpstreamAnswer, last: bytes) -> AsyncIterator[bytes]:
        """Yield what comes until either side ends it; `last` where this process ends it."""
        self._open += 1
        parts.metrics.streams.set(self._open)
        pieces = answer.pieces()
        closing = asyncio.ensure_future(self._closing.wait())
        try:
            while True:
                coming = asyncio.ensure_future(anext(pieces, None))
                await asyncio.wait({coming, closing}, return_when=asyncio.FIRST_COMPLETED)
                if not coming.done():
                    coming.cancel()
                    await asyncio.wait({coming})
                    yield last
                    return
                piece = coming.result()
                if piece is None:
                    return
                yield piece
        finally:
            closing.cancel()
            self._open -= 1
            parts.metrics.streams.set(self._open)


def routes(desk: StreamDesk) -> Iterator[Route]:
    """Yield a route for each entry of the list."""
    for one in forwarded_routes():
        yield Route(
            f"/api/{one.api}{one.path}", _Forwarding(one, desk).answer, methods=[one.method], include_in_schema=False
        )


class _Forwarding:
    """The handler behind one entry of the list."""

    def __init__(self, route: ForwardedRoute, desk: StreamDesk) -> None:
        self._route = route
        self._right = right_for(route)
        self._desk = desk

    async def answer(self, request: Request) -> Response:
        """Ask the API with the key of the session, and pass its answer on."""
        refuse_strangers(request)
        session = require_session(request)
        if self._route.method != "GET":
            require_token(request, session)
        require_right(session, self._right)
        if self._route.streams and not self._desk.has_room:
            message = "Too many streams are open here; try again."
            raise Problem(503, "stream_full", message, headers={"retry-after": "5"})
        parts = parts_of(request)
        headers = {name: request.headers[name] for name in _SENT_ON if name in request.headers}
        headers |= {**_shown_as(parts, session, self._right), "accept-encoding": "identity"}
        body = b"" if self._route.method == "GET" else await request.body()
        try:
            answer = await self._asked(parts, request, headers, body)
        except UnansweredError as error:
            return problem_response(unanswered(error.api))
        return problem_response(_invalid_key(session)) if answer.status_code == 401 else answer

    async def _asked(self, parts: ConsoleParts, request: Request, headers: dict[str, str], body: bytes) -> Response:
        route = self._route
        async with AsyncExitStack() as stack:
            asking = parts.upstream.asking(
                route.api, route.method, self._target(request), headers=headers, body=body, streams=route.streams
            )
            answer = await stack.enter_async_context(asking)
            passed = {name: answer.headers[name] for name in _PASSED_BACK if name in answer.headers}
            if route.streams and answer.status == 200:
                passing = stack.pop_all()
                is_events = answer.headers.get("content-type", "").startswith(_STREAM_TYPE)
                last = bye_frame("restart") if is_events else b""

                async def pieces() -> AsyncIterator[bytes]:
                    async with passing:
                        async for piece in self._desk.passed_on(parts, answer, last):
                            yield piece

                return StreamingResponse(pieces(), headers={**HEADERS, **passed})
            return _passed_back(answer.status, await answer.read(), passed)

    def _target(self, request: Request) -> str:
        """Return path and query for the API."""
        given: dict[str, str] = request.path_params
        if any(value in _EMPTY_SEGMENTS for value in given.values()):
            raise Problem(404, "no_such_route", "There is nothing at this address.")
        path = self._route.path.format(**{name: quote(value, safe=":") for name, value in given.items()})
        return f"{path}?{request.url.query}" if request.url.query else path


def _shown_as(parts: ConsoleParts, session: ConsoleSession, right: Right) -> dict[str, str]:
    """Return the headers that say who asks: with a key of their own, or by name with one of the console's."""
    if session.key:
        return {"authorization": f"Bearer {session.key}"}
    key = parts.settings.own_keys.get(right.key_kind)
    if key is None:  # the settings changed since this person signed in
        raise Problem(401, "session_over", "Your session is over; sign in again.")
    return {"authorization": f"Bearer {key}", PERSON_HEADER: quote(session.label, safe="")}


def _passed_back(status: int, content: bytes, headers: dict[str, str]) -> Response:
    return Response(content, status_code=status, headers={**headers, "cache-control": "no-store"})


def _invalid_key(session: ConsoleSession) -> Problem:
    """Return the problem of a key that was revoked, or has expired: whose session it is, or the console's own."""
    if session.key:
        return Problem(401, "session_over", "Your key is not valid any more; sign in with another.")
    return Problem(503, "console_key_invalid", "A key of the console is not valid any more; tell whoever operates it.")


def unanswered(api: ApiName) -> Problem:
    """Return the problem of an API that does not answer."""
    message = f"{api} does not answer; try again."
    return Problem(503, f"{api}_unanswered", message, headers={"retry-after": "5"})
