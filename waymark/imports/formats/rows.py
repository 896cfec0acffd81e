"""Reads a file of any format as rows of text, with the line (or row) number that a person would look for."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from waymark.console import CommandError
from waymark.imports.formats.delimited import CsvLayout, read_csv
from waymark.imports.formats.objects import jsonl_rows, read_jsonl, read_parquet
from waymark.imports.formats.workbook import read_workbook
from waymark.imports.formats.xes import XesError, read_events
from waymark.imports.mapping.mapping_file import MappingFile
from waymark.imports.mapping.values import NumberedRow

__all__ = ["NAMED_BY_ROWS", "format_of", "jsonl_rows", "read_csv", "read_jsonl", "read_parquet", "rows_of", "xes_rows"]

WORKBOOK = "xlsx"
NAMED_BY_ROWS = frozenset({"jsonl", "xes"})
"""Formats in which no header says beforehand which columns there are."""
FORMATS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".xes": "xes",
    **dict.fromkeys((".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"), WORKBOOK),
}


def format_of(path: Path, wanted: str | None = None) -> str:
    """`csv`, `jsonl`, `parquet`, `xes` or `xlsx`: as the mapping says, else by the file's name. Raises CommandError."""
    plain = path.with_suffix("") if path.suffix.lower() == ".gz" else path
    found = wanted or FORMATS.get(plain.suffix.lower())
    if found not in set(FORMATS.values()):
        raise CommandError(
            f"{path.name}: say `format: csv`, `jsonl`, `parquet`, `xes` or `xlsx` in the mapping", exit_code=2
        )
    return found


def rows_of(
    path: Path, mapping: MappingFile, columns: frozenset[str], on_columns: Callable[[Sequence[str]], None]
) -> Iterator[NumberedRow]:
    """The rows of a file. `on_columns` hears which columns there are, where the format says so beforehand; in others,
    what a row lacks of `columns` is empty.

    Raises:
        CommandError: the file is not what it should be.
        MappingError: the mapping does not fit it.
    """
    form = format_of(path, mapping.format)
    if form == "csv":
        layout = CsvLayout(
            encoding=mapping.encoding,
            delimiter=mapping.delimiter,
            quote=mapping.quote,
            skip_rows=mapping.skip_rows,
            columns=mapping.columns,
        )
        return read_csv(path, layout, on_columns=on_columns)
    if form == WORKBOOK:
        return read_workbook(
            path, sheet=mapping.sheet, skip_rows=mapping.skip_rows, columns=mapping.columns, on_columns=on_columns
        )
    if form == "parquet":
        return read_parquet(path, on_columns=on_columns)
    if form == "xes":
        return xes_rows(path, columns)
    return jsonl_rows(path, columns, mapping.encoding)


def xes_rows(path: Path, columns: frozenset[str]) -> Iterator[NumberedRow]:
    """Events as rows; what an event lacks of `columns` is empty."""
    empty = dict.fromkeys(columns, "")
    try:
        for number, event in read_events(path):
            yield NumberedRow(number=number, row={**empty, **event})
    except XesError as error:
        yield NumberedRow(number=error.line, problem=error.problem)
