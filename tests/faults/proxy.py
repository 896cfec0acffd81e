"""A TCP proxy that can spoil a connection in every way a network can: delay, black-hole, reset, half-close.

One stands between a service and an engine. It forwards bytes and knows nothing of what they mean, but for one thing:
of PostgreSQL it can cut a connection around a COMMIT (`postgres_wire` sees it): the client never learns the outcome.

What a black hole swallows is held back and goes on in order when it ends, as TCP sends lost packets again.
"""

import asyncio
import socket
import struct
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from types import TracebackType
from typing import Self

from tests.faults.postgres_wire import Frontend

CHUNK = 64 * 1024
_RESET = struct.pack("ii", 1, 0)


class Cut(StrEnum):
    """When a connection is cut around a COMMIT."""

    BEFORE = "before"
    """The server never sees it: the transaction is rolled back."""

    AFTER = "after"
    """The server has carried it out and said so; the answer is thrown away."""


@dataclass(slots=True, kw_only=True, eq=False)
class Line:
    """One connection: the client's socket and ours to the server."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    frontend: Frontend
    deaf: bool = False
    """What the server says is thrown away, and the first of it ends the connection."""

    def reset(self) -> None:
        """End both ways with RST, as a crashed machine or a firewall does."""
        for writer in (self.client, self.server):
            if not writer.is_closing():
                sock: socket.socket = writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            writer.transport.abort()


@dataclass(slots=True, kw_only=True)
class Proxy:
    """Forwards a loopback port of its own to `target`. Starts clear; every fault is an attribute or a call."""

    target: int
    name: str = ""
    delay_s: float = 0.0
    """How much later everything arrives, each way."""

    cut: Callable[[], Cut | None] = lambda: None
    """Asked at every COMMIT that passes."""

    counts: Counter[str] = field(default_factory=Counter)
    port: int = 0
    lines: set[Line] = field(default_factory=set)
    _clear: asyncio.Event = field(default_factory=asyncio.Event)
    _server: asyncio.Server | None = None
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set)

    async def __aenter__(self) -> Self:
        self._clear.set()
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port, limit=CHUNK)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        self.reset()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def block(self) -> None:
        """Begin to swallow everything: nothing arrives, nothing is refused."""
        self._clear.clear()
        self.counts["black holes"] += 1

    def unblock(self) -> None:
        """End the black hole."""
        self._clear.set()

    def reset(self) -> int:
        """Reset every connection; returns how many."""
        lines = list(self.lines)
        for line in lines:
            line.reset()
        self.counts["resets"] += len(lines)
        return len(lines)

    def half_close(self) -> int:
        """Say to every client that the server has no more to say, and go on listening to the client."""
        lines = [line for line in self.lines if not line.client.is_closing() and line.client.can_write_eof()]
        for line in lines:
            line.deaf = True
            line.client.write_eof()
        self.counts["half closes"] += len(lines)
        return len(lines)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.counts["connections"] += 1
        task = asyncio.create_task(self._accept(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection to its end, however it comes."""
        try:
            await self._clear.wait()
            from_server, to_server = await asyncio.open_connection("127.0.0.1", self.target, limit=CHUNK)
        except (OSError, asyncio.CancelledError):
            writer.transport.abort()
            return
        line = Line(client=writer, server=to_server, frontend=Frontend())
        self.lines.add(line)
        try:
            async with asyncio.TaskGroup() as ways:
                ways.create_task(self._forward(line, reader, to_server, self._said))
                ways.create_task(self._forward(line, from_server, writer, self._answered))
        except* OSError:
            pass
        finally:
            self.lines.discard(line)
            for one in (writer, to_server):
                one.close()

    async def _forward(
        self,
        line: Line,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        look: Callable[[Line, bytes], bytes],
    ) -> None:
        """Forward one way until its end; bytes wait in a queue of their own, so that delay costs no throughput."""
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(maxsize=256)
        async with asyncio.TaskGroup() as both:
            both.create_task(self._listen(reader, queue))
            both.create_task(self._pump(line, queue, writer, look))

    async def _listen(self, reader: asyncio.StreamReader, queue: "asyncio.Queue[tuple[float, bytes]]") -> None:
        loop = asyncio.get_running_loop()
        data = b"-"
        while data:
            data = await reader.read(CHUNK)
            await queue.put((loop.time() + self.delay_s, data))

    async def _pump(
        self,
        line: Line,
        queue: "asyncio.Queue[tuple[float, bytes]]",
        writer: asyncio.StreamWriter,
        look: Callable[[Line, bytes], bytes],
    ) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due, data = await queue.get()
            if due > loop.time():
                await asyncio.sleep(due - loop.time())
            await self._clear.wait()
            if not data:
                if not writer.is_closing() and writer.can_write_eof():
                    writer.write_eof()
                return
            data = look(line, data)
            if data and not writer.is_closing():
                writer.write(data)
                await writer.drain()

    def _said(self, line: Line, data: bytes) -> bytes:
        """What the client says: where a COMMIT is among it, the proxy may strike."""
        if not line.frontend.commits(data):
            return data
        self.counts["commits"] += 1
        match self.cut():
            case Cut.BEFORE:
                self.counts["commits cut before"] += 1
                line.reset()
                return b""
            case Cut.AFTER:
                self.counts["commits cut after"] += 1
                line.deaf = True
        return data

    def _answered(self, line: Line, data: bytes) -> bytes:
        """What the server says; after a cut its first word shows that it has committed, and nobody hears it."""
        if not line.deaf:
            return data
        line.reset()
        return b""
