"""What a client can do with the head of a request, against a real server on loopback."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

from services.runtime.http import heads
from services.runtime.http.server import serving


class Paper(asyncio.Transport):
    """A transport that notes what is written to it at once."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.pieces.append(bytes(data))

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        self.write(b"".join(list_of_data))

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


async def _slowly(_request: Request) -> StreamingResponse:
    async def pieces() -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    return StreamingResponse(pieces())


async def _echo(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"{len(await request.body())} {len(request.headers)}")


@pytest.fixture
async def port() -> AsyncIterator[int]:
    app = Starlette(routes=[Route("/", _echo, methods=["POST"]), Route("/slowly", _slowly)])
    async with serving(app, "127.0.0.1", 0, drain_s=1.0) as found:
        yield found


async def exchange(port: int, pieces: Iterator[bytes] | list[bytes]) -> bytes:
    """Send until the server answers or hangs up; return what it said."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)  # the server shares the loop, and the kernel takes megabytes before a drain waits
            if reader.at_eof():
                break
    except ConnectionError:
        pass
    try:
        async with asyncio.timeout(5.0):
            return await reader.read(65_536)
    except ConnectionError:
        return b""
    finally:
        writer.close()


HEAD = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n"


async def test_an_ordinary_request_is_served_and_the_connection_kept(port: int) -> None:
    twice = HEAD + b"\r\nabc" + HEAD + b"connection: close\r\n\r\nabc"

    answer = await exchange(port, [twice])

    assert answer.count(b"HTTP/1.1 200 OK") >= 1


async def test_header_fields_without_end_are_refused_before_they_fill_the_memory(port: int) -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        yield HEAD
        while sent < 64 * heads.MAX_HEAD_BYTES:
            piece = b"x-%d: %b\r\n" % (sent, b"y" * 1_000)
            sent += len(piece)
            yield piece

    answer = await exchange(port, endless())

    assert sent < 64 * heads.MAX_HEAD_BYTES, "the server read on and on"
    assert answer == b"" or answer.startswith(b"HTTP/1.1 431 ")


async def test_one_header_field_without_end_is_refused_too(port: int) -> None:
    answer = await exchange(port, [HEAD + b"x: ", b"y" * 40_000, b"y" * 40_000])

    assert answer.startswith(b"HTTP/1.1 431 ")
    assert b'"code":"head_too_large"' in answer


async def test_a_head_that_is_too_long_in_one_piece_is_refused_and_its_body_dropped(port: int) -> None:
    many = b"".join(b"x-%d: y\r\n" % number for number in range(10_000))

    answer = await exchange(port, [HEAD + many + b"\r\nabc"])

    assert answer.startswith(b"HTTP/1.1 431 ")
    assert answer.count(b"HTTP/1.1") == 1


async def test_a_head_that_never_ends_is_given_up(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "HEAD_WITHIN_S", 0.05)

    assert (await exchange(port, [HEAD])).startswith(b"HTTP/1.1 408 ")
    assert (await exchange(port, [b""])).startswith(b"HTTP/1.1 408 ")


async def test_a_slow_body_is_not_a_slow_head(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "HEAD_WITHIN_S", 0.05)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(HEAD + b"\r\na")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):  # longer than a head may take
            await reader.readline()
    writer.write(b"bc")

    assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
    writer.close()


async def test_a_head_leaves_with_its_body() -> None:
    paper = Paper()
    transport = heads.CoalescingTransport(paper, asyncio.get_running_loop())

    for piece in (b"head ", b"body", b"head ", b"body"):
        transport.write(piece)
    await asyncio.sleep(0)

    assert paper.pieces == [b"head body", b"head body"]


async def test_a_head_that_stays_alone_leaves_soon_and_in_order() -> None:
    paper = Paper()
    transport = heads.CoalescingTransport(paper, asyncio.get_running_loop())

    transport.write(b"head ")
    assert paper.pieces == []
    await asyncio.sleep(0)
    transport.write(b"piece ")
    transport.close()

    assert (paper.pieces, paper.closed) == ([b"head ", b"piece "], True)


async def test_a_head_for_a_client_that_hung_up_goes_nowhere() -> None:
    paper = Paper()
    heads.CoalescingTransport(paper, asyncio.get_running_loop()).write(b"head ")
    paper.closed = True
    await asyncio.sleep(0)

    assert paper.pieces == []


async def test_the_head_of_a_stream_does_not_wait_for_its_first_piece(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /slowly HTTP/1.1\r\nhost: x\r\n\r\n")

    async with asyncio.timeout(5.0):
        assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
    writer.close()
