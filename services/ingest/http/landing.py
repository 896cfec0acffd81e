"""The front door of ingest, `/`: people are led to the inspector, programs get the addresses that there are."""

import msgspec

from services.ingest.http.exchange import HttpRequest, HttpResponse, RequestBody

_PLACES = {
    "send": "v1/touchpoints",
    "inspector": "inspector",
    "documentation": "docs",
    "openapi": "openapi.json",
    "ready": "readyz?verbose",
}
"""Relative, so that they are right behind any prefix."""

_VARY = (b"vary", b"accept")


class GetLanding:
    """The handler behind `GET /`."""

    methods = ("GET", "HEAD")

    def __init__(self) -> None:
        body = msgspec.json.encode({"name": "Waymark ingest", "places": _PLACES})
        length = (b"content-length", b"%d" % len(body))
        self._places = HttpResponse(
            status=200, body=body, headers=((b"content-type", b"application/json"), length, _VARY)
        )
        self._led = HttpResponse(
            status=303, body=b"", headers=((b"location", b"inspector"), (b"content-length", b"0"), _VARY)
        )

    async def answer(self, request: HttpRequest, _request_body: RequestBody) -> HttpResponse:
        """Answer a browser with the way to the inspector, anything else with the addresses."""
        return self._led if "text/html" in request.header(b"accept").lower() else self._places
