"""Checks of this machine: Python, settings, disk."""

import shutil
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from services.alerts.settings import AlertsProcessSettings as AlertsSettings
from services.ingest.settings import IngestProcessSettings as IngestSettings
from services.journey.api.api_settings import ApiProcessSettings
from services.journey.settings import WorkerProcessSettings as JourneySettings
from services.runtime.settings import misspelt
from waymark.console import say
from waymark.doctor.finding import DoctorFinding, broken, fine, look
from waymark.processes.variables import known_variables, named_files, wrong_settings

LEAST_FREE_BYTES = 1 << 30
OLDEST_PYTHON = (3, 11)


def examine_machine(environ: Mapping[str, str], folder: Path) -> Iterable[DoctorFinding]:
    """Return every finding about this machine."""
    yield _python()
    yield _settings(environ)
    yield from _files(environ)
    yield _disk(folder)


def _python() -> DoctorFinding:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < OLDEST_PYTHON:
        return broken("python", version, say("Waymark needs Python 3.11 or newer", "Python 3.11 이상이 필요합니다"))
    return fine("python", version)


def _settings(environ: Mapping[str, str]) -> DoctorFinding:
    problems = wrong_settings(environ)
    if problems:
        fix = say(
            "correct these variables; .env.example lists all of them",
            "이 변수들을 바로잡으세요. 전체 목록은 .env.example에 있습니다",
        )
        return broken("settings", "; ".join(problems), fix)
    if strange := misspelt(environ, known_variables()):
        return look(
            "settings", "; ".join(strange), say("correct or remove these variables", "이 변수들을 바로잡거나 지우세요")
        )
    doubled = _listening_twice(environ)
    if doubled:
        return broken(
            "settings", doubled, say("give each process a port of its own", "프로세스마다 다른 포트를 지정하세요")
        )
    given = sorted(name for name in environ if name.startswith("WAYMARK_"))
    count = say(f"{len(given)} WAYMARK_* variables set", f"WAYMARK_* 변수 {len(given)}개 설정됨")
    return fine("settings", count if given else say("all defaults", "모두 기본값"))


def _files(environ: Mapping[str, str]) -> Iterable[DoctorFinding]:
    """Return what is wrong with the files that the settings name; nothing where no setting names one."""
    for named in named_files(environ):
        if named.problems:
            yield broken(named.what, "; ".join(named.problems), say("correct the file", "파일을 바로잡으세요"))
        else:
            paths = ", ".join(named.paths)
            yield fine(named.what, say(f"{paths} can be used", f"{paths}: 사용할 수 있습니다"))


def _listening_twice(environ: Mapping[str, str]) -> str:
    """Return which processes would listen on the same port if all of them ran here."""
    places: dict[int, list[str]] = {}
    for own in (
        IngestSettings.load(environ).ingest,
        JourneySettings.load(environ).worker,
        ApiProcessSettings.load(environ).api,
        AlertsSettings.load(environ).alerts,
    ):
        if own.port:
            places.setdefault(own.port, []).append(own.variable_of("port"))
    twice = [(port, ", ".join(names)) for port, names in places.items() if names[1:]]
    return "; ".join(say(f"port {port} is set twice: {names}", f"포트 {port} 중복: {names}") for port, names in twice)


def _disk(folder: Path) -> DoctorFinding:
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    gib = f"{free / (1 << 30):.1f} GiB"
    detail = say(f"{gib} free at {folder}", f"남은 공간 {gib} ({folder})")
    if free < LEAST_FREE_BYTES:
        fix = say(
            "make room before PostgreSQL or Kafka stop for want of it",
            "공간이 부족해 PostgreSQL이나 Kafka가 멈추기 전에 디스크 공간을 확보하세요",
        )
        return look("disk", detail, fix)
    return fine("disk", detail)
