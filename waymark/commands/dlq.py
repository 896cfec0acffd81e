"""`waymark dlq`: what could not be applied, why, and how to try it again."""

import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from waymark.commands.options import AsJson, examples
from waymark.console import CommandError, err, out, print_json, say

if TYPE_CHECKING:
    from waymark.dead_letters import Letter, Selection
    from waymark.target import Target

SHOWN_ERRORS = 3

Refs = Annotated[list[str] | None, typer.Argument(help=say("Refs, as `list` shows them.", "`list`가 보여 주는 ref."))]
Stage = Annotated[str | None, typer.Option(metavar="ingest|journey|alerts", help=say("Whose.", "어느 단계의 것인지."))]
Code = Annotated[str | None, typer.Option(help=say("Only with this reason.", "이 사유만."))]
SourceName = Annotated[str | None, typer.Option("--source", help=say("Only from this source.", "이 소스만."))]
Requeued = Annotated[bool, typer.Option("--all", help=say("Also those sent again already.", "다시 보낸 것도 포함."))]
Limit = Annotated[int, typer.Option(min=1, max=100_000, help=say("At most so many.", "최대 개수."))]
DryRun = Annotated[bool, typer.Option("--dry-run", "-n", help=say("Only say what would be sent.", "보내지 않습니다."))]
Everything = Annotated[bool, typer.Option("--everything", help=say("All that are waiting.", "대기 중인 전부."))]


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(no_args_is_help=True)
    group.command(
        "list",
        help=say("List dead letters, oldest first.", "처리하지 못한 레코드를 오래된 순으로 보여 줍니다."),
        epilog=examples("waymark dlq list", "waymark dlq list --stage journey --code id_conflict"),
    )(show_list)
    group.command(
        "show",
        help=say("Show one with its bytes, which are personal data.", "내용까지 보여 줍니다(개인정보 주의)."),
        epilog=examples("waymark dlq show 3f2a91c04b"),
    )(show)
    group.command(
        "requeue",
        help=say(
            "Publish the original bytes again, once what was wrong is mended. Doing it twice is harmless.",
            "원본을 다시 발행합니다. 두 번 해도 안전합니다.",
        ),
        epilog=examples(
            "waymark dlq requeue 3f2a91c04b",
            "waymark dlq requeue --code not_a_touchpoint --dry-run",
            "waymark dlq requeue --everything",
        ),
    )(requeue)
    app.add_typer(group, name="dlq", help=say("Records that could not be applied.", "처리하지 못한 레코드."))


def show_list(
    *,
    stage: Stage = None,
    code: Code = None,
    source: SourceName = None,
    requeued: Requeued = False,
    limit: Limit = 100,
    as_json: AsJson = False,
) -> None:
    """List."""
    from waymark.dead_letters import Selection

    letters = _find(Selection(stage=stage, code=code, source=source, requeued=requeued, limit=limit))
    if as_json:
        print_json([_document(letter) for letter in letters])
        return
    for letter in letters:
        state = say("sent again", "재발행됨") if letter.requeued_at else ""
        place = f"{letter.topic}/{letter.partition}@{letter.offset}"
        out.print(
            f"{letter.ref}  {letter.first_seen:%Y-%m-%d %H:%M:%S}  {letter.stage:<8} {letter.code:<24} {place}"
            f"  {letter.source or ''} {state}".rstrip(),
            markup=False,
            highlight=False,
        )
        for error in letter.errors[:SHOWN_ERRORS]:
            out.print(f"            {error['path']}: {error['message']}", markup=False, highlight=False, style="dim")
    err.print(say(f"{len(letters)} dead letters", f"{len(letters)}건"), style="dim")


def show(ref: Annotated[str, typer.Argument()], as_json: AsJson = False) -> None:
    """Show one."""
    from waymark.dead_letters import Selection

    letters = _find(Selection(refs=[ref], requeued=True))
    if not letters:
        raise CommandError(f"there is no dead letter {ref}")
    document = {**_document(letters[0]), "value": (letters[0].value or b"").decode(errors="backslashreplace")}
    if as_json:
        print_json(document)
        return
    for name, value in document.items():
        out.print(f"[bold]{name:<14}[/]", end=" ", highlight=False)
        out.print(str(value), markup=False, highlight=False)


def requeue(
    refs: Refs = None,
    *,
    stage: Stage = None,
    code: Code = None,
    source: SourceName = None,
    everything: Everything = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Publish again what is selected."""
    from waymark.dead_letters import Selection
    from waymark.target import find_target

    if not (refs or stage or code or source or everything):
        raise CommandError("say which: refs, --stage, --code, --source or --everything", exit_code=2)
    if stage == "ingest":
        raise CommandError(
            "what ingest rejected is for its producer to mend and to send again, with the same id", exit_code=2
        )
    selection = Selection(refs=refs or [], stage=stage, code=code, source=source, limit=100_000)
    _check(selection)
    target = find_target(os.environ)
    if dry_run:
        letters = _find(selection, rejections=False)
        count, verb = len(letters), say("would be published again", "재발행 예정")
    else:
        count, verb = _requeue(target, selection), say("published again", "재발행됨")
    if as_json:
        print_json({"requeued": 0 if dry_run else count, "selected": count})
    else:
        out.print(f"{count} {verb}", highlight=False)
    missing = len(refs or []) - count
    if missing > 0:
        raise CommandError(f"{missing} of the refs are not waiting: unknown, or sent again already")


def _find(selection: "Selection", *, rejections: bool = True) -> "list[Letter]":
    """The selected letters of all stages, or without what ingest rejected."""
    import asyncio

    from waymark.database import connected
    from waymark.dead_letters import find_letters
    from waymark.rejections import find_rejections
    from waymark.target import find_target

    _check(selection)
    target = find_target(os.environ)
    letters: list[Letter] = []
    if selection.stage != "ingest":
        with connected(target.postgres) as connection:
            letters = find_letters(connection, selection)
    if rejections and selection.stage in {None, "ingest"}:
        letters += asyncio.run(find_rejections(target.kafka, selection))
    return sorted(letters, key=lambda letter: letter.first_seen)


def _check(selection: "Selection") -> None:
    from waymark.dead_letters import STAGES

    if selection.stage not in {None, *STAGES}:
        raise CommandError(f"--stage is one of {', '.join(STAGES)}, not {selection.stage!r}", exit_code=2)


def _requeue(target: "Target", selection: "Selection") -> int:
    import asyncio

    from services.runtime.kafka import PublishFailed
    from waymark.database import connected
    from waymark.dead_letters import find_letters
    from waymark.dead_letters import requeue as publish

    with connected(target.postgres) as connection:
        letters = find_letters(connection, selection)
        try:
            return asyncio.run(_with_producer(target, lambda producer: publish(connection, letters, producer)))
        except PublishFailed as error:
            raise CommandError(
                f"Kafka at {target.kafka} did not take all of them: {error.reason}; try again"
            ) from error


async def _with_producer(target: "Target", work: Any) -> int:
    from services.runtime.kafka import Producer

    producer = Producer(target.kafka, client_id="waymark-dlq", idempotent=target.idempotent)
    try:
        count: int = await work(producer)
        return count
    finally:
        await producer.stop()


def _document(letter: "Letter") -> dict[str, Any]:
    """A letter without its bytes."""
    hidden = {"value", "key", "headers"}
    return {name: getattr(letter, name) for name in letter.__slots__ if name not in hidden}
