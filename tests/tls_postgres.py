"""A real PostgreSQL with TLS, of Debian's package: the embedded one was built without.

The variable POSTGRES_TREE names a folder into which Debian's packages were unpacked: the server's, and those of its
libraries that this machine lacks. `.ci/run` makes one.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Self
from urllib.parse import quote

import psycopg

from tests.authority import Signed
from waymark.launchers.child_process import ChildProcess, await_ready, free_port
from waymark.launchers.postgres import SYSTEM_USER

VARIABLE = "POSTGRES_TREE"
START_S = 30.0
NAME = "localhost"
"""What a certificate is to be for."""

USER, PASSWORD = "waymark", "Pp#9/x@q?[0"  # a password that has to be encoded in a URL
_LEFT_OUT = shutil.ignore_patterns("bitcode", "llvmjit*", "locale", "doc", "man")


def tree() -> Path:
    """The folder; a test that cannot have it fails, it does not pass in silence."""
    named = os.environ.get(VARIABLE, "")
    assert named, f"the variable {VARIABLE} names no unpacked PostgreSQL: see `make test-tls`"
    return Path(named)


class TlsPostgres:
    """One server, with its database `waymark`. Without `certified` it has no TLS.

    It takes nobody without a password; with `clients`, the PEM file of an authority, also nobody without a certificate.
    """

    def __init__(self, certified: Signed | None, *, clients: Path | None = None, settings: Sequence[str] = ()) -> None:
        self.port = free_port()
        self._certified, self._clients, self._settings = certified, clients, settings
        self._folder = Path(tempfile.mkdtemp(prefix="tls-postgres-"))
        self._child: ChildProcess | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def url(
        self, parameters: str = "", *, host: str = NAME, password: str = PASSWORD, database: str = "waymark"
    ) -> str:
        """URL of a database; `parameters` as they stand after the `?`."""
        place = f"postgresql://{USER}:{quote(password, safe='')}@{host}:{self.port}/{database}"
        return f"{place}?{parameters}" if parameters else place

    def start(self) -> None:
        """Make a cluster, start, and wait until it answers."""
        self._folder.chmod(0o755)  # the user that it runs as may not search the folders of ours
        shutil.copytree(tree() / "usr", self._folder / "usr", ignore=_LEFT_OUT, symlinks=True)
        data = self._folder / "data"
        data.mkdir(mode=0o700)
        password = self._folder / "password"
        password.write_text(PASSWORD)
        self._own(data, password)
        how = ("--auth=scram-sha-256", f"--pwfile={password}", "--encoding=UTF8", "--locale=C", "--no-sync")
        self._run("initdb", "-D", data, "-U", USER, *how)
        self._configure(data)
        self._child = ChildProcess(
            "PostgreSQL with TLS",
            [self._programs / "postgres", "-D", data],
            log=self._folder / "postgres.log",
            env=self._environment,
            user=self._user,
            cwd=data,
        )
        self._child.start()
        await_ready(self._child, self._answers, within_s=START_S)
        with psycopg.connect(self._plain("postgres"), autocommit=True) as connection:
            connection.execute("CREATE DATABASE waymark")

    def stop(self) -> None:
        """End it, and leave nothing."""
        if self._child is not None:
            self._child.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def _user(self) -> str | None:
        return SYSTEM_USER if os.geteuid() == 0 else None

    @property
    def _programs(self) -> Path:
        return max(self._folder.glob("usr/lib/postgresql/*/bin"))

    @property
    def _environment(self) -> dict[str, str]:
        libraries = ":".join(str(folder) for folder in self._folder.glob("usr/lib/*-linux-*"))
        return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "LD_LIBRARY_PATH": libraries}

    def _run(self, program: str, *arguments: str | Path) -> None:
        subprocess.run(
            [self._programs / program, *arguments],
            env=self._environment,
            cwd=self._folder,
            user=self._user,
            group=self._user,
            extra_groups=None if self._user is None else [],
            check=True,
            capture_output=True,
        )

    def _configure(self, data: Path) -> None:
        lines = ["listen_addresses = '127.0.0.1'", f"port = {self.port}", "fsync = off"]
        lines.append(f"unix_socket_directories = '{data}'")
        if self._certified is not None:
            copied = [Path(shutil.copy(file, data)) for file in (self._certified.cert, self._certified.key)]
            self._own(*copied)
            lines += ["ssl = on", f"ssl_cert_file = '{copied[0].name}'", f"ssl_key_file = '{copied[1].name}'"]
        asked = ""
        if self._clients is not None:
            copied = [Path(shutil.copy(self._clients, data))]
            self._own(*copied)
            lines.append(f"ssl_ca_file = '{copied[0].name}'")
            asked = " clientcert=verify-ca"
        with (data / "postgresql.conf").open("a") as file:
            file.write("\n".join([*lines, *self._settings, ""]))
        door = "hostssl" if self._certified is not None else "host"
        rules = f"local all all scram-sha-256\n{door} all all 127.0.0.1/32 scram-sha-256{asked}\n"
        (data / "pg_hba.conf").write_text(rules)

    def _own(self, *paths: Path) -> None:
        if self._user is not None:
            for path in paths:
                shutil.chown(path, self._user, self._user)

    def _plain(self, database: str) -> str:
        """By the socket, past TLS."""
        socket = quote(str(self._folder / "data"), safe="")
        return f"postgresql://{USER}:{quote(PASSWORD, safe='')}@{socket}:{self.port}/{database}"

    def _answers(self) -> bool:
        try:
            psycopg.connect(self._plain("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True
