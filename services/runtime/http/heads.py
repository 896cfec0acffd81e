"""Heads: of a request (request line and header fields), held within bounds; of an answer, held until its body comes.

uvicorn with httptools bounds neither bytes nor seconds of a head: a client that sends header fields for ever fills the
memory, and one that never finishes its head holds a connection for ever. It also writes the head of an answer by
itself: a system call, a packet and a wake-up of the reader more. Bodies are for the applications to bound.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

BODY_ARRIVED = "waymark.body_arrived"
"""An extension in the scope of a request whose whole body is here: reading it does not wait."""

MAX_HEAD_BYTES = 64 * 1024
HEAD_WITHIN_S = 10.0

_REFUSALS = {
    408: (b"Request Timeout", b"head_timeout", b"The head of the request did not arrive in time."),
    431: (b"Request Header Fields Too Large", b"head_too_large", b"The request's header fields are too large."),
}

_ANSWER = (
    b"HTTP/1.1 %d %b\r\ncontent-type: application/problem+json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b"
)


class CoalescingTransport:
    """A transport that writes the head of an answer together with its body, as one piece.

    A head that stays alone (of a stream, for example) leaves at the end of this turn of the loop, so nothing waits
    for long and at most one piece is held. Everything but writing is the transport's own.
    """

    __slots__ = ("_held", "_loop", "_transport", "get_extra_info", "is_closing", "pause_reading", "resume_reading")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held: bytes | None = None
        self.get_extra_info = transport.get_extra_info
        self.is_closing = transport.is_closing
        self.pause_reading = transport.pause_reading
        self.resume_reading = transport.resume_reading

    def __getattr__(self, name: str) -> Any:
        """Return what else a transport has."""
        return getattr(self._transport, name)

    def write(self, piece: bytes) -> None:
        """Hold the first piece, write it with the second."""
        if self._held is None:
            self._held = piece
            self._loop.call_soon(self._flush)
        else:
            head, self._held = self._held, None
            self._transport.writelines((head, piece))

    def close(self) -> None:
        """Close once all is written."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        alone, self._held = self._held, None
        if alone is not None and not self._transport.is_closing():  # the client may have hung up meanwhile
            self._transport.write(alone)


class GuardedProtocol(HttpToolsProtocol):
    """uvicorn's protocol with limits on request heads; answers 431 or 408 and closes the connection."""

    _head_bytes = 0
    _arriving = 0
    _in_head = True
    _refused = False
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Start the clock for the first head."""
        super().connection_made(CoalescingTransport(transport, self.loop))  # type: ignore[arg-type]  # all that uvicorn needs
        self._start_clock()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timer of the current head."""
        self._stop_clock()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Pass on what arrived, and refuse a head that is too long before it ends."""
        if self._refused:
            return
        self._arriving = len(data)
        super().data_received(data)
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._refuse(431)
            elif self._deadline is None:
                self._start_clock()

    def on_message_begin(self) -> None:
        """Start to count the bytes of a head."""
        self._in_head = True
        self._head_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Go on to the application, unless the head was too long."""
        self._stop_clock()
        self._in_head = False
        if self._head_bytes + self._arriving > MAX_HEAD_BYTES and self._head_length() > MAX_HEAD_BYTES:
            self._refuse(431)
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Drop what follows a head that was refused."""
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """As for `on_body`; the application learns that the body is whole, if it has not begun to read it."""
        if not self._refused:
            self.scope["extensions"] = {BODY_ARRIVED: {}}
            super().on_message_complete()

    def _head_length(self) -> int:
        return sum(len(name) + len(value) + 4 for name, value in self.headers) + len(self.url)

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
