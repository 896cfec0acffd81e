"""What the command talks to: flags first, then the environment, then the stack that `waymark up` runs, then defaults.

`waymark up` keeps `up.json` in its data folder while it runs, so that `waymark send` in another terminal needs neither
address nor key.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from services.runtime.addresses import postgres_url
from services.runtime.addresses.brokers import Brokers
from services.runtime.settings import CommonSettings, SettingsError
from waymark.console import CommandError, settings_wrong
from waymark.user_folders import data_home

UP_FILE = "up.json"
VARIABLE = CommonSettings.variable_of("postgres")


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandTarget:
    """Addresses and keys of one Waymark. `keys` may lack any of `source`, `reader`, `agent`, `admin`.

    `access` is what the environment says of how Kafka is reached; `brokers` is made of it.
    """

    ingest: str
    journey: str
    journey_api: str
    alerts: str
    console: str
    kafka: str
    postgres: str
    access: Mapping[str, str] = field(default_factory=dict, repr=False)
    postgres_direct: str = ""
    """The same database past a pooler, where one stands before it."""

    line: str = ""
    idempotent: bool = True
    keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    from_up: bool = False

    @property
    def brokers(self) -> Brokers:
        """Return how Kafka is reached; raises `CommandError` for wrong settings."""
        return brokers_at(self.kafka, self.access)


def data_dir(environ: Mapping[str, str]) -> Path:
    """Return the folder of the local stack: `WAYMARK_DATA_DIR`, else one in the user's data folder."""
    chosen = environ.get("WAYMARK_DATA_DIR")
    return Path(chosen) if chosen else data_home()


def find_target(environ: Mapping[str, str]) -> CommandTarget:
    """Combine the environment with the stack that runs here; the environment takes precedence."""
    running = running_stack(data_dir(environ)) or {}

    def choose(variable: str, known: str, default: str) -> str:
        return environ.get(variable) or str(running.get(known) or default)

    return CommandTarget(
        ingest=choose("WAYMARK_URL_INGEST", "ingest", _local(environ, "WAYMARK_INGEST_PORT", 8080)),
        journey=choose("WAYMARK_URL_JOURNEY", "journey", _local(environ, "WAYMARK_JOURNEY_PORT", 9101)),
        journey_api=choose("WAYMARK_URL_JOURNEY_API", "journey_api", _local(environ, "WAYMARK_JOURNEY_API_PORT", 8081)),
        alerts=choose("WAYMARK_URL_ALERTS", "alerts", _local(environ, "WAYMARK_ALERTS_PORT", 8082)),
        console=choose("WAYMARK_URL_CONSOLE", "console", _local(environ, "WAYMARK_CONSOLE_PORT", 8083)),
        kafka=choose("WAYMARK_KAFKA", "kafka", "127.0.0.1:9092"),
        access={} if running.get("plaintext") and not environ.get("WAYMARK_KAFKA") else access_of(environ),
        postgres=choose("WAYMARK_POSTGRES", "postgres", "postgresql://waymark@127.0.0.1:5432/waymark"),
        postgres_direct=environ.get("WAYMARK_POSTGRES_DIRECT", ""),
        line=choose("WAYMARK_KAFKA_LINE", "line", ""),
        idempotent=choose("WAYMARK_KAFKA_IDEMPOTENCE", "idempotence", "true").lower() not in {"false", "0", "no"},
        keys=_keys(environ, running.get("keys", {})),
        from_up=bool(running),
    )


def brokers_at(kafka: str, access: Mapping[str, str]) -> Brokers:
    """Return how Kafka at these servers is reached; raises `CommandError` for wrong settings."""
    try:
        return CommonSettings.load({**access, "WAYMARK_KAFKA": kafka}).brokers
    except SettingsError as error:
        problems = error.problems
    raise CommandError(settings_wrong(problems), exit_code=2)


def check_url(url: str, variable: str = VARIABLE) -> None:
    """Refuse a URL that cannot be read; raises `CommandError`, whose text never quotes it."""
    if problems := postgres_url.problems(url):
        raise CommandError(settings_wrong([f"{variable}: {problem}" for problem in problems]), exit_code=2)


def running_stack(folder: Path) -> dict[str, Any] | None:
    """Return what `waymark up` wrote, if the process that wrote it still runs."""
    try:
        document: dict[str, Any] = orjson.loads((folder / UP_FILE).read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    return document if _runs(int(document.get("pid", 0))) else None


def _keys(environ: Mapping[str, str], running: Mapping[str, str]) -> dict[str, str]:
    """`WAYMARK_KEY_SOURCE`, `…_READER`, `…_AGENT`, `…_ADMIN`, each over what the local stack has."""
    names = ("source", "reader", "agent", "admin")
    chosen = {name: environ.get(f"WAYMARK_KEY_{name.upper()}") or running.get(name) for name in names}
    return {name: key for name, key in chosen.items() if key}


def access_of(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that say how Kafka is reached, except its address."""
    return {name: value for name, value in environ.items() if name.startswith(_ACCESS) and name not in _NO_ACCESS}


_ACCESS = "WAYMARK_KAFKA_"
_NO_ACCESS = frozenset({"WAYMARK_KAFKA_LINE", "WAYMARK_KAFKA_IDEMPOTENCE"})


def _local(environ: Mapping[str, str], variable: str, default: int) -> str:
    return f"http://127.0.0.1:{environ.get(variable) or default}"


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except OSError:
        return False
    return pid > 0
