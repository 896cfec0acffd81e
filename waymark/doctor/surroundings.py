"""Checks of this machine: Python, settings, disk."""

import shutil
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from services.alerts.settings import ProcessSettings as AlertsSettings
from services.ingest.settings import ProcessSettings as IngestSettings
from services.journey.api_settings import ApiProcessSettings
from services.journey.settings import ProcessSettings as JourneySettings
from services.runtime.settings import SettingsError
from waymark.doctor.finding import Finding, broken, fine, look

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
    given = sorted(name for name in environ if name.startswith("WAYMARK_"))
    return fine("settings", f"{len(given)} WAYMARK_* variables set" if given else "all defaults")


def _disk(folder: Path) -> Finding:
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    detail = f"{free / (1 << 30):.1f} GiB free at {folder}"
    if free < LEAST_FREE_BYTES:
        return look("disk", detail, "make room before PostgreSQL or Kafka stop for want of it")
    return fine("disk", detail)
