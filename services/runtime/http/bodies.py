"""Limits the size of request bodies; the application's own handlers refuse a larger one, like any other request."""

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class BodyLimit:
    """An ASGI middleware that lets an application read no more than `most` bytes.

    A body that nobody reads is not refused: it is not held either. That of a GET or HEAD is passed over, however large:
    a stream listens for the client's end beside its answer, and a refusal would come after the answer began.
    """

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = app
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limited = scope["method"] not in {"GET", "HEAD"}
        announced = _announced(scope)
        read = 0
        answered = False

        async def sending(message: Message) -> None:
            nonlocal answered
            answered = True
            await send(message)

        async def receiving() -> Message:
            nonlocal read
            if limited and announced > self._most and not answered:
                raise HTTPException(413)
            message = await receive()
            if not limited:
                return {**message, "body": b""} if "body" in message else message
            read += len(message.get("body", b""))
            if read > self._most and not answered:
                raise HTTPException(413)
            return message

        await self._app(scope, receiving, sending)


def _announced(scope: Scope) -> int:
    text = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
    return int(text) if text.isdigit() else 0
