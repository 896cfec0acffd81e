"""What commands over stored customers share: the flags of the time that is looked at, and the progress bar."""

import os
import re
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from waymark.console import CommandError, err, say

if TYPE_CHECKING:
    from services.journey.trial.backtest import BacktestWindow
    from services.journey.trial.page_run import PageOrder, PageTask, Tally

T = TypeVar("T", bound="Tally")

_AGO = re.compile(r"(\d{1,5})([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}

Rules = Annotated[
    str,
    typer.Argument(
        metavar="FILE", help=say("A rules file, or `default`.", "규칙 파일 또는 `default`."), show_default=False
    ),
]
RuleId = Annotated[str, typer.Argument(metavar="RULE", help=say("Id of the rule.", "규칙 id."), show_default=False)]
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


def window_of(since: str, until: str, zone: str) -> "BacktestWindow":
    """Return the time that is looked at; raises `CommandError` (exit code 2) for what is no time."""
    from services.journey.trial.backtest import BacktestWindow

    now = datetime.now(UTC)
    at = _zone(zone)
    ends = _moment("--until", until, now, at) if until else now
    window = BacktestWindow(since=_moment("--since", since, ends, at), until=ends, zone=at)
    if window.since >= window.until:
        raise CommandError(say("--since is not before --until", "--since가 --until보다 앞이 아닙니다"), exit_code=2)
    return window


def order_of(task: "PageTask[T]", path: Path, window: "BacktestWindow") -> "PageOrder[T]":
    """Return the order to do `task` with the rules in the file at `path`, which can be used."""
    from services.journey.settings import WorkerSettings
    from services.journey.trial.page_run import PageOrder
    from services.runtime.settings import SettingsError
    from waymark.console import settings_wrong
    from waymark.rules.page_run import open_reading
    from waymark.target import find_target

    try:
        latest = WorkerSettings.load(os.environ).history_touchpoints
    except SettingsError as error:
        raise CommandError(settings_wrong(error.problems), exit_code=2) from error
    target = find_target(os.environ)
    return PageOrder(
        task=task,
        url=target.postgres_direct or target.postgres,
        open=open_reading,
        rules=path.read_text(encoding="utf-8"),
        name=path.name,
        window=window,
        latest=latest,
    )


def run_pages(order: "PageOrder[T]", workers: int) -> "tuple[T, float]":
    """Carry out an order with a progress bar; `workers` 0 is one for each processor."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from services.journey.trial.page_run import default_workers
    from waymark.rules import page_run

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        shown = progress.add_task(say("customers", "고객"), total=None)

        def told(done: int, whole: int, touchpoints: int) -> None:
            label = say(f"customers ({touchpoints:,} touchpoints)", f"고객 (접점 {touchpoints:,})")
            progress.update(shown, completed=done, total=whole, description=label)

        return page_run.run(order, workers or default_workers(), told)


def duration_of(flag: str, text: str) -> timedelta:
    """Return the duration in `text`; raises `CommandError` (exit code 2)."""
    if (length := _AGO.fullmatch(text)) is None:
        raise CommandError(
            say(f"{flag} wants 30m, 24h or 7d, not {text!r}", f"{flag}에는 30m, 24h, 7d처럼 쓰세요: {text!r}"),
            exit_code=2,
        )
    return timedelta(**{_UNITS[length[2]]: int(length[1])})


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
    if _AGO.fullmatch(text):
        return reference - duration_of(flag, text)
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
