"""`waymark rules`: tries rules on written cases, and on stored customers, and puts them in force."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from waymark.console import err, out, print_json, say
from waymark.options import AsJson, examples
from waymark.rules import backtest_command, explain_command, preceded_command, shadow_command, versions_command
from waymark.rules.rules_reading import load_rules

if TYPE_CHECKING:
    from services.journey.trial.case import CaseResult, ExpectedFriction, StandingFriction

CaseFiles = Annotated[
    list[Path],
    typer.Argument(metavar="FILE...", help=say("Files of cases.", "사례 파일입니다."), show_default=False),
]
RulesFile = Annotated[
    Path | None,
    typer.Option(
        "--rules",
        help=say("Rules to test instead of those that the files name.", "파일에 적힌 것 대신 시험할 규칙 파일입니다."),
        show_default=False,
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(no_args_is_help=True)
    group.command(
        "test",
        help=say(
            "Run cases: touchpoints, and the frictions that must stand at the end. Needs no server. "
            "Exits with 0 when all pass, 1 when one does not, 2 when a file cannot be used.",
            "사례를 실행합니다. 접점들을 주고 마지막에 남아 있어야 할 불편을 확인합니다. 서버가 필요 없습니다. "
            "종료 코드: 0 모두 통과, 1 실패가 있음, 2 파일을 쓸 수 없음.",
        ),
        epilog=examples(
            "waymark rules test cases.yaml",
            "waymark rules test cases/*.yaml --rules new-rules.yaml",
            "waymark rules test cases.yaml --json",
        ),
    )(run_cases)
    backtest_command.register(group)
    explain_command.register(group)
    preceded_command.register(group)
    versions_command.register(group)
    shadow_command.register(group)
    app.add_typer(group, name="rules", help=say("Rules of friction.", "불편을 찾는 규칙."))


def run_cases(files: CaseFiles, *, rules: RulesFile = None, as_json: AsJson = False) -> None:
    """Run the cases in `files`, and show which of them fail and how."""
    from services.journey import policies
    from services.journey.trial.case import run_case, undirected_contacts
    from waymark.rules import case_file

    policy = policies.projection()
    kinds = policy.contacts.contact_kinds
    results: list[tuple[Path, CaseResult]] = []
    undirected: dict[str, None] = {}
    for path in files:
        loaded = case_file.load(path)
        rulebook = load_rules(rules or case_file.rules_of(path, loaded))
        if problems := loaded.problems_with(rulebook):
            raise case_file.refused(path, problems)
        for case in loaded.cases:
            result = run_case(case, rulebook, policy)
            results.append((path, result))
            undirected |= dict.fromkeys(() if result.passed else undirected_contacts(case, kinds))
    failed = sum(not result.passed for _, result in results)
    if as_json:
        print_json({"passed": len(results) - failed, "failed": failed, "tests": [_document(*one) for one in results]})
    else:
        _show(results, failed)
        _advise(list(undirected), failed)
    if failed:
        raise typer.Exit(1)


def _show(results: "list[tuple[Path, CaseResult]]", failed: int) -> None:
    shown: Path | None = None
    for path, result in results:
        if path != shown:
            out.print(str(path), style="bold", markup=False, highlight=False)
            shown = path
        out.print(f"  {'✓' if result.passed else '✗'} {result.name}", markup=False, highlight=False)
        for missing in result.missing:
            _line(say("missing", "없음"), _expected(missing))
        for standing in result.unexpected:
            _line(say("not expected", "예상 밖"), _stood(standing))
        for failure in result.failures:
            _line(say("the rule raised", "규칙 오류"), f"{failure.rule}: {failure.error}")
    passed = len(results) - failed
    out.print(
        say(f"{passed} passed, {failed} failed", f"통과 {passed}, 실패 {failed}"),
        style="red" if failed else "green",
        highlight=False,
    )


def _advise(undirected: list[str], failed: int) -> None:
    """Say what commonly makes a case fail although its rule is right."""
    if not failed:
        return
    advice = [
        say(
            "`expect` is the whole set of frictions that stand at `until`.",
            "`expect`는 `until` 시점에 남아 있는 불편 전체입니다.",
        )
    ]
    if undirected:
        some = ", ".join(undirected[:5]) + ("…" if len(undirected) > 5 else "")
        advice.append(
            say(
                f"{some}: without `direction: inbound` this is no contact of the customer; `defaults` can hold it.",
                f"{some}: `direction: inbound`가 없으면 고객의 문의로 세지 않습니다. `defaults`에 적어도 됩니다.",
            )
        )
    for line in advice:
        err.print(line, style="dim", markup=False, highlight=False)


def _line(label: str, text: str) -> None:
    out.print(f"      {label}: {text}", style="red", markup=False, highlight=False)


def _expected(one: "ExpectedFriction") -> str:
    wanted = [str(part) for part in (one.severity, one.at and one.at.isoformat()) if part is not None]
    return " ".join([one.rule, "@", one.anchor, *wanted])


def _stood(one: "StandingFriction") -> str:
    return f"{one.rule} @ {one.names[0]} {one.severity} {one.at.isoformat()}"


def _document(path: Path, result: "CaseResult") -> dict[str, Any]:
    return {
        "file": str(path),
        "name": result.name,
        "passed": result.passed,
        "missing": [
            {"rule": one.rule, "anchor": one.anchor, "severity": one.severity, "at": one.at} for one in result.missing
        ],
        "unexpected": [
            {"rule": one.rule, "anchor": one.names[0], "severity": one.severity, "at": one.at}
            for one in result.unexpected
        ],
        "failures": [{"rule": one.rule, "error": one.error} for one in result.failures],
    }
