"""Answers the methods that every address has: HEAD as GET without the body, OPTIONS, and 405 with Allow.

A framework knows the methods of the one route that it found; an address has those of all its routes.
"""

from collections.abc import Iterable, Iterator, Sequence

from starlette.datastructures import MutableHeaders
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ASKED = ("GET", "POST", "PUT", "PATCH", "DELETE")


def allow(methods: Iterable[str]) -> str:
    """Return the value of the Allow header for an address that takes `methods`."""
    taken = {*methods, "OPTIONS"}
    return ", ".join(sorted(taken | {"HEAD"} if "GET" in taken else taken))


def without_body(send: Send) -> Send:
    """Return a `send` that ends the answer after its head, however much body follows; a stream ends at once."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            await send(message)
            await send({"type": "http.response.body", "body": b""})

    return sending


class MethodDefaults:
    """An ASGI middleware over `routes`, the live list of the application's routes."""

    def __init__(self, app: ASGIApp, routes: Sequence[BaseRoute]) -> None:
        self._app = app
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif (there := self._without_slash(scope)) is not None:
            await _answer(send, 307, b"location", there)
        elif scope["method"] == "OPTIONS" and (taken := list(self._taken(scope))):
            await _answer(send, 204, b"allow", allow(taken).encode())
        elif scope["method"] == "HEAD":
            await self._head(scope, receive, send)
        else:
            await self._app(scope, receive, self._with_allow(scope, send))

    async def _head(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = {**scope, "method": "GET"}
        try:
            await self._app(asked, receive, without_body(self._with_allow(scope, send)))
        finally:
            scope.update({name: found for name, found in asked.items() if name not in scope})  # the route, for metrics

    def _with_allow(self, scope: Scope, send: Send) -> Send:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 405:
                MutableHeaders(raw=message["headers"])["allow"] = allow(self._taken(scope))
            await send(message)

        return sending

    def _taken(self, scope: Scope) -> Iterator[str]:
        for method in _ASKED:
            if any(route.matches(_asking(scope, method))[0] is Match.FULL for route in self._routes):
                yield method

    def _without_slash(self, scope: Scope) -> bytes | None:
        """Return the way from an address with a slash too many to where it leads, relative for the sake of proxies.

        Only where that address is fixed: one with parameters would repeat what was sent.
        """
        path: str = scope["path"]
        if not path.endswith("/") or path == "/":
            return None
        shorter = path[:-1]
        fixed = any(getattr(route, "path", None) == shorter for route in self._routes)
        if not fixed:
            return None
        query: bytes = scope.get("query_string", b"")
        return f"../{shorter.rpartition('/')[2]}".encode() + (b"?" + query if query else b"")


def _asking(scope: Scope, method: str) -> Scope:
    return {name: scope[name] for name in ("type", "path", "root_path", "headers") if name in scope} | {
        "method": method
    }


async def _answer(send: Send, status: int, name: bytes, value: bytes) -> None:
    headers = [(name, value), *([(b"content-length", b"0")] if status != 204 else [])]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
