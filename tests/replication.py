"""A real standby: a copy of a running PostgreSQL that follows it, and can be promoted."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import psutil
import psycopg

from tests.waiting import until_sync
from waymark.launchers.postgres import HERE, SYSTEM_USER, PostgresServer, binaries

CATCH_UP_S = 30.0


def start_standby(
    primary: PostgresServer, folder: Path, *, port: int | None = None, settings: Sequence[str] = ()
) -> PostgresServer:
    """Copy `primary` by pg_basebackup into `folder`, start the copy on `port`, and wait until it follows."""
    fresh = folder / "data.new"
    fresh.mkdir(mode=0o700, parents=True)
    user = SYSTEM_USER if os.geteuid() == 0 else None
    if user is not None:
        shutil.chown(fresh, user, user)
    command: list[str | Path] = [binaries() / "pg_basebackup", "--pgdata", HERE, "--dbname", primary.url("postgres")]
    subprocess.run(
        [*command, "--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast"],
        cwd=fresh,
        user=user,
        group=user,
        extra_groups=None if user is None else [],
        check=True,
    )
    fresh.rename(folder / "data")
    shutil.copy(primary.folder / "password", folder / "password")
    standby = PostgresServer(folder, port=port, settings=settings)
    standby.start()
    until_sync(lambda: replaying(primary), within=CATCH_UP_S)
    return standby


def promote(standby: PostgresServer) -> None:
    """Make it a primary, and wait until it is."""
    ask(standby, "SELECT pg_promote()")


def replaying(primary: PostgresServer) -> bool:
    """Whether a standby streams from it."""
    return bool(ask(primary, "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"))


def ask(server: PostgresServer, query: str) -> object:
    """One statement outside a transaction, and the first value of its answer, if it has any."""
    with psycopg.connect(server.url("postgres"), autocommit=True, connect_timeout=5) as connection:
        cursor = connection.execute(query.encode())
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def demand(server: PostgresServer, setting: str, value: str) -> None:
    """Change a setting of the whole server, and let it read it."""
    ask(server, f"ALTER SYSTEM SET {setting} = '{value}'")
    ask(server, "SELECT pg_reload_conf()")


def several(*servers: PostgresServer, parameters: str = "") -> str:
    """One URL that names all of these servers."""
    scheme, _, rest = servers[0].url().partition("://")
    credentials, _, place = rest.rpartition("@")
    hosts = ",".join(f"127.0.0.1:{server.port}" for server in servers)
    return f"{scheme}://{credentials}@{hosts}/{place.partition('/')[2]}{parameters}"


class Frozen:
    """A server that hangs with all its processes: the kernel still takes connections, nobody answers them."""

    def __init__(self, server: PostgresServer) -> None:
        postmaster = psutil.Process(server.pid)
        self._all = [postmaster, *postmaster.children(recursive=True)]

    def __enter__(self) -> None:
        for process in self._all:
            process.suspend()

    def __exit__(self, *_: object) -> None:
        for process in self._all:
            process.resume()
