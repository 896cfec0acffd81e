"""The pages: files of the package, below strict rules of what a browser may run.

Scripts come from here alone, and a sink that turns text into script takes none. Every address of a page gets the same
document, with a base by which relative addresses go, so that it works below any path.
"""

import hashlib
import re
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.console.catalogue_script import NAME, catalogue_script

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_BASE = b'<base href="./">'
_IMPORT_MAP = re.compile(rb'<script type="importmap">(.*?)</script>', re.DOTALL)

PAGES = (
    *("/", "/inbox", "/issues/{issue}", "/customers", "/customers/{reference}"),
    *("/outbreaks", "/map", "/funnels", "/heat", "/rules", "/rules/{rule}", "/impact", "/inspector", "/pipeline"),
)
"""The addresses of pages; the script decides what is shown there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageFile:
    """A file that browsers load."""

    content: bytes
    media_type: str
    tag: str


def _folder() -> Traversable:
    return files("services.console") / "pages"


def _read(folder: Traversable, before: str = "") -> Iterator[tuple[str, PageFile]]:
    for entry in sorted(folder.iterdir(), key=lambda one: one.name):
        ending = entry.name[entry.name.rfind(".") :]
        if entry.is_dir():
            yield from _read(entry, f"{before}{entry.name}/")
        elif ending in _TYPES:
            yield before + entry.name, _file(entry.read_bytes(), ending)


def _file(content: bytes, ending: str) -> PageFile:
    tag = f'"{hashlib.sha256(content).hexdigest()[:20]}"'
    return PageFile(content=content, media_type=_TYPES[ending], tag=tag)


FILES = {**dict(_read(_folder())), NAME: _file(catalogue_script(), ".js")}
"""Every file by its path below `/static/`."""

DOCUMENT = (_folder() / "index.html").read_bytes()


def policy_of(document: bytes) -> str:
    """Return the Content-Security-Policy for a document with one import map."""
    found = _IMPORT_MAP.search(document)
    digest = b64encode(hashlib.sha256(found[1] if found else b"").digest()).decode()
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' 'sha256-{digest}'",
            "style-src 'self'",
            "img-src 'self' data:",
            "connect-src 'self'",
            "base-uri 'self'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )


_SAFE = {
    "content-security-policy": policy_of(DOCUMENT),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


def routes() -> Iterator[Route]:
    """Yield the routes of pages and files."""
    for path in PAGES:
        yield Route(path, page, methods=["GET"], include_in_schema=False)
    yield Route("/static/{name:path}", static_file, methods=["GET"], include_in_schema=False)


async def page(request: Request) -> Response:
    """Return the document, with the base that this address needs."""
    depth = request.url.path.count("/") - 1
    document = DOCUMENT.replace(_BASE, b'<base href="%s">' % (b"../" * depth or b"./"))
    return Response(document, media_type="text/html; charset=utf-8", headers={**_SAFE, "cache-control": "no-store"})


async def static_file(request: Request) -> Response:
    """Return a file, or say that the browser's copy is the same."""
    found = FILES.get(request.path_params["name"])
    if found is None:
        return Response(status_code=404, headers=_SAFE)
    headers = {**_SAFE, "etag": found.tag, "cache-control": "no-cache"}
    if request.headers.get("if-none-match") == found.tag:
        return Response(status_code=304, headers=headers)
    return Response(found.content, media_type=found.media_type, headers=headers)
