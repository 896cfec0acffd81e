"""Runs an import from beginning to end: reads, checks, sorts, sends, and remembers. Reports to an `ImportListener`."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Protocol

import msgspec
import orjson

from services.ingest.forms.mapping.faults import MappingFileError
from waymark.console import say
from waymark.imports.account import ProblemGroups, RowStatus, RowStatuses
from waymark.imports.checkpoint import ImportCheckpoint, ImportCounts
from waymark.imports.formats.rows import NAMED_BY_ROWS, format_of, read_jsonl, rows_of
from waymark.imports.mapping import mapping_file as mappings
from waymark.imports.mapping.column_names import BUILT_IN
from waymark.imports.mapping.recipe import Document, LineProblem, RowRecipe, check
from waymark.imports.mapping.values import NumberedRow, Row
from waymark.imports.sending import BatchSender, SentResult, batches
from waymark.imports.spool import RepeatedIds, TouchpointSpool

Made = tuple[list[Document], list[LineProblem]]
LONGEST_COUNT = 7
"""Digits of an id that may just count."""
NAMES_FROM_ROWS = 1000
"""How many rows are asked for their columns where a file has no header."""
STATUSES = {"accepted": RowStatus.ACCEPTED, "duplicate": RowStatus.DUPLICATE, "rejected": RowStatus.REJECTED}


class ImportListener(Protocol):
    """Hears how an import goes on."""

    def reading(self, lines: int) -> None:
        """So many lines are read."""

    def sending(self, sent: int, total: int) -> None:
        """So many touchpoints of all have a final answer."""

    def warn(self, text: str) -> None:
        """Something is odd, and may be meant so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportFile:
    """A file and how to understand it; without a mapping it is JSON Lines of native touchpoints."""

    path: Path
    mapping: mappings.MappingFile | None = None


@dataclass(slots=True, kw_only=True)
class ImportResult:
    """What an import did. `warnings` are those that the listener received."""

    tally: ImportCounts = field(default_factory=ImportCounts)
    rows: RowStatuses = field(default_factory=RowStatuses)
    repeats: RepeatedIds = field(default_factory=RepeatedIds)
    warnings: list[str] = field(default_factory=list)


def make(source: ImportFile, on_warning: Callable[[str], None] = lambda _: None) -> Iterator[tuple[int, Made]]:
    """Line by line: its number, the touchpoints that it becomes, and what is wrong with it.

    Raises:
        mappings.MappingError: the mapping does not fit the file.
    """
    if source.mapping is None:
        yield from _native(source.path)
        return
    recipe = RowRecipe(source.mapping)
    if recipe.shift is not None and recipe.shift.latest is not None:
        _settle(source, recipe)
    for doubt in recipe.doubts:
        on_warning(doubt)
    seen = _Seen(recipe.columns)
    for line in _lines(source, source.mapping, recipe):
        if line.row is None:
            yield line.number, ([], [LineProblem(line=line.number, code="unreadable_line", message=line.problem)])
            continue
        seen.look_at(line.row)
        documents, problems = recipe.touchpoints(line.number, line.row)
        seen.take(documents)
        yield line.number, (documents, problems)
    for text in seen.complaints(named_by_rows=format_of(source.path, source.mapping.format) in NAMED_BY_ROWS):
        on_warning(text)


class _Seen:
    """Which of the columns that the mapping reads have anything in them, which others there are, and whether every id
    is a small number, as in any other file that counts."""

    def __init__(self, wanted: frozenset[str]) -> None:
        self._empty = set(wanted)
        self._there: dict[str, None] = {}
        self._rows = 0
        self._counting: bool | None = None

    def take(self, documents: Sequence[Document]) -> None:
        """Look at the ids made of a row, until one is more than a small number."""
        if self._counting is not False and documents:
            self._counting = all(one["id"].isdecimal() and len(one["id"]) <= LONGEST_COUNT for one in documents)

    def look_at(self, row: Row) -> None:
        """Look at a row, which is quick once nothing is empty."""
        if not self._empty:
            return
        self._empty -= {name for name in self._empty if row[name]}
        self._rows += 1
        if self._rows <= NAMES_FROM_ROWS:
            self._there |= dict.fromkeys(row)

    def complaints(self, *, named_by_rows: bool) -> Iterator[str]:
        """What to say of columns that are empty; where no header names columns, with those that rows have."""
        for name in sorted(self._empty):
            yield say(f"column {name!r} is empty in every row", f"{name!r} 열은 모든 행에서 비어 있습니다")
        if self._empty and named_by_rows:
            names = ", ".join(sorted(self._there.keys() - self._empty - BUILT_IN))
            yield say(f"its rows have: {names}", f"행에 있는 열: {names}")
        if self._counting:
            yield say(
                "every id is a small number; of two files of one source that count so, the second is lost. "
                'Put a word before it, like id: "calls/{…}"',
                "id가 모두 작은 숫자입니다. 같은 소스의 다른 파일도 그렇게 세면 나중 것이 사라집니다. "
                'id: "calls/{…}"처럼 앞에 단어를 붙이세요',
            )


def _native(path: Path) -> Iterator[tuple[int, Made]]:
    for number, document, problem in read_jsonl(path):
        if problem:
            yield number, ([], [LineProblem(line=number, code="unreadable_line", message=problem)])
            continue
        touchpoint = {**document, "replay": True}
        problems = check(number, touchpoint)
        yield number, ([] if problems else [touchpoint], problems)


def _lines(source: ImportFile, mapping: mappings.MappingFile, recipe: RowRecipe) -> Iterator[NumberedRow]:
    """Rows, where the mapping wants it with the columns that every file has, and without texts that mean nothing."""
    own = recipe.columns & BUILT_IN
    nothing = frozenset(text.strip() for text in mapping.empty)
    lines = rows_of(source.path, mapping, recipe.columns - BUILT_IN, recipe.require)
    for count, line in enumerate(lines, start=1):
        row = line.row
        if row is not None and nothing:
            row = {name: "" if text.strip() in nothing else text for name, text in row.items()}
        if row is not None and own:
            row = {"row": str(count), "file": source.path.name, **row}
        yield line if row is line.row else replace(line, row=row)


def _settle(source: ImportFile, recipe: RowRecipe) -> None:
    """Read the file once for its latest time, from which on the shift is known."""
    if source.mapping is None or recipe.shift is None:
        return
    unmoved = RowRecipe(msgspec.structs.replace(source.mapping, shift=None))
    latest: datetime | None = None
    for line in _lines(source, source.mapping, recipe):
        for moment in unmoved.times(line.row) if line.row is not None else ():
            latest = moment if latest is None else max(latest, moment)
    if latest is None:
        raise MappingFileError(["`shift` wants the file's latest time, and no row has one that can be read"])
    recipe.shift.settle(latest)


class Import:
    """One import. `on_problem` hears of every line and touchpoint that was not taken, with its reason."""

    def __init__(self, source: ImportFile, listener: ImportListener, on_problem: Callable[[LineProblem], None]) -> None:
        self._source = source
        self._listener = listener
        self._on_problem = on_problem
        self._rows = RowStatuses()
        self._warnings: list[str] = []

    def run(self, sender: BatchSender, checkpoint: ImportCheckpoint) -> ImportResult:
        """Do it, going on from the checkpoint where there is one; clears it at the end."""
        with TouchpointSpool() as spool:
            before = checkpoint.load()
            refused = self._fill(spool, heard=before is not None)
            repeats = spool.repeats()
            if repeats.count:
                self._warn(repeated(repeats))
            spool.sort()
            tally = before or refused
            for row, status in zip(spool.rows(tally.sent), checkpoint.statuses(tally.sent), strict=False):
                self._rows.settle(row, status)
            for batch in batches(spool.read(tally.sent)):
                outcomes = sender.send(batch)
                for outcome in outcomes:
                    tally = self._count(tally, outcome)
                tally = replace(tally, sent=tally.sent + len(batch))
                checkpoint.save(tally, self._settled([item.row for item in batch], outcomes))
                self._listener.sending(tally.sent, len(spool))
        checkpoint.clear()
        return ImportResult(tally=tally, rows=self._rows, repeats=repeats, warnings=self._warnings)

    def _fill(self, spool: TouchpointSpool, *, heard: bool) -> ImportCounts:
        """Read everything; `heard` when an earlier run reported the problems already."""
        tally = ImportCounts()
        for line, (documents, problems) in make(self._source, self._warn):
            row = self._rows.read(touchpoints=len(documents), problems=len(problems))
            for document in documents:
                spool.add(line, document, row=row)
            for problem in () if heard else problems:
                self._on_problem(problem)
            tally = tally.reject(problems[0].code) if problems else tally
            self._listener.reading(line)
        return tally

    def _settled(self, rows: Sequence[int], outcomes: Sequence[SentResult]) -> bytes:
        """Note the results of the rows of a batch; return the statuses of its touchpoints, in the batch's order."""
        statuses = bytearray(len(rows))
        for outcome in outcomes:
            statuses[outcome.position] = STATUSES[outcome.status]
        for row, status in zip(rows, statuses, strict=True):
            self._rows.settle(row, status)
        return bytes(statuses)

    def _count(self, tally: ImportCounts, outcome: SentResult) -> ImportCounts:
        if outcome.status == "accepted":
            return replace(tally, accepted=tally.accepted + 1)
        if outcome.status == "duplicate":
            return replace(tally, duplicate=tally.duplicate + 1)
        self._on_problem(
            LineProblem(
                line=outcome.line, code=outcome.code, field=outcome.field, message=outcome.message, id=outcome.id
            )
        )
        return tally.reject(outcome.code)

    def _warn(self, text: str) -> None:
        self._warnings.append(text)
        self._listener.warn(text)


def repeated(repeats: RepeatedIds) -> str:
    """What to say of ids that the mapping makes more than once."""
    lines = ", ".join(str(line) for line in repeats.lines)
    told = say(
        f"{repeats.count:,} touchpoints repeat the id of an earlier one of this file (lines {lines}, …); each id is "
        "taken once",
        f"이 파일 안에서 id가 되풀이되는 접점이 {repeats.count:,}개입니다 ({lines}번째 줄 등). 하나씩만 접수됩니다",
    )
    if not repeats.differing:
        return told + say("; they all say the same, so nothing is lost", ". 내용이 모두 같아 사라지는 것은 없습니다")
    return told + say(
        f", and {repeats.differing:,} of them say something else, which is lost. Add another column or {{row}} to `id`",
        f". 내용이 다른 {repeats.differing:,}개는 사라집니다. `id`에 다른 열이나 {{row}}를 더하세요",
    )


class ProblemFile:
    """Every problem, one JSON object a line, in a file that is only made when there is one."""

    def __init__(self, path: Path, *, append: bool = False) -> None:
        self.path = path
        self._append = append
        self.groups = ProblemGroups()
        self.count = 0

    def __call__(self, problem: LineProblem) -> None:
        """Write one down."""
        mode = "ab" if self.count or self._append else "wb"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open(mode) as file:
            file.write(orjson.dumps({n: getattr(problem, n) for n in problem.__slots__}) + b"\n")
        self.count += 1
        self.groups(problem)

    def discard(self) -> None:
        """Remove it: nothing was sent, and the next run says it all again."""
        if not self._append:
            self.path.unlink(missing_ok=True)
