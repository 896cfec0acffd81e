"""`waymark alerts`: the commands about who is notified."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from waymark.alerts import secrets_command, verify_command
from waymark.alerts.policy_reading import WrongPolicyError, read_policy, read_text
from waymark.console import CommandError, err, out, print_json, say
from waymark.options import AsJson, examples

if TYPE_CHECKING:
    from services.alerts.policy.policy_file import ReadPolicyFile

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
        "import",
        help=say(
            "Make a policy of an alertmanager.yml; what has no place here is named on standard error.",
            "alertmanager.yml을 정책 파일로 바꿉니다. 옮길 수 없는 것은 표준 오류로 알립니다.",
        ),
        epilog=examples("waymark alerts import alertmanager.yml --label alertname=rule > alerts.yaml"),
    )(import_policy)
    secrets_command.add(group)
    verify_command.add(group)
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
            "waymark alerts route test alerts.yaml -l rule=long_wait --at 2026-02-17T10:00+09:00",
        ),
    )(try_route)
    group.add_typer(route, name="route", help=say("Routes.", "경로."))
    app.add_typer(
        group, name="alerts", help=say("Who is notified of what, and when.", "누구에게 무엇을 언제 알리는지.")
    )


def _route() -> None:
    """Keep `test` a command of the group while it is the only one."""


def check(file: PolicyFileArgument, *, as_json: AsJson = False) -> None:
    """Check a policy's file."""
    from services.alerts.policy.policy_compiler import compile_policy, warnings_of
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

    from services.alerts.policy.alertmanager_file import import_alertmanager
    from services.alerts.policy.policy_file import PolicyFileError

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


def try_route(file: PolicyFileArgument, *, labels: Labels = None, at: At = None, as_json: AsJson = False) -> None:
    """Try the routes of a policy on the labels of an issue."""
    from services.alerts.policy.policy_compiler import compile_policy, named_people
    from waymark.alerts.route_trial import PeopleNames, facts_of, read_moment, sentences, try_routes

    read = _read(file, as_json=as_json)
    policy, _ = compile_policy(read.body)
    facts = facts_of(labels or ())
    now = read_moment(at, datetime.now(UTC))
    tried = try_routes(policy, facts, now, PeopleNames(by_id=named_people(read.body)))
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
        if not as_json:
            raise
        print_json({"valid": False, "problems": error.problems, "warnings": []})
        raise typer.Exit(1) from None
