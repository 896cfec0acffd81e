"""Reads a request's body, with limits on its bytes, its time of arrival and its inflated bytes.

Content-Length only serves to refuse early; the bytes that arrive are counted. Inflation goes piece by piece, so a
decompression bomb is detected after `max_inflated_bytes` and never held in memory. Leaves the meaning of
the bytes to `services.ingest.forms`.
"""

import asyncio
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from starlette.types import Receive

from services.ingest.reasons import RequestRefusal, RequestRefusedError

ACCEPTED_ENCODINGS = "gzip, deflate"

_IDLE_S = 2.0
"""Seconds of silence after which a client whose body is refused is taken to have stopped sending."""


class ClientGoneError(Exception):
    """The client disconnected before its body was complete, so no response is needed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyLimits:
    """The limits of a body: bytes on the wire, bytes after inflation, seconds to arrive."""

    wire_bytes: int
    inflated_bytes: int
    timeout_s: float


class IncomingBody:
    """A request's body as it arrives; knows whether it has ended, and whether it had arrived whole at the start."""

    __slots__ = ("arrived", "ended", "receive")

    def __init__(self, receive: Receive, *, arrived: bool = False) -> None:
        self.receive = receive
        self.arrived = arrived
        self.ended = False

    async def piece(self) -> bytes:
        """Return the next piece; raises `ClientGoneError`."""
        message = await self.receive()
        if message["type"] == "http.disconnect":
            self.ended = True
            raise ClientGoneError
        self.ended = not message.get("more_body", False)
        piece: bytes = message.get("body", b"")
        return piece

    async def discard(self, at_most: int, within_s: float) -> None:
        """Read and drop the rest, within limits: a client that is still sending would not read the response."""
        loop = asyncio.get_running_loop()
        end = loop.time() + within_s
        try:
            async with asyncio.timeout_at(min(end, loop.time() + _IDLE_S)) as deadline:
                while at_most > 0 and not self.ended:
                    at_most -= len(await self.piece())
                    deadline.reschedule(min(end, loop.time() + _IDLE_S))
        except (TimeoutError, ClientGoneError):
            return


async def read(
    incoming: IncomingBody, headers: Mapping[bytes, bytes], limits: BodyLimits, hold: Callable[[int], None]
) -> bytes:
    """Return the whole body, inflated; `hold` gets the length of every piece, and may refuse it.

    Raises:
        RequestRefusedError: it is too large, too slow, or not what Content-Encoding says.
        ClientGoneError: the client hung up.
    """
    inflater = _inflater(headers.get(b"content-encoding", b""), limits.inflated_bytes)
    _check_declared_length(headers.get(b"content-length", b""), limits.wire_bytes)
    if incoming.arrived:  # a clock costs more than reading what is here
        pieces = await _pieces(incoming, inflater, limits, hold)
    else:
        try:
            async with asyncio.timeout(limits.timeout_s):
                pieces = await _pieces(incoming, inflater, limits, hold)
        except TimeoutError:
            raise RequestRefusedError(RequestRefusal.BODY_TIMEOUT, limit=f"{limits.timeout_s:g}") from None
    inflater.finish()
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


async def _pieces(
    incoming: IncomingBody, inflater: "_Inflater", limits: BodyLimits, hold: Callable[[int], None]
) -> list[bytes]:
    pieces: list[bytes] = []
    arrived = 0
    while not incoming.ended:
        piece = await incoming.piece()
        arrived += len(piece)
        if arrived > limits.wire_bytes:
            raise RequestRefusedError(RequestRefusal.BODY_TOO_LARGE, limit=limits.wire_bytes)
        if piece:
            pieces.append(inflater.feed(piece))
            hold(len(pieces[-1]))
    return pieces


def _check_declared_length(declared: bytes, limit: int) -> None:
    if declared.isdigit() and (len(declared) > 18 or int(declared) > limit):
        raise RequestRefusedError(RequestRefusal.BODY_TOO_LARGE, limit=limit)


class _Inflater(Protocol):
    def feed(self, piece: bytes) -> bytes:
        """Return what `piece` inflates to."""

    def finish(self) -> None:
        """Refuse data that is cut off."""


def _inflater(content_encoding: bytes, limit: int) -> _Inflater:
    name = content_encoding.strip().lower()
    if name in {b"", b"identity"}:
        return _Verbatim()
    if name in {b"gzip", b"x-gzip"}:
        return _Zlib("gzip", limit)
    if name == b"deflate":
        return _Zlib("deflate", limit)
    raise RequestRefusedError(
        RequestRefusal.UNSUPPORTED_ENCODING,
        headers={"accept-encoding": ACCEPTED_ENCODINGS},
        accepted=ACCEPTED_ENCODINGS,
    )


class _Verbatim:
    """No encoding."""

    def feed(self, piece: bytes) -> bytes:
        """Return the piece as it is."""
        return piece

    def finish(self) -> None:
        """Nothing can be missing."""


_GZIP_BITS = 31
_ZLIB_BITS = 15
_RAW_BITS = -15
_MOST_MEMBERS = 64
"""Of one gzip body. Writers that flush make a few; a body of nothing but empty members would only burn our time."""


class _Zlib:
    """gzip, of several members if need be, or deflate, with the zlib wrapper (RFC 9110) or without (old clients)."""

    def __init__(self, name: str, limit: int) -> None:
        self._name = name
        self._left = limit
        self._limit = limit
        self._stream = zlib.decompressobj(_GZIP_BITS) if name == "gzip" else None
        self._begun = False
        self._members = 1

    def feed(self, piece: bytes) -> bytes:
        """Return what `piece` inflates to, refusing to go past the limit."""
        out: list[bytes] = []
        try:
            while piece:
                piece = self._step(piece, out)
        except zlib.error:
            raise RequestRefusedError(RequestRefusal.INVALID_ENCODING, encoding=self._name) from None
        return b"".join(out)

    def finish(self) -> None:
        """Refuse a body whose last member is not complete; an empty body is `document`'s to refuse."""
        if self._begun and (self._stream is None or not self._stream.eof):
            raise RequestRefusedError(RequestRefusal.INVALID_ENCODING, encoding=self._name)

    def _step(self, piece: bytes, out: list[bytes]) -> bytes:
        stream = self._open(piece)
        inflated = stream.decompress(piece, self._left + 1)
        self._left -= len(inflated)
        if self._left < 0:
            raise RequestRefusedError(RequestRefusal.INFLATED_TOO_LARGE, limit=self._limit)
        out.append(inflated)
        return stream.unconsumed_tail or stream.unused_data

    def _open(self, piece: bytes) -> "zlib._Decompress":
        self._begun = True
        if self._stream is None:
            # A zlib header is 0x?8 first, and a multiple of 31 over both bytes; the first byte is enough in practice.
            self._stream = zlib.decompressobj(_ZLIB_BITS if piece[0] & 0x0F == 8 else _RAW_BITS)
        elif self._stream.eof:
            self._members += 1
            if self._name != "gzip" or self._members > _MOST_MEMBERS:
                raise zlib.error("data after the end")
            self._stream = zlib.decompressobj(_GZIP_BITS)
        return self._stream
