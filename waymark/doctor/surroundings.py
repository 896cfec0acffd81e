"""Checks of this machine: Python, settings, disk."""

import shutil
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from services.alerts.settings import ProcessSettings as AlertsSettings
from services.ingest.app import Files as IngestFiles
from services.ingest.settings import ProcessSettings as IngestSettings
from services.journey.api_settings import ApiProcessSettings
from services.journey.settings import ProcessSettings as JourneySettings
from services.journey.worker import read_rulebook
from services.runtime.settings import SettingsError, misspelt
from waymark.doctor.finding import Finding, broken, fine, look
from waymark.variables import known_variables

LEAST_FREE_BYTES = 1 << 30
OLDEST_PYTHON = (3, 11)

LOADERS: dict[str, Callable[[Mapping[str, str]], object]] = {
    "ingest": IngestSettings.load,
    "journey": JourneySettings.load,
    "journey-api": ApiProcessSettings.load,
    "alerts": AlertsSettings.load,
}


def examine_surroundings(environ: Mapping[str, str], folder: Path) -> Iterable[Finding]:
    """Every finding about this machine."""
    yield _python()
    yield _settings(environ)
    yield from _files(environ)
    yield _disk(folder)


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < OLDEST_PYTHON:
        return broken("python", version, "Waymark needs Python 3.11 or newer")
    return fine("python", version)


def _settings(environ: Mapping[str, str]) -> Finding:
    problems: list[str] = []
    for name, load in LOADERS.items():
        try:
            load(environ)
        except SettingsError as error:
            problems += [f"{name}: {problem}" for problem in error.problems]
    if problems:
        return broken("settings", "; ".join(problems), "correct these variables; .env.example lists all of them")
    if strange := misspelt(environ, known_variables()):
        return look("settings", "; ".join(strange), "correct or remove these variables")
    doubled = _listening_twice(environ)
    if doubled:
        return broken("settings", doubled, "give each process a port of its own")
    given = sorted(name for name in environ if name.startswith("WAYMARK_"))
    return fine("settings", f"{len(given)} WAYMARK_* variables set" if given else "all defaults")


def _files(environ: Mapping[str, str]) -> Iterable[Finding]:
    """What the files that the settings name say; nothing where no setting names one, or settings are wrong."""
    checks: dict[str, Callable[[], list[str]]] = {
        "rules": lambda: _refused(lambda: read_rulebook(JourneySettings.load(environ).worker)),
        "ingest's files": lambda: _refused(lambda: IngestFiles.read(IngestSettings.load(environ).ingest)),
    }
    named = {
        "rules": (environ.get("WAYMARK_JOURNEY_RULES"),),
        "ingest's files": (environ.get("WAYMARK_INGEST_PRIVACY"), environ.get("WAYMARK_INGEST_SYSTEMS")),
    }
    for name, check in checks.items():
        if any(named[name]):
            problems = check()
            found = ", ".join(filter(None, named[name]))
            yield broken(name, "; ".join(problems), "mend the file") if problems else fine(name, f"{found} can be used")


def _refused(read: Callable[[], object]) -> list[str]:
    try:
        read()
    except SettingsError as error:
        return error.problems
    return []


def _listening_twice(environ: Mapping[str, str]) -> str:
    """Which processes would listen on one port, were they all started here."""
    places: dict[int, list[str]] = {}
    for own in (
        IngestSettings.load(environ).ingest,
        JourneySettings.load(environ).worker,
        ApiProcessSettings.load(environ).api,
        AlertsSettings.load(environ).alerts,
    ):
        if own.port:
            places.setdefault(own.port, []).append(own.variable_of("port"))
    return "; ".join(f"port {port} is set twice: {', '.join(names)}" for port, names in places.items() if names[1:])


def _disk(folder: Path) -> Finding:
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    detail = f"{free / (1 << 30):.1f} GiB free at {folder}"
    if free < LEAST_FREE_BYTES:
        return look("disk", detail, "make room before PostgreSQL or Kafka stop for want of it")
    return fine("disk", detail)
