"""Strips the path prefix under which a reverse proxy shows an application, where the proxy passes it on.

Our pages, documents and headers refer to one another relatively, so a proxy that removes the prefix needs nothing of
this. A prefix that is left on is removed here; addresses without it work too.
"""

from starlette.types import ASGIApp, Receive, Scope, Send


class PrefixStripper:
    """Serves an application below `prefix`, which is written as `value_forms.path_prefix` describes."""

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self._app = app
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; the bare prefix leads to itself with a slash, by which relative addresses go."""
        if scope["type"] == "http" and scope["path"] == self._prefix:
            there = f"{self._prefix.rpartition('/')[2]}/".encode()
            headers = [(b"location", there), (b"content-length", b"0")]
            await send({"type": "http.response.start", "status": 307, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
            return
        if scope["type"] == "http" and scope["path"].startswith(f"{self._prefix}/"):
            raw: bytes = scope.get("raw_path") or scope["path"].encode()
            stripped = {"path": scope["path"][len(self._prefix) :], "raw_path": raw[len(self._prefix) :]}
            await self._app({**scope, **stripped}, receive, send)
            return
        await self._app(scope, receive, send)
