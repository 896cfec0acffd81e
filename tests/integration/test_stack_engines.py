import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from tests.waiting import until_sync
from waymark.launchers.child_process import ChildProcess, StackError, await_ready, free_port
from waymark.launchers.postgres import PostgresServer, StopMode
from waymark.launchers.tansu import TansuBroker
from waymark.migrations.migrate import migrate, status

pytestmark = pytest.mark.local


def test_each_test_gets_a_migrated_database_of_its_own(database: str) -> None:
    assert status(database).up_to_date
    with psycopg.connect(database) as connection:
        schemas = {row[0] for row in connection.execute("SELECT nspname FROM pg_namespace")}
    assert {"ingest", "journey", "alerts", "waymark"} <= schemas


async def test_migrating_twice_at_once_and_again_changes_nothing(postgres_server: PostgresServer) -> None:
    with psycopg.connect(postgres_server.url("postgres"), autocommit=True) as connection:
        connection.execute("CREATE DATABASE migrated_at_once")
    url = postgres_server.url("migrated_at_once")
    assert not status(url).up_to_date
    both = await asyncio.gather(asyncio.to_thread(migrate, url), asyncio.to_thread(migrate, url))
    assert [one.up_to_date for one in both] == [True, True]
    assert migrate(url).up_to_date


def test_committed_data_survive_an_immediate_stop(tmp_path: Path) -> None:
    with PostgresServer(tmp_path) as server:
        with psycopg.connect(server.url()) as connection:
            connection.execute("CREATE TABLE kept (n int)")
            connection.execute("INSERT INTO kept VALUES (7)")
        port = server.port
        server.restart(StopMode.IMMEDIATE)
        assert server.port == port
        with psycopg.connect(server.url()) as connection:
            assert connection.execute("SELECT n FROM kept").fetchall() == [(7,)]
            assert connection.execute("SHOW fsync").fetchone() == ("on",)


def test_a_password_guards_the_local_postgres(postgres_server: PostgresServer) -> None:
    url = f"postgresql://waymark:wrong@127.0.0.1:{postgres_server.port}/waymark"
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(url)


def test_the_embedded_broker_is_another_line_after_each_start(tmp_path: Path) -> None:
    with TansuBroker(tmp_path) as broker:
        first = broker.line
        broker.restart()
        assert broker.alive
        assert broker.line != first
    assert not broker.alive


def test_a_child_that_ends_at_start_is_reported_with_its_log(tmp_path: Path) -> None:
    child = ChildProcess("the oracle", [sys.executable, "-c", "raise SystemExit('no oil')"], log=tmp_path / "log")
    child.start()
    with pytest.raises(StackError, match=r"(?s)the oracle ended with code 1.*no oil"):
        await_ready(child, lambda: False, within_s=10)


def test_children_end_when_their_launcher_is_killed(tmp_path: Path) -> None:
    script = (
        "import sys, pathlib, signal\n"
        "from waymark.launchers.child_process import ChildProcess\n"
        "child = ChildProcess('sleeper', ['sleep', '300'], log=pathlib.Path(sys.argv[1]))\n"
        "child.start()\n"
        "print(child.pid, flush=True)\n"
        "signal.pause()\n"
    )
    launcher = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "log")], stdout=subprocess.PIPE, text=True
    )
    assert launcher.stdout is not None
    with launcher, launcher.stdout:
        pid = int(launcher.stdout.readline())
        os.kill(launcher.pid, signal.SIGKILL)
    until_sync(lambda: _ended(pid))


def test_a_free_port_can_be_listened_on_at_once() -> None:
    import socket

    with socket.create_server(("127.0.0.1", free_port())):
        pass


def _ended(pid: int) -> bool:
    """Gone, or a zombie that the machine's first process has not collected yet."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return True
    return state == "Z"
