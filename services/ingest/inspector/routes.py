"""The inspector over HTTP: a listing, a live stream, and a page from the package that shows the same.

The page holds no data. It asks for a key, keeps it in its own memory alone, and asks as everybody does.
"""

from collections.abc import Iterator
from dataclasses import replace
from importlib.resources import files

import msgspec

from services.ingest.http.exchange import HttpRequest, HttpResponse, RouteHandler, StreamedResponse
from services.ingest.http.landing import GetLanding
from services.ingest.http.presented_key import presented_key
from services.ingest.http.raw_routes import Operation
from services.ingest.inspector import inspector_openapi
from services.ingest.inspector.query import InspectorQuery, parse
from services.ingest.inspector.replica_inspector import Inspector
from services.ingest.reasons import RequestRefusal, RequestRefusedError

_ENCODER = msgspec.json.Encoder()
_PRIVATE = (b"cache-control", b"no-store")


class _InspectorRoute:
    """What listing and stream share: who looks, and at what."""

    methods = ("GET",)

    def __init__(self, inspector: Inspector) -> None:
        self._inspector = inspector

    async def _query(self, request: HttpRequest) -> InspectorQuery:
        own = await request.viewer(presented_key(request.headers))
        query = parse(request.query, self._inspector.replica)
        if own is None:
            return query
        if query.source not in {None, own}:
            raise RequestRefusedError(RequestRefusal.INSPECT_NOT_ALLOWED)
        return replace(query, source=own)


class GetListing(_InspectorRoute):
    """The handler behind `GET /v1/inspector`."""

    async def answer(self, request: HttpRequest) -> HttpResponse:
        """Answer with the newest entries."""
        query = await self._query(request)
        body = _ENCODER.encode(await self._inspector.listing(query, request.language))
        headers = (
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            (b"content-language", request.language.encode()),
            (b"vary", b"accept-language"),
            _PRIVATE,
        )
        return HttpResponse(status=200, body=body, headers=headers)


class GetStream(_InspectorRoute):
    """The handler behind `GET /v1/inspector/stream`."""

    async def answer(self, request: HttpRequest) -> StreamedResponse:
        """Answer with what comes."""
        query = await self._query(request)
        if not self._inspector.has_room:
            raise RequestRefusedError(RequestRefusal.TOO_MANY_STREAMS, headers={"retry-after": "5"}, retry_after=5)
        return StreamedResponse(
            headers=(
                (b"content-type", b"text/event-stream; charset=utf-8"),
                (b"content-language", request.language.encode()),
                (b"x-accel-buffering", b"no"),
                _PRIVATE,
            ),
            pieces=self._inspector.stream(query, request.language, request.header(b"last-event-id")),
        )


_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
PAGES = {
    "/inspector": ("index.html", b"text/html; charset=utf-8"),
    "/inspector/inspector.css": ("inspector.css", b"text/css; charset=utf-8"),
    "/inspector/inspector.js": ("inspector.js", b"text/javascript; charset=utf-8"),
}
"""The page's files by path: name in the package, media type."""


class GetPageFile:
    """The handler behind one file of the page."""

    methods = ("GET",)

    def __init__(self, name: str, media_type: bytes) -> None:
        content = (files("services.ingest.inspector") / "page" / name).read_bytes()
        self._reply = HttpResponse(
            status=200,
            body=content,
            headers=(
                (b"content-type", media_type),
                (b"content-length", b"%d" % len(content)),
                (b"content-security-policy", _POLICY),
                (b"cache-control", b"no-cache"),
                (b"referrer-policy", b"no-referrer"),
                (b"x-content-type-options", b"nosniff"),
                (b"x-frame-options", b"DENY"),
            ),
        )

    async def answer(self, _request: HttpRequest) -> HttpResponse:
        """Answer with the file."""
        return self._reply


def routes(inspector: Inspector) -> Iterator[tuple[str, RouteHandler, Operation | None]]:
    """Yield path, handler and documentation of everything about the inspector, and of the way to it."""
    yield "/", GetLanding(), None
    yield "/v1/inspector", GetListing(inspector), inspector_openapi.LISTING
    yield "/v1/inspector/stream", GetStream(inspector), inspector_openapi.STREAM
    for path, (name, media_type) in PAGES.items():
        yield path, GetPageFile(name, media_type), None
