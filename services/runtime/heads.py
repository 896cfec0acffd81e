"""The head of a request (request line and header fields) held within bounds: bytes, and seconds to arrive.

uvicorn with httptools bounds neither: a client that sends header fields for ever fills the memory, and one that never
finishes its head holds a connection for ever. Bodies are for the applications to bound.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 64 * 1024
HEAD_WITHIN_S = 10.0

_REFUSALS = {
    408: (b"Request Timeout", b"head_timeout", b"The head of the request did not arrive in time."),
    431: (b"Request Header Fields Too Large", b"head_too_large", b"The request's header fields are too large."),
}

_ANSWER = (
    b"HTTP/1.1 %d %b\r\ncontent-type: application/problem+json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b"
)


class GuardedProtocol(HttpToolsProtocol):
    """uvicorn's protocol with a bound on heads; refuses with 431 or 408 and closes the connection."""

    _head_bytes = 0
    _in_head = True
    _refused = False
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Start the clock for the first head."""
        super().connection_made(transport)
        self._start_clock()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._stop_clock()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Pass on what arrived, and refuse a head that is too long before it ends."""
        if self._refused:
            return
        super().data_received(data)
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._refuse(431)

    def on_message_begin(self) -> None:
        """Begin to count."""
        self._in_head = True
        self._head_bytes = 0
        if self._deadline is None:
            self._start_clock()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Go on to the application, unless the head was too long."""
        self._stop_clock()
        self._in_head = False
        if sum(len(name) + len(value) + 4 for name, value in self.headers) + len(self.url) > MAX_HEAD_BYTES:
            self._refuse(431)
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Drop what follows a head that was refused."""
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """As for `on_body`."""
        if not self._refused:
            super().on_message_complete()

    def _start_clock(self) -> None:
        self._deadline = self.loop.call_later(HEAD_WITHIN_S, self._refuse, 408)

    def _stop_clock(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _refuse(self, status: int) -> None:
        self._stop_clock()
        if self._refused or self.transport.is_closing():
            return
        self._refused = True
        title, code, message = _REFUSALS[status]
        body = b'{"type":"about:blank","title":"%b","status":%d,"detail":"%b","code":"%b","message":"%b"}' % (
            title,
            status,
            message,
            code,
            message,
        )
        self.transport.write(_ANSWER % (status, title, len(body), body))
        self.transport.close()
