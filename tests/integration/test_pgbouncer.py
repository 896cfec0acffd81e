"""PgBouncer before PostgreSQL, in session and in transaction mode: what works, and what is said where it cannot."""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest

from services.alerts.wakeups import Wakeups
from services.runtime.postgres.address import PoolerMode
from services.runtime.postgres.pools import (
    DatabasePlace,
    Pool,
    acquire,
    close_pool,
    create_pool,
    direct_place_of,
    ping,
    place_of,
    transaction,
)
from services.runtime.settings import CommonSettings, SettingsError
from tests.fixtures.authority import Authority
from tests.fixtures.command import run_waymark
from tests.fixtures.pgbouncer import PgBouncer
from tests.waiting import until
from waymark.launchers.postgres import PostgresServer
from waymark.migrations.migrate import migrate

pytestmark = pytest.mark.pgbouncer

STATEMENT_S = 30.0
DROPPED = "jit, statement_timeout, lock_timeout, idle_in_transaction_session_timeout, tcp_keepalives_idle, " + (
    "tcp_keepalives_interval, tcp_keepalives_count"
)
HELD = {"statement_timeout": "30s", "lock_timeout": "8s", "idle_in_transaction_session_timeout": "3s", "jit": "off"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    with PostgresServer(tmp_path_factory.mktemp("behind"), settings=("fsync=off",)) as behind:
        yield behind


@pytest.fixture
def in_session(server: PostgresServer, tmp_path: Path) -> Iterator[PgBouncer]:
    with PgBouncer(tmp_path / "bouncer", server, "session") as pooler:
        yield pooler


@pytest.fixture
def in_transaction(server: PostgresServer, tmp_path: Path) -> Iterator[PgBouncer]:
    with PgBouncer(tmp_path / "bouncer", server, "transaction", servers=3) as pooler:
        yield pooler


@asynccontextmanager
async def pool_of(url: str, pooler: PoolerMode, size: int = 6) -> AsyncIterator[Pool]:
    pool = await create_pool(DatabasePlace(url=url, pooler=pooler), application_name="test", size=size, writes=True)
    try:
        yield pool
    finally:
        await close_pool(pool, within_s=1.0)


async def held(pool: Pool) -> dict[str, str]:
    async with transaction(pool) as connection:
        return {name: await connection.fetchval("SELECT current_setting($1)", name) for name in HELD}


async def test_an_unannounced_pooler_is_named_with_the_setting_that_mends_it(in_session: PgBouncer) -> None:
    with pytest.raises(SettingsError) as error:
        await create_pool(in_session.url(), application_name="test")
    assert error.value.problems == [
        "WAYMARK_POSTGRES: leads to a pooler such as PgBouncer, which keeps sessions in its own way: set "
        "WAYMARK_POSTGRES_POOLER to its pool_mode, session or transaction"
    ]


@pytest.mark.parametrize("mode", ["session", "transaction"])
async def test_a_pooler_that_drops_what_a_session_asks_for_is_found_out_too(
    server: PostgresServer, tmp_path: Path, mode: str
) -> None:
    with (
        PgBouncer(tmp_path / "bouncer", server, mode, ignored=DROPPED) as pooler,
        pytest.raises(SettingsError, match="WAYMARK_POSTGRES_POOLER"),
    ):
        await create_pool(pooler.url(), application_name="test")


async def test_transaction_mode_is_not_taken_for_session_mode(in_transaction: PgBouncer) -> None:
    with pytest.raises(SettingsError, match=r"WAYMARK_POSTGRES_POOLER: is session, but .* set it to transaction"):
        await create_pool(DatabasePlace(url=in_transaction.url(), pooler=PoolerMode.SESSION), application_name="test")


async def test_a_way_past_the_pooler_that_leads_through_one_is_named(in_session: PgBouncer) -> None:
    common = settings(in_session.url(), "transaction", direct=in_session.url())
    with pytest.raises(SettingsError, match="WAYMARK_POSTGRES_DIRECT: leads to a pooler"):
        await create_pool(direct_place_of(common), application_name="test")


def test_transaction_mode_without_a_way_past_it_is_refused_where_sessions_are_needed() -> None:
    common = settings("postgresql://waymark@127.0.0.1:6432/waymark", "transaction")
    assert place_of(common).pooler is PoolerMode.TRANSACTION
    with pytest.raises(SettingsError, match="WAYMARK_POSTGRES_DIRECT: is not set"):
        direct_place_of(common)
    session = settings("postgresql://waymark@127.0.0.1:6432/waymark", "session")
    assert direct_place_of(session) == place_of(session)


async def test_sessions_through_session_mode_are_what_they_are_without_it(in_session: PgBouncer) -> None:
    async with pool_of(in_session.url(), PoolerMode.SESSION) as pool:
        assert await held(pool) == HELD
        assert await held(pool) == HELD, "lent again"
        assert (await ping(pool)).ok


async def test_wake_ups_and_signs_of_life_come_through_session_mode(in_session: PgBouncer) -> None:
    async with pool_of(in_session.url(), PoolerMode.SESSION) as pool:
        wakeups = Wakeups(pool, ("waymark_test",), owner="test")
        listening = asyncio.create_task(wakeups.run())
        try:
            await until(lambda: wakeups.alive)
            await wakeups.wait("waymark_test", 0.1)  # the one that every new session gives
            async with acquire(pool) as connection:
                await connection.execute("SELECT pg_notify($1, '')", "waymark_test")
            assert await wakeups.wait("waymark_test", 5.0)
        finally:
            listening.cancel()


async def test_every_transaction_through_transaction_mode_has_its_limits_and_leaves_none_behind(
    in_transaction: PgBouncer, server: PostgresServer
) -> None:
    async with pool_of(in_transaction.url(), PoolerMode.TRANSACTION) as pool:
        assert await held(pool) == HELD
        async with acquire(pool) as connection:
            assert await connection.fetchval("SELECT current_setting('lock_timeout')") == "8s", "alone as well"
        assert (await ping(pool)).ok
    with psycopg.connect(in_transaction.url(), prepare_threshold=None) as somebody_else:
        assert somebody_else.execute("SELECT current_setting('lock_timeout')").fetchone() == ("0",)


async def test_many_clients_of_few_servers_each_get_their_own_answers(in_transaction: PgBouncer) -> None:
    """Statements with arguments are two exchanges: on two servers the second would meet somebody else's statement."""

    async def ask(number: int) -> None:
        async with acquire(pool) as connection:
            for _ in range(20):
                assert await connection.fetchval("SELECT $1::integer", number) == number
                assert await connection.fetchval(f"SELECT $1::text || '-{number}'", str(number)) == f"{number}-{number}"
                rows = await connection.fetch("SELECT unnest($1::integer[])", [number, number])
                assert [row[0] for row in rows] == [number, number]

    async with pool_of(in_transaction.url(), PoolerMode.TRANSACTION, size=12) as pool, asyncio.TaskGroup() as tasks:
        for number in range(12):
            tasks.create_task(ask(number))


async def test_copying_and_many_rows_at_once_go_through_transaction_mode(in_transaction: PgBouncer) -> None:
    async with pool_of(in_transaction.url(), PoolerMode.TRANSACTION) as pool, acquire(pool) as connection:
        await connection.execute("CREATE TABLE IF NOT EXISTS copied (n integer, at xid8 DEFAULT pg_current_xact_id())")
        await connection.copy_records_to_table("copied", records=[(1,), (2,)], columns=["n"])
        await connection.executemany("INSERT INTO copied (n) VALUES ($1)", [(3,), (4,)])
        (row,) = await connection.fetch("SELECT sum(n) AS n, count(DISTINCT at) AS transactions FROM copied")
        assert (row["n"], row["transactions"]) == (10, 2)


@pytest.mark.parametrize("mode", ["session", "transaction"])
async def test_migrations_go_through_either_mode(server: PostgresServer, tmp_path: Path, mode: str) -> None:
    with PgBouncer(tmp_path / "bouncer", server, mode) as pooler:
        assert (await asyncio.to_thread(migrate, pooler.url())).up_to_date


@pytest.mark.parametrize("mode", ["session", "transaction"])
def test_commands_work_through_either_mode_and_doctor_is_content(
    server: PostgresServer, tmp_path: Path, mode: str
) -> None:
    with PgBouncer(tmp_path / "bouncer", server, mode) as pooler:
        past = {"WAYMARK_POSTGRES_DIRECT": server.url()} if mode == "transaction" else {}
        environ = {"WAYMARK_POSTGRES": pooler.url(), "WAYMARK_POSTGRES_POOLER": mode, **past}
        assert run("migrate", environ=environ).returncode == 0
        made = run("keys", "create", "--source", f"ivr-{mode}", environ=environ)
        assert made.returncode == 0, made.stderr
        assert f"ivr-{mode}" in run("keys", "list", environ=environ).stdout
        found = findings(environ)
    assert {found[name] for name in ("postgres", "writes", "clock", "migrations", "sessions")} == {"fine"}


def test_doctor_tells_a_pooler_that_no_setting_speaks_of_and_a_way_past_it_that_is_missing(
    in_transaction: PgBouncer,
) -> None:
    assert findings({"WAYMARK_POSTGRES": in_transaction.url()})["sessions"] == "broken"
    lacking = {"WAYMARK_POSTGRES": in_transaction.url(), "WAYMARK_POSTGRES_POOLER": "transaction"}
    assert findings(lacking)["sessions"] == "broken"


def findings(environ: dict[str, str]) -> dict[str, str]:
    """What doctor finds, by name."""
    told = json.loads(run("doctor", "--json", environ=environ).stdout)["findings"]
    return {one["name"]: one["verdict"] for one in told}


def run(*arguments: str, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    whole = {"WAYMARK_DATA_DIR": "/nowhere", "WAYMARK_KAFKA": "127.0.0.1:1", **environ}
    return run_waymark(*arguments, environ=whole)


async def test_a_pooler_is_believed_by_its_certificate_as_a_server_is(server: PostgresServer, tmp_path: Path) -> None:
    ours, theirs = Authority(tmp_path, "ours"), Authority(tmp_path, "theirs")
    own = ours.sign("pooler", hosts=["localhost"])
    with PgBouncer(tmp_path / "bouncer", server, "session", tls=own) as pooler:
        full = f"{pooler.url().replace('127.0.0.1', 'localhost')}?sslmode=verify-full&sslrootcert="
        async with pool_of(f"{full}{ours.file}", PoolerMode.SESSION) as pool:
            assert (await ping(pool)).ok
        assert (await asyncio.to_thread(migrate, f"{full}{ours.file}")).up_to_date
        with pytest.raises(SettingsError, match="WAYMARK_POSTGRES: the server's certificate is refused"):
            async with pool_of(f"{full}{theirs.file}", PoolerMode.SESSION):
                pass


def settings(url: str, pooler: str, direct: str = "") -> CommonSettings:
    environ = {"WAYMARK_POSTGRES": url, "WAYMARK_POSTGRES_POOLER": pooler, "WAYMARK_POSTGRES_DIRECT": direct}
    return CommonSettings.load(environ)
