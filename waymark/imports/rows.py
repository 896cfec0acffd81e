"""Reads CSV, JSON Lines, Parquet and XES as rows of text with the line (or row) number that a person would look for."""

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from waymark.console import CommandError
from waymark.imports.values import Row
from waymark.imports.xes import XesError, read_events

FORMATS = {".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet", ".xes": "xes"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One row, or why it is none."""

    number: int
    row: Row | None = None
    problem: str = ""


def format_of(path: Path, wanted: str | None = None) -> str:
    """`csv`, `jsonl`, `parquet` or `xes`: as the mapping says, else by the file's name. Raises CommandError."""
    plain = path.with_suffix("") if path.suffix.lower() == ".gz" else path
    found = wanted or FORMATS.get(plain.suffix.lower())
    if found not in set(FORMATS.values()):
        raise CommandError(f"{path.name}: say `format: csv`, `jsonl`, `parquet` or `xes` in the mapping", exit_code=2)
    return found


def read_csv(
    path: Path, *, encoding: str, delimiter: str, on_columns: Callable[[Sequence[str]], None]
) -> Iterator[Line]:
    """Rows of a CSV file with a header line."""
    with path.open(encoding=encoding, newline="") as file:
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        header = next(reader, [])
        on_columns(header)
        while True:
            number = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except (csv.Error, UnicodeDecodeError) as error:
                yield Line(number=number, problem=f"not readable: {error}")
                if isinstance(error, UnicodeDecodeError):
                    return  # where the next row begins is anybody's guess
                continue
            if len(cells) != len(header):
                if cells:
                    yield Line(number=number, problem=f"{len(cells)} cells, the header has {len(header)}")
                continue
            yield Line(number=number, row=dict(zip(header, cells, strict=True)))


def read_jsonl(path: Path) -> Iterator[tuple[int, Any, str]]:
    """Every line that is not empty: its number, and the decoded object or what is wrong with it."""
    with path.open("rb") as file:
        for number, raw in enumerate(file, start=1):
            if not raw.strip():
                continue
            try:
                document = json.loads(raw)
            except (ValueError, RecursionError):
                yield number, None, "not JSON in UTF-8"
                continue
            yield number, document, "" if isinstance(document, dict) else "not a JSON object"


def jsonl_rows(path: Path, columns: frozenset[str]) -> Iterator[Line]:
    """Objects as rows: a member of a member is a column `outer.inner`; what a line lacks of `columns` is empty."""
    empty = dict.fromkeys(columns, "")
    for number, document, problem in read_jsonl(path):
        yield Line(number=number, row=None if problem else {**empty, **_flat(document)}, problem=problem)


def xes_rows(path: Path, columns: frozenset[str]) -> Iterator[Line]:
    """Events as rows; what an event lacks of `columns` is empty."""
    empty = dict.fromkeys(columns, "")
    try:
        for number, event in read_events(path):
            yield Line(number=number, row={**empty, **event})
    except XesError as error:
        yield Line(number=error.line, problem=error.problem)


def read_parquet(path: Path, *, on_columns: Callable[[Sequence[str]], None]) -> Iterator[Line]:
    """Rows of a Parquet file, counted from 1."""
    try:
        from pyarrow import parquet
    except ModuleNotFoundError as error:
        raise CommandError("Parquet files need pyarrow: pip install 'waymark[parquet]'") from error
    with parquet.ParquetFile(path) as file:
        on_columns(file.schema_arrow.names)
        number = 0
        for batch in file.iter_batches(batch_size=2000):
            for values in batch.to_pylist():
                number += 1
                yield Line(number=number, row=_flat(values))


def _flat(document: dict[str, Any], prefix: str = "") -> dict[str, str]:
    row: dict[str, str] = {}
    for name, value in document.items():
        if isinstance(value, dict):
            row |= _flat(value, f"{prefix}{name}.")
        else:
            row[prefix + str(name)] = _text(value)
    return row


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return json.dumps(value, ensure_ascii=False, default=str)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
