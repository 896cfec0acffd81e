"""`waymark demo`: the main job in a minute, on a real stack, with every alert verified."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from waymark.console import CommandError, err, out, say
from waymark.options import AsJson, DataDir, examples

if TYPE_CHECKING:
    from waymark.demo.show import ShowResult
    from waymark.local.local_stack import LocalStack
    from waymark.local.plan import StackPlan

Customers = Annotated[int, typer.Option(min=50, max=50_000, help=say("How many customers.", "고객 수입니다."))]
Seed = Annotated[int, typer.Option(help=say("Which hour: one seed, one story.", "이야기를 정하는 시드입니다."))]
Play = Annotated[
    float,
    typer.Option("--play-seconds", min=5, help=say("Time for the hour to be told in.", "한 시간을 재생할 시간(초).")),
]
Stay = Annotated[
    bool, typer.Option("--stay", help=say("Keep everything running afterwards.", "끝난 뒤에도 계속 실행합니다."))
]
Tour = Annotated[
    bool,
    typer.Option(
        "--tour",
        help=say(
            "As --stay; says where to look, and opens the console.", "--stay와 같고 볼 곳을 안내하며 콘솔을 엽니다."
        ),
    ),
]
Broker = Annotated[
    str | None,
    typer.Option(metavar="embedded|kafka|HOST:PORT", help=say("As for `waymark up`.", "`waymark up`과 같습니다.")),
]
PortBase = Annotated[
    int | None, typer.Option(min=1024, max=65_000, help=say("Use ports N, N+1, …", "포트 N, N+1, …을 씁니다."))
]


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """What the flags say."""

    customers: int
    seed: int
    play_s: float
    stay: bool
    tour: bool
    as_json: bool


def register(app: typer.Typer) -> None:
    """Add `demo` to the application."""
    app.command(
        "demo",
        help=say(
            "Play an hour at a Korean retailer on a local stack, and verify every alert as a support team would.",
            "한국 유통사의 한 시간을 로컬 스택에서 재생하고, 지원팀처럼 모든 알림의 서명을 검증합니다.",
        ),
        epilog=examples(
            "waymark demo",
            "waymark demo --customers 10000 --play-seconds 60",
            "waymark demo --stay",
            "waymark demo --tour",
            "waymark demo --broker kafka --json",
        ),
    )(demo)


def demo(
    customers: Customers = 3000,
    seed: Seed = 7,
    play_s: Play = 25.0,
    stay: Stay = False,
    tour: Tour = False,
    broker: Broker = None,
    data_dir: DataDir = None,
    port_base: PortBase = None,
    as_json: AsJson = False,
) -> None:
    """Start a stack, play, sum up, stop."""
    from tempfile import TemporaryDirectory

    options = DemoOptions(customers=customers, seed=seed, play_s=play_s, stay=stay or tour, tour=tour, as_json=as_json)
    with TemporaryDirectory(prefix="waymark-demo-", ignore_cleanup_errors=True) as fresh:
        plan = make_demo_plan(data_dir or Path(fresh), options, broker=broker, port_base=port_base)
        result = _perform(plan, options)
    if result is not None and result.succeeded and not options.stay and not as_json:
        _offer()
    if result is not None and not result.succeeded:
        raise CommandError(say("the demo did not end as it should; see above", "데모가 정상적으로 끝나지 않았습니다"))


def make_demo_plan(folder: Path, options: DemoOptions, *, broker: str | None, port_base: int | None) -> "StackPlan":
    """Return the plan of `up` in a separate folder, on other ports where the usual ones are taken."""
    import dataclasses

    from waymark.launchers.child_process import free_port
    from waymark.local.up_command import make_plan

    try:
        plan = make_plan(os.environ, broker=broker, data_dir=folder, port_base=port_base)
    except CommandError as error:
        if port_base is not None or error.exit_code != 1:
            raise
        plan = make_plan(os.environ, broker=broker, data_dir=folder, port_base=free_port())
    # Promises are judged once the hour has been told: see waymark/demo/play.py.
    environment = {
        "WAYMARK_JOURNEY_LATE_GRACE_S": str(options.play_s + 5),
        "WAYMARK_ALERTS_ALLOW_PRIVATE_TARGETS": "true",
    }
    return dataclasses.replace(plan, environment={**plan.environment, **environment})


def _perform(plan: "StackPlan", options: DemoOptions) -> "ShowResult | None":
    """Return the result of the show, or None when somebody stopped it."""
    from waymark.demo.outcome import PeakMemory
    from waymark.demo.show import DemoShow
    from waymark.local.local_stack import LocalStack
    from waymark.local.up_command import StackProgress, StopRequest, stop_signals

    show = DemoShow(plan, options)
    result: ShowResult | None = None
    with stop_signals() as stopping, StackProgress() as report, PeakMemory() as memory:
        try:
            with LocalStack(plan, report) as stack:
                stopping.stack = stack
                report.rest()
                result = show.perform(stack, memory)
                if options.stay:
                    _stay(plan, stack, tour=options.tour)
        except StopRequest:
            if result is None:
                err.print(say("stopped before the end", "끝나기 전에 멈췄습니다"), style="yellow")
    return result


def _offer() -> None:
    out.print(
        say(
            "`waymark demo --stay` leaves everything running to look around; `waymark demo --tour` says where to look.",
            "`waymark demo --stay`는 끝난 뒤에도 모두 실행해 두고, `waymark demo --tour`는 볼 곳까지 안내합니다.",
        ),
        style="dim",
    )


def _stay(plan: "StackPlan", stack: "LocalStack", *, tour: bool) -> None:
    from waymark.local.up_command import watch
    from waymark.local.welcome import welcome

    out.print(welcome(plan, stack.target))
    if tour:
        _show_round(plan, stack)
    watch(stack, None)


def _show_round(plan: "StackPlan", stack: "LocalStack") -> None:
    """Say where to look; where a person sits at a terminal, open the console in their browser."""
    import webbrowser

    from waymark.demo.tour import guide, read_tour

    out.print(guide(read_tour(stack.target, plan.folder), stack.target.keys["agent"]), soft_wrap=True)
    if out.is_terminal:
        webbrowser.open(f"{stack.target.console}/")
