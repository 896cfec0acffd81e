"""What the local stack is to run, and where: decided once, before anything starts."""

import asyncio
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from services.runtime.addresses.brokers import check_servers
from waymark.console import CommandError, settings_wrong
from waymark.launchers.child_process import accepts, free_port

DEFAULT_PORTS = {
    "ingest": 8080,
    "journey-api": 8081,
    "alerts": 8082,
    "console": 8083,
    "journey": 9101,
    "kafka": 9092,
    "postgres": 15432,
}
OFFSETS = {"ingest": 0, "journey-api": 1, "alerts": 2, "journey": 3, "kafka": 4, "postgres": 5, "console": 6}
ENGINES = ("kafka", "postgres")


class BrokerKind(StrEnum):
    """Which broker the stack uses."""

    EMBEDDED = "embedded"
    APACHE_KAFKA = "kafka"
    GIVEN = "given"


@dataclass(frozen=True, slots=True, kw_only=True)
class StackPlan:
    """One local stack. `kafka` and `postgres` are given addresses, or None for engines of its own; `access` is how the
    given Kafka is reached."""

    folder: Path
    ports: Mapping[str, int]
    broker: BrokerKind
    kafka: str | None = None
    postgres: str | None = None
    access: Mapping[str, str] = field(default_factory=dict, repr=False)
    environment: Mapping[str, str] = field(default_factory=dict)


def choose_broker(flag: str | None, environ: Mapping[str, str]) -> tuple[BrokerKind, str | None]:
    """The flag wins, then `WAYMARK_KAFKA`, then the embedded broker.

    Raises:
        CommandError: what is given is no address; the text does not quote it.
    """
    wanted = flag or environ.get("WAYMARK_KAFKA") or BrokerKind.EMBEDDED.value
    if wanted in {BrokerKind.EMBEDDED, BrokerKind.APACHE_KAFKA}:
        return BrokerKind(wanted), None
    try:
        return BrokerKind.GIVEN, check_servers(wanted)
    except ValueError as error:
        problem = f"--broker: takes `embedded`, `kafka` or HOST:PORT; {error}" if flag else f"WAYMARK_KAFKA: {error}"
    raise CommandError(settings_wrong([problem]), exit_code=2)


def choose_ports(
    base: int | None, *, without: Set[str] = frozenset(), taken: Callable[[int], bool] = accepts
) -> dict[str, int]:
    """Ports from a base, or the documented ones, `without` those of engines that are given.

    An engine whose usual port is taken moves to a free one; a service does not, because people know its port.

    Raises:
        CommandError: a service's port is taken.
    """
    if base is not None:
        ports = {name: base + offset for name, offset in OFFSETS.items() if name not in without}
    else:
        usual = {name: port for name, port in DEFAULT_PORTS.items() if name not in without}
        ports = {name: free_port() if name in ENGINES and taken(port) else port for name, port in usual.items()}
    busy = [f"{port} ({name})" for name, port in ports.items() if taken(port)]
    if busy:
        raise CommandError(
            f"in use already: port {', '.join(busy)}. Stop what listens there, or choose others with --port-base 18080."
        )
    return ports


def check_settings(plan: StackPlan, environ: Mapping[str, str]) -> None:
    """See that every service would start with what it is going to get, before anything is started.

    Raises:
        CommandError: it would not; with every mistake in the settings, or in the files that they name, or with what
            the given PostgreSQL has against its URL.
    """
    from waymark.processes.variables import refusals

    given = {"WAYMARK_KAFKA": plan.kafka or "", "WAYMARK_POSTGRES": plan.postgres or "", **_LISTENING}
    if plan.kafka is None:
        given |= dict.fromkeys((name for name in environ if name.startswith("WAYMARK_KAFKA_")), "")
    if problems := refusals({**environ, **given, **plan.environment}):
        raise CommandError(settings_wrong(problems), exit_code=2)
    if plan.postgres is not None:
        from services.runtime.process.startup import find_refusal

        if (wrong := asyncio.run(find_refusal(plan.postgres))) is not None:
            raise CommandError(settings_wrong([f"WAYMARK_POSTGRES: {wrong}"]), exit_code=2)


_SERVICES = ("INGEST", "JOURNEY", "JOURNEY_API", "ALERTS", "CONSOLE")
_LISTENING = {f"WAYMARK_{name}_{part}": "" for name in _SERVICES for part in ("HOST", "PORT")}
"""Which the plan gives."""
