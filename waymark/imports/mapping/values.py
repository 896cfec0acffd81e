"""Reads one field's value out of a row: constants, templates like `{case}-{seq}`, value maps, numbers, times.

Its readers are those of the mapping language (`services.ingest.forms.mapping`), over the cells of a row. What differs
is in the cells: they are text as people of several countries write it, an empty one is absent, a template needs only
one of its columns, and a value that cannot be read names its column.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from services.ingest.forms.mapping.faults import MappingRuleError, UnreadableValueError
from services.ingest.forms.mapping.members import COUNTS, DURATIONS, NESTED, NUMBERS, PAIRS, TIMES
from services.ingest.forms.mapping.readings import time_text, zone_named
from services.ingest.forms.mapping.values import Reader, compile_template, constant, object_of
from waymark.console import say
from waymark.imports.mapping.cells import UNITS, UnreadableCellError, read_boolean, read_duration, read_number
from waymark.imports.mapping.column_names import plain
from waymark.imports.mapping.mapping_file import ColumnSpec
from waymark.imports.mapping.times import TimeShift, reader

Row = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberedRow:
    """One row with the number that a person would look for, or why it cannot be read."""

    number: int
    row: Row | None = None
    problem: str = ""


At = tuple[str, ...]
"""Where a value goes: `("wait_s",)`, `("customer", "phone", "verified")`."""


def unreadable(column: str, said: str) -> UnreadableValueError:
    """Return the fault of a value in `column`; `said` ends a sentence that begins with it."""
    return UnreadableValueError(say(f"column {column!r} {said}", f"{column!r} 열: {said}"), place=column)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingOptions:
    """How values are read throughout a file: `timezone` of times without one, `decimal` sign, `shift` of times."""

    timezone: str
    decimal: str = "."
    shift: TimeShift | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnReader:
    """A reader of rows, and the columns that it reads."""

    read: Reader[Row]
    columns: frozenset[str]
    members: "Mapping[str, ColumnReader]" = field(default_factory=dict)


def compile_column_value(spec: Any, *, at: At, reading: ReadingOptions) -> ColumnReader:
    """Return the reader of what a mapping says about the value at `at`.

    Raises:
        MappingRuleError: that cannot be followed.
    """
    if isinstance(spec, list):
        raise MappingRuleError("a list is no value here")
    if isinstance(spec, dict):
        if spec.keys() & {"column", "template"} and not (len(at) == 1 and at[0] in NESTED):
            return _column(_convert(spec), at, reading)
        inner = ((str(name), said) for name, said in spec.items())
        return _nested({name: compile_column_value(said, at=(*at, name), reading=reading) for name, said in inner}, at)
    if not isinstance(spec, str):
        return ColumnReader(read=constant(spec), columns=frozenset())
    if at[0] in TIMES:
        return _column(ColumnSpec(template=spec) if "{" in spec else ColumnSpec(column=spec), at, reading)
    template = _template(spec)
    if template.columns:
        return _read_by(template, _reader(ColumnSpec(template=spec), at, reading))
    return _constant(template.read({}), at)


def _convert(spec: dict[str, Any]) -> ColumnSpec:
    try:
        column = msgspec.convert(spec, ColumnSpec)
    except msgspec.ValidationError as error:
        raise MappingRuleError(str(error)) from error
    if (column.column is None) == (column.template is None):
        raise MappingRuleError("say `column` or `template`, one of them")
    if column.unit is not None and column.unit not in UNITS:
        raise MappingRuleError(f"there is no unit {column.unit!r}; there are {', '.join(UNITS)}")
    if column.cut is not None and column.cut < 1:
        raise MappingRuleError("`cut` is how many characters are kept, so at least 1")
    return column


def _column(column: ColumnSpec, at: At, reading: ReadingOptions) -> ColumnReader:
    source = _template(column.template) if column.template is not None else _text(plain(column.column or ""))
    if column.map is not None:
        return _mapped(source, column, column.map)
    return _read_by(source, _reader(column, at, reading))


def _reader(column: ColumnSpec, at: At, reading: ReadingOptions) -> Callable[[str], Any]:
    """Return what reads the text of a value that goes to `at`."""
    decimal = column.decimal or reading.decimal
    if at[0] in TIMES or column.format is not None:
        return _time(column, reading)
    if at[0] in DURATIONS or column.unit is not None:
        unit = UNITS[column.unit or "s"]
        return lambda text: read_duration(text, unit=unit, decimal=decimal) + column.add
    if column.number or column.add or ".".join(at) in NUMBERS or at[0] in COUNTS:
        whole = at[0] in COUNTS
        return lambda text: read_number(text, decimal=decimal, integer=whole) + column.add
    if column.boolean or (at[0] == "customer" and at[2:] == ("verified",)):
        return read_boolean
    if column.cut is not None:
        cut = column.cut
        return lambda text: text if len(text) <= cut else text[: cut - 1] + "…"
    return lambda text: text


def _read_by(source: ColumnReader, read: Callable[[str], Any]) -> ColumnReader:
    where = ", ".join(sorted(source.columns))

    def read_row(row: Row) -> Any:
        text: str | None = source.read(row)
        if text is None or not text.strip():
            return None
        try:
            return read(text)
        except UnreadableCellError as error:
            raise unreadable(where, str(error)) from None

    return ColumnReader(read=read_row, columns=source.columns)


def _text(name: str) -> ColumnReader:
    return ColumnReader(read=lambda row: row[name], columns=frozenset({name}))


def _template(text: str) -> ColumnReader:
    """`{column}` stands for the column, `{{` for a brace. With all its columns empty, the field is left out."""
    columns: set[str] = set()

    def find(name: str) -> Reader[Row]:
        columns.add(plain(name))
        return _text(plain(name)).read

    return ColumnReader(read=compile_template(text, find, needs_all=False), columns=frozenset(columns))


def _constant(text: str, at: At) -> ColumnReader:
    if at[0] in DURATIONS | COUNTS or ".".join(at) in NUMBERS:
        raise MappingRuleError(f"`{'.'.join(at)}` wants a number, not {text!r}")
    return ColumnReader(read=constant(text), columns=frozenset())


def _nested(members: Mapping[str, ColumnReader], at: At) -> ColumnReader:
    """Members that are empty are left out; a score, an amount or an identifier is nothing without what the row says."""
    whole = (len(at) == 1 and at[0] in PAIRS) or (at[0] == "customer" and len(at) == 2)
    told = [name for name, part in members.items() if part.columns and name != "verified"] if whole else []
    return ColumnReader(
        read=object_of({name: part.read for name, part in members.items()}, needs=told),
        columns=frozenset().union(*(part.columns for part in members.values())),
        members=members,
    )


def _mapped(source: ColumnReader, column: ColumnSpec, known: Mapping[str, Any]) -> ColumnReader:
    where = ", ".join(sorted(source.columns))

    def read_row(row: Row) -> Any:
        text = source.read(row) or ""
        if text in known:
            return known[text]
        if (bare := text.strip()) in known:
            return known[bare]
        if column.otherwise is msgspec.UNSET:
            said = say(
                "has a value that `map` does not know (or add `otherwise`)",
                "`map`에 없는 값입니다. `map`에 더하거나 `otherwise`를 적으세요",
            )
            raise unreadable(where, said)
        return column.otherwise

    return ColumnReader(read=read_row, columns=source.columns)


def _time(column: ColumnSpec, reading: ReadingOptions) -> Callable[[str], str]:
    said = column.format or "iso"
    formats = [said] if isinstance(said, str) else list(said)
    if (swapped := _swapped(formats)) is not None:
        raise MappingRuleError(f"`format` reads 05/06 as two days: keep {swapped[0]!r} or {swapped[1]!r}, not both")
    read, zone, shift = reader(formats), zone_named(column.zone or reading.timezone), reading.shift

    def make(text: str) -> str:
        try:
            moment = read(text.strip())
            moved = shift(moment) if shift is not None else moment
            local = moved if moved.tzinfo is not None else moved.replace(tzinfo=zone)
            return time_text(local)
        except OverflowError:
            raise UnreadableCellError("is a time beyond all years", "시각이 다룰 수 있는 해를 벗어납니다") from None

    return make


def _swapped(formats: Sequence[str]) -> tuple[str, str] | None:
    """Two formats that differ in whether the day or the month comes first: which of them fits, no text can tell."""
    for form in formats:
        other = form.replace("%d", "\0").replace("%m", "%d").replace("\0", "%m")
        if other != form and other in formats:
            return form, other
    return None
