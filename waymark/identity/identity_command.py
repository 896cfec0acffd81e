"""`waymark identity`: who is who, held against the ledger of links."""

import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from waymark.console import err, out, print_json, say
from waymark.identity import policy_commands, word_commands
from waymark.options import AsJson, examples

if TYPE_CHECKING:
    from waymark.identity.ledger_check import LedgerReport

Repair = Annotated[
    bool,
    typer.Option(
        "--repair",
        help=say(
            "Mend what differs, in transactions like those of a merge; workers may run meanwhile.",
            "다른 곳을 병합과 같은 트랜잭션으로 고칩니다. 워커가 돌고 있어도 됩니다.",
        ),
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(no_args_is_help=True)
    group.command(
        "check",
        help=say(
            "Compare customers, identifiers, touchpoints and journeys with the ledger of links. Exits with 0 when all "
            "is sound, 1 when something differs, 2 when it cannot look.",
            "고객, 식별자, 접점, 여정을 링크 원장과 비교합니다. "
            "종료 코드: 0 이상 없음, 1 다른 곳이 있음, 2 볼 수 없음.",
        )
        + " "
        + say(
            "With FILE, check that file of identity policy instead; this needs no database.",
            "FILE을 주면 대신 그 식별 정책 파일을 검사하며, 데이터베이스가 필요 없습니다.",
        ),
        epilog=examples(
            "waymark identity check",
            "waymark identity check --repair",
            "waymark identity check --json",
            "waymark identity check identity.yaml",
        ),
    )(check)
    word_commands.register(group)
    policy_commands.register(group)
    app.add_typer(group, name="identity", help=say("Who is who.", "누가 누구인지."))


def check(file: policy_commands.MaybeFile = None, *, repair: Repair = False, as_json: AsJson = False) -> None:
    """Compare who is who with the ledger, and repair if asked; or check a file of policy."""
    if file is not None:
        policy_commands.check_file(file, as_json=as_json)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from waymark.identity.ledger_check import check as compare
    from waymark.target import find_target

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        shown = progress.add_task(say("customers", "고객"), total=None)

        def told(done: int, whole: int) -> None:
            progress.update(shown, completed=done, total=whole)

        target = find_target(os.environ)
        report = compare(target.postgres_direct or target.postgres, os.environ, told, repair=repair)
    if as_json:
        print_json(report.document())
    else:
        _report(report, repair=repair)
    if not report.sound:
        raise typer.Exit(1)


def _report(report: "LedgerReport", *, repair: bool) -> None:
    document = report.document()
    for what, number in report.differences.items():
        out.print(f"✗ {number:,} {_words(what)}", markup=False, highlight=False)
        for example in document["examples"].get(str(what), ()):
            out.print(f"    {_line(example)}", markup=False, highlight=False, style="dim")
    for what, number in document["mended"].items():
        if number:
            out.print(f"✓ {number:,} {_words(what)}", markup=False, highlight=False)
    looked_at = say(
        f"{report.customers:,} customers, {report.identifiers:,} identifiers, {report.touchpoints:,} touchpoints, "
        f"{report.seconds:.1f} s",
        f"고객 {report.customers:,}, 식별자 {report.identifiers:,}, 접점 {report.touchpoints:,}, "
        f"{report.seconds:.1f}초",
    )
    if report.sound:
        out.print(f"{say('sound', '이상 없음')}: {looked_at}", highlight=False)
        return
    out.print(f"{say('not sound', '다른 곳이 있음')}: {looked_at}", highlight=False)
    if not repair:
        err.print(say("mend it: waymark identity check --repair", "고치려면: waymark identity check --repair"))


def _line(example: dict[str, Any]) -> str:
    return ", ".join(f"{member} {_plain(value)}" for member, value in example.items())


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(str(inner) for inner in value.values())
    return " ≠ ".join(map(str, value)) if isinstance(value, list) else str(value)


def _words(what: str) -> str:
    english, korean = _SENTENCES[str(what)]
    return say(english, korean)


_SENTENCES = {
    "links_across_customers": (
        "links stand between two customers who are one",
        "개의 링크가 실제로는 한 사람인 두 고객 사이에 있습니다",
    ),
    "customers_unsettled": (
        "customers are not what the links make of them",
        "명의 고객이 링크가 말하는 것과 다르게 묶여 있습니다",
    ),
    "touchpoints_elsewhere": (
        "touchpoints are not with the customer of their strongest identifier",
        "개의 접점이 가장 강한 식별자의 고객에게 있지 않습니다",
    ),
    "journeys_elsewhere": (
        "journeys are not with the customer of their touchpoints",
        "개의 여정이 접점의 고객에게 있지 않습니다",
    ),
    "wrong_counts": (
        "customers are noted with wrong numbers of identifiers or merges",
        "명의 고객에 식별자나 병합 수가 잘못 적혀 있습니다",
    ),
    "merged": ("customers merged", "명의 고객을 병합함"),
    "quarantined": ("links not followed any more", "개의 링크를 더 이상 따르지 않음"),
    "separated": ("customers split off", "명의 고객을 나눔"),
    "touchpoints_moved": ("touchpoints moved", "개의 접점을 옮김"),
    "journeys_renewed": ("journeys projected anew", "개의 여정을 다시 계산함"),
    "counts_corrected": ("numbers corrected", "개의 수를 바로잡음"),
}
