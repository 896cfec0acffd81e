"""`waymark rules backtest`: what rules would have found in the stored customers, against what is in force."""

import time

import typer

from waymark.console import print_json, say
from waymark.options import AsJson, examples
from waymark.rules.page_command import Rules, Since, Until, Workers, Zone, order_of, run_pages, window_of


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
    from services.journey.trial import backtest_document
    from services.journey.trial.backtest import BacktestTask
    from waymark.rules import backtest_report
    from waymark.rules.rules_reading import rules_path

    window = window_of(since, until, zone)
    order = order_of(BacktestTask(time.perf_counter), rules_path(rules), window)
    tally, seconds = run_pages(order, workers)
    if as_json:
        print_json(backtest_document.document(tally, seconds))
    else:
        backtest_report.show(tally, window, seconds)
