"""The landing page of ingest, `/`: redirects browsers to the inspector, and lists the addresses for programs."""

import msgspec

from services.ingest.http.exchange import HttpRequest, HttpResponse

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

    async def answer(self, request: HttpRequest) -> HttpResponse:
        """Redirect a browser to the inspector, and give other clients the list of addresses."""
        return self._led if "text/html" in request.header(b"accept").lower() else self._places
