"""What a backtest found, as tables and bars for a terminal."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from rich.table import Table

from services.journey.trial.backtest import BacktestTally, BacktestWindow, RuleTally
from waymark.console import out, say

EXAMPLES = 5
WIDTH = 40
MOST_DAYS = 92
"""Days that are drawn one by one; of a longer window only the numbers are shown."""


def show(tally: BacktestTally, window: BacktestWindow, seconds: float) -> None:
    """Print the result: a table of the rules, a picture of those that change, and what a team would have got."""
    begins, ends = (at.astimezone(window.zone).strftime("%Y-%m-%d %H:%M") for at in (window.since, window.until))
    out.print(
        say(
            f"{tally.customers:,} customers, {tally.touchpoints:,} touchpoints, {begins} to {ends}, {seconds:.1f} s",
            f"고객 {tally.customers:,}, 접점 {tally.touchpoints:,}, {begins} ~ {ends}, {seconds:.1f}초",
        ),
        highlight=False,
    )
    if not tally.touchpoints:
        out.print(say("there are no touchpoints in this time", "이 기간에는 접점이 없습니다"), style="yellow")
        return
    out.print(_table(tally, (window.until - window.since) / timedelta(days=1)))
    days = list(_days(window))
    for rule, one in tally.rules.items():
        if one.new or one.gone or one.moved:
            _show_change(rule, one, days)
    _show_issues(tally, days)
    for rule, one in tally.rules.items():
        if one.failures:
            out.print(
                say(f"✗ {rule} raised for {one.failures:,} customers", f"✗ {rule}: 고객 {one.failures:,}명에서 오류"),
                style="red",
                highlight=False,
            )


def _table(tally: BacktestTally, days: float) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column(say("rule", "규칙"), no_wrap=True)
    for label in (
        say("found", "발견"),
        say("a day", "하루"),
        say("customers", "고객"),
        say("in force", "현재"),
        say("new", "새로"),
        say("gone", "사라짐"),
        say("moved", "옮김"),
        say("µs each", "접점당 µs"),
    ):
        table.add_column(label, justify="right")
    for rule, one in tally.rules.items():
        if not (one.seconds or one.in_force):  # off, and nothing of it stands
            continue
        changed = bool(one.new or one.gone or one.moved)
        numbers = (one.found, None, one.customers, one.in_force, one.new, one.gone, one.moved)
        cells = [f"{one.found / days:,.1f}" if number is None else f"{number:,}" for number in numbers]
        cells.append(f"{1e6 * one.seconds / tally.read:.1f}")
        table.add_row(rule, *cells, style="bold" if changed else None)
    return table


def _show_change(rule: str, tally: RuleTally, days: list[str]) -> None:
    out.print()
    out.print(
        say(
            f"{rule}: {tally.found:,} instead of {tally.in_force:,}",
            f"{rule}: {tally.in_force:,}건 대신 {tally.found:,}건",
        ),
        style="bold",
        highlight=False,
    )
    if len(days) <= MOST_DAYS:
        _draw(days, tally.in_force_per_day, tally.per_day)
    if tally.overlap:
        shared = ", ".join(f"{other} {number:,}" for other, number in tally.overlap.most_common(3))
        label = say("shares touchpoints with", "접점을 함께 쓰는 규칙")
        out.print(f"  {label}: {shared}", style="dim", markup=False, highlight=False)
    for label, ones in ((say("new", "새로"), tally.new_ones), (say("gone", "사라짐"), tally.gone_ones)):
        for one in ones[:EXAMPLES]:
            at = one.at.isoformat(timespec="seconds")
            out.print(f"  {label}: {at} {one.customer_id} @ {one.anchor}", style="dim", markup=False, highlight=False)


def _draw(days: list[str], before: Any, after: Any) -> None:
    """Draw two bars a day, to one scale: ░ what is in force, █ what the tried rule finds."""
    most = max((*before.values(), *after.values()), default=0)
    for day in days:
        if not (before[day] or after[day]):
            continue
        for mark, count in (("░", before[day]), ("█", after[day])):
            label = day[5:] if mark == "░" else " " * 5
            out.print(f"  {label} {_bar(count, most, mark)} {count:,}", markup=False, highlight=False)
    out.print(say("  ░ in force  █ tried", "  ░ 현재  █ 시험"), style="dim", highlight=False)


def _bar(count: int, most: int, mark: str) -> str:
    return mark * max(1, round(WIDTH * count / most)) if count and most else ""


def _show_issues(tally: BacktestTally, days: list[str]) -> None:
    tried, before = tally.issues.per_day.total(), tally.issues_in_force.per_day.total()
    busiest = tally.issues.per_hour.most_common(1)
    out.print()
    out.print(
        say(
            f"a team would have got {tried / len(days):,.1f} issues a day instead of {before / len(days):,.1f}",
            f"팀이 받았을 이슈: 하루 {before / len(days):,.1f}건 대신 {tried / len(days):,.1f}건",
        ),
        style="bold",
        highlight=False,
    )
    if busiest:
        hours = "".join(_block(tally.issues.per_hour[hour], busiest[0][1]) for hour in range(24))
        text = say(
            f"by hour, 0 to 23: {hours} most at {busiest[0][0]}:00",
            f"시간대별(0~23시): {hours} 가장 많은 때 {busiest[0][0]}시",
        )
        out.print(f"  {text}", style="dim", markup=False, highlight=False)


def _block(count: int, most: int) -> str:
    return " ▁▂▃▄▅▆▇█"[-(-8 * count // most)] if count else "·"


def _days(window: BacktestWindow) -> Iterator[str]:
    day = window.since.astimezone(window.zone).date()
    last = (window.until - timedelta(microseconds=1)).astimezone(window.zone).date()
    while day <= last:
        yield day.isoformat()
        day += timedelta(days=1)
