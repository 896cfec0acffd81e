"""Raw routes: documented like all other routes, and found by one lookup in a table before anything else runs.

Their requests are measured and their failures answered as usual. They skip the rest of the API's machinery (its limit
of bodies, telemetry, exception handlers, exit stacks, route matching), which would cost as much as the work itself.
"""

from collections.abc import Awaitable, Iterable, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from services.runtime.http.application import mount_beside

Operation = Mapping[str, Any]
"""An OpenAPI operation: `summary`, `description`, `operationId`, `tags`, `responses` (the first is the good one),
`requestBody`, `security`."""

_NO_PARAMS: Mapping[str, str] = {}


class RawRoute(APIRoute):
    """A FastAPI route for the documentation, served by our own ASGI application; undocumented without `operation`.

    `path` may have whole segments as parameters: `/v1/sources/{source}/webhook`. `method` is the one documented.
    """

    def __init__(self, path: str, app: ASGIApp, operation: Operation | None = None, method: str = "POST") -> None:
        shown = operation or {"operationId": None, "responses": {200: {}}}
        extra = {name: shown[name] for name in ("requestBody", "security", "parameters") if name in shown}
        super().__init__(
            path,
            _documented,
            methods=[method],
            summary=shown.get("summary"),
            description=shown.get("description"),
            operation_id=shown["operationId"],
            tags=list(shown.get("tags", ())),
            status_code=next(iter(shown["responses"])),
            responses=dict(shown["responses"]),
            openapi_extra=extra,
            include_in_schema=operation is not None,
        )
        self.app = app


class RouteTable:
    """Raw routes by path: one lookup for a fixed path, and one for each shape of path with parameters."""

    def __init__(self, routes: Iterable[RawRoute]) -> None:
        self._fixed: dict[str, RawRoute] = {}
        self._shapes: dict[tuple[int, tuple[int, ...]], dict[tuple[str, ...], RawRoute]] = {}
        for route in routes:
            self._add(route)

    def find(self, path: str) -> tuple[RawRoute, Mapping[str, str]] | None:
        """Return the route for `path` with the values of its parameters."""
        fixed = self._fixed.get(path)
        if fixed is not None:
            return fixed, _NO_PARAMS
        if not self._shapes:
            return None
        segments = path.split("/")
        for (length, open_at), known in self._shapes.items():
            if length == len(segments):
                route = known.get(tuple(part for at, part in enumerate(segments) if at not in open_at))
                if route is not None:
                    names = route.path.split("/")
                    return route, {names[at].strip("{}"): segments[at] for at in open_at}
        return None

    def _add(self, route: RawRoute) -> None:
        segments = route.path.split("/")
        open_at = tuple(at for at, part in enumerate(segments) if part.startswith("{"))
        if not open_at:
            self._fixed[route.path] = route
            return
        fixed = tuple(part for at, part in enumerate(segments) if at not in open_at)
        self._shapes.setdefault((len(segments), open_at), {})[fixed] = route


class RawRouteApp:
    """The application to serve: requests for raw routes go straight there, whatever their method; others to the API."""

    def __init__(self, api: FastAPI, table: RouteTable) -> None:
        self.api = api
        self._table = table
        self._raw = mount_beside(api, _to_its_route)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a raw route, or pass the request on."""
        found = self._table.find(scope["path"]) if scope["type"] == "http" else None
        if found is None:
            await self.api(scope, receive, send)
            return
        scope["route"], scope["path_params"] = found  # the first is what the request metrics go by
        await self._raw(scope, receive, send)


def _to_its_route(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
    route: RawRoute = scope["route"]
    return route.app(scope, receive, send)


async def _documented() -> None:
    """Stand in for the endpoint, of which FastAPI reads the documentation only."""


def mount(api: FastAPI, routes: Iterable[RawRoute]) -> RawRouteApp:
    """Show `routes` in the documentation of `api`, and return the application that serves both."""
    listed = list(routes)
    api.router.routes.extend(listed)
    return RawRouteApp(api, RouteTable(listed))
