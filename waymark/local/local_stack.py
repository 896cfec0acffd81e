"""The local stack as one thing: start everything in order, keep the services alive, stop everything in order."""

import fcntl
import os
import signal
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol, Self

import orjson

from waymark.console import CommandError
from waymark.launchers.child_process import ChildProcess, StackError, wait_until
from waymark.local.credentials import demo_keys, kept_secret, write_private
from waymark.local.engines import RunningBroker, RunningDatabase, prepare, start_broker, start_database
from waymark.local.plan import BrokerKind, StackPlan
from waymark.local.service_processes import (
    PREFIXES,
    READY_S,
    RestartDecision,
    ServiceProcess,
    decide_restart,
    make_service,
)
from waymark.target import UP_FILE, CommandTarget, access_of

STOP_S = 30.0
STOP_WITHOUT_ENGINES_S = 5.0
"""With Kafka or PostgreSQL gone there is nothing to finish; what is not committed is read again."""


class StackListener(Protocol):
    """Hears how the start, the run and the stop of the stack go on."""

    def step(self, text: str) -> None:
        """Something begins that takes a moment."""

    def done(self, text: str) -> None:
        """A part of the stack is ready."""

    def trouble(self, text: str) -> None:
        """Something went wrong and is being handled."""


class LocalStack:
    """A running stack inside `with`. Call `tend` now and then: it restarts services that ended by themselves."""

    def __init__(self, plan: StackPlan, report: StackListener) -> None:
        self._plan = plan
        self._report = report
        self._until = ExitStack()
        self._broker: RunningBroker | None = None
        self._database: RunningDatabase | None = None
        self._services: list[ServiceProcess] = []
        self._deaths: dict[str, list[float]] = {name: [] for name in PREFIXES}
        self.target = CommandTarget(ingest="", journey="", journey_api="", alerts="", console="", kafka="", postgres="")

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def tend(self) -> None:
        """Look once at every process.

        Raises:
            StackError: an engine ended, or a service ends again and again; the text has the end of its log.
        """
        for engine in self._engines():
            if not engine.alive:
                raise StackError(f"{engine.name} ended with code {engine.exit_code}:\n{engine.log_tail()}")
        for service in self._services:
            if not service.child.alive:
                self._handle_death(service)

    def stop(self) -> None:
        """Stop what runs: first who takes in, then who works on it, then what they stand on."""
        patience = STOP_S if all(engine.alive for engine in self._engines()) else STOP_WITHOUT_ENGINES_S
        taking_in = [service for service in self._services if service.name == "ingest"]
        for wave in (taking_in, [service for service in self._services if service.name != "ingest"]):
            for service in wave:
                service.child.send(signal.SIGTERM)
            for service in wave:
                self._report.step(f"stopping {service.name}")
                if not service.child.wait(patience):  # a second signal would mean: at once
                    service.child.kill()
                    self._report.trouble(f"{service.name} did not stop within {patience:.0f} s and was killed")
        self._services.clear()
        self._report.step("stopping PostgreSQL and the broker")
        self._until.close()

    def kill(self) -> None:
        """End everything at once, for somebody who cannot wait."""
        for child in [*(service.child for service in self._services), *self._engines()]:
            child.kill()

    def _start(self) -> None:
        self._plan.folder.mkdir(parents=True, exist_ok=True)
        self._lock()
        self._report.step("starting PostgreSQL")
        self._database = start_database(self._plan, self._until)
        self._report.step("starting the broker")
        self._broker = start_broker(self._plan, self._until)
        self._report.step("making tables and topics")
        prepare(self._broker, self._database)
        self._report.done(f"PostgreSQL and the broker ({self._broker.kind.value}) answer")
        keys = demo_keys(self._plan.folder, self._database.url)
        self._start_services(self._environment(self._broker, self._database))
        self.target = self._target(self._broker, self._database, keys)
        self._announce()

    def _start_services(self, environment: dict[str, str]) -> None:
        logs = self._plan.folder / "logs"
        self._services = [
            make_service(name, ports=self._plan.ports, environment=environment, logs=logs) for name in PREFIXES
        ]
        self._report.step("starting the services")
        for service in self._services:
            service.child.start()
        for service in self._services:
            self._report.step(f"waiting for {service.name}")
            self._await(service)
            self._report.done(f"{service.name} is ready at {service.url}")

    def _await(self, service: ServiceProcess) -> None:
        wait_until(lambda: not service.child.alive or service.ready(), within_s=READY_S)
        if service.ready():
            return
        why = service.doubts() if service.child.alive else f"ended with code {service.child.exit_code}"
        log = f"the end of {service.child.log}:\n{service.child.log_tail()}"
        raise StackError(f"{service.name} is not ready: {why}\n{log}")

    def _handle_death(self, service: ServiceProcess) -> None:
        now = time.monotonic()
        deaths = self._deaths[service.name]
        deaths.append(now)
        fate = f"{service.name} ended with code {service.child.exit_code}; the end of {service.child.log}:\n"
        fate += service.child.log_tail()
        if decide_restart(deaths, now) is RestartDecision.GIVE_UP:
            raise StackError(fate)
        self._report.trouble(f"{fate}\nstarting {service.name} again")
        service.child.start()

    def _engines(self) -> list[ChildProcess]:
        parts = (self._broker, self._database)
        return [child for part in parts if part is not None for child in part.children]

    def _environment(self, broker: RunningBroker, database: RunningDatabase) -> dict[str, str]:
        """What the services get: the operator's environment, over it what this stack is, over it what the plan says."""
        own = {
            "WAYMARK_KAFKA": broker.bootstrap,
            "WAYMARK_KAFKA_IDEMPOTENCE": str(broker.idempotent).lower(),
            "WAYMARK_KAFKA_LINE": broker.line,
            **({} if broker.kind is BrokerKind.GIVEN else dict.fromkeys(access_of(os.environ), "")),
            "WAYMARK_POSTGRES": database.url,
            "WAYMARK_INGEST_KEY_SECRET": kept_secret(self._plan.folder, "ingest-key-secret"),
            "WAYMARK_INGEST_PRIVACY_SECRET": kept_secret(self._plan.folder, "privacy-secret"),
            "WAYMARK_JOURNEY_API_PRIVACY_SECRET": kept_secret(self._plan.folder, "privacy-secret"),
            "WAYMARK_INGEST_JOURNEY_API": f"http://127.0.0.1:{self._plan.ports['journey-api']}",
            "WAYMARK_JOURNEY_API_ALERTS": f"http://127.0.0.1:{self._plan.ports['alerts']}",
            "WAYMARK_INGEST_OUTCOMES_SECRET": kept_secret(self._plan.folder, "outcomes-secret"),
            "WAYMARK_JOURNEY_API_OUTCOMES_SECRET": kept_secret(self._plan.folder, "outcomes-secret"),
            **{
                f"WAYMARK_CONSOLE_{name}_URL": f"http://127.0.0.1:{self._plan.ports[process]}"
                for name, process in (("INGEST", "ingest"), ("JOURNEY", "journey-api"), ("ALERTS", "alerts"))
            },
            "WAYMARK_CONSOLE_SESSION_KEYS": kept_secret(self._plan.folder, "console-session-key"),
            "WAYMARK_ALERTS_SECRET_KEYS": kept_secret(self._plan.folder, "alerts-secret-key"),
            "WAYMARK_ALERTS_PUBLIC_URL": f"http://127.0.0.1:{self._plan.ports['console']}",
            "WAYMARK_ALERTS_ACTIONS_URL": f"http://127.0.0.1:{self._plan.ports['alerts']}",
            "WAYMARK_ALERTS_ALLOW_PRIVATE_TARGETS": "true",  # receivers on this machine are what one tries first
        }
        return {**os.environ, **own, **self._plan.environment}

    def _target(self, broker: RunningBroker, database: RunningDatabase, keys: dict[str, str]) -> CommandTarget:
        urls = {service.name: service.url for service in self._services}
        return CommandTarget(
            ingest=urls["ingest"],
            journey=urls["journey"],
            journey_api=urls["journey-api"],
            alerts=urls["alerts"],
            console=urls["console"],
            kafka=broker.bootstrap,
            access=self._plan.access if broker.kind is BrokerKind.GIVEN else {},
            postgres=database.url,
            line=broker.line,
            idempotent=broker.idempotent,
            keys=keys,
            from_up=True,
        )

    def _lock(self) -> None:
        """Hold the folder for as long as this stack lives: two on the same data would spoil each other."""
        lock = self._until.enter_context((self._plan.folder / "up.lock").open("w"))
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CommandError(
                f"a stack runs already on {self._plan.folder}; stop it, or choose another folder with --data-dir"
            ) from None

    def _announce(self) -> None:
        """Leave word for the other commands while this stack runs."""
        path = self._plan.folder / UP_FILE
        write_ready_file(path, self.target)
        self._until.callback(path.unlink, missing_ok=True)


def ready_document(target: CommandTarget) -> dict[str, Any]:
    """Addresses and keys, as the ready file has them."""
    addresses = {name: getattr(target, name) for name in _ADDRESSES}
    more: dict[str, Any] = {"line": target.line, "idempotence": str(target.idempotent).lower(), "pid": os.getpid()}
    more["plaintext"] = not target.access
    return {**addresses, "keys": dict(target.keys), **more}


def write_ready_file(path: Path, target: CommandTarget) -> None:
    """Write the document for scripts and for the other commands: complete or not at all, readable by the owner only."""
    write_private(path, orjson.dumps(ready_document(target), option=orjson.OPT_INDENT_2))


_ADDRESSES = ("ingest", "journey", "journey_api", "alerts", "console", "kafka", "postgres")
