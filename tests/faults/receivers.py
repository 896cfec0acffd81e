"""Receivers of webhooks that behave as badly as the internet does, on bare sockets; each remembers what it was told.

A *manner* is what a receiver does once a request has arrived: `fine`, `status(500)`, `drip_headers`, … It writes to the
socket as it likes and says whether the connection stays. Signatures are checked by `sink.is_signed`.
"""

import asyncio
import contextlib
import gzip
import socket
import struct
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Any, Self

import orjson

from tests.faults.sink import is_signed

OK = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n"
_RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request, as it arrived. `at` is of the monotonic clock."""

    webhook_id: str
    body: bytes
    timestamp: str
    signatures: str
    signed: bool
    at: float
    wall: float
    """Seconds since 1970."""

    @property
    def opened_at(self) -> float:
        """When the issue was opened, in seconds since 1970."""
        return datetime.fromisoformat(self.document["data"]["opened_at"]).timestamp()

    @property
    def document(self) -> dict[str, Any]:
        """The body, read."""
        return dict(orjson.loads(self.body))

    @property
    def issue(self) -> str:
        """The issue that it is about; empty for a message about the service itself."""
        return str(self.document["data"].get("id", ""))

    @property
    def sequence(self) -> int:
        """Its number within the issue."""
        return int(self.document.get("sequence", 0))


Manner = Callable[["Receiver", Call, asyncio.StreamWriter], Awaitable[bool]]


async def fine(_receiver: "Receiver", _call: Call, writer: asyncio.StreamWriter) -> bool:
    """Take it, and keep the connection."""
    writer.write(OK + b"content-length: 2\r\n\r\nok")
    return True


def status(code: int, **headers: str) -> Manner:
    """Answer with a status; underscores in names of headers stand for hyphens."""

    async def answer(_receiver: "Receiver", _call: Call, writer: asyncio.StreamWriter) -> bool:
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        writer.write(f"HTTP/1.1 {code} Whatever\r\ncontent-length: 0\r\n{lines}\r\n".encode())
        return True

    return answer


def slow(seconds: float) -> Manner:
    """Take it, after so many seconds."""

    async def answer(receiver: "Receiver", call: Call, writer: asyncio.StreamWriter) -> bool:
        await asyncio.sleep(seconds)
        return await fine(receiver, call, writer)

    return answer


async def reset_mid_body(_receiver: "Receiver", _call: Call, writer: asyncio.StreamWriter) -> bool:
    """Promise a kilobyte, say ten bytes, and reset."""
    writer.write(OK + b"content-length: 1000\r\n\r\n0123456789")
    await writer.drain()
    await asyncio.sleep(0.05)
    sock: socket.socket = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
    return False


async def endless_body(_receiver: "Receiver", _call: Call, writer: asyncio.StreamWriter) -> bool:
    """200, and a body that never ends, as fast as it is read."""
    writer.write(OK + b"transfer-encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"4000\r\n" + bytes(0x4000) + b"\r\n")
        await writer.drain()


async def drip_headers(_receiver: "Receiver", _call: Call, writer: asyncio.StreamWriter) -> bool:
    """Begin to answer, a byte at a time, for ever."""
    writer.write(b"HTTP/1.1 200 OK\r\nx-slow: ")
    while True:
        await asyncio.sleep(0.3)
        writer.write(b"a")
        await writer.drain()


async def drip_body(_receiver: "Receiver", _call: Call, writer: asyncio.StreamWriter) -> bool:
    """200, and a body of which a byte comes every 0.3 s."""
    writer.write(OK + b"content-length: 100000\r\n\r\n")
    while True:
        await asyncio.sleep(0.3)
        writer.write(b"a")
        await writer.drain()


async def gigabyte(_receiver: "Receiver", _call: Call, writer: asyncio.StreamWriter) -> bool:
    """200, and a gigabyte, of the length that is said."""
    writer.write(OK + b"content-length: 1073741824\r\n\r\n")
    for _ in range(1024):
        writer.write(bytes(1024 * 1024))
        await writer.drain()
    return True


async def long_header(_receiver: "Receiver", _call: Call, writer: asyncio.StreamWriter) -> bool:
    """200, with a header line of 100 KB."""
    writer.write(OK + b"x-long: " + b"a" * 100_000 + b"\r\ncontent-length: 0\r\n\r\n")
    return True


_BOMB = gzip.compress(bytes(64 * 1024 * 1024), 9)


async def gzip_bomb(_receiver: "Receiver", _call: Call, writer: asyncio.StreamWriter) -> bool:
    """200, and 64 KB that become 64 MB for whoever unpacks them."""
    head = OK + b"content-encoding: gzip\r\ncontent-length: " + str(len(_BOMB)).encode() + b"\r\n\r\n"
    writer.write(head + _BOMB)
    return True


async def half_close(_receiver: "Receiver", _call: Call, writer: asyncio.StreamWriter) -> bool:
    """Say that nothing more comes, without having said anything, and go on listening."""
    writer.write_eof()
    await asyncio.sleep(30)
    return False


async def silence(_receiver: "Receiver", _call: Call, _writer: asyncio.StreamWriter) -> bool:
    """Never answer."""
    await asyncio.sleep(3600)
    return False


@dataclass(slots=True, kw_only=True)
class Receiver:
    """Listens on a loopback port of its own; `manner` may be changed at any time. `secret` is the endpoint's."""

    manner: Manner = fine
    secret: str = ""
    endpoint: str = ""
    took_all: bool = True
    """Whether it never refused anything, so that whatever comes twice is a repeat."""

    calls: list[Call] = field(default_factory=list)
    port: int = 0
    _server: asyncio.Server | None = None
    _open: set[asyncio.StreamWriter] = field(default_factory=set)
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, backlog=512)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.down()

    async def down(self) -> None:
        """Listen no more: connections are refused from now on."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._open):
            writer.transport.abort()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def up(self) -> None:
        """Listen again, on the same port."""
        await self.__aenter__()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def ids(self) -> Counter[str]:
        """Calls by webhook-id."""
        return Counter(call.webhook_id for call in self.calls)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._open.add(writer)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                while await self._one(reader, writer):
                    pass
        except asyncio.CancelledError:
            pass  # the receiver goes down; the server's own callback would tell of it
        finally:
            self._open.discard(writer)
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in head[1:])
        headers = {name.strip().lower(): value.strip() for name, colon, value in pairs if colon}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        call = self._call(headers, body)
        self.calls.append(call)
        stays = await self.manner(self, call, writer)
        if stays:
            await writer.drain()
        return stays

    def _call(self, headers: Mapping[str, str], body: bytes) -> Call:
        return Call(
            webhook_id=headers.get("webhook-id", ""),
            body=body,
            timestamp=headers.get("webhook-timestamp", ""),
            signatures=headers.get("webhook-signature", ""),
            signed=is_signed(self.secret, headers, body),
            at=time.monotonic(),
            wall=time.time(),
        )
