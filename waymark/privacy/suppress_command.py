"""`waymark suppress`: of whom nothing may be kept. Ingest refuses their touchpoints within seconds."""

import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from waymark.console import CommandError, out, print_json, say
from waymark.options import AsJson, examples

if TYPE_CHECKING:
    from services.ingest.privacy.suppression_administration import SuppressionChange, SuppressionSubject
    from services.runtime.postgres.pools import Connection

Who = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="TYPE:VALUE...",
        help=say(
            "Identifiers; none: one a line from stdin, which keeps them out of the shell's history.",
            "식별자. 없으면 표준 입력에서 한 줄에 하나씩 읽습니다(셸 기록에 남지 않음).",
        ),
    ),
]
Note = Annotated[
    str,
    typer.Option("--note", help=say("Why: a reference to the request, nothing personal.", "사유(개인정보 제외).")),
]
Lifted = Annotated[bool, typer.Option("--lifted", help=say("Also those taken off again.", "해제된 것도 포함."))]
Limit = Annotated[int, typer.Option(min=1, max=100_000, help=say("At most so many.", "최대 개수."))]


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(no_args_is_help=True)
    group.command(
        "add",
        help=say("Take nothing more of these customers.", "이 고객들의 접점을 더 받지 않습니다."),
        epilog=examples(
            "waymark suppress add phone:010-1234-5678 --note request-2026-118", "waymark suppress add < identifiers.txt"
        ),
    )(add)
    group.command(
        "remove",
        help=say("Take them again.", "다시 받습니다."),
        epilog=examples("waymark suppress remove customer_id:C-1009"),
    )(remove)
    group.command("list", help=say("Show the list, as pseudonyms.", "목록을 가명으로 보여 줍니다."))(show)
    app.add_typer(group, name="suppress", help=say("Of whom nothing may be kept.", "아무것도 저장하지 않을 고객."))


def add(who: Who = None, *, note: Note = "", as_json: AsJson = False) -> None:
    """Put identifiers on the list."""
    from services.ingest.privacy.suppression_administration import suppress

    _change(
        who, as_json=as_json, how=lambda connection, secret, subjects: suppress(connection, secret, subjects, note=note)
    )


def remove(who: Who = None, *, as_json: AsJson = False) -> None:
    """Take identifiers off the list."""
    from services.ingest.privacy.suppression_administration import lift

    _change(who, as_json=as_json, how=lift)


def show(*, lifted: Lifted = False, limit: Limit = 1000, as_json: AsJson = False) -> None:
    """List the suppressions in force."""
    from dataclasses import asdict

    from services.ingest.privacy.suppression_administration import list_suppressions
    from waymark.database import run_in_transaction
    from waymark.target import find_target

    found = run_in_transaction(
        find_target(os.environ).postgres,
        lambda connection: list_suppressions(connection, lifted=lifted, limit=limit),
    )
    if as_json:
        print_json([asdict(row) for row in found])
        return
    for row in found:
        state = f"  {say('lifted', '해제됨')} {row.lifted_at:%Y-%m-%d %H:%M}" if row.lifted_at else ""
        line = f"{row.pseudonym}  {row.type:<12} {row.suppressed_at:%Y-%m-%d %H:%M}{state}  {row.note}"
        out.print(line.rstrip(), markup=False, highlight=False)


def _change(
    who: Sequence[str] | None,
    *,
    as_json: bool,
    how: "Callable[[Connection, bytes, Sequence[SuppressionSubject]], Awaitable[list[SuppressionChange]]]",
) -> None:
    from services.ingest.privacy.suppression_administration import ForeignSecretError
    from waymark.database import run_in_transaction
    from waymark.privacy.pseudonym_maker import PseudonymMaker
    from waymark.target import find_target

    references = who or [line.strip() for line in sys.stdin if line.strip()]
    if not references:
        raise CommandError("name at least one identifier, as type:value", exit_code=2)
    secret = _secret().encode()
    speller = PseudonymMaker(secret=secret, region=os.environ.get("WAYMARK_INGEST_PHONE_REGION") or "KR")
    subjects = [speller.subject(reference) for reference in references]
    try:
        changes = run_in_transaction(
            find_target(os.environ).postgres, lambda connection: how(connection, secret, subjects)
        )
    except ForeignSecretError as error:
        raise CommandError(
            "the list was written with another secret: set WAYMARK_INGEST_PRIVACY_SECRET to the one that ingest has"
        ) from error
    if as_json:
        print_json(
            [
                {"pseudonym": subject.pseudonym, "type": subject.type, "outcome": change.value}
                for subject, change in zip(subjects, changes, strict=True)
            ]
        )
        return
    for subject, change in zip(subjects, changes, strict=True):
        out.print(f"{subject.pseudonym}  {subject.type:<12} {change.value}", markup=False, highlight=False)


def _secret() -> str:
    """Return ingest's secret, from the environment or else from the local stack that runs here."""
    from waymark.local.credentials import kept_secret
    from waymark.target import data_dir, running_stack

    given = os.environ.get("WAYMARK_INGEST_PRIVACY_SECRET")
    if given:
        return given
    folder = data_dir(os.environ)
    if running_stack(folder) is None:
        raise CommandError("set WAYMARK_INGEST_PRIVACY_SECRET to the secret that ingest has", exit_code=2)
    return kept_secret(folder, "privacy-secret")
