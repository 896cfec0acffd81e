"""`waymark doctor`: what is well, what is not, and how to mend it."""

import os

import typer

from waymark.commands.options import AsJson, examples
from waymark.console import err, out, print_json, say

MARKS = {"fine": "[green]✓[/]", "look": "[yellow]![/]", "broken": "[red]✗[/]"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "doctor",
        help=say(
            "Check the machine, Kafka, PostgreSQL and the services; say how to mend what is wrong. Changes nothing.",
            "환경, Kafka, PostgreSQL, 서비스를 점검하고 고치는 방법을 알려 줍니다. 아무것도 바꾸지 않습니다.",
        ),
        epilog=examples("waymark doctor", "WAYMARK_KAFKA=kafka-1:9092 waymark doctor --json"),
    )(doctor)


def doctor(as_json: AsJson = False) -> None:
    """Examine and report; exits with 1 when something is broken."""
    import logging

    from waymark.doctor.examine import examine
    from waymark.doctor.finding import Verdict

    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what it would say is in the finding
    findings = []
    for finding in examine(os.environ):
        findings.append(finding)
        if not as_json:
            out.print(f"{MARKS[finding.verdict]} [bold]{finding.name}[/] ", end="", highlight=False)
            out.print(finding.detail, markup=False, highlight=False)
            if finding.fix:
                out.print(f"    → {finding.fix}", markup=False, highlight=False, style="cyan")
    failed = any(finding.verdict is Verdict.BROKEN for finding in findings)
    if as_json:
        members = ("name", "verdict", "detail", "fix")
        listed = [{member: getattr(finding, member) for member in members} for finding in findings]
        print_json({"healthy": not failed, "findings": listed})
    if failed:
        err.print(say("something is broken", "문제가 있는 항목이 있습니다"), style="bold red")
        raise typer.Exit(1)
