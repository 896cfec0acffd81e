"""Reads CSV as rows, each with the line on which it begins. An unreadable row costs that row and no other."""

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from services.ingest.forms.mapping.faults import MappingFileError
from waymark.console import say
from waymark.imports.formats.texts import TextFile, flaw_of_cut
from waymark.imports.mapping.column_names import distinct, plain, titles_before
from waymark.imports.mapping.mapping_file import AmbiguousError
from waymark.imports.mapping.values import NumberedRow

OTHER_DELIMITERS = (";", "\t", ",", "|")
_EXCEL_SAYS = re.compile(r"sep=(.)[\r\n]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvLayout:
    """How a file is laid out; None of `delimiter` is what the file or its name says, of `columns` a header line."""

    encoding: str | None = None
    delimiter: str | None = None
    quote: str = '"'
    skip_rows: int = 0
    columns: Sequence[str] | None = None


class _Lines:
    """Lines that can be given back, and which of them were taken since `begin`."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._again: list[str] = []
        self.number = 0
        """Of the line taken last, from 1."""
        self.taken: list[str] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._again.pop() if self._again else next(self._lines)
        self.number += 1
        self.taken.append(line)
        return line

    def begin(self) -> None:
        """Forget what was taken."""
        self.taken = []

    def give_back(self, *, all_but: int = 0) -> None:
        """Let the lines taken be taken again, but for the first so many."""
        again = self.taken[all_but:]
        self._again += reversed(again)
        self.number -= len(again)


def read_csv(path: Path, layout: CsvLayout, *, on_columns: Callable[[Sequence[str]], None]) -> Iterator[NumberedRow]:
    """Rows of a CSV file.

    Raises:
        MappingError: `on_columns` did, or there is no header where one is wanted.
    """
    text = TextFile(path, layout.encoding)
    lines = _Lines(iter(text))
    delimiter = _begin(lines, layout, path)
    reader = _reader(lines, delimiter, layout.quote)
    if layout.columns is None:
        header = _header(reader, lines, delimiter, on_columns)
    else:
        header = [plain(name) for name in layout.columns]
        on_columns(header)
    rows = _Rows(lines, reader, header, text)
    yield from rows.read(lambda line: next(_reader(iter([line]), delimiter, layout.quote)))
    if text.cut:
        yield NumberedRow(number=lines.number + 1, problem=flaw_of_cut())


def _reader(lines: Iterator[str], delimiter: str, quote: str) -> Iterator[list[str]]:
    if not quote:
        return csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE, strict=True)
    return csv.reader(lines, delimiter=delimiter, quotechar=quote, strict=True)


def _begin(lines: _Lines, layout: CsvLayout, path: Path) -> str:
    """Pass over what stands before the header; return the delimiter."""
    for _ in range(layout.skip_rows):
        next(lines, "")
    lines.begin()
    said = _EXCEL_SAYS.fullmatch(next(lines, ""))
    if said is not None:
        return layout.delimiter or said[1]
    lines.give_back()
    by_name = "\t" if ".tsv" in path.suffixes else ","
    return layout.delimiter or by_name


def _header(
    reader: Iterator[list[str]], lines: _Lines, delimiter: str, on_columns: Callable[[Sequence[str]], None]
) -> list[str]:
    lines.begin()
    try:
        cells = next(reader, [])
    except csv.Error as error:
        raise MappingFileError([f"the header line is not readable: {error}"]) from error
    header = distinct(cells)
    try:
        on_columns(header)
    except MappingFileError as error:
        hint = _delimiter_hint(lines.taken[0] if lines.taken else "", delimiter, len(cells))
        titles = titles_before(_until_broken(reader), on_columns, MappingFileError, AmbiguousError)
        if titles is not None:
            hint = [f"the header stands further down; say `skip_rows: {lines.number - 1}`"]
        raise MappingFileError(hint + error.problems) from error
    return header


def _until_broken(reader: Iterator[list[str]]) -> Iterator[list[str]]:
    try:
        yield from reader
    except csv.Error:
        return


def _delimiter_hint(line: str, delimiter: str, cells: int) -> list[str]:
    """The delimiter that parts a line into more cells than this one, which may stand in its numbers alone."""
    counts = {other: line.count(other) for other in OTHER_DELIMITERS if other != delimiter}
    likely = max(counts, key=lambda other: counts[other])
    if counts[likely] < max(cells, 1):
        return []
    shown = likely.replace("\t", "\\t")
    columns = "one column" if cells <= 1 else f"{cells} columns"
    return [f'the header is {columns}; say `delimiter: "{shown}"`']


class _Rows:
    """Takes rows from the reader, and goes on with the next line where one went wrong."""

    def __init__(self, lines: _Lines, reader: Iterator[list[str]], header: Sequence[str], text: TextFile) -> None:
        self._lines = lines
        self._reader = reader
        self._header = header
        self._text = text

    def read(self, alone: Callable[[str], list[str]]) -> Iterator[NumberedRow]:
        """Yield rows and problems; `alone` reads a line as a row of its own."""
        while True:
            number = self._lines.number + 1
            self._lines.begin()
            try:
                cells = next(self._reader)
            except StopIteration:
                return
            except csv.Error as error:
                self._lines.give_back(all_but=1)
                yield NumberedRow(number=number, problem=self._said(error))
                continue
            if cells:
                yield self._judged(number, cells, alone)

    def _judged(self, number: int, cells: list[str], alone: Callable[[str], list[str]]) -> NumberedRow:
        taken = self._lines.taken
        width = len(self._header)
        wrong = next((said for line in taken if (said := self._text.flaw(line))), "")
        if len(cells) > width and not any(cells[width:]):
            cells = cells[:width]
        if len(cells) == width:
            if wrong:
                return NumberedRow(number=number, problem=self._placed(cells, wrong))
            return NumberedRow(number=number, row=dict(zip(self._header, cells, strict=True)))
        if any(_width(line, alone) == width for line in taken[1:]):
            self._lines.give_back(all_but=1)
            wrong = self._text.flaw(taken[0]) or _open_quote()
        return NumberedRow(number=number, problem=wrong or _miscounted(len(cells), width))

    def _placed(self, cells: list[str], wrong: str) -> str:
        """Name the column, where one cell has the flaw."""
        for name, cell in zip(self._header, cells, strict=True):
            if self._text.flaw(cell):
                return say(f"column {name!r}: {wrong}", f"{name!r} 열: {wrong}")
        return wrong

    def _said(self, error: csv.Error) -> str:
        wrong = self._text.flaw(self._lines.taken[0]) if self._lines.taken else ""
        if wrong:
            return wrong
        if len(self._lines.taken) > 1 or "unexpected end" in str(error):
            return _open_quote()
        return say(f"not readable: {error}", f"읽을 수 없습니다: {error}")


def _open_quote() -> str:
    return say("a quote is opened and not closed in its cell", "따옴표가 열리고 그 칸에서 닫히지 않습니다")


def _miscounted(cells: int, width: int) -> str:
    return say(f"{cells} cells, the header has {width}", f"칸이 {cells}개인데 머리글은 {width}개입니다")


def _width(line: str, alone: Callable[[str], list[str]]) -> int:
    try:
        return len(alone(line))
    except (csv.Error, StopIteration):
        return 0
