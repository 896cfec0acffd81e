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

from waymark.migrate import migrate
from waymark.stack.kafka import Kafka
from waymark.stack.postgres import Postgres
from waymark.stack.process import Child, StackError, await_ready, free_port
from waymark.topics import make_topics

READY_WITHIN_S = 60.0

SHORTENED: Mapping[str, str] = {
    "WAYMARK_JOURNEY_LATE_GRACE_S": "2",
    "WAYMARK_JOURNEY_TIMERS_EVERY_S": "0.5",
    "WAYMARK_JOURNEY_RELAY_EVERY_S": "0.5",
    "WAYMARK_JOURNEY_LEASE_S": "5",
    "WAYMARK_JOURNEY_SESSION_TIMEOUT_S": "6",
    "WAYMARK_JOURNEY_STALE_AFTER_S": str(400 * 86_400),
    "WAYMARK_ALERTS_SESSION_TIMEOUT_S": "6",
}
"""Waiting times cut down so that an hour's worth of faults fits into minutes. `stale_after` is the other way round: the
stories lie days back, and quiet frictions would let issues rest."""


@dataclass(slots=True, kw_only=True)
class Process:
    """One process of Waymark. It may be killed and started again; its log keeps all its lives."""

    name: str
    child: Child
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

    def answers(self) -> bool:
        """Whether it says that it is ready."""
        try:
            with urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=2) as answer:
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
    """Apache Kafka and PostgreSQL, and one migrated database."""

    kafka: Kafka
    postgres: Postgres
    database: str

    @classmethod
    def start(cls, folder: Path) -> Self:
        """Start both under `folder`, with topics and tables."""
        kafka, postgres = Kafka(folder / "kafka"), Postgres(folder / "postgres")
        kafka.start()
        try:
            postgres.start()
            migrate(postgres.url())
            problems = make_topics(kafka.bootstrap, replication=1)
            if problems:
                raise StackError("; ".join(problems))
        except BaseException:
            postgres.stop()
            kafka.kill()
            raise
        return cls(kafka=kafka, postgres=postgres, database=postgres.url())

    def stop(self) -> None:
        """Stop both."""
        self.postgres.stop()
        self.kafka.stop()


@dataclass(slots=True, kw_only=True)
class Fleet:
    """The processes of one run."""

    engines: Engines
    folder: Path
    extra: Mapping[str, str] = field(default_factory=dict)
    """More settings for every process."""

    workers: list[Process] = field(default_factory=list)
    others: list[Process] = field(default_factory=list)

    @property
    def all(self) -> list[Process]:
        """Every process."""
        return [*self.workers, *self.others]

    def add_worker(self) -> Process:
        """One more journey worker, not started yet."""
        number = len(self.workers) + 1
        worker = self._process(f"journey-{number}", "journey", "WAYMARK_JOURNEY_PORT")
        self.workers.append(worker)
        return worker

    def add_alerts(self) -> Process:
        """The alert service, not started yet."""
        alerts = self._process("alerts", "alerts", "WAYMARK_ALERTS_PORT")
        self.others.append(alerts)
        return alerts

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

    def _process(self, name: str, what: str, port_variable: str) -> Process:
        port = free_port()
        environment = {
            **os.environ,
            **SHORTENED,
            **self.extra,
            "WAYMARK_KAFKA": self.engines.kafka.bootstrap,
            "WAYMARK_POSTGRES": self.engines.database,
            "WAYMARK_LOG_FORMAT": "text",
            port_variable: str(port),
        }
        command: list[str | Path] = [Path(sys.executable).with_name("waymark"), "serve", what]
        child = Child(name, command, log=self.folder / f"{name}.log", env=environment)
        return Process(name=name, child=child, port=port)
