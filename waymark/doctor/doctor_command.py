"""`waymark doctor`: what is well, what is not, and how to mend it."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from waymark.console import err, out, print_json, say
from waymark.options import AsJson, examples

if TYPE_CHECKING:
    from waymark.doctor.finding import DoctorFinding

EnvFile = Annotated[
    Path | None,
    typer.Option(
        "--env-file",
        help=say(
            "Check the variables in this file alone, as `docker compose --env-file` reads it, and start nothing.",
            "`docker compose --env-file`이 읽는 이 파일의 변수만 점검합니다.",
        ),
    ),
]
MARKS = {"fine": "[green]✓[/]", "look": "[yellow]![/]", "broken": "[red]✗[/]"}


def register(app: typer.Typer) -> None:
    """Add `doctor` to the application."""
    app.command(
        "doctor",
        help=say(
            "Check the machine, Kafka, PostgreSQL and the services; say how to mend what is wrong. Changes nothing.",
            "환경, Kafka, PostgreSQL, 서비스를 점검하고 고치는 방법을 알려 줍니다. 아무것도 바꾸지 않습니다.",
        ),
        epilog=examples(
            "waymark doctor",
            "WAYMARK_KAFKA=kafka-1:9092 waymark doctor --json",
            "waymark doctor --env-file deploy/compose.env",
        ),
    )(doctor)


def doctor(env_file: EnvFile = None, as_json: AsJson = False) -> None:
    """Examine and report; exits with 1 when something is broken."""
    from waymark.doctor.finding import FindingVerdict

    findings = []
    for finding in _examined(env_file):
        findings.append(finding)
        if not as_json:
            out.print(f"{MARKS[finding.verdict]} [bold]{finding.name}[/] ", end="", highlight=False)
            out.print(finding.detail, markup=False, highlight=False)
            if finding.fix:
                out.print(f"    → {finding.fix}", markup=False, highlight=False, style="cyan")
    failed = any(finding.verdict is FindingVerdict.BROKEN for finding in findings)
    if as_json:
        members = ("name", "verdict", "detail", "fix")
        listed = [{member: getattr(finding, member) for member in members} for finding in findings]
        print_json({"healthy": not failed, "findings": listed})
    if failed:
        err.print(say("something is broken", "문제가 있는 항목이 있습니다"), style="bold red")
        raise typer.Exit(1)


def _examined(env_file: Path | None) -> "Iterable[DoctorFinding]":
    if env_file is not None:
        from waymark.doctor.env_file import examine_env_file

        return examine_env_file(env_file)
    import logging

    from waymark.doctor.examination import examine

    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what it would say is in the finding
    return examine(os.environ)
