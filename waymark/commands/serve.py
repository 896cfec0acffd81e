"""`waymark serve`: run one process of Waymark in the foreground, configured by the environment."""

import asyncio
import os
from collections.abc import Callable, Coroutine
from enum import StrEnum
from typing import Annotated, Any

import typer

from waymark.commands.options import examples
from waymark.console import CommandError, say


class Process(StrEnum):
    """The processes there are."""

    INGEST = "ingest"
    JOURNEY = "journey"
    JOURNEY_API = "journey-api"
    ALERTS = "alerts"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "serve",
        help=say(
            "Run one process until SIGTERM. WAYMARK_KAFKA and WAYMARK_POSTGRES say where the others are.",
            "프로세스 하나를 SIGTERM까지 실행합니다. WAYMARK_KAFKA와 WAYMARK_POSTGRES를 읽습니다.",
        ),
        epilog=examples("waymark serve ingest", "WAYMARK_INGEST_PORT=9080 waymark serve ingest"),
    )(serve)


def serve(
    process: Annotated[Process, typer.Argument(help=say("Which process.", "실행할 프로세스입니다."))],
) -> None:
    """Load the settings, run, end."""
    from services.runtime.settings import SettingsError

    try:
        with asyncio.Runner(loop_factory=_loop_factory(process)) as runner:
            runner.run(_MAKERS[process]())
    except SettingsError as error:  # of the environment, or of a file that it names
        raise CommandError("the settings are wrong:\n  " + "\n  ".join(error.problems), exit_code=2) from error


def _loop_factory(process: Process) -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return uvloop's where a process spends its time on sockets; the worker gains nothing by it (measured)."""
    if process is not Process.INGEST:
        return None
    import uvloop

    return uvloop.new_event_loop


def _ingest() -> Coroutine[Any, Any, None]:
    from services.ingest.app import run
    from services.ingest.settings import ProcessSettings

    return run(ProcessSettings.load(os.environ))


def _journey() -> Coroutine[Any, Any, None]:
    from services.journey.settings import ProcessSettings
    from services.journey.worker import run

    return run(ProcessSettings.load(os.environ))


def _journey_api() -> Coroutine[Any, Any, None]:
    from services.journey.api_app import run
    from services.journey.api_settings import ApiProcessSettings

    return run(ApiProcessSettings.load(os.environ))


def _alerts() -> Coroutine[Any, Any, None]:
    from services.alerts.app import run
    from services.alerts.settings import ProcessSettings

    return run(ProcessSettings.load(os.environ))


_MAKERS: dict[Process, Callable[[], Coroutine[Any, Any, None]]] = {
    Process.INGEST: _ingest,
    Process.JOURNEY: _journey,
    Process.JOURNEY_API: _journey_api,
    Process.ALERTS: _alerts,
}
