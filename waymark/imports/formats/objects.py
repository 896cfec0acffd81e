"""Reads JSON Lines and Parquet as rows of text: a member of a member is a column `outer.inner`."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from waymark.console import CommandError, say
from waymark.imports.formats.texts import TextFile, flaw_of_cut
from waymark.imports.mapping.column_names import distinct, plain
from waymark.imports.mapping.values import NumberedRow

if TYPE_CHECKING:
    import pyarrow

BATCH_ROWS = 2000


class _TwiceError(ValueError):
    """An object has two members of one name."""


def read_jsonl(path: Path, encoding: str | None = None) -> Iterator[tuple[int, Any, str]]:
    """Every line that is not empty: its number, and the decoded object or what is wrong with it."""
    text = TextFile(path, encoding)
    number = 0
    for number, line in enumerate(text, start=1):
        if not line.strip():
            continue
        if wrong := text.flaw(line):
            yield number, None, say("not JSON in UTF-8", "UTF-8 JSON이 아닙니다") + f": {wrong}"
            continue
        try:
            document = json.loads(line, object_pairs_hook=_once)
        except _TwiceError as error:
            yield number, None, str(error)
        except (ValueError, RecursionError):
            yield number, None, say("not JSON in UTF-8", "UTF-8 JSON이 아닙니다")
        else:
            yield (
                number,
                document,
                "" if isinstance(document, dict) else say("not a JSON object", "JSON 객체가 아닙니다"),
            )
    if text.cut:
        yield number + 1, None, flaw_of_cut()


def jsonl_rows(path: Path, columns: frozenset[str], encoding: str | None = None) -> Iterator[NumberedRow]:
    """Objects as rows; what a line lacks of `columns` is empty."""
    empty = dict.fromkeys(columns, "")
    for number, document, problem in read_jsonl(path, encoding):
        if problem:
            yield NumberedRow(number=number, problem=problem)
            continue
        try:
            yield NumberedRow(number=number, row={**empty, **flat(document)})
        except _TwiceError as error:
            yield NumberedRow(number=number, problem=str(error))


def read_parquet(path: Path, *, on_columns: Callable[[Sequence[str]], None]) -> Iterator[NumberedRow]:
    """Rows of a Parquet file, counted from 1.

    Raises:
        CommandError: it is none, or cannot be read here.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ModuleNotFoundError as error:
        raise CommandError("Parquet files need pyarrow: pip install 'waymark[parquet]'") from error
    number = 0
    try:
        with parquet.ParquetFile(path) as file:
            names = distinct(file.schema_arrow.names)
            leaves = [
                leaf for name, kind in zip(names, file.schema_arrow.types, strict=True) for leaf in _leaves(name, kind)
            ]
            on_columns(leaves)
            empty = dict.fromkeys(leaves, "")
            for batch in file.iter_batches(batch_size=BATCH_ROWS):
                for values in _plain(batch.rename_columns(names)).to_pylist():
                    number += 1
                    yield NumberedRow(number=number, row={**empty, **flat(values)})
    except pyarrow.ArrowInvalid as error:
        raise CommandError(f"{path.name} is no Parquet file, or a damaged one: {error}", exit_code=2) from error


def flat(document: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Return the members of an object as columns with texts.

    Raises:
        ValueError: two members have one name.
    """
    row: dict[str, str] = {}
    for name, value in document.items():
        full = prefix + plain(str(name))
        found = flat(value, f"{full}.") if isinstance(value, dict) else {full: _text(value)}
        if not row.keys().isdisjoint(found):
            raise _twice(full)
        row |= found
    return row


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        names = [name for name, _ in pairs]
        raise _twice(next(name for name in names if names.count(name) > 1))
    return document


def _twice(name: str) -> _TwiceError:
    return _TwiceError(say(f"two members are called {name!r}", f"{name!r}(이)라는 항목이 두 개입니다"))


def _leaves(name: str, kind: "pyarrow.DataType") -> list[str]:
    import pyarrow

    if not pyarrow.types.is_struct(kind):
        return [name]
    return [leaf for field in kind for leaf in _leaves(f"{name}.{plain(field.name)}", field.type)]


def _plain(batch: "pyarrow.RecordBatch") -> "pyarrow.RecordBatch":
    """Times to the microsecond, which is all that we keep; Python has no nanoseconds."""
    import pyarrow

    schema = batch.schema
    for index, field in enumerate(schema):
        schema = schema.set(index, field.with_type(_coarser(field.type)))
    if schema == batch.schema:
        return batch
    table = pyarrow.Table.from_batches([batch]).cast(schema, safe=False)
    return table.combine_chunks().to_batches()[0] if len(table) else batch


def _coarser(kind: "pyarrow.DataType") -> "pyarrow.DataType":
    import pyarrow

    types = pyarrow.types
    if types.is_timestamp(kind) and kind.unit == "ns":
        return pyarrow.timestamp("us", kind.tz)
    if types.is_duration(kind) and kind.unit == "ns":
        return pyarrow.duration("us")
    if types.is_time64(kind) and kind.unit == "ns":
        return pyarrow.time64("us")
    if types.is_struct(kind):
        return pyarrow.struct([field.with_type(_coarser(field.type)) for field in kind])
    return kind


def _text(value: Any) -> str:
    if value is None or value != value:  # noqa: PLR0124 - what is not itself is NaN, which tables write for nothing
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else str(value)
    if isinstance(value, list):
        return json.dumps(value, ensure_ascii=False, default=str)
    return _other_text(value)


def _other_text(value: Any) -> str:
    """What only Parquet has: durations (in seconds), bytes, times and decimals."""
    if isinstance(value, timedelta):
        return str(value.total_seconds())
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
