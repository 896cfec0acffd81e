"""The console at `/`: static files from the package that need neither a build nor the internet.

The page contains no data; it asks for a key and uses the same API as everybody.
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
    """Return the page of the console."""
    return _file("index.html")


@router.get("/console.css")
async def style() -> Response:
    """Return the stylesheet of the console."""
    return _file("console.css")


@router.get("/console.js")
async def script() -> Response:
    """Return the script of the console."""
    return _file("console.js")


def _file(name: str) -> Response:
    return Response(_PAGES[name], media_type=_FILES[name] + "; charset=utf-8", headers=_HEADERS)
