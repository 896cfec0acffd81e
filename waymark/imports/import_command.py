"""`waymark import`: past contacts from a file, as a replay."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from waymark.console import CommandError, err, masked, say
from waymark.imports.summary import DryRunSummary, complain, sum_up
from waymark.options import AsJson, examples

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from waymark.imports.checkpoint import ImportCheckpoint
    from waymark.imports.run import ImportFile, ImportResult, ProblemFile

File = Annotated[
    Path,
    typer.Argument(
        exists=True,
        dir_okay=False,
        help=say(
            "CSV, Excel, JSON Lines, Parquet or XES; CSV, JSON Lines and XES also compressed (.gz).",
            "CSV, Excel, JSON Lines, Parquet, XES 파일입니다. CSV, JSON Lines, XES는 .gz도 읽습니다.",
        ),
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
    typer.Option(
        "--dry-run",
        "--check",
        "-n",
        help=say(
            "Send nothing; show the first touchpoints, and what is wrong by column.",
            "보내지 않고, 처음 접점들과 열별 문제를 보여 줍니다.",
        ),
    ),
]
Key = Annotated[
    str | None,
    typer.Option(
        envvar="WAYMARK_KEY_SOURCE",
        help=say(
            "Key of a source with the replay scope; beside a running `waymark up` none is needed.",
            "replay 권한이 있는 소스 키입니다. 실행 중인 `waymark up` 옆에서는 필요 없습니다.",
        ),
        show_default=False,
    ),
]
Restart = Annotated[
    bool, typer.Option("--restart", help=say("Begin anew, forgetting an interrupted run.", "처음부터 다시 시작합니다."))
]
Wait = Annotated[
    float,
    typer.Option(
        "--wait",
        min=0,
        help=say("Seconds to wait for ingest while it takes nothing.", "ingest가 받지 못할 때 기다릴 초입니다."),
    ),
]


def register(app: typer.Typer) -> None:
    """Add `import` to the application."""
    app.command(
        "import",
        help=say(
            "Import past contacts in event order. An interrupted import goes on when it is called again; "
            "repeating one is harmless.",
            "과거 접촉 기록을 발생 순서대로 가져옵니다. 중단되면 같은 명령으로 이어서 진행합니다.",
        ),
        epilog=examples(
            "waymark import tickets.csv --mapping mapping.yaml --check",
            "waymark import tickets.csv --mapping mapping.yaml --key wm_src_…",
            "waymark import calls.xlsx --mapping mapping.yaml",
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
    wait: Wait = 300,
    as_json: AsJson = False,
) -> None:
    """Read, check, send, sum up. Exits with 1 when anything was rejected."""
    from services.ingest.forms.mapping.faults import MappingFileError
    from waymark.imports.mapping.recipe import load
    from waymark.imports.run import ImportFile

    try:
        source = ImportFile(path=file, mapping=None if mapping is None else load(mapping))
        if dry_run:
            _rehearse(source, as_json=as_json)
            return
        files = [file] if mapping is None else [file, mapping]
        _perform(source, files, _Order(key=key, restart=restart, wait_s=wait, as_json=as_json))
    except MappingFileError as error:
        raise CommandError("the mapping cannot be used:\n  " + "\n  ".join(error.problems)) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    """How to import, as the flags say."""

    key: str | None
    restart: bool
    wait_s: float
    as_json: bool


def _rehearse(source: "ImportFile", *, as_json: bool) -> None:
    """Make everything, send nothing."""
    from waymark.imports.run import make, repeated
    from waymark.imports.spool import TouchpointSpool

    rehearsal = DryRunSummary(source, os.environ.get("WAYMARK_INGEST_PHONE_REGION", "KR"))
    with _progress() as progress, TouchpointSpool() as spool:
        listener = ProgressListener(progress)
        for line, (documents, problems) in make(source, rehearsal.warn):
            rehearsal.take(documents, problems)
            for document in documents:
                spool.add(line, document)
            listener.reading(line)
        repeats = spool.repeats()
    if repeats.count:
        rehearsal.warn(repeated(repeats))
    rehearsal.show(as_json=as_json)
    if rehearsal.bad_rows:
        raise typer.Exit(1)


def _perform(source: "ImportFile", files: list[Path], order: _Order) -> None:
    from waymark.imports.checkpoint import ImportCheckpoint, name_of
    from waymark.imports.run import ProblemFile
    from waymark.target import data_dir, find_target

    target = find_target(os.environ)
    key = order.key or target.keys.get("source")
    if not key:
        raise CommandError(
            "a source key is needed: waymark keys create --source NAME --scope replay, then --key or "
            "WAYMARK_KEY_SOURCE; beside a running `waymark up` none is needed"
        )
    folder = data_dir(os.environ) / "imports"
    name = name_of(files, target.ingest, key)
    checkpoint = ImportCheckpoint(folder, name)
    if order.restart:
        checkpoint.clear()
    before = checkpoint.load()
    if before is not None:
        err.print(say(f"going on after {before.sent} touchpoints", f"{before.sent}개 이후부터 이어서 진행합니다"))
    problems = ProblemFile(folder / f"{name}.rejected.jsonl", append=before is not None)
    began = time.monotonic()
    try:
        result = _send(source, target.ingest, key, checkpoint, problems, order.wait_s)
    except KeyboardInterrupt:
        _stopped(checkpoint, problems)
        raise
    sum_up(source, result, problems, time.monotonic() - began, as_json=order.as_json)
    if result.tally.rejected:
        raise typer.Exit(1)


def _stopped(checkpoint: "ImportCheckpoint", problems: "ProblemFile") -> None:
    """Say where Ctrl-C left it; what is of no use to the next run goes."""
    tally = checkpoint.load()
    if tally is None:
        problems.discard()
        err.print(say("stopped; nothing was noted as sent", "멈췄습니다. 보낸 것으로 기록된 접점이 없습니다"))
        return
    err.print(
        say(
            f"stopped after {tally.sent:,} touchpoints; the same command goes on from here",
            f"접점 {tally.sent:,}개를 보낸 뒤 멈췄습니다. 같은 명령으로 이어서 할 수 있습니다",
        )
    )


def _send(
    source: "ImportFile", url: str, key: str, checkpoint: "ImportCheckpoint", problems: "ProblemFile", wait_s: float
) -> "ImportResult":
    import httpx2

    from waymark.imports.run import Import
    from waymark.imports.sending import ANSWER_S, CONNECT_S, IngestSender

    timeout = httpx2.Timeout(ANSWER_S, connect=CONNECT_S)
    with _progress() as progress, httpx2.Client(timeout=timeout) as client:
        listener = ProgressListener(progress)
        sender = IngestSender(client, url, key, tell=listener.warn, patience_s=wait_s)
        if err.is_terminal:
            err.print(say(f"to ingest at {masked(url)}", f"보내는 곳: {masked(url)}"), highlight=False, markup=False)
        return Import(source, listener, problems).run(sender, checkpoint)


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

    def warn(self, text: str) -> None:
        """Print a warning about the file."""
        complain(text)
