"""`waymark dlq`: what could not be applied, why, and how to try it again."""

import os
import sys
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from waymark.console import CommandError, err, out, print_json, say
from waymark.options import AsJson, examples

if TYPE_CHECKING:
    from datetime import datetime

    from services.runtime.log.letter_table import DeadLetterSelection, ListedDeadLetter
    from services.runtime.postgres.pools import Connection
    from waymark.dead_letters.requeue import OnResult, RequeueOptions, RequeueResult
    from waymark.target import CommandTarget

SHOWN_ERRORS = 3

Refs = Annotated[list[str] | None, typer.Argument(help=say("Refs, as `list` shows them.", "`list`가 보여 주는 ref."))]
Stage = Annotated[str | None, typer.Option(metavar="ingest|journey|alerts", help=say("Whose.", "어느 단계의 것인지."))]
Code = Annotated[str | None, typer.Option(help=say("Only with this reason.", "이 사유만."))]
SourceName = Annotated[str | None, typer.Option("--source", help=say("Only from this source.", "이 소스만."))]
Requeued = Annotated[bool, typer.Option("--all", help=say("Also those sent again already.", "다시 보낸 것도 포함."))]
Limit = Annotated[int, typer.Option(min=1, max=100_000, help=say("At most so many.", "최대 개수."))]
DryRun = Annotated[
    bool, typer.Option("--dry-run", "-n", help=say("Say what would become of each.", "보내지 않고 결과만 봅니다."))
]
Everything = Annotated[bool, typer.Option("--everything", help=say("All that are waiting.", "대기 중인 전부."))]
Since = Annotated[
    str | None, typer.Option(metavar="TIME", help=say("Refused at or after (RFC 3339).", "이 시각 이후에 거부된 것."))
]
Until = Annotated[str | None, typer.Option(metavar="TIME", help=say("Refused before.", "이 시각 전에 거부된 것."))]
Rate = Annotated[float, typer.Option("--rate", min=0.1, max=10_000, help=say("Letters a second.", "초당 보낼 개수."))]
Live = Annotated[
    bool,
    typer.Option(
        "--live",
        help=say(
            "What ingest refused goes back as what happens now, not as a replay: it may notify.",
            "수신에서 거부된 것을 과거 재생이 아니라 지금 일어난 일로 보냅니다(알림이 나갈 수 있음).",
        ),
    ),
]
Value = Annotated[
    bool, typer.Option("--value", help=say("Only the bytes as they were sent.", "보낸 바이트만 그대로 출력합니다."))
]


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
            "Send them again, once what was wrong is mended: what ingest refused goes through ingest, as its source's "
            "replay; the rest straight to its topic. Doing it twice changes nothing.",
            "원인을 고친 뒤 다시 보냅니다. 수신에서 거부된 것은 그 소스의 재생으로 수신을 거치고, "
            "나머지는 토픽으로 바로 갑니다. 두 번 해도 달라지지 않습니다.",
        ),
        epilog=examples(
            "waymark dlq requeue --source ivr --code channel_not_allowed --dry-run",
            "waymark dlq requeue 3f2a91c04b",
            "waymark dlq requeue --stage journey --since 2026-11-22T00:00:00+09:00 --rate 20",
        ),
    )(requeue)
    app.add_typer(group, name="dlq", help=say("Records that could not be applied.", "처리하지 못한 레코드."))


def show_list(
    *,
    stage: Stage = None,
    code: Code = None,
    source: SourceName = None,
    requeued: Requeued = False,
    since: Since = None,
    until: Until = None,
    limit: Limit = 100,
    as_json: AsJson = False,
) -> None:
    """List the selected dead letters."""
    from services.runtime.log.letter_table import DeadLetterSelection

    begin, end = _time(since, "--since"), _time(until, "--until")
    letters = _find(
        DeadLetterSelection(
            stage=stage, code=code, source=source, requeued=requeued, since=begin, until=end, limit=limit
        )
    )
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


def show(ref: Annotated[str, typer.Argument()], value: Value = False, as_json: AsJson = False) -> None:
    """Show one dead letter with its reasons."""
    from services.runtime.log.letter_table import DeadLetterSelection
    from waymark.dead_letters.requeue import find_obstacle

    letters = _find(DeadLetterSelection(refs=[ref], requeued=True))
    if not letters:
        raise CommandError(f"there is no dead letter {ref}")
    (letter,) = letters
    if value:
        sys.stdout.buffer.write((letter.value or b"") + b"\n")
        return
    why = find_obstacle(letter)
    document = {
        **_document(letter),
        "requeueable": why.sentence if why is not None else True,
        "value": (letter.value or b"").decode(errors="backslashreplace"),
    }
    if as_json:
        print_json(document)
        return
    for name, shown in document.items():
        out.print(f"[bold]{name:<14}[/]", end=" ", highlight=False)
        out.print(str(shown), markup=False, highlight=False)


def requeue(
    refs: Refs = None,
    *,
    stage: Stage = None,
    code: Code = None,
    source: SourceName = None,
    since: Since = None,
    until: Until = None,
    everything: Everything = False,
    rate: Rate = 100.0,
    live: Live = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Send the selected dead letters again."""
    from services.runtime.log.letter_table import DeadLetterSelection
    from waymark.dead_letters.requeue import RequeueOptions
    from waymark.target import find_target

    if not (refs or stage or code or source or since or until or everything):
        raise CommandError("say which: refs, --stage, --code, --source, --since, --until or --everything", exit_code=2)
    begin, end = _time(since, "--since"), _time(until, "--until")
    selection = DeadLetterSelection(
        refs=refs or [], stage=stage, code=code, source=source, since=begin, until=end, limit=100_000
    )
    letters = _find(selection)
    target = find_target(os.environ)
    options = RequeueOptions(url=target.ingest, dry_run=dry_run, live=live, per_s=rate)
    results = _send(target, letters, options)
    _report(results, dry_run=dry_run, as_json=as_json)
    missing = len(set(refs or [])) - len(letters)
    if missing > 0:
        raise CommandError(f"{missing} of the refs are not waiting: unknown, or sent again already")
    if not dry_run and any(result.outcome not in SENT for result in results):
        raise typer.Exit(1)


def _send(
    target: "CommandTarget", letters: "list[ListedDeadLetter]", options: "RequeueOptions"
) -> "list[RequeueResult]":
    import asyncio

    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from services.runtime.kafka.producer import PublishError
    from waymark.database import open_session
    from waymark.dead_letters.requeue import split_by_destination

    through, straight, results = split_by_destination(letters)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[pace]}"))
    with Progress(*columns, TimeRemainingColumn(), console=err, transient=True) as progress:
        shown = progress.add_task(say("sending", "보내는 중"), total=len(through) + len(straight), pace="")

        def on_result(result: "RequeueResult") -> None:
            results.append(result)
            progress.advance(shown)
            speed = progress.tasks[0].speed
            progress.update(shown, pace=f"{speed:.0f}/s" if speed else "")

        async def resend() -> None:
            async with open_session(target.postgres, "waymark") as connection:
                await _resend_all(target, connection, (through, straight), options, on_result)

        try:
            asyncio.run(resend())
        except PublishError as error:
            raise CommandError(
                f"Kafka at {target.kafka} did not take all of them: {error.reason}; try again"
            ) from error
    return results


async def _resend_all(
    target: "CommandTarget",
    connection: "Connection",
    letters: "tuple[list[ListedDeadLetter], list[ListedDeadLetter]]",
    options: "RequeueOptions",
    on_result: "OnResult",
) -> None:
    from services.runtime.kafka.producer import KafkaProducer
    from waymark.dead_letters.requeue import resend_through_ingest, resend_to_topic

    through, straight = letters
    await resend_through_ingest(connection, through, options, on_result)
    if straight:
        producer = KafkaProducer(target.brokers, client_id="waymark-dlq", idempotent=target.idempotent)
        try:
            await resend_to_topic(connection, straight, producer, options, on_result)
        finally:
            await producer.stop()


def _report(results: "list[RequeueResult]", *, dry_run: bool, as_json: bool) -> None:
    sent = [result for result in results if result.outcome in SENT]
    if as_json:
        listed = [
            {
                "ref": result.letter.ref,
                "path": result.path,
                "outcome": str(result.outcome),
                "code": result.code,
                "message": result.message,
            }
            for result in results
        ]
        print_json({"requeued": 0 if dry_run else len(sent), "selected": len(results), "letters": listed})
        return
    for result in results:
        if result.message:
            out.print(f"✗ {result.letter.ref}  {result.outcome}: {result.message}", markup=False, highlight=False)
    counts = Counter((result.path, str(result.outcome)) for result in sent)
    for (path, outcome), count in sorted(counts.items()):
        verb = say("would be", "예정:") if dry_run else "→"
        out.print(f"✓ {count} {verb} {outcome} ({path})", markup=False, highlight=False)
    verb = say("would be sent again", "재전송 예정") if dry_run else say("sent again", "재전송됨")
    out.print(f"{len(sent)} {verb}", highlight=False)


SENT = frozenset({"accepted", "duplicate", "published"})
"""Outcomes of letters that went back."""


def _time(text: str | None, flag: str) -> "datetime | None":
    from datetime import datetime

    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise CommandError(f"{flag} wants a time with an offset, such as 2026-11-22T09:00:00+09:00", exit_code=2)
    return moment


def _find(selection: "DeadLetterSelection") -> "list[ListedDeadLetter]":
    """Return the selected letters of all stages."""
    import asyncio

    from services.ingest.publish.requeued_letters import letters_requeued
    from waymark.database import run_in_transaction
    from waymark.dead_letters.letters import find_letters
    from waymark.dead_letters.rejections import find_rejections
    from waymark.target import find_target

    _check(selection)
    target = find_target(os.environ)

    async def read(connection: "Connection") -> "tuple[list[ListedDeadLetter], Mapping[str, datetime]]":
        return await find_letters(connection, selection), await letters_requeued(connection)

    letters, sent_again = run_in_transaction(target.postgres, read)
    if selection.stage in {None, "ingest"}:
        letters += asyncio.run(find_rejections(target.brokers, selection, sent_again))
    return sorted(letters, key=lambda letter: letter.first_seen)


def _check(selection: "DeadLetterSelection") -> None:
    from waymark.dead_letters.letters import STAGES

    if selection.stage not in {None, *STAGES}:
        raise CommandError(f"--stage is one of {', '.join(STAGES)}, not {selection.stage!r}", exit_code=2)


def _document(letter: "ListedDeadLetter") -> dict[str, Any]:
    """Return a letter without its bytes."""
    hidden = {"value", "key", "headers", "letter_id"}
    return {name: getattr(letter, name) for name in letter.__slots__ if name not in hidden}
