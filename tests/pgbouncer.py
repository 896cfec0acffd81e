"""A real PgBouncer before a PostgreSQL, in one of its pool modes.

The variable PGBOUNCER names its program; libraries that stand beside it are taken along.
"""

import os
import shutil
from pathlib import Path
from typing import Self

import psycopg

from tests.authority import Signed
from waymark.launchers.child_process import ChildProcess, await_ready, free_port
from waymark.launchers.postgres import HERE, SYSTEM_USER, PostgresServer

VARIABLE = "PGBOUNCER"
START_S = 20.0


def program() -> Path:
    """The program to run; a test that cannot have it fails, it does not pass in silence."""
    named = os.environ.get(VARIABLE, "")
    assert named, f"the variable {VARIABLE} names no PgBouncer: see `make test-poolers`"
    return Path(named)


def _parts() -> list[Path]:
    """The program first. A copy of all stands where the user that it runs as may read it."""
    return [program(), *program().parent.glob("*.so*")]


class PgBouncer:
    """One PgBouncer. `ignored` are startup parameters that it drops, `servers` is how many it opens at most.

    With `tls`, a certificate of its own, it takes nobody without.
    """

    def __init__(
        self,
        folder: Path,
        server: PostgresServer,
        mode: str,
        *,
        ignored: str = "",
        servers: int = 20,
        tls: Signed | None = None,
    ) -> None:
        self.folder = folder
        self.port = free_port()
        self._server = server
        self._mode, self._ignored, self._servers = mode, ignored, servers
        self._tls = tls
        self._child: ChildProcess | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def url(self, database: str = "waymark") -> str:
        """URL of a database of the server, through this pooler."""
        return self._server.url(database).replace(f":{self._server.port}/", f":{self.port}/")

    def start(self) -> None:
        """Start, and wait until it lets somebody through to the server."""
        user = SYSTEM_USER if os.geteuid() == 0 else None
        self.folder.mkdir(parents=True)
        settings, users = self.folder / "pgbouncer.ini", self.folder / "users.txt"
        users.write_text(f'"waymark" "{(self._server.folder / "password").read_text().strip()}"\n')
        settings.write_text(self._settings())
        here = [Path(shutil.copy(path, self.folder)) for path in _parts()]
        if self._tls is not None:
            here += [Path(shutil.copy(file, self.folder)) for file in (self._tls.cert, self._tls.key)]
        for path in (self.folder, settings, users, *here):
            if user is not None:
                shutil.chown(path, user, user)
        self._child = ChildProcess(
            "PgBouncer",
            [f"{HERE}/{here[0].name}", "pgbouncer.ini"],
            log=self.folder / "pgbouncer.log",
            env={"PATH": "/usr/bin:/bin", "LD_LIBRARY_PATH": HERE},
            user=user,
            cwd=self.folder,
        )
        self._child.start()
        await_ready(self._child, self._answers, within_s=START_S)

    def stop(self) -> None:
        """End it."""
        if self._child is not None:
            self._child.kill()

    def _settings(self) -> str:
        return "\n".join(
            [
                "[databases]",
                f"* = host=127.0.0.1 port={self._server.port}",
                "[pgbouncer]",
                "listen_addr = 127.0.0.1",
                f"listen_port = {self.port}",
                "unix_socket_dir =",
                "auth_type = scram-sha-256",
                "auth_file = users.txt",
                f"pool_mode = {self._mode}",
                f"default_pool_size = {self._servers}",
                *self._with_tls(),
                f"ignore_startup_parameters = {self._ignored}",
                "",
            ]
        )

    def _with_tls(self) -> list[str]:
        if self._tls is None:
            return []
        files = [f"client_tls_cert_file = {self._tls.cert.name}", f"client_tls_key_file = {self._tls.key.name}"]
        return ["client_tls_sslmode = require", *files]

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True
