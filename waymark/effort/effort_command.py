"""`waymark effort calibrate`: effort scores against the answers of customers, in whole and part by part."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from waymark.console import out, print_json, say
from waymark.options import AsJson, examples
from waymark.rules.page_command import Since, Until, Workers, Zone, order_of, run_pages, window_of

if TYPE_CHECKING:
    from services.journey.domain.projection import ProjectionPolicy
    from services.journey.domain.rules.book import Rulebook
    from services.journey.trial.backtest import BacktestWindow
    from services.journey.trial.calibration import Calibration, CalibrationTally, Correlation

Metric = Annotated[
    str,
    typer.Option(
        "--metric",
        metavar="NAME",
        help=say(
            "Which answers: `score.metric` of the survey, such as ces, csat, nps. Higher answers must be better ones.",
            "어느 응답과 비교할지: 설문의 `score.metric`(ces, csat, nps 등). 높을수록 좋은 응답이어야 합니다.",
        ),
    ),
]


@dataclass(frozen=True, slots=True)
class CalibrationTask:
    """Compare the answers to one survey with effort."""

    metric: str

    def judge(self, _rulebook: "Rulebook", policy: "ProjectionPolicy", window: "BacktestWindow") -> "Calibration":
        """Return who compares them; effort is computed from touchpoints and needs no rules."""
        from services.journey.trial.calibration import Calibration

        return Calibration(policy, window, self.metric)


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(no_args_is_help=True)
    group.callback()(_group)
    group.command(
        "calibrate",
        help=say(
            "Compare effort scores with the answers of customers to a survey: the rank correlation, the answers by "
            "score, and how each part of the score goes with them. Writes nothing.",
            "노력 점수를 고객의 설문 응답과 비교합니다. 순위 상관, 점수 구간별 응답, 점수를 이루는 부분별 관계를 "
            "보여 줍니다. 아무것도 쓰지 않습니다.",
        ),
        epilog=examples(
            "waymark effort calibrate --since 90d",
            "waymark effort calibrate --metric csat --since 2026-01-01 --until 2026-07-01 --json",
        ),
    )(calibrate)
    app.add_typer(group, name="effort", help=say("Effort scores of journeys.", "여정의 노력 점수."))


def _group() -> None:
    """Keep `calibrate` a command of the group, though it is the only one."""


def calibrate(
    *,
    metric: Metric = "ces",
    since: Since = "90d",
    until: Until = "",
    zone: Zone = "",
    workers: Workers = 0,
    as_json: AsJson = False,
) -> None:
    """Compare, and show what was found."""
    from waymark.rules.rules_reading import rules_path

    order = order_of(CalibrationTask(metric), rules_path("default"), window_of(since, until, zone))
    tally, seconds = run_pages(order, workers)
    if as_json:
        print_json(_document(metric, tally, seconds))
    else:
        _show(metric, tally)


def _show(metric: str, tally: "CalibrationTally") -> None:
    answers = tally.answers()
    out.print(
        say(
            f"{metric}: {answers:,} answers after journeys, {tally.alone:,} without anything before them",
            f"{metric}: 여정 뒤의 응답 {answers:,}건, 앞선 접점이 없는 응답 {tally.alone:,}건",
        ),
        style="bold",
        highlight=False,
    )
    if not answers:
        out.print(
            say(
                "nothing to compare: nobody answered in this time, or --metric is another one",
                "비교할 응답이 없습니다. 이 기간에 응답이 없거나 --metric이 다릅니다",
            ),
            style="yellow",
        )
        return
    out.print(
        say("effort against answers: ", "노력 점수와 응답의 상관: ") + _shown(tally.agreement()),
        highlight=False,
    )
    out.print(
        say(
            "below 0: the more effort, the worse the answers, as it should be. 0: the score says nothing about them.",
            "0보다 작으면 노력이 클수록 응답이 나쁘다는 뜻이며, 그래야 맞습니다. 0이면 점수가 응답과 무관합니다.",
        ),
        style="dim",
        highlight=False,
    )
    out.print(_bands(tally))
    out.print(_parts(tally))


def _bands(tally: "CalibrationTally") -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column(say("effort from", "노력 점수(이상)"), justify="right")
    for label in (
        say("answers", "응답"),
        say("mean of the scale", "평균(만점 대비)"),
        say("at 3/7 and below", "3/7 이하"),
    ):
        table.add_column(label, justify="right")
    for band in tally.bands():
        table.add_row(f"{band.begins:g}", f"{band.answers:,}", f"{band.mean:.0%}", f"{band.bad:.0%}")
    return table


def _parts(tally: "CalibrationTally") -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column(say("part of the score", "점수의 부분"), no_wrap=True)
    for label in (
        say("answers with it", "있는 응답"),
        say("mean with", "있을 때 평균"),
        say("without", "없을 때"),
        say("correlation (95 % between)", "상관(95% 구간)"),
    ):
        table.add_column(label, justify="right")
    for part in tally.part_agreements():
        table.add_row(
            part.factor,
            f"{part.answers:,}",
            f"{part.mean_with:.0%}",
            "–" if part.mean_without is None else f"{part.mean_without:.0%}",
            _shown(part.correlation),
        )
    return table


def _shown(found: "Correlation | None") -> str:
    if found is None:
        return "–"
    between = "" if found.low is None or found.high is None else f" ({found.low:+.2f} – {found.high:+.2f})"
    return f"{found.spearman:+.2f}{between}"


def _document(metric: str, tally: "CalibrationTally", seconds: float) -> dict[str, Any]:
    from msgspec import to_builtins

    return {
        "metric": metric,
        "answers": tally.answers(),
        "alone": tally.alone,
        "correlation": to_builtins(tally.agreement()),
        "bands": to_builtins(tally.bands()),
        "parts": to_builtins(tally.part_agreements()),
        "customers": tally.judged,
        "touchpoints": tally.read,
        "seconds": round(seconds, 2),
    }
