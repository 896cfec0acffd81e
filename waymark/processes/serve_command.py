"""`waymark serve`: run one process of Waymark in the foreground, configured by the environment."""

import asyncio
import os
from collections.abc import Callable, Coroutine
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from waymark.console import CommandError, say, settings_wrong
from waymark.options import examples

if TYPE_CHECKING:
    from services.runtime.settings import CommonSettings


ANSWERS_WITHIN_S = 1.0
"""How long PostgreSQL has to refuse somebody before the rest is loaded; the process itself waits for it much longer."""


class ProcessName(StrEnum):
    """The processes that `waymark serve` can run."""

    INGEST = "ingest"
    JOURNEY = "journey"
    JOURNEY_API = "journey-api"
    ALERTS = "alerts"
    CONSOLE = "console"


def register(app: typer.Typer) -> None:
    """Add `serve` to the application."""
    app.command(
        "serve",
        help=say(
            "Run one process until SIGTERM. WAYMARK_KAFKA and WAYMARK_POSTGRES say where the others are.",
            "프로세스 하나를 SIGTERM까지 실행합니다. WAYMARK_KAFKA와 WAYMARK_POSTGRES를 읽습니다.",
        ),
        epilog=examples("waymark serve ingest", "WAYMARK_INGEST_PORT=9080 waymark serve ingest"),
    )(serve)


def serve(
    process: Annotated[ProcessName, typer.Argument(help=say("Which process.", "실행할 프로세스입니다."))],
) -> None:
    """Load the settings, run the process, and return when it ends."""
    from services.runtime.settings import SettingsError

    problems: list[str] = []
    try:
        _run(_MAKERS[process](), process)
    except SettingsError as error:  # of the environment, of a file that it names, or of what a server says to them
        problems = error.problems
    if problems:
        raise CommandError(settings_wrong(problems), exit_code=2)


def _run(work: Coroutine[Any, Any, None], process: ProcessName) -> None:
    from services.runtime.process.startup import DependencyUnavailableError, explain_missing_tables

    try:
        with asyncio.Runner(loop_factory=_loop_factory(process)) as runner, explain_missing_tables():
            runner.run(work)
    except DependencyUnavailableError as error:
        raise CommandError(str(error)) from None


def _begin(common: "CommonSettings", process: ProcessName) -> None:
    """Report odd variables and connect to PostgreSQL once, before the process's own modules are loaded.

    Raises:
        SettingsError: PostgreSQL refuses the user of the URL. Where nobody answers at once, the process itself waits.
    """
    from services.runtime.process.startup import find_refusal
    from services.runtime.settings import SettingsError

    _say_what_is_odd(common, process)
    wrong = asyncio.run(find_refusal(common.postgres.get_secret_value(), within_s=ANSWERS_WITHIN_S))
    if wrong is not None:
        raise SettingsError([f"{common.variable_of('postgres')}: {wrong}"])


def _say_what_is_odd(common: "CommonSettings", process: ProcessName) -> None:
    """Log each variable with our prefix that nothing reads."""
    from services.runtime.settings import misspelt
    from services.runtime.telemetry import logs
    from waymark.processes.variables import known_variables

    logs.configure(process.value, common.log_level, common.log_format)
    for line in misspelt(os.environ, known_variables()):
        logs.get_logger(__name__).warning("variable without effect", problem=line)


def _loop_factory(process: ProcessName) -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return uvloop's factory where a process spends its time on sockets; the worker gains nothing by it (measured)."""
    if process is not ProcessName.INGEST:
        return None
    import uvloop

    return uvloop.new_event_loop


def _ingest() -> Coroutine[Any, Any, None]:
    from services.ingest.company_files import CompanyFiles
    from services.ingest.settings import IngestProcessSettings

    settings = IngestProcessSettings.load(os.environ)  # before the rest is imported: what is wrong is said at once
    CompanyFiles.read(settings.ingest)
    _begin(settings.common, ProcessName.INGEST)
    from services.ingest.app import run

    return run(settings)


def _journey() -> Coroutine[Any, Any, None]:
    from services.journey.rulebook import rules_file
    from services.journey.settings import WorkerProcessSettings

    settings = WorkerProcessSettings.load(os.environ)  # before the rest is imported: what is wrong is said at once
    rules_file.from_settings(settings.worker)
    _begin(settings.common, ProcessName.JOURNEY)
    from services.journey.worker import run

    return run(settings)


def _journey_api() -> Coroutine[Any, Any, None]:
    from services.journey.api.api_settings import ApiProcessSettings

    settings = ApiProcessSettings.load(os.environ)  # before the rest is imported: what is wrong is said at once
    _begin(settings.common, ProcessName.JOURNEY_API)
    from services.journey.api.app import run
    from waymark.rule_cases import read_cases

    return run(settings, cases=read_cases)


def _alerts() -> Coroutine[Any, Any, None]:
    from services.alerts.settings import AlertsProcessSettings

    settings = AlertsProcessSettings.load(os.environ)  # before the rest is imported: what is wrong is said at once
    _begin(settings.common, ProcessName.ALERTS)
    from services.alerts.app import run

    return run(settings)


def _console() -> Coroutine[Any, Any, None]:
    from services.console.settings import ConsoleProcessSettings

    settings = ConsoleProcessSettings.load(os.environ)
    _say_what_is_odd(settings.common, ProcessName.CONSOLE)  # it has no database to ask
    from services.console.app import run

    return run(settings)


_MAKERS: dict[ProcessName, Callable[[], Coroutine[Any, Any, None]]] = {
    ProcessName.INGEST: _ingest,
    ProcessName.JOURNEY: _journey,
    ProcessName.JOURNEY_API: _journey_api,
    ProcessName.ALERTS: _alerts,
    ProcessName.CONSOLE: _console,
}
