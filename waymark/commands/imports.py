"""`waymark import`: past contacts from a file, as a replay."""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from waymark.commands.options import AsJson, examples
from waymark.console import CommandError, err, out, print_json, say

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from waymark.imports.checkpoint import Checkpoint, Tally
    from waymark.imports.recipe import Document, Problem
    from waymark.imports.run import ProblemFile, Source

SHOWN = 3
LOOKED_AT = 20

File = Annotated[
    Path,
    typer.Argument(
        exists=True,
        dir_okay=False,
        help=say("CSV, JSON Lines, Parquet or XES.", "CSV, JSON Lines, Parquet, XES 파일입니다."),
    ),
]
MappingFile = Annotated[
    Path | None,
    typer.Option(
        "--mapping",
        "-m",
        exists=True,
        dir_okay=False,
        help=say("Which column is what (YAML); native JSON Lines need none.", "열과 필드의 대응(YAML)입니다."),
    ),
]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", "-n", help=say("Send nothing; show what would be sent.", "보내지 않습니다.")),
]
Key = Annotated[
    str | None,
    typer.Option(
        envvar="WAYMARK_KEY_SOURCE",
        help=say("Key of a source with the replay scope.", "replay 권한이 있는 소스 키입니다."),
        show_default=False,
    ),
]
Restart = Annotated[
    bool, typer.Option("--restart", help=say("Begin anew, forgetting an interrupted run.", "처음부터 다시 시작합니다."))
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "import",
        help=say(
            "Import past contacts in event order. An interrupted import goes on when it is called again; "
            "repeating one is harmless.",
            "과거 접촉 기록을 발생 순서대로 가져옵니다. 중단되면 같은 명령으로 이어서 진행합니다.",
        ),
        epilog=examples(
            "waymark import tickets.csv --mapping mapping.yaml --dry-run",
            "waymark import tickets.csv --mapping mapping.yaml --key wm_src_…",
            "waymark import touchpoints.jsonl",
        ),
    )(import_file)


def import_file(
    file: File,
    *,
    mapping: MappingFile = None,
    dry_run: DryRun = False,
    key: Key = None,
    restart: Restart = False,
    as_json: AsJson = False,
) -> None:
    """Read, check, send, sum up. Exits with 1 when anything was rejected."""
    from waymark.imports.mapping import MappingError, load
    from waymark.imports.run import Source

    try:
        source = Source(path=file, mapping=None if mapping is None else load(mapping))
        if dry_run:
            _rehearse(source, as_json=as_json)
        else:
            _perform(source, [file] if mapping is None else [file, mapping], key, restart=restart, as_json=as_json)
    except MappingError as error:
        raise CommandError("the mapping cannot be used:\n  " + "\n  ".join(error.problems)) from error


def _rehearse(source: "Source", *, as_json: bool) -> None:
    """Make everything, send nothing."""
    from waymark.imports.run import make

    shown: list[Document] = []
    problems: list[Problem] = []
    count = bad_lines = 0
    for _, (documents, found) in make(source):
        shown += documents[: SHOWN - len(shown)] if len(shown) < SHOWN else []
        problems += found[: LOOKED_AT - len(problems)] if len(problems) < LOOKED_AT else []
        count += len(documents)
        bad_lines += bool(found)
    if as_json:
        listed = [{name: getattr(problem, name) for name in problem.__slots__} for problem in problems]
        print_json({"touchpoints": count, "first": shown, "lines_with_problems": bad_lines, "problems": listed})
    else:
        for document in shown:
            out.print_json(data=document, ensure_ascii=False)
        for problem in problems:
            _complain(problem)
        out.print(
            say(
                f"{count} touchpoints, {bad_lines} lines with problems; nothing was sent",
                f"접점 {count}개, 문제 있는 줄 {bad_lines}개, 전송하지 않음",
            )
        )
    if bad_lines:
        raise typer.Exit(1)


def _perform(source: "Source", files: list[Path], key: str | None, *, restart: bool, as_json: bool) -> None:
    from waymark.imports.checkpoint import Checkpoint, name_of
    from waymark.imports.run import ProblemFile
    from waymark.target import data_dir, find_target

    target = find_target(os.environ)
    key = key or target.keys.get("source")
    if not key:
        raise CommandError(
            "a source key is needed: waymark keys create --source NAME --scope replay, then --key or WAYMARK_KEY_SOURCE"
        )
    folder = data_dir(os.environ) / "imports"
    name = name_of(files, target.ingest, key)
    checkpoint = Checkpoint(folder, name)
    if restart:
        checkpoint.clear()
    before = checkpoint.load()
    if before is not None:
        err.print(say(f"going on after {before.sent} touchpoints", f"{before.sent}개 이후부터 이어서 진행합니다"))
    problems = ProblemFile(folder / f"{name}.rejected.jsonl", append=before is not None)
    began = time.monotonic()
    tally = _send(source, target.ingest, key, checkpoint, problems)
    _sum_up(source.path, tally, problems, time.monotonic() - began, as_json=as_json)
    if tally.rejected:
        raise typer.Exit(1)


def _send(source: "Source", url: str, key: str, checkpoint: "Checkpoint", problems: "ProblemFile") -> "Tally":
    import httpx2

    from waymark.imports.run import Import
    from waymark.imports.sending import IngestSender

    with _progress() as progress, httpx2.Client(timeout=30.0) as client:
        listener = ProgressListener(progress)
        return Import(source, listener, problems).run(IngestSender(client, url, key), checkpoint)


def _progress() -> "Progress":
    from rich import progress

    return progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TextColumn("{task.fields[rate]}"),
        progress.TimeRemainingColumn(),
        console=err,
        disable=not err.is_terminal,
        transient=True,
    )


class ProgressListener:
    """Shows an import on a terminal: rows while it reads, then touchpoints with rate and remaining time."""

    def __init__(self, progress: "Progress") -> None:
        self._progress = progress
        self._reading = progress.add_task(say("reading", "읽는 중"), total=None, rate="")
        self._sending: TaskID | None = None

    def reading(self, lines: int) -> None:
        """So many lines are read."""
        self._progress.update(self._reading, completed=lines)

    def sending(self, sent: int, total: int) -> None:
        """So many touchpoints of all have a final answer."""
        if self._sending is None:
            self._progress.remove_task(self._reading)
            self._sending = self._progress.add_task(say("sending", "보내는 중"), total=total, rate="")
        task = next(task for task in self._progress.tasks if task.id == self._sending)
        self._progress.update(self._sending, completed=sent, rate=f"{task.speed or 0:,.0f}/s")


def _sum_up(path: Path, tally: "Tally", problems: "ProblemFile", seconds: float, *, as_json: bool) -> None:
    if as_json:
        document = {
            "file": str(path),
            "touchpoints": tally.sent,
            "accepted": tally.accepted,
            "duplicate": tally.duplicate,
            "rejected": tally.rejected,
            "reasons": tally.reasons,
            "rejected_file": str(problems.path) if tally.rejected else None,
            "seconds": round(seconds, 3),
        }
        print_json(document)
        return
    for problem in problems.first:
        _complain(problem)
    rate = f"{tally.sent / seconds:,.0f}/s" if seconds else ""
    out.print(f"[green]{say('accepted', '접수')}[/]   {tally.accepted:>10,}   {rate}", highlight=False)
    out.print(f"{say('duplicate', '중복')}  {tally.duplicate:>10,}", highlight=False)
    colour = "red" if tally.rejected else "dim"
    out.print(f"[{colour}]{say('rejected', '거절')}[/]   {tally.rejected:>10,}", highlight=False)
    for code, count in sorted(tally.reasons.items(), key=lambda item: -item[1]):
        out.print(f"  {code:<24} {count:>8,}", highlight=False)
    if tally.rejected:
        out.print(say(f"each with its line: {problems.path}", f"줄 번호와 이유: {problems.path}"), highlight=False)


def _complain(problem: object) -> None:
    line, code, field, message = (getattr(problem, name) for name in ("line", "code", "field", "message"))
    err.print(f"[red]{say('line', '줄')} {line}[/] {code}", highlight=False, end=" ")
    err.print(f"{field}: {message}" if field else message, markup=False, highlight=False)
