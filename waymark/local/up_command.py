"""`waymark up`: everything on this machine, until Ctrl-C."""

import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from waymark.console import err, out, say
from waymark.options import AsJson, DataDir, examples

if TYPE_CHECKING:
    from waymark.local.local_stack import LocalStack
    from waymark.local.plan import StackPlan
    from waymark.target import CommandTarget

TICK_S = 0.3

Broker = Annotated[
    str | None,
    typer.Option(
        metavar="embedded|kafka|HOST:PORT",
        help=say(
            "The broker: in memory for a first look, Apache Kafka (needs Java 17 and Maven), or one that is there. "
            "Without it: WAYMARK_KAFKA, else embedded.",
            "브로커: 체험용 메모리 브로커, Apache Kafka(Java 17과 Maven 필요) 또는 이미 있는 주소.",
        ),
        show_default=False,
    ),
]
PortBase = Annotated[
    int | None,
    typer.Option(
        min=1024,
        max=65_000,
        help=say("Use ports N, N+1, … instead of the usual ones.", "기본 포트 대신 N, N+1, …을 씁니다."),
        show_default=False,
    ),
]
ReadyFile = Annotated[
    Path | None,
    typer.Option(
        help=say("Write addresses and keys here, as JSON, once everything answers.", "준비되면 JSON을 씁니다.")
    ),
]
Seconds = Annotated[float | None, typer.Option(help=say("Stop by itself after so long.", "지정한 초 뒤에 멈춥니다."))]


def register(app: typer.Typer) -> None:
    """Add `up` to the application."""
    app.command(
        "up",
        help=say(
            "Start everything on this machine: PostgreSQL, a broker and the four services. Ctrl-C stops it cleanly.",
            "PostgreSQL, 브로커, 네 개의 서비스를 이 컴퓨터에서 실행합니다. Ctrl-C로 깨끗하게 멈춥니다.",
        ),
        epilog=examples(
            "waymark up",
            "waymark up --broker kafka",
            "waymark up --data-dir ./try --port-base 18080 --ready-file ready.json",
            "WAYMARK_POSTGRES=postgresql://… waymark up --broker kafka-1:9092",
        ),
    )(up)


def up(
    broker: Broker = None,
    data_dir: DataDir = None,
    port_base: PortBase = None,
    ready_file: ReadyFile = None,
    seconds: Seconds = None,
    as_json: AsJson = False,
) -> None:
    """Plan, start, watch, stop."""
    plan = make_plan(os.environ, broker=broker, data_dir=data_dir, port_base=port_base)

    from waymark.local.local_stack import LocalStack, write_ready_file  # after that: what is wrong is said at once

    with stop_signals() as stopping, StackProgress() as report:
        try:
            with LocalStack(plan, report) as stack:
                stopping.stack = stack
                report.rest()
                _tell(plan, stack.target, as_json=as_json)
                if ready_file is not None:
                    write_ready_file(ready_file, stack.target)
                watch(stack, seconds)
        except StopRequest:
            pass
        finally:
            if ready_file is not None:
                ready_file.unlink(missing_ok=True)
    err.print(say("everything stopped", "모두 멈췄습니다"), style="green")


def make_plan(
    environ: Mapping[str, str], *, broker: str | None, data_dir: Path | None, port_base: int | None
) -> "StackPlan":
    """The plan that flags and environment describe; raises CommandError where they cannot be followed."""
    from waymark.local.plan import StackPlan, check_settings, choose_broker, choose_ports
    from waymark.target import access_of
    from waymark.target import data_dir as default_data_dir

    kind, kafka = choose_broker(broker, environ)
    given = {name for name, address in (("kafka", kafka), ("postgres", environ.get("WAYMARK_POSTGRES"))) if address}
    plan = StackPlan(
        folder=(data_dir or default_data_dir(environ)).resolve(),
        ports=choose_ports(port_base, without=given),
        broker=kind,
        kafka=kafka,
        postgres=environ.get("WAYMARK_POSTGRES") or None,
        access=access_of(environ),
    )
    check_settings(plan, environ)
    return plan


class StopRequest(BaseException):
    """SIGINT, SIGTERM or SIGHUP arrived. Not an Exception, so that no handler on the way takes it for an error."""


class StopSignals:
    """Handles signals: the first asks for an orderly stop, the second ends everything at once."""

    def __init__(self) -> None:
        self.stack: LocalStack | None = None
        self._asked = False

    def on_signal(self, _number: int, _frame: FrameType | None) -> None:
        """Ask for an orderly stop, or end at once at the second signal."""
        if not self._asked:
            self._asked = True
            raise StopRequest
        if self.stack is not None:
            self.stack.kill()


@contextmanager
def stop_signals() -> Iterator[StopSignals]:
    """Turn the signals that end a command into an orderly stop."""
    stopping = StopSignals()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, stopping.on_signal) for number in numbers}
    try:
        yield stopping
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class StackProgress:
    """Shows progress on standard error: a spinner on a terminal, plain lines elsewhere."""

    def __init__(self) -> None:
        self._status = err.status("") if err.is_terminal else None

    def __enter__(self) -> "StackProgress":
        return self

    def __exit__(self, *_: object) -> None:
        self.rest()

    def step(self, text: str) -> None:
        """Something begins that takes a moment."""
        if self._status is not None:
            self._status.update(text)
            self._status.start()

    def done(self, text: str) -> None:
        """Print that a part of the stack is ready."""
        err.print(f"[green]✓[/] {text}", highlight=False)

    def trouble(self, text: str) -> None:
        """Something went wrong and is being handled."""
        err.print("[yellow]![/] ", end="")
        err.print(text, markup=False, highlight=False)

    def rest(self) -> None:
        """Nothing is going on."""
        if self._status is not None:
            self._status.stop()


def watch(stack: "LocalStack", seconds: float | None) -> None:
    """Keep the stack alive, for `seconds` or for ever."""
    end = None if seconds is None else time.monotonic() + seconds
    while end is None or time.monotonic() < end:
        stack.tend()
        time.sleep(TICK_S)


def _tell(plan: "StackPlan", target: "CommandTarget", *, as_json: bool) -> None:
    """Print what a person, or a program, needs to use the stack."""
    if as_json:
        from waymark.console import print_json
        from waymark.local.local_stack import ready_document

        print_json(ready_document(target))
        return
    from waymark.local.welcome import welcome

    out.print(welcome(plan, target))
