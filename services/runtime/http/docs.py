"""`/docs`: an application's reference, to read and to try, without the internet and below any path prefix."""

from functools import cache
from importlib.resources import files

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

SERVERS = [{"url": "./", "description": "Where this document is."}]
"""Relative to the document, as OpenAPI 3 allows: behind a proxy too, requests go where the document came from."""

_ASSETS = {
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "swagger-ui.css": "text/css; charset=utf-8",
    "favicon.png": "image/png",
}
_FOLDER = "static-offline-docs"


def add_docs(app: FastAPI) -> None:
    """Add the page and its files; it refers to them, and to `openapi.json`, by relative links."""
    page = get_swagger_ui_html(
        openapi_url="openapi.json",
        title=app.title,
        swagger_js_url=f"{_FOLDER}/swagger-ui-bundle.js",
        swagger_css_url=f"{_FOLDER}/swagger-ui.css",
        swagger_favicon_url=f"{_FOLDER}/favicon.png",
    )

    async def docs(_request: Request) -> Response:
        return page

    async def asset(request: Request) -> Response:
        name = request.url.path.rpartition("/")[2]
        return Response(_content(name), media_type=_ASSETS[name])

    app.router.routes.append(Route("/docs", docs, include_in_schema=False))
    app.router.routes.extend(Route(f"/{_FOLDER}/{name}", asset, include_in_schema=False) for name in _ASSETS)


@cache
def _content(name: str) -> bytes:
    """Read a file when somebody first looks: two megabytes that most processes never need."""
    return (files("fastapi_offline") / "static" / name).read_bytes()
