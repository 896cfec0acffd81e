"""`waymark alerts`: the commands about who is notified."""

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from waymark.alerts import secrets_command, verify_command
from waymark.alerts.policy_reading import WrongPolicyError, read_policy, read_text
from waymark.console import CommandError, err, out, print_json, say
from waymark.moments import zoned_moment
from waymark.options import AsJson, examples

if TYPE_CHECKING:
    from services.alerts.policy.file.policy_file import ReadPolicyFile

PolicyFileArgument = Annotated[
    Path, typer.Argument(metavar="FILE", help=say("The policy, YAML; - is stdin.", "정책 YAML 파일, -는 표준 입력."))
]
Labels = Annotated[
    list[str] | None,
    typer.Option(
        "--label",
        "-l",
        metavar="NAME=VALUE",
        help=say(
            "A label of the issue: rule (may be repeated), severity, service_level, channel, reason, customer, "
            "journey, ref_NAME.",
            "이슈의 레이블: rule(반복 가능), severity, service_level, channel, reason, customer, journey, ref_NAME.",
        ),
    ),
]
At = Annotated[
    str | None,
    typer.Option("--at", metavar="TIME", help=say("As if it were this time.", "이 시각이라고 가정합니다.")),
]
Renames = Annotated[
    list[str] | None,
    typer.Option("--label", metavar="OLD=NEW", help=say("Rename a label.", "레이블 이름을 바꿉니다.")),
]
OptionalPolicyFile = Annotated[
    Path | None,
    typer.Argument(
        metavar="[FILE]", help=say("The policy; without one, that in force.", "정책 파일, 없으면 시행 중인 정책.")
    ),
]
Note = Annotated[str, typer.Option("--note", help=say("Why, for the history.", "이력에 남길 이유."))]
IssueId = Annotated[str, typer.Argument(metavar="ISSUE", help=say("The id of an issue.", "이슈 id."))]
ImportFile = Annotated[
    Path, typer.Argument(metavar="FILE", help=say("alertmanager.yml; - is stdin.", "alertmanager.yml, -는 표준 입력."))
]


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(no_args_is_help=True)
    group.command(
        "check",
        help=say(
            "Check a policy: routes, hours, inhibition. Exits with 0 when it is right, 1 when it is wrong.",
            "정책(경로, 시간대, 억제)을 검사합니다. 종료 코드: 0 올바름, 1 잘못됨.",
        ),
        epilog=examples("waymark alerts check alerts.yaml", "waymark alerts check alerts.yaml --json"),
    )(check)
    group.command(
        "apply",
        help=say(
            "Check a policy and put it in force as a new version; what waits is looked at again.",
            "정책을 검사하고 새 버전으로 시행합니다. 기다리던 알림은 다시 판단합니다.",
        ),
        epilog=examples('waymark alerts apply alerts.yaml --note "premium care is staffed on weekends"'),
    )(apply)
    group.command(
        "explain",
        help=say(
            "Say why people were notified of an issue or were not, and what comes next.",
            "이슈가 왜 알려졌는지(또는 아닌지), 다음에 무엇이 오는지 설명합니다.",
        ),
        epilog=examples("waymark alerts explain 01a2033b-5c0b-7d55-9f2a-7d0c6a4f1b11"),
    )(explain)
    group.command(
        "import",
        help=say(
            "Make a policy of an alertmanager.yml; what has no place here is named on standard error.",
            "alertmanager.yml을 정책 파일로 바꿉니다. 옮길 수 없는 것은 표준 오류로 알립니다.",
        ),
        epilog=examples("waymark alerts import alertmanager.yml --label alertname=rule > alerts.yaml"),
    )(import_policy)
    secrets_command.add(group)
    verify_command.add(group)
    _register_routes(group)
    app.add_typer(group, name="alerts", help=say("Who is notified, and when.", "누구에게 언제 알리는지."))


def _register_routes(group: typer.Typer) -> None:
    route = typer.Typer(no_args_is_help=True)
    route.callback()(_route)
    route.command(
        "test",
        help=say(
            "Say which routes would take an issue, who would be notified, and when. Nothing is sent.",
            "이슈가 어느 경로로, 누구에게, 언제 알려지는지 보여 줍니다. 아무것도 보내지 않습니다.",
        ),
        epilog=examples(
            "waymark alerts route test alerts.yaml -l reason=billing -l severity=high",
            "waymark alerts route test -l rule=long_wait --at 2026-02-17T10:00+09:00",
        ),
    )(try_route)
    group.add_typer(route, name="route", help=say("Routes.", "경로."))


def _route() -> None:
    """Keep `test` a command of the group while it is the only one."""


def check(file: PolicyFileArgument, *, as_json: AsJson = False) -> None:
    """Check a policy's file."""
    from services.alerts.policy.file.policy_compiler import compile_policy, warnings_of
    from services.alerts.policy.tree import all_routes

    read = _read(file, as_json=as_json)
    policy, _ = compile_policy(read.body)
    warned = list(warnings_of(policy, datetime.now(UTC)))
    routes = len(list(all_routes(policy.routes)))
    if as_json:
        print_json({"valid": True, "routes": routes, "problems": [], "warnings": warned})
        return
    for line in warned:
        err.print(f"{say('warning', '경고')}: {line}", markup=False, highlight=False, style="yellow")
    rules, hours = len(policy.inhibit_rules), len(policy.hours)
    out.print(
        say(
            f"the policy is valid: {routes} routes, {rules} rules of inhibition, {hours} named hours",
            f"정책이 올바릅니다: 경로 {routes}개, 억제 규칙 {rules}개, 시간대 {hours}개",
        ),
        highlight=False,
    )


def import_policy(file: ImportFile, *, labels: Renames = None, as_json: AsJson = False) -> None:
    """Print the policy that an `alertmanager.yml` becomes."""
    import yaml

    from services.alerts.policy.file.alertmanager_file import import_alertmanager
    from services.alerts.policy.file.policy_file import PolicyFileError

    rename = {}
    for text in labels or ():
        old, equal, new = text.partition("=")
        if not (old and equal and new):
            raise CommandError(
                say(f"write --label OLD=NEW, not {text!r}", f"--label 이전=새이름: {text!r}"), exit_code=2
            )
        rename[old] = new
    try:
        imported = import_alertmanager(read_text(file), rename)
    except PolicyFileError as error:
        raise WrongPolicyError(str(file), error.problems) from None
    if as_json:
        print_json({"policy": imported.document, "notes": list(imported.notes)})
        return
    sys.stdout.write(yaml.safe_dump(imported.document, sort_keys=False, allow_unicode=True, width=120))
    for note in imported.notes:
        err.print(f"{say('note', '참고')}: {note}", markup=False, highlight=False)


def apply(file: PolicyFileArgument, *, note: Note = "", as_json: AsJson = False) -> None:
    """Put a policy in force."""
    from waymark.alerts.policy_in_force import apply_file

    try:
        version = apply_file(_database(), file, note=note, now=datetime.now(UTC))
    except WrongPolicyError as error:
        _refuse(error, as_json=as_json)
    if as_json:
        print_json({"version": version})
        return
    out.print(say(f"in force: version {version}", f"시행됨: 버전 {version}"), highlight=False)


def explain(issue: IssueId, *, as_json: AsJson = False) -> None:
    """Explain the notifications of one issue."""
    from services.alerts.inbox.explanation import explanation_document, explanation_lines
    from waymark.alerts.policy_in_force import explain as explain_in

    now = datetime.now(UTC)
    if as_json:
        print_json(explain_in(_database(), issue, now, explanation_document))
        return
    for line in explain_in(_database(), issue, now, explanation_lines):
        out.print(say(line.en, line.ko), markup=False, highlight=False)


def try_route(
    file: OptionalPolicyFile = None, *, labels: Labels = None, at: At = None, as_json: AsJson = False
) -> None:
    """Try the routes of a policy on the labels of an issue."""
    from services.alerts.policy.file.policy_compiler import compile_policy, named_people
    from waymark.alerts.policy_in_force import read_in_force
    from waymark.alerts.route_trial import PeopleNames, facts_of, sentences, try_routes

    facts = facts_of(labels or ())
    if file is None:
        in_force = read_in_force(_database())
        policy, names = in_force.policy, in_force.names
    else:
        read = _read(file, as_json=as_json)
        policy, names = compile_policy(read.body)[0], PeopleNames(by_id=named_people(read.body))
    now = datetime.now(UTC) if at is None else zoned_moment(at)
    tried = try_routes(policy, facts, now, names)
    if as_json:
        print_json(tried)
        return
    for line in sentences(tried, critical=facts.severity.value == "critical"):
        out.print(line, markup=False, highlight=False)


def _read(file: Path, *, as_json: bool) -> "ReadPolicyFile":
    """Return the policy in a file; with `as_json`, what is wrong is printed as JSON."""
    try:
        return read_policy(file)
    except WrongPolicyError as error:
        _refuse(error, as_json=as_json)


def _refuse(error: WrongPolicyError, *, as_json: bool) -> NoReturn:
    """Say what is wrong with a policy, as JSON where that is asked for."""
    if not as_json:
        raise error
    print_json({"valid": False, "problems": error.problems, "warnings": []})
    raise typer.Exit(1)


def _database() -> str:
    from waymark.target import find_target

    return find_target(os.environ).postgres
