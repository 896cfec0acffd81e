"""`waymark topics`: make the topics that the contract declares, or compare them with what is there."""

import os
from typing import Annotated

import typer

from waymark.console import err, out, print_json, say
from waymark.options import AsJson, examples


def register(app: typer.Typer) -> None:
    """Add `topics` to the application."""
    app.command(
        "topics",
        help=say(
            "Create the declared Kafka topics that are missing, and compare the others.",
            "선언된 Kafka 토픽 중 없는 것을 만들고 나머지를 비교합니다.",
        ),
        epilog=examples("waymark topics", "WAYMARK_KAFKA=kafka-1:9092 waymark topics --replication 3"),
    )(make)


def make(
    replication: Annotated[
        int | None,
        typer.Option(
            min=1, help=say("Replicas, instead of the declared number.", "선언된 값 대신 쓸 복제본 수입니다.")
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Create missing topics, compare the others, and report."""
    from waymark.target import find_target
    from waymark.topics.declared_topics import declared, make_topics

    target = find_target(os.environ)
    problems = make_topics(target.brokers, replication=replication, configure=target.idempotent)
    names = [spec.name for spec in declared()]
    if as_json:
        print_json({"topics": names, "problems": problems})
    elif not problems:
        out.print(f"[green]{say('as declared', '선언대로임')}[/]: {', '.join(names)}", highlight=False)
    for problem in [] if as_json else problems:
        err.print(problem, style="red", highlight=False)
    if problems:
        raise typer.Exit(1)
