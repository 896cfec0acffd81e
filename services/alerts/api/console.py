"""The console at `/`: one page from the package, without a build and without the internet.

The page holds no data; it asks for a key and talks to the same API as everybody.
"""

from importlib.resources import files

from fastapi import APIRouter
from fastapi.responses import Response

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
async def page() -> Response:
    """The page."""
    return _file("index.html")


@router.get("/console.css")
async def style() -> Response:
    """How it looks."""
    return _file("console.css")


@router.get("/console.js")
async def script() -> Response:
    """What it does."""
    return _file("console.js")


def _file(name: str) -> Response:
    return Response(_PAGES[name], media_type=_FILES[name] + "; charset=utf-8", headers=_HEADERS)
