"""A webhook receiver that answers 200 and keeps the connection: `python -m benchmarks.peers.sink`.

Written on the bare protocol, so that it costs next to nothing of what is measured. Prints its port, then, for every
line on its standard input, how many requests came and how many different webhook-ids they had.
"""

import asyncio
import sys

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-type: text/plain\r\n\r\nok"


class Sink(asyncio.Protocol):
    """One connection; requests come one after the other, as aiohttp sends them."""

    ids: set[bytes] = set()
    requests = 0

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._buffer[:end]).lower()
            length = int(_header(head, b"content-length") or 0)
            if len(self._buffer) < end + 4 + length:
                return
            del self._buffer[: end + 4 + length]
            Sink.requests += 1
            Sink.ids.add(_header(head, b"webhook-id"))
            assert self._transport is not None
            self._transport.write(ANSWER)


def _header(head: bytes, name: bytes) -> bytes:
    _, found, rest = head.partition(b"\r\n" + name + b":")
    return rest.partition(b"\r\n")[0].strip() if found else b""


async def serve() -> None:
    """Answer until the standard input ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Sink, "127.0.0.1", 0, backlog=1024)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    while await asyncio.to_thread(sys.stdin.readline):
        sys.stdout.write(f"{Sink.requests} {len(Sink.ids)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(serve())
