"""HTTP as bytes: what libraries would refuse to send, and what came back, read as far as it says it goes."""

import asyncio
from dataclasses import dataclass

from tests.fuzz.edges import Edge

ENOUGH_EVENTS = 1
FIRST_EVENT_WITHIN_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back; `status` is 0 where the connection was closed without an answer. Names are lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def media_type(self) -> str:
        """The media type without parameters."""
        return self.headers.get("content-type", "").partition(";")[0]


async def ask(port: int, edge: Edge, *, within_s: float = 20.0) -> Answer:
    """Send a request and return its answer; of a stream its first event. A body that ends early ends the sending."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**22)
    try:
        async with asyncio.timeout(within_s):
            writer.write(edge.wire())
            if not edge.ends:
                writer.write_eof()
            return await _answer(reader, edge.method)
    except (ConnectionError, asyncio.IncompleteReadError):
        return Answer(status=0, headers={}, body=b"")
    finally:
        writer.close()


async def _answer(reader: asyncio.StreamReader, method: str) -> Answer:
    status, headers = 100, dict[str, str]()
    while status == 100:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        status = int(head[0].split(" ")[1])
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    if method == "HEAD" or status in {204, 304}:
        return Answer(status=status, headers=headers, body=await _nothing(reader))
    if "content-length" in headers:
        body = await reader.readexactly(int(headers["content-length"]))
    elif headers.get("content-type", "").startswith("text/event-stream"):
        body = await _first_events(reader)
    elif headers.get("transfer-encoding") == "chunked":
        body = await _chunks(reader)
    else:
        body = await reader.read()
    return Answer(status=status, headers=headers, body=body)


async def _nothing(reader: asyncio.StreamReader) -> bytes:
    """What follows where nothing may."""
    try:
        async with asyncio.timeout(0.02):
            return await reader.read(1)
    except TimeoutError:
        return b""


async def _first_events(reader: asyncio.StreamReader) -> bytes:
    body = b""
    async with asyncio.timeout(FIRST_EVENT_WITHIN_S):
        while body.count(b"event: ") < ENOUGH_EVENTS or not body.endswith((b"\n\n", b"\r\n")):
            piece = await reader.read(4096)
            if not piece:
                break
            body += piece
    return body


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        body += (await reader.readexactly(size + 2))[:-2]
    return body
