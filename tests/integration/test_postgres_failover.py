"""Sessions and the servers behind them: who is written to when a primary falls, hangs, or takes no writes any more."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import psycopg
import pytest

from services.runtime.postgres import pools
from services.runtime.postgres.pools import (
    TRANSIENT,
    Pool,
    acquire,
    close_pool,
    create_pool,
    is_transient,
    ping,
    transaction,
)
from tests.fixtures.replication import FrozenServer, ask, demand, promote, several, start_standby
from tests.waiting import until
from waymark.launchers.postgres import PostgresServer, StopMode

pytestmark = pytest.mark.local

MOVED_WITHIN_S = 5.0


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[PostgresServer, PostgresServer]]:
    """A primary with a table `notes`, and a standby that follows it."""
    with PostgresServer(tmp_path / "a", settings=("fsync=off",)) as primary:
        with_notes(primary)
        standby = start_standby(primary, tmp_path / "b", settings=("fsync=off",))
        try:
            yield primary, standby
        finally:
            standby.stop(StopMode.IMMEDIATE)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PostgresServer]:
    with PostgresServer(tmp_path / "alone", settings=("fsync=off",)) as alone:
        with_notes(alone)
        yield alone


def with_notes(server: PostgresServer) -> None:
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("CREATE TABLE notes (port integer)")


@asynccontextmanager
async def pool_of(url: str, **how: object) -> AsyncIterator[Pool]:
    pool = await create_pool(url, application_name="test", **{"size": 3, "writes": True, **how})  # type: ignore[arg-type]  # options of every type
    try:
        yield pool
    finally:
        await close_pool(pool, within_s=1.0)


async def write(pool: Pool) -> int:
    """Write a note, and return the port of the server that took it."""
    async with transaction(pool) as connection:
        port: int = await connection.fetchval("SELECT current_setting('port')::integer")
        await connection.execute("INSERT INTO notes VALUES ($1)", port)
        return port


async def written(pool: Pool) -> int | None:
    """The same, None where it failed for a reason that will pass."""
    try:
        return await write(pool)
    except TRANSIENT:
        return None


async def occupied(pool: Pool, sessions: int) -> None:
    """Have so many sessions open at once, and give them back."""
    async with asyncio.TaskGroup() as tasks:
        for _ in range(sessions):
            tasks.create_task(hold(pool))


async def hold(pool: Pool) -> None:
    async with acquire(pool) as connection:
        await connection.execute("SELECT pg_sleep(0.2)")


async def test_writes_go_on_at_the_promoted_standby_and_never_at_the_old_primary_that_came_back(
    pair: tuple[PostgresServer, PostgresServer], tmp_path: Path
) -> None:
    first, second = pair
    async with pool_of(several(first, second)) as pool:
        assert await write(pool) == first.port
        await asyncio.to_thread(first.stop, StopMode.IMMEDIATE)
        assert await written(pool) is None
        assert not (await ping(pool)).ok
        await asyncio.to_thread(promote, second)
        assert await until(lambda: written(pool), within=MOVED_WITHIN_S) == second.port
        assert (await ping(pool)).ok
        old = await asyncio.to_thread(start_standby, second, tmp_path / "c", port=first.port)
        try:
            await pool.expire_connections()  # new sessions find the old primary first in the URL
            assert {await write(pool) for _ in range(3)} == {second.port}
        finally:
            await asyncio.to_thread(old.stop, StopMode.IMMEDIATE)


async def test_a_standby_alone_is_no_server_for_writing_and_readiness_says_so(
    pair: tuple[PostgresServer, PostgresServer],
) -> None:
    _, standby = pair
    with pytest.raises(asyncpg.TargetServerAttributeNotMatched):
        await create_pool(standby.url(), application_name="test", writes=True)
    async with pool_of(standby.url(), writes=False) as reading:
        async with acquire(reading) as connection:
            assert await connection.fetchval("SELECT count(*) FROM notes") == 0
        assert (await ping(reading, writes=False)).ok
        found = await ping(reading)
        assert (found.ok, found.detail) == (False, "a standby answers, it takes no writes")


async def test_a_server_that_an_operator_made_read_only_loses_every_session_at_once_and_gets_them_back(
    server: PostgresServer,
) -> None:
    async with pool_of(server.url()) as pool:
        await occupied(pool, 3)
        assert await write(pool) == server.port
        await asyncio.to_thread(demand, server, "default_transaction_read_only", "on")
        await until(lambda: refused(pool))
        assert not (await ping(pool)).ok
        assert await written(pool) is None
        await asyncio.to_thread(demand, server, "default_transaction_read_only", "off")
        assert await until(lambda: written(pool), within=MOVED_WITHIN_S) == server.port
        assert (await ping(pool)).ok


async def refused(pool: Pool) -> bool:
    return await written(pool) is None


async def test_one_refused_write_discards_the_other_sessions_too_where_only_the_address_moves(
    pair: tuple[PostgresServer, PostgresServer],
) -> None:
    first, second = pair
    async with moving(first.port) as door:
        url = first.url().replace(f":{first.port}/", f":{door.port}/")
        async with pool_of(url, writes=False) as pool:
            await occupied(pool, 3)
            await asyncio.to_thread(demand, first, "default_transaction_read_only", "on")
            await asyncio.to_thread(promote, second)
            door.leads_to = second.port  # what is open stays where it is, as after a change of a name or a service
            await until(lambda: refused(pool))
            assert {await write(pool) for _ in range(3)} == {second.port}
            async with acquire(pool) as one, acquire(pool) as other, acquire(pool) as third:
                ports = [await c.fetchval("SELECT current_setting('port')::integer") for c in (one, other, third)]
            assert set(ports) == {second.port}


async def test_a_server_that_hangs_is_left_for_the_next_one_within_the_limit_of_a_statement(
    pair: tuple[PostgresServer, PostgresServer],
) -> None:
    first, second = pair
    loop = asyncio.get_running_loop()
    async with pool_of(several(first, second), statement_timeout_s=1.0) as pool:
        await occupied(pool, 3)
        await asyncio.to_thread(promote, second)
        with FrozenServer(first):
            began = loop.time()
            assert await until(lambda: written(pool), within=20.0) == second.port
            took = loop.time() - began
    assert took < 1.0 + 5.0 + 3.0 + 1.0, "the statement's limit, ours on top, and one look at the silent server"


async def test_a_role_without_a_free_connection_and_a_server_that_shuts_down_are_failures_of_the_moment(
    server: PostgresServer,
) -> None:
    await asyncio.to_thread(ask, server, "CREATE ROLE few LOGIN PASSWORD 'few' CONNECTION LIMIT 1")
    url = f"postgresql://few:few@127.0.0.1:{server.port}/waymark"
    async with pool_of(url) as pool, acquire(pool):
        with pytest.raises(asyncpg.TooManyConnectionsError) as error:
            async with acquire(pool):
                pass
        assert is_transient(error.value)
        assert (await ping(pool)).detail == "TooManyConnectionsError"
    async with pool_of(url) as pool:
        await asyncio.to_thread(server.restart)
        assert (await pools.retrying(lambda: count(pool), within_s=MOVED_WITHIN_S)) == 1


async def count(pool: Pool) -> int:
    async with acquire(pool) as connection:
        found: int = await connection.fetchval("SELECT 1")
        return found


class Door:
    """A port that leads to another one."""

    def __init__(self, leads_to: int) -> None:
        self.leads_to = leads_to
        self.port = 0


@asynccontextmanager
async def moving(port: int) -> AsyncIterator[Door]:
    """A door that may lead elsewhere later; what has gone through it stays where it is."""
    door = Door(port)

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs, ours = await asyncio.open_connection("127.0.0.1", door.leads_to)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(pour(reader, ours))
            tasks.create_task(pour(theirs, writer))

    listening = await asyncio.start_server(carry, "127.0.0.1", 0)
    door.port = listening.sockets[0].getsockname()[1]
    try:
        yield door
    finally:
        listening.close()


async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()
