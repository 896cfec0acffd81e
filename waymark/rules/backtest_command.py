"""`waymark rules backtest`: what rules would have found in the stored customers, against what is in force."""

import os
import re
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from waymark.console import CommandError, err, print_json, say
from waymark.options import AsJson, examples

if TYPE_CHECKING:
    from services.journey.trial.backtest import BacktestTally
    from waymark.rules.backtest_run import BacktestOrder

_AGO = re.compile(r"(\d{1,5})([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}

Rules = Annotated[
    str,
    typer.Argument(
        metavar="FILE", help=say("A rules file, or `default`.", "규칙 파일 또는 `default`."), show_default=False
    ),
]
Since = Annotated[
    str, typer.Option("--since", metavar="TIME", help=say("From when on: 7d, 12h, or a time.", "시작: 7d, 12h, 시각."))
]
Until = Annotated[
    str, typer.Option("--until", metavar="TIME", help=say("Until when; now.", "끝(기본: 지금)."), show_default=False)
]
Zone = Annotated[
    str,
    typer.Option(
        "--zone",
        metavar="NAME",
        help=say(
            "Zone of days and hours, such as Asia/Seoul; this machine's.", "날짜와 시간의 시간대(예: Asia/Seoul)."
        ),
        show_default=False,
    ),
]
Workers = Annotated[
    int,
    typer.Option(
        "--workers",
        min=0,
        max=64,
        help=say("Processes; 0 for one per processor.", "프로세스 수, 0은 프로세서마다 하나."),
    ),
]


def register(group: typer.Typer) -> None:
    """Add `backtest` to the group of rules."""
    group.command(
        "backtest",
        help=say(
            "Try rules on stored customers with the engine of the worker, and compare with the frictions in force: "
            "what would be new, gone, moved, by day. Writes nothing.",
            "저장된 고객에 워커와 같은 엔진으로 규칙을 시험하고, 지금의 불편과 비교합니다. 아무것도 쓰지 않습니다.",
        ),
        epilog=examples(
            "waymark rules backtest our-rules.yaml --since 7d",
            "waymark rules backtest our-rules.yaml --since 2026-11-01 --until 2026-11-15 --zone Asia/Seoul",
            "waymark rules backtest default --since 30d --json > backtest.json",
        ),
    )(backtest)


def backtest(
    rules: Rules,
    *,
    since: Since = "7d",
    until: Until = "",
    zone: Zone = "",
    workers: Workers = 0,
    as_json: AsJson = False,
) -> None:
    """Run the backtest, and show what it found."""
    from waymark.rules import backtest_report
    from waymark.rules.backtest_run import default_workers

    order = _order(rules, since, until, zone)
    tally, seconds = _run(order, workers or default_workers())
    if as_json:
        print_json(backtest_report.document(tally, seconds))
    else:
        backtest_report.show(tally, order.window, seconds)


def _order(rules: str, since: str, until: str, zone: str) -> "BacktestOrder":
    from services.journey.rulebook import rules_file
    from services.journey.settings import WorkerSettings
    from services.journey.trial.backtest import BacktestWindow
    from services.runtime.settings import SettingsError
    from waymark.console import settings_wrong
    from waymark.rules.backtest_run import BacktestOrder
    from waymark.rules.rules_reading import load_rules
    from waymark.target import find_target

    path = rules_file.DEFAULT if rules == "default" else Path(rules)
    load_rules(path)
    now = datetime.now(UTC)
    at = _zone(zone)
    ends = _moment("--until", until, now, at) if until else now
    window = BacktestWindow(since=_moment("--since", since, ends, at), until=ends, zone=at)
    if window.since >= window.until:
        raise CommandError(say("--since is not before --until", "--since가 --until보다 앞이 아닙니다"), exit_code=2)
    try:
        latest = WorkerSettings.load(os.environ).history_touchpoints
    except SettingsError as error:
        raise CommandError(settings_wrong(error.problems), exit_code=2) from error
    target = find_target(os.environ)
    return BacktestOrder(
        url=target.postgres_direct or target.postgres,
        rules=path.read_text(encoding="utf-8"),
        name=path.name,
        window=window,
        latest=latest,
    )


def _run(order: "BacktestOrder", workers: int) -> "tuple[BacktestTally, float]":
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from waymark.rules import backtest_run

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        shown = progress.add_task(say("customers", "고객"), total=None)

        def told(done: int, whole: int, touchpoints: int) -> None:
            label = say(f"customers ({touchpoints:,} touchpoints)", f"고객 (접점 {touchpoints:,})")
            progress.update(shown, completed=done, total=whole, description=label)

        return backtest_run.run(order, workers, told)


def _zone(name: str) -> tzinfo:
    if not name:
        return datetime.now().astimezone().tzinfo or UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise CommandError(
            say(
                f"--zone: {name!r} is no time zone; write one such as Asia/Seoul",
                f"--zone: {name!r}은(는) 시간대가 아닙니다. Asia/Seoul처럼 쓰세요",
            ),
            exit_code=2,
        ) from None


def _moment(flag: str, text: str, reference: datetime, zone: tzinfo) -> datetime:
    """Return the moment: so long before `reference`, or a date or time, in `zone` if it names none."""
    if ago := _AGO.fullmatch(text):
        return reference - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(
            say(
                f"{flag} wants 7d, 12h, 2026-11-22 or 2026-11-22T09:00:00+09:00, not {text!r}",
                f"{flag}에는 7d, 12h, 2026-11-22, 2026-11-22T09:00:00+09:00처럼 쓰세요: {text!r}",
            ),
            exit_code=2,
        ) from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)
