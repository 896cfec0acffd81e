"""`waymark rules preceded`: what came before a rule's frictions more often than before others."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from waymark.console import out, print_json, say
from waymark.options import AsJson, examples
from waymark.rules.page_command import RuleId, Since, Until, Workers, Zone, duration_of, order_of, run_pages, window_of

if TYPE_CHECKING:
    from services.journey.trial.precedence import PrecedenceTally

MOST_SHOWN = 20

RulesFile = Annotated[
    Path | None,
    typer.Option(
        "--rules", help=say("Its rules file; the shipped one.", "규칙 파일(기본: 내장 규칙)."), show_default=False
    ),
]
Within = Annotated[
    str, typer.Option("--within", metavar="TIME", help=say("How far to look back.", "얼마나 거슬러 볼지."))
]


def register(group: typer.Typer) -> None:
    """Add `preceded` to the group of rules."""
    group.command(
        "preceded",
        help=say(
            "Say what came before a rule's frictions more often than before touchpoints of the same kind without one: "
            "where it might have been prevented. Writes nothing.",
            "규칙에 걸리기 전에, 걸리지 않은 같은 종류의 접점보다 더 자주 있었던 일을 보여 줍니다. "
            "어디서 막을 수 있었는지 찾는 데 씁니다. 아무것도 쓰지 않습니다.",
        ),
        epilog=examples(
            "waymark rules preceded repeat_contact_7d --since 90d",
            "waymark rules preceded payment_declines --within 2h --rules our-rules.yaml --json",
        ),
    )(preceded)


def preceded(
    rule: RuleId,
    *,
    rules: RulesFile = None,
    within: Within = "24h",
    since: Since = "30d",
    until: Until = "",
    zone: Zone = "",
    workers: Workers = 0,
    as_json: AsJson = False,
) -> None:
    """Look back, and show what was found."""
    from services.journey.trial import precedence_document
    from services.journey.trial.precedence import PrecedenceTask
    from waymark.rules.rules_reading import demand_rule, load_rules, rules_path

    path = rules_path("default" if rules is None else str(rules))
    demand_rule(load_rules(path), rule)
    task = PrecedenceTask(rule, duration_of("--within", within))
    tally, seconds = run_pages(order_of(task, path, window_of(since, until, zone)), workers)
    if as_json:
        print_json(precedence_document.document(rule, tally, seconds))
    else:
        _show(rule, within, tally)


def _show(rule: str, within: str, tally: "PrecedenceTally") -> None:
    frictions, others = tally.looks()
    out.print(
        say(
            f"{rule}: the {within} before {frictions:,} frictions, against {others:,} touchpoints of the same kinds",
            f"{rule}: 불편 {frictions:,}건 전 {within}, 같은 종류의 다른 접점 {others:,}건과 비교",
        ),
        style="bold",
        highlight=False,
    )
    signs = tally.signs()[:MOST_SHOWN]
    if not signs:
        out.print(
            say("nothing came before often enough to be told", "비교할 만큼 자주 있었던 일이 없습니다"), style="yellow"
        )
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column(say("before it", "그 전에"), no_wrap=True)
    for label in (
        say("frictions", "불편"),
        say("others", "그 밖"),
        say("times as often", "배"),
        say("95 % between", "95% 구간"),
    ):
        table.add_column(label, justify="right")
    for one in signs:
        table.add_row(
            one.sign,
            f"{one.before_frictions:,} ({one.before_frictions / frictions:.0%})",
            f"{one.before_others:,} ({one.before_others / others:.0%})" if others else "0",
            "–" if one.lift is None else f"{one.lift:.1f}",
            "–" if one.low is None or one.high is None else f"{one.low:.1f} – {one.high:.1f}",
            style="bold" if (one.low or 0) > 1 else None,
        )
    out.print(table)
    out.print(
        say(
            "bold: more often, and hardly by chance. What comes before need not be the cause.",
            "굵은 글씨: 우연으로 보기 어렵게 더 잦음. 먼저 있었다고 원인은 아닙니다.",
        ),
        style="dim",
        highlight=False,
    )
