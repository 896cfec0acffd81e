"""Apache Kafka in KRaft mode, as plain JVM processes on loopback ports: one node, or three for the fault tests.

Every node is broker and controller. Data stay in the folder, so a stopped or killed node comes back with what it had.
"""

import base64
import itertools
import secrets
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Self

from waymark.launchers.child_process import ChildProcess, StackError, await_ready, free_port
from waymark.launchers.jars import DEPLOY, java, kafka_jars

START_S = 90.0
HEAP = "512m"
STARTED = b"Kafka Server started"


class KafkaNode:
    """One node: broker and controller in one JVM."""

    def __init__(self, child: ChildProcess, *, port: int) -> None:
        self.child = child
        self.port = port
        self._log_start = 0

    @property
    def pid(self) -> int:
        """Process id of the JVM."""
        return self.child.pid

    @property
    def alive(self) -> bool:
        """Whether the JVM runs."""
        return self.child.alive

    def launch(self) -> None:
        """Start the JVM without waiting for it; `await_started` waits."""
        log = self.child.log
        self._log_start = log.stat().st_size if log.exists() else 0
        self.child.start()

    def await_started(self) -> None:
        """Wait until the node says that it serves requests."""
        await_ready(self.child, self._says_started, within_s=START_S)

    def start(self) -> None:
        """Start and wait until the node serves requests."""
        self.launch()
        self.await_started()

    def stop(self) -> None:
        """Stop in good order: leaderships move, logs are closed."""
        self.child.stop(within_s=30.0)

    def kill(self) -> None:
        """End the JVM with SIGKILL."""
        self.child.kill()

    def restart(self) -> None:
        """Stop in good order and start again."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Freeze the JVM: connections stay open, nothing answers any more."""
        self.child.freeze()

    def resume(self) -> None:
        """Continue a paused process."""
        self.child.resume()

    def _says_started(self) -> bool:
        with self.child.log.open("rb") as log:
            log.seek(self._log_start)
            return STARTED in log.read()


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientListener:
    """A separate listener for clients: the port it listens on, and the host and port that it advertises to them."""

    port: int
    advertised: int
    host: str = "127.0.0.1"
    protocol: str = "PLAINTEXT"


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerSecurity:
    """Who may connect: `properties` override those of server.properties, `users` (with passwords) use SCRAM."""

    properties: Mapping[str, str] = field(default_factory=dict)
    users: Mapping[str, str] = field(default_factory=dict)


NO_LOCKS = BrokerSecurity()


class KafkaCluster:
    """A cluster of `nodes` nodes. With three, topics have three replicas and need two in sync.

    `doors` are further listeners of a single node, each with the port that it advertises: who comes in through one is
    told to come back to that port, where somebody may stand in between. `heap` is each node's, as `-Xmx` takes it.
    `locks` say who may come in through them.
    """

    def __init__(
        self,
        folder: Path,
        *,
        nodes: int = 1,
        port: int | None = None,
        doors: Mapping[str, ClientListener] = MappingProxyType({}),
        heap: str = HEAP,
        locks: BrokerSecurity = NO_LOCKS,
    ) -> None:
        if nodes != 1 and (port is not None or doors):
            raise StackError("a fixed port and doors are for a single node")
        self.folder = folder
        self._doors = doors
        self._heap = heap
        self._locks = locks
        self._java = java()
        self._jars = kafka_jars()
        ports = [port or free_port() for _ in range(nodes)]
        self._voters = [(number, free_port()) for number in range(1, nodes + 1)]
        self.nodes = [
            KafkaNode(self._child(number), port=port) for number, port in zip(range(1, nodes + 1), ports, strict=True)
        ]

    @property
    def bootstrap(self) -> str:
        """`host:port,…` for Kafka clients."""
        return ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)

    @property
    def replication(self) -> int:
        """Replicas that a topic of this cluster has."""
        return min(3, len(self.nodes))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Format the folders when they are new, start every node and wait for all."""
        for number, node in enumerate(self.nodes, start=1):
            self._configure(number, node.port)
        self._format()
        for node in self.nodes:
            node.launch()
        for node in self.nodes:
            node.await_started()

    def stop(self) -> None:
        """Stop every node; the last ones of a quorum cannot hand over, so none waits for another."""
        for node in self.nodes:
            node.child.send(signal.SIGTERM)
        for node in self.nodes:
            node.child.stop(within_s=15.0)

    def kill(self) -> None:
        """End every node with SIGKILL."""
        for node in self.nodes:
            node.kill()

    def restart(self) -> None:
        """Stop all and start all again, with their data and ports."""
        self.stop()
        self.start()

    def _home(self, number: int) -> Path:
        return self.folder / f"node-{number}"

    def _child(self, number: int) -> ChildProcess:
        home = self._home(number)
        options = [f"-Xms{self._heap}", f"-Xmx{self._heap}", "-XX:+UseG1GC", "-Djava.awt.headless=true"]
        logging = f"-Dlog4j2.configurationFile={DEPLOY / 'log4j2.properties'}"
        command: list[str | Path] = [self._java, *options, logging, "-cp", f"{self._jars}/*", "kafka.Kafka"]
        command.append(home / "server.properties")
        return ChildProcess(f"Apache Kafka node {number}", command, log=self.folder / f"kafka-{number}.log")

    def _configure(self, number: int, port: int) -> None:
        home = self._home(number)
        home.mkdir(parents=True, exist_ok=True)
        controller_port = dict(self._voters)[number]
        in_sync = 2 if self.replication == 3 else 1
        own = {
            "node.id": number,
            "controller.quorum.voters": ",".join(f"{voter}@127.0.0.1:{at}" for voter, at in self._voters),
            "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}"
            + "".join(f",{name}://127.0.0.1:{door.port}" for name, door in self._doors.items()),
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}"
            + "".join(f",{name}://{door.host}:{door.advertised}" for name, door in self._doors.items()),
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT"
            + "".join(f",{name}:{door.protocol}" for name, door in self._doors.items()),
            "log.dirs": home / "data",
            "default.replication.factor": self.replication,
            "min.insync.replicas": in_sync,
            "offsets.topic.replication.factor": self.replication,
            "transaction.state.log.replication.factor": self.replication,
            "transaction.state.log.min.isr": in_sync,
            "share.coordinator.state.topic.replication.factor": self.replication,
            "share.coordinator.state.topic.min.isr": in_sync,
            **self._locks.properties,
        }
        lines = "".join(f"{key}={value}\n" for key, value in own.items())
        (home / "server.properties").write_text((DEPLOY / "server.properties").read_text() + "\n" + lines)

    def _format(self) -> None:
        """Write each new node's identity, all nodes at the same time (a JVM each)."""
        identity = self.folder / "cluster.id"
        if not identity.exists():
            identity.write_text(_cluster_id())
        new = [home for n in range(1, len(self.nodes) + 1) if not (home := self._home(n)).joinpath("data").exists()]
        tool = [self._java, "-Xmx128m", "-cp", f"{self._jars}/*", "kafka.tools.StorageTool", "format"]
        for (user, password), mechanism in itertools.product(
            self._locks.users.items(), ("SCRAM-SHA-256", "SCRAM-SHA-512")
        ):
            tool += ["--add-scram", f"{mechanism}=[name={user},password={password}]"]
        started = [
            subprocess.Popen(
                [*tool, "-t", identity.read_text(), "-c", str(home / "server.properties")],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for home in new
        ]
        said = [(process, process.communicate()[0]) for process in started]
        for process, output in said:
            if process.returncode:
                raise StackError(f"Apache Kafka's folder could not be formatted:\n{output}")


def _cluster_id() -> str:
    """A fresh id as Kafka makes them: one that begins with `-` would be taken for an option of its tools."""
    while (made := base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")).startswith("-"):
        pass
    return made
