"""The variables of every process: who reads them, and what is wrong with them and with the files that they name.

Imports no more than settings and files need, so that a problem is reported before a process's own modules are loaded.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from services.alerts.settings import AlertsProcessSettings as AlertsProcess
from services.alerts.settings import AlertsSettings
from services.console.settings import ConsoleProcessSettings as ConsoleProcess
from services.console.settings import ConsoleSettings
from services.ingest.company_files import CompanyFiles
from services.ingest.settings import IngestProcessSettings as IngestProcess
from services.ingest.settings import IngestSettings
from services.journey.api.api_settings import ApiProcessSettings, ApiSettings
from services.journey.rulebook import rules_file
from services.journey.settings import WorkerProcessSettings as JourneyProcess
from services.journey.settings import WorkerSettings
from services.runtime.settings import CommonSettings, SettingsError

_OF_THE_COMMAND = frozenset(
    {
        "WAYMARK_DATA_DIR",
        *(f"WAYMARK_URL_{name}" for name in ("INGEST", "JOURNEY", "JOURNEY_API", "ALERTS", "CONSOLE")),
        *(f"WAYMARK_KEY_{name}" for name in ("SOURCE", "READER", "AGENT", "ADMIN")),
    }
)
_OF_DEPLOYMENTS = frozenset(
    {
        *("WAYMARK_VERSION", "WAYMARK_GRAFANA_PASSWORD", "WAYMARK_DB_PASSWORD", "WAYMARK_KAFKA_CLUSTER_ID"),
        *(f"WAYMARK_DB_PASSWORD_{name}" for name in ("INGEST", "JOURNEY", "ALERTS")),
        *(f"WAYMARK_PORT_{name}" for name in ("INGEST", "JOURNEY_API", "ALERTS", "CONSOLE", "KAFKA", "POSTGRES")),
        *(f"WAYMARK_PORT_{name}" for name in ("GRAFANA", "PROMETHEUS")),
    }
)


def known_variables() -> frozenset[str]:
    """Return the names of all variables that a process reads."""
    classes = (CommonSettings, IngestSettings, WorkerSettings, ApiSettings, AlertsSettings, ConsoleSettings)
    read = {cls.variable_of(field) for cls in classes for field in cls.model_fields}
    return frozenset(read | _OF_THE_COMMAND | _OF_DEPLOYMENTS)


def wrong_settings(environ: Mapping[str, str]) -> list[str]:
    """Return what keeps any process from starting, files aside; a problem of several processes is reported once."""
    loaders: tuple[Callable[[Mapping[str, str]], object], ...] = (
        *(
            IngestProcess.load,
            JourneyProcess.load,
            ApiProcessSettings.load,
            AlertsProcess.load,
            ConsoleProcess.load,
        ),
    )
    found = [problem for load in loaders for problem in _problems(partial(load, environ))]
    return list(dict.fromkeys(found))


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedFiles:
    """The files that one setting names, and what is wrong with them; `what` they are, in a word."""

    what: str
    paths: tuple[str, ...]
    problems: list[str]


def named_files(environ: Mapping[str, str]) -> Iterator[NamedFiles]:
    """Return what is wrong with each file that a setting names."""
    readers: dict[str, tuple[tuple[str, ...], Callable[[], object]]] = {
        "rules": (
            (WorkerSettings.variable_of("rules"),),
            lambda: rules_file.from_settings(JourneyProcess.load(environ).worker),
        ),
        "ingest's files": (
            (IngestSettings.variable_of("privacy"), IngestSettings.variable_of("systems")),
            lambda: CompanyFiles.read(IngestProcess.load(environ).ingest),
        ),
    }
    for what, (variables, read) in readers.items():
        paths = tuple(environ[name] for name in variables if environ.get(name))
        if paths:
            yield NamedFiles(what=what, paths=paths, problems=_problems(read))


def refusals(environ: Mapping[str, str]) -> list[str]:
    """Return what keeps any process from starting in this environment: its settings, or the files that they name."""
    return wrong_settings(environ) or [problem for named in named_files(environ) for problem in named.problems]


def _problems(read: Callable[[], object]) -> list[str]:
    try:
        read()
    except SettingsError as error:
        return error.problems
    return []
