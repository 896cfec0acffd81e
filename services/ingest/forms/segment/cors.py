"""CORS: tells browsers which web pages may send, and checks the origin on our side as well.

A preflight has no key, so it is answered for the origins of all sources together. The request itself is then checked
against the origins of its own source. A source without origins accepts nothing from web pages.
"""

from services.ingest.http.exchange import HttpRequest, HttpResponse
from services.ingest.reasons import RequestRefusal, RequestRefusedError
from services.ingest.sources.source import Source

ANY = "*"

_HEADERS = (
    "authorization, content-type, content-encoding, x-retry-count, x-write-key, x-ip-policy, x-enable-debug, "
    "accept-language, traceparent"
)
_EXPOSED = "retry-after, ratelimit, ratelimit-policy"
_REMEMBERED_S = 7200
"""Seconds that a browser may remember a preflight; none of them takes more."""


def allow_origin(request: HttpRequest, allowed: frozenset[str]) -> None:
    """Let a page of an allowed origin read the response, even if it is a refusal."""
    origin = request.header(b"origin")
    request.added["vary"] = "origin"
    if origin and _allows(allowed, origin):
        request.added["access-control-allow-origin"] = origin
        request.added["access-control-expose-headers"] = _EXPOSED


def check_origin(request: HttpRequest, source: Source) -> None:
    """Refuse a page whose origin this source does not allow; clients other than browsers send no origin."""
    origin = request.header(b"origin")
    if origin and not _allows(source.origins, origin):
        request.added.pop("access-control-allow-origin", None)
        raise RequestRefusedError(RequestRefusal.ORIGIN_NOT_ALLOWED)


def preflight(request: HttpRequest) -> HttpResponse:
    """Answer the OPTIONS request of a browser."""
    if "access-control-allow-origin" in request.added:
        request.added["access-control-allow-methods"] = "POST"
        request.added["access-control-allow-headers"] = _HEADERS
        request.added["access-control-max-age"] = str(_REMEMBERED_S)
    return HttpResponse(status=200, body=b"", headers=((b"content-length", b"0"), (b"allow", b"POST, OPTIONS")))


def _allows(allowed: frozenset[str], origin: str) -> bool:
    return ANY in allowed or origin in allowed
