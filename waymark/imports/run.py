"""An import from beginning to end: read, check, sort, send, remember. Says how it goes on through a `Listener`."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import orjson

from waymark.imports import mapping as mappings
from waymark.imports.checkpoint import Checkpoint, Tally
from waymark.imports.recipe import Document, Problem, Recipe, check
from waymark.imports.rows import Line, format_of, jsonl_rows, read_csv, read_jsonl, read_parquet, xes_rows
from waymark.imports.sending import Outcome, Sender, batches
from waymark.imports.spool import Spool

Made = tuple[list[Document], list[Problem]]


class Listener(Protocol):
    """Who wants to hear how an import goes on."""

    def reading(self, lines: int) -> None:
        """So many lines are read."""

    def sending(self, sent: int, total: int) -> None:
        """So many touchpoints of all have a final answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A file and how to understand it; without a mapping it is JSON Lines of native touchpoints."""

    path: Path
    mapping: mappings.Mapping | None = None


def make(source: Source) -> Iterator[tuple[int, Made]]:
    """Line by line: its number, the touchpoints that it becomes, and what is wrong with it.

    Raises:
        mappings.MappingError: the mapping does not fit the file.
    """
    if source.mapping is None:
        yield from _native(source.path)
        return
    recipe = Recipe(source.mapping)
    for line in _lines(source.path, source.mapping, recipe):
        if line.row is None:
            yield line.number, ([], [Problem(line=line.number, code="unreadable_line", message=line.problem)])
        else:
            yield line.number, recipe.touchpoints(line.number, line.row)


def _native(path: Path) -> Iterator[tuple[int, Made]]:
    for number, document, problem in read_jsonl(path):
        if problem:
            yield number, ([], [Problem(line=number, code="unreadable_line", message=problem)])
            continue
        touchpoint = {**document, "replay": True}
        problems = check(number, touchpoint)
        yield number, ([] if problems else [touchpoint], problems)


def _lines(path: Path, mapping: mappings.Mapping, recipe: Recipe) -> Iterator[Line]:
    form = format_of(path, mapping.format)
    if form == "csv":
        return read_csv(path, encoding=mapping.encoding, delimiter=mapping.delimiter, on_columns=recipe.require)
    if form == "parquet":
        return read_parquet(path, on_columns=recipe.require)
    if form == "xes":
        return xes_rows(path, recipe.columns)
    return jsonl_rows(path, recipe.columns)


class Import:
    """One import. `on_problem` hears of every line and touchpoint that was not taken, with its reason."""

    def __init__(self, source: Source, listener: Listener, on_problem: Callable[[Problem], None]) -> None:
        self._source = source
        self._listener = listener
        self._on_problem = on_problem

    def run(self, sender: Sender, checkpoint: Checkpoint) -> Tally:
        """Do it, going on from the checkpoint where there is one; clears it at the end."""
        with Spool() as spool:
            before = checkpoint.load()
            refused = self._fill(spool, heard=before is not None)
            spool.sort()
            tally = before or refused
            for batch in batches(spool.read(tally.sent)):
                for outcome in sender.send(batch):
                    tally = self._count(tally, outcome)
                tally = replace(tally, sent=tally.sent + len(batch))
                checkpoint.save(tally)
                self._listener.sending(tally.sent, len(spool))
        checkpoint.clear()
        return tally

    def _fill(self, spool: Spool, *, heard: bool) -> Tally:
        """Read everything; `heard` when an earlier run reported the problems already."""
        tally = Tally()
        for line, (documents, problems) in make(self._source):
            for document in documents:
                spool.add(line, document)
            for problem in () if heard else problems:
                self._on_problem(problem)
            tally = tally.reject(problems[0].code) if problems else tally
            self._listener.reading(line)
        return tally

    def _count(self, tally: Tally, outcome: Outcome) -> Tally:
        if outcome.status == "accepted":
            return replace(tally, accepted=tally.accepted + 1)
        if outcome.status == "duplicate":
            return replace(tally, duplicate=tally.duplicate + 1)
        self._on_problem(
            Problem(line=outcome.line, code=outcome.code, field=outcome.field, message=outcome.message, id=outcome.id)
        )
        return tally.reject(outcome.code)


class ProblemFile:
    """Every problem, one JSON object a line, in a file that is only made when there is one."""

    def __init__(self, path: Path, *, append: bool = False) -> None:
        self.path = path
        self._append = append
        self.first: list[Problem] = []
        self.count = 0

    def __call__(self, problem: Problem) -> None:
        """Write one down."""
        mode = "ab" if self.count or self._append else "wb"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open(mode) as file:
            file.write(orjson.dumps({n: getattr(problem, n) for n in problem.__slots__}) + b"\n")
        self.count += 1
        if len(self.first) < KEPT:
            self.first.append(problem)


KEPT = 10
