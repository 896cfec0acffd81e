"""The machinery under fault: engines, workers and the alert service, each a process of ours, known by its pid.

Starts and kills; what to kill when is `tests.faults.chaos`'s, what must be true afterwards `tests.faults.checker`'s.
"""

import asyncio
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.request import urlopen

import psutil

from tests.faults.wires import Wires
from waymark.launchers.child_process import ChildProcess, StackError, await_ready, free_port
from waymark.launchers.kafka import KafkaCluster
from waymark.launchers.postgres import PostgresServer, StopMode
from waymark.migrations.migrate import migrate
from waymark.topics.declared_topics import make_topics

READY_WITHIN_S = 60.0

SHORTENED: Mapping[str, str] = {
    "WAYMARK_JOURNEY_LATE_GRACE_S": "2",
    "WAYMARK_JOURNEY_TIMERS_EVERY_S": "0.5",
    "WAYMARK_JOURNEY_RELAY_EVERY_S": "0.5",
    "WAYMARK_JOURNEY_LEASE_S": "5",
    "WAYMARK_JOURNEY_SESSION_TIMEOUT_S": "6",
    "WAYMARK_JOURNEY_STALE_AFTER_S": str(400 * 86_400),
    "WAYMARK_ALERTS_SESSION_TIMEOUT_S": "6",
    "WAYMARK_ALERTS_OUTBREAKS": "*=off",  # each issue is followed to its receiver; a flood of one rule would hold them
}
"""Waiting times cut down so that an hour's worth of faults fits into minutes. `stale_after` is the other way round: the
stories lie days back, and quiet frictions would let issues rest."""


@dataclass(slots=True, kw_only=True)
class Process:
    """One process of Waymark. It may be killed and started again; its log keeps all its lives."""

    name: str
    child: ChildProcess
    port: int
    wanted: bool = False
    kills: int = 0
    own_ends: int = 0

    def start(self) -> None:
        """Start without waiting."""
        self.wanted = True
        self.child.start()

    def kill(self) -> None:
        """SIGKILL, by pid."""
        self.wanted = False
        self.child.kill()
        self.kills += 1

    def keep(self) -> None:
        """Start it again if it ended without being asked, as an init system would."""
        if self.wanted and not self.child.alive:
            self.own_ends += 1
            self.child.start()

    def stop(self) -> bool:
        """SIGTERM; whether it ended in good order."""
        self.wanted = False
        return self.child.stop(within_s=35.0) and self.child.exit_code == 0

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def answers(self) -> bool:
        """Whether it says that it is ready."""
        try:
            with urlopen(f"{self.address}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def ports_to(self, port: int) -> set[int]:
        """Our ends of its connections to a local port; empty when it has just died."""
        try:
            connections = psutil.Process(self.child.pid).net_connections("tcp")
        except psutil.Error:
            return set()
        return {one.laddr.port for one in connections if one.raddr and one.raddr.port == port}


@dataclass(slots=True, kw_only=True)
class Engines:
    """Apache Kafka and PostgreSQL, and one migrated database. With wires, services reach them only through these."""

    kafka: KafkaCluster
    postgres: PostgresServer
    wires: Wires | None = None
    front: str = ""
    """URL that services are told instead of the server's own: a pooler's, or one of several servers."""

    @classmethod
    def prepare(cls, folder: Path, *, nodes: int = 1, wired: bool = False) -> Self:
        """Both, not started yet, with their data under `folder`."""
        wires = Wires() if wired else None
        doors = wires.doors if wires else {}
        heap = "512m" if nodes == 1 else "256m"
        kafka = KafkaCluster(folder / "kafka", nodes=nodes, doors=doors, heap=heap)
        return cls(kafka=kafka, postgres=PostgresServer(folder / "postgres"), wires=wires)

    @classmethod
    def start(cls, folder: Path) -> Self:
        """Start both under `folder`, with topics and tables."""
        engines = cls.prepare(folder)
        try:
            engines.start_all()
        except BaseException:
            engines.kill()
            raise
        return engines

    @property
    def database(self) -> str:
        """URL of the database, past whatever stands before it."""
        return self.postgres.url()

    def start_all(self) -> None:
        """Start both and make topics and tables."""
        self.kafka.start()
        self.postgres.start()
        migrate(self.database)
        problems = make_topics(self.kafka.bootstrap, replication=self.kafka.replication)
        if problems:
            raise StackError("; ".join(problems))

    def kafka_for(self, service: str) -> str:
        """Bootstrap servers as a service is told them."""
        return self.kafka.bootstrap if self.wires is None else f"127.0.0.1:{self.wires.kafka[service].port}"

    def postgres_for(self, service: str) -> str:
        """URL of the database as a service is told it."""
        if self.front:
            return self.front
        if self.wires is None:
            return self.database
        return self.database.replace(f":{self.postgres.port}/", f":{self.wires.postgres[service].port}/")

    def stop(self) -> None:
        """Stop both."""
        self.postgres.stop()
        self.kafka.stop()

    def kill(self) -> None:
        """End both at once, frozen or not, started or not."""
        self.postgres.resume()
        self.postgres.stop(StopMode.IMMEDIATE)
        self.kafka.kill()


@dataclass(slots=True, kw_only=True)
class Fleet:
    """The processes of one run."""

    engines: Engines
    folder: Path
    extra: Mapping[str, str] = field(default_factory=dict)
    """More settings for every process."""

    workers: list[Process] = field(default_factory=list)
    alerts: list[Process] = field(default_factory=list)
    ingests: list[Process] = field(default_factory=list)

    @property
    def all(self) -> list[Process]:
        """Every process."""
        return [*self.workers, *self.alerts, *self.ingests]

    def add_worker(self, **settings: str) -> Process:
        """One more journey worker, not started yet; `settings` for it alone."""
        return self._add(self.workers, "journey", settings)

    def add_alerts(self, **settings: str) -> Process:
        """One more alert service, not started yet; `settings` for it alone."""
        return self._add(self.alerts, "alerts", settings)

    def add_ingest(self, **settings: str) -> Process:
        """One more ingest, not started yet; `settings` for it alone."""
        return self._add(self.ingests, "ingest", settings)

    def start(self) -> None:
        """Start all and wait until each is ready."""
        for process in self.all:
            process.start()
        self.await_ready()

    def await_ready(self) -> None:
        """Wait until each is ready; a killed one comes back to its work."""
        for process in self.all:
            await_ready(process.child, process.answers, within_s=READY_WITHIN_S)

    def stop(self) -> dict[str, bool]:
        """SIGTERM for all; by name, whether it ended in good order."""
        return {process.name: process.stop() for process in self.all}

    def kill(self) -> None:
        """End whatever still runs."""
        for process in self.all:
            process.wanted = False
            process.child.kill()

    async def keep(self) -> None:
        """Start again whatever ends by itself; for ever."""
        while True:
            for process in self.all:
                process.keep()
            await asyncio.sleep(0.3)

    def _add(self, peers: list[Process], service: str, settings: Mapping[str, str]) -> Process:
        name, port = f"{service}-{len(peers) + 1}", free_port()
        environment = {
            **os.environ,
            **SHORTENED,
            **self.extra,
            "WAYMARK_KAFKA": self.engines.kafka_for(service),
            "WAYMARK_POSTGRES": self.engines.postgres_for(service),
            "WAYMARK_LOG_FORMAT": "json",
            f"WAYMARK_{service.upper()}_PORT": str(port),
            **settings,
        }
        command: list[str | Path] = [Path(sys.executable).with_name("waymark"), "serve", service]
        child = ChildProcess(name, command, log=self.folder / f"{name}.log", env=environment)
        process = Process(name=name, child=child, port=port)
        peers.append(process)
        return process
