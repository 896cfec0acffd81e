"""One exchange of request and response: what every raw route shares, before and after its own work.

Raw routes use ASGI directly: FastAPI's machinery costs more per request than everything that ingest does (measured: 2.6
times fewer requests per second). This module chooses the language, limits what is in flight, reads the body, and writes
every refusal. Leaves the checking of keys to `authentication`, and limits to `services.ingest.protection`.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import msgspec
from starlette.types import Receive, Scope, Send

from schemas.languages import preferred_language
from services.ingest.http import body
from services.ingest.http.authentication import SourceAuthenticator
from services.ingest.http.body import BodyLimits, ClientGoneError, IncomingBody
from services.ingest.metrics import IngestMetrics
from services.ingest.protection.admission import AdmissionControl, AdmittedRequest
from services.ingest.protection.client_address import client_address
from services.ingest.reasons import RequestRefusal, RequestRefusedError
from services.ingest.results.messages import say
from services.ingest.sources.source import Source
from services.runtime.http.heads import BODY_ARRIVED
from services.runtime.http.methods import allow, without_body
from services.runtime.http.problems import Problem, problem_response
from services.runtime.telemetry.logs import get_logger

_log = get_logger(__name__)

JSON_TYPE = "application/json"

_UNREAD_S = 10.0
"""How long a client may leave unread what a stream writes; then it is let go, and comes back with Last-Event-ID."""

Headers = Mapping[bytes, bytes]
"""Lower-case names; of a header that came twice, the first counts."""


class HttpResponse(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A complete HTTP response, with its body."""

    status: int
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamedResponse:
    """An endless HTTP response; `pieces` are written as they come, and closed when the client disconnects."""

    headers: tuple[tuple[bytes, bytes], ...]
    pieces: AsyncGenerator[bytes]


class HttpRequest:
    """A request as it arrives. `added` are headers of every response to it, refusals included.

    `source` is the source that sent it, once that is known.
    """

    __slots__ = (
        "_authenticator",
        "_limits",
        "_metrics",
        "_peer",
        "added",
        "admitted",
        "headers",
        "incoming",
        "language",
        "method",
        "params",
        "path",
        "query",
        "route",
        "source",
    )

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        admitted: AdmittedRequest,
        authenticator: SourceAuthenticator,
        limits: BodyLimits,
        metrics: IngestMetrics,
    ) -> None:
        self._authenticator = authenticator
        self._limits = limits
        self._metrics = metrics
        self._peer = scope.get("client")
        self.admitted = admitted
        self.incoming = IncomingBody(receive, arrived=BODY_ARRIVED in scope.get("extensions", ()))
        self.source: Source | None = None
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.route: str = getattr(scope.get("route"), "path", "")
        self.query: bytes = scope.get("query_string", b"")
        self.params: Mapping[str, str] = scope.get("path_params", {})
        self.headers: Headers = dict(reversed(scope["headers"]))
        self.language = preferred_language(self.headers.get(b"accept-language", b"").decode("latin-1"))
        self.added: dict[str, str] = {}

    def header(self, name: bytes) -> str:
        """Return a header's value, or an empty text without the header."""
        return self.headers.get(name, b"").decode("latin-1").strip()

    @property
    def address(self) -> str:
        """The address of the client that sent it."""
        return client_address(self._peer, self.header(b"x-forwarded-for"), self._authenticator.trusted)

    async def body(self) -> bytes:
        """Return the whole body, inflated; raises `RequestRefusedError` or `ClientGoneError`."""
        whole = await body.read(self.incoming, self.headers, self._limits, self.admitted.hold_more)
        self._metrics.body_bytes.observe(len(whole))
        return whole

    async def viewer(self, key: str | None) -> str | None:
        """Return the source that the key may inspect, or None for all sources; raises `RequestRefusedError`."""
        return await self._authenticator.viewer_of(key, self.address)

    async def authenticate(self, key: str | None) -> Source:
        """Return the source that a presented key belongs to, which sends this request; raises `RequestRefusedError`."""
        return self.admit(await self._authenticator.source_of(key, self.address))

    def admit(self, source: Source) -> Source:
        """Count this request for `source`, which may be known without a key; raises `RequestRefusedError`."""
        self.source = source
        self.admitted.mark_known()
        self._authenticator.rates.take_request(source)
        return source

    def rate_limit_headers(self) -> dict[str, str]:
        """Return the headers with what is left of the source's rate limits."""
        return self._authenticator.rates.headers(self.source) if self.source is not None else {}


class RouteHandler(Protocol):
    """The work of one raw route."""

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods of the route; GET implies HEAD, OPTIONS is always answered, and all others are refused."""

    async def answer(self, request: HttpRequest) -> HttpResponse | StreamedResponse:
        """Answer the request; raises `RequestRefusedError`, or passes `ClientGoneError` on."""


RefusalListener = Callable[[HttpRequest, RequestRefusedError], None]
"""Called with each request that is refused as a whole."""


class HttpExchange:
    """The ASGI application around a handler."""

    def __init__(
        self,
        handler: RouteHandler,
        authenticator: SourceAuthenticator,
        admission: AdmissionControl,
        metrics: IngestMetrics,
        limits: BodyLimits,
        on_refusal: RefusalListener | None = None,
    ) -> None:
        self._on_refusal = on_refusal
        self._handler = handler
        self._authenticator = authenticator
        self._admission = admission
        self._metrics = metrics
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request and write its response."""
        request = HttpRequest(
            scope, receive, self._admission.request(), self._authenticator, self._limits, self._metrics
        )
        if request.method == "HEAD":
            send = without_body(send)
        try:
            response = self._method_response(request)
            if response is None:
                with request.admitted:
                    response = await self._handler.answer(request)
        except RequestRefusedError as refused:
            await self._refuse(refused, request, scope, send)
        except ClientGoneError:
            await _send(send, request, HttpResponse(status=408, body=b"", headers=()))  # heard by nobody, but counted
        else:
            if isinstance(response, HttpResponse):
                await _send(send, request, response)
            else:
                await _stream(send, receive, request, response)

    def _method_response(self, request: HttpRequest) -> HttpResponse | StreamedResponse | None:
        """Return the response that a method alone gets: None where the handler has to answer."""
        taken = self._handler.methods
        if request.method in taken or (request.method == "HEAD" and "GET" in taken):
            return None
        if request.method == "OPTIONS":
            return HttpResponse(status=204, body=b"", headers=((b"allow", allow(taken).encode()),))
        raise RequestRefusedError(RequestRefusal.METHOD_NOT_ALLOWED, headers={"allow": allow(taken)})

    async def _refuse(self, refused: RequestRefusedError, request: HttpRequest, scope: Scope, send: Send) -> None:
        reason, incoming = refused.refusal, request.incoming
        if reason is not RequestRefusal.BODY_TIMEOUT and b"expect" not in request.headers:
            await incoming.discard(2 * self._limits.wire_bytes, self._limits.timeout_s)
        if self._on_refusal is not None:
            self._on_refusal(request, refused)
        self._metrics.refused.labels(str(reason)).inc()
        _log.debug("request refused", reason=str(reason))
        headers = {
            "content-language": str(request.language),
            **request.added,
            **request.rate_limit_headers(),
            **refused.headers,
        }
        if not incoming.ended:
            headers["connection"] = "close"
        problem = Problem(refused.status, str(reason), say(reason, request.language, **refused.facts), headers=headers)
        await problem_response(problem)(scope, incoming.receive, send)


async def _send(send: Send, request: HttpRequest, response: HttpResponse) -> None:
    headers = list(response.headers)
    headers += [
        (name.encode("latin-1"), value.encode("latin-1"))
        for name, value in (request.added | request.rate_limit_headers()).items()
    ]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})


async def _stream(send: Send, receive: Receive, request: HttpRequest, stream: StreamedResponse) -> None:
    """Write a stream until it ends, the client goes, or the client does not read what it is sent."""
    headers = [
        *stream.headers,
        *((name.encode("latin-1"), value.encode("latin-1")) for name, value in request.added.items()),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    if request.method == "HEAD":
        await stream.pieces.aclose()
        return
    writing = asyncio.create_task(_write(send, stream.pieces), name="stream")
    leaving = asyncio.create_task(_gone(receive), name="stream's client")
    try:
        await asyncio.wait({writing, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (writing, leaving):
            task.cancel()
        await asyncio.gather(writing, leaving, return_exceptions=True)
        await stream.pieces.aclose()


async def _write(send: Send, pieces: AsyncGenerator[bytes]) -> None:
    async for piece in pieces:
        async with asyncio.timeout(_UNREAD_S):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
