"""The proxy does to a connection what it says, and sees a COMMIT however the network cut it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import asyncpg
import pytest

from tests.faults.postgres_wire import Frontend
from tests.faults.proxy import Cut, Proxy
from tests.waiting import until
from waymark.launchers.child_process import free_port


class Echo:
    """A server that says everything back; knows how many have connected."""

    def __init__(self) -> None:
        self.port = 0
        self.heard = b""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(1000):
                self.heard += data
                writer.write(data)
        writer.close()


@pytest.fixture
async def echo() -> AsyncIterator[Echo]:
    made = Echo()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    yield made
    server.close()


@pytest.fixture
async def proxy(echo: Echo) -> AsyncIterator[Proxy]:
    async with Proxy(target=echo.port) as made:
        yield made


Connect = Callable[[Proxy], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Connects to a proxy; closes what it opened."""
    opened: list[asyncio.StreamWriter] = []

    async def to(proxy: Proxy) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        opened.append(writer)
        return reader, writer

    yield to
    for writer in opened:
        writer.transport.abort()


async def test_bytes_go_through_both_ways_and_an_end_is_passed_on(echo: Echo, proxy: Proxy, connect: Connect) -> None:
    reader, writer = await connect(proxy)
    sent = bytes(range(256)) * 2000

    writer.write(sent)
    writer.write_eof()

    assert await reader.read(-1) == sent
    assert proxy.counts["connections"] == 1


async def test_delay_comes_once_and_not_for_each_chunk(proxy: Proxy, connect: Connect) -> None:
    reader, writer = await connect(proxy)
    proxy.delay_s = 0.2
    loop = asyncio.get_running_loop()
    started = loop.time()

    for _ in range(20):
        writer.write(b"x" * 100)
        await writer.drain()
    await reader.readexactly(2000)

    assert 0.4 <= loop.time() - started < 2.0  # there and back, all on their way at once; one by one it would be 8 s


async def test_a_black_hole_swallows_and_gives_back_in_order(proxy: Proxy, connect: Connect) -> None:
    reader, writer = await connect(proxy)
    proxy.block()
    writer.write(b"first, ")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.read(1), 0.2)

    proxy.unblock()
    writer.write(b"second")

    assert await reader.readexactly(13) == b"first, second"


async def test_a_black_hole_lets_nobody_connect_to_the_server(echo: Echo, proxy: Proxy, connect: Connect) -> None:
    proxy.block()
    _, writer = await connect(proxy)
    writer.write(b"hello")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(until(lambda: bool(echo.heard)), 0.2)


async def test_a_reset_is_a_reset_and_new_connections_work(proxy: Proxy, connect: Connect) -> None:
    reader, writer = await connect(proxy)
    writer.write(b"x")
    await reader.readexactly(1)

    assert proxy.reset() == 1
    with pytest.raises(ConnectionResetError):
        await reader.readexactly(1)

    again, writing = await connect(proxy)
    writing.write(b"y")
    assert await again.readexactly(1) == b"y"


async def test_half_closed_means_that_the_server_has_no_more_to_say(echo: Echo, proxy: Proxy, connect: Connect) -> None:
    reader, writer = await connect(proxy)
    writer.write(b"x")
    await reader.readexactly(1)

    assert proxy.half_close() == 1
    assert await reader.read(-1) == b""

    writer.write(b"still there?")
    await until(lambda: echo.heard == b"xstill there?")


async def test_a_server_that_is_not_there_ends_the_connection(echo: Echo, connect: Connect) -> None:
    async with Proxy(target=free_port()) as proxy:
        reader, _ = await connect(proxy)

        assert await reader.read(1) == b""


def message(kind: bytes, body: bytes) -> bytes:
    return kind + (len(body) + 4).to_bytes(4, "big") + body


STARTUP = message(b"", (3 << 16).to_bytes(4, "big") + b"user\0waymark\0\0")
ENCRYPTION = message(b"", (80877103).to_bytes(4, "big"))


@pytest.mark.parametrize(
    ("said", "commits"),
    [
        (message(b"Q", b"COMMIT;\0"), True),
        (message(b"Q", b"commit\0"), True),
        (message(b"Q", b"  END;\0"), True),
        (message(b"Q", b"ROLLBACK;\0"), False),
        (message(b"Q", b"COMMIT PREPARED 'x'\0"), False),
        (message(b"Q", b"SELECT 'COMMIT'\0"), False),
        (message(b"P", b"s1\0COMMIT\0\0\0"), False),
        (message(b"P", b"s1\0COMMIT\0\0\0") + message(b"B", b"\0s1\0\0\0") + message(b"E", b"\0\0\0\0\0"), True),
        (message(b"P", b"s1\0SELECT 1\0\0\0") + message(b"B", b"\0s1\0\0\0") + message(b"E", b"\0\0\0\0\0"), False),
    ],
)
@pytest.mark.parametrize("piece", [1, 7, 10_000])
@pytest.mark.parametrize("opening", [STARTUP, ENCRYPTION + STARTUP])
def test_a_commit_is_seen_however_it_is_cut(said: bytes, commits: bool, piece: int, opening: bytes) -> None:
    frontend = Frontend()
    whole = opening + message(b"p", b"password\0") + said

    seen = [frontend.commits(whole[at : at + piece]) for at in range(0, len(whole), piece)]

    assert any(seen) is commits


@pytest.mark.local
@pytest.mark.parametrize(("cut", "stands"), [(Cut.AFTER, 1), (Cut.BEFORE, 0)])
async def test_after_a_cut_the_client_knows_nothing_and_the_server_all(database: str, cut: Cut, stands: int) -> None:
    port = int(database.rsplit(":", 1)[1].partition("/")[0])
    direct = await asyncpg.connect(database)
    await direct.execute("CREATE TABLE public.kept (n integer)")
    async with Proxy(target=port) as proxy:
        client = await asyncpg.connect(database.replace(f":{port}/", f":{proxy.port}/"))
        proxy.cut = lambda: cut

        with pytest.raises((ConnectionError, asyncpg.PostgresConnectionError, asyncpg.InterfaceError)):
            async with client.transaction():
                await client.execute("INSERT INTO public.kept VALUES (1)")

    await until(lambda: proxy.counts[f"commits cut {cut}"] == 1)
    assert await direct.fetchval("SELECT count(*) FROM public.kept") == stands
    await direct.close()
