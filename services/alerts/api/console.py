"""A page of this API's own at `/`: static files from the package that need neither a build nor the internet.

The page contains no data; it asks for a key and uses the same API as everybody. Where there is a console, `/` leads
there, with the issue that an old link names: browsers take the part behind `#` along.
"""

from importlib.resources import files
from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

router = APIRouter(include_in_schema=False)

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "cache-control": "no-cache",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
_FILES = {"index.html": "text/html", "console.css": "text/css", "console.js": "text/javascript"}
_PAGES = {name: (files("services.alerts") / "console" / name).read_bytes() for name in _FILES}


@router.get("/")
async def page(request: Request) -> Response:
    """Lead to the console; where there is none, or its address is this one, return the page."""
    url = _console_of(request)
    if url and urlsplit(url).netloc != request.headers.get("host", ""):
        return RedirectResponse(f"{url.rstrip('/')}/", status_code=302, headers={"cache-control": "no-cache"})
    return _file("index.html")


@router.get("/console.css")
async def style() -> Response:
    """Return the stylesheet of the console."""
    return _file("console.css")


@router.get("/console.js")
async def script() -> Response:
    """Return the script of the console."""
    return _file("console.js")


def _console_of(request: Request) -> str:
    parts = getattr(request.app.state, "parts", None)
    return parts.console_url if parts is not None else ""


def _file(name: str) -> Response:
    return Response(_PAGES[name], media_type=_FILES[name] + "; charset=utf-8", headers=_HEADERS)
