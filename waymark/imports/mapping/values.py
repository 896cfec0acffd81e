"""Makes one field's value from a row: constants, templates like `{case}-{seq}`, value maps, numbers, durations, times.

A maker answers None for "leave the field out", which is what an empty column means, and raises `ValueProblem` for a
value that it cannot read. The message names the column and never quotes the value: it may be personal data.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from waymark.console import say
from waymark.imports.mapping.cells import UNITS, UnreadableCellError, read_boolean, read_duration, read_number
from waymark.imports.mapping.column_names import plain
from waymark.imports.mapping.mapping_file import NESTED, ColumnSpec
from waymark.imports.mapping.times import TimeShift, reader

Row = Mapping[str, str]
Maker = Callable[[Row], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberedRow:
    """One row with the number that a person would look for, or why it cannot be read."""

    number: int
    row: Row | None = None
    problem: str = ""


At = tuple[str, ...]
"""Where a value goes: `("wait_s",)`, `("customer", "phone", "verified")`."""

PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([^{}]+)\}|[{}]")
TIMES = frozenset({"occurred_at", "due_at"})
DURATIONS = frozenset({"wait_s", "duration_s", "hold_s"})
INTEGERS = frozenset({"transfers", "sequence"})
NUMBERS = frozenset({("sentiment",), ("score", "value"), ("score", "scale"), ("value", "amount")})


class CellProblem(Exception):  # noqa: N818 - it names what is wrong with one value of a row, which is then reported
    """A row has a value that cannot be read as the mapping says; `column` is where it stands."""

    def __init__(self, column: str, said: str) -> None:
        super().__init__(say(f"column {column!r} {said}", f"{column!r} 열: {said}"))
        self.column = column


class ValueSpecProblem(Exception):  # noqa: N818 - the same for the mapping itself
    """The mapping says something about a value that is impossible."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingOptions:
    """How values are read throughout a file: `timezone` of times without one, `decimal` sign, `shift` of times."""

    timezone: str
    decimal: str = "."
    shift: TimeShift | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueMaker:
    """A function that makes a value from a row, and the columns that it reads."""

    make: Maker
    columns: frozenset[str]
    members: "Mapping[str, ValueMaker]" = field(default_factory=dict)


def maker(spec: Any, *, at: At, reading: ReadingOptions) -> ValueMaker:
    """The maker for what a mapping says about the value at `at`.

    Raises:
        SpecProblem: that cannot be followed.
    """
    if isinstance(spec, list):
        raise ValueSpecProblem("a list is no value here")
    if isinstance(spec, dict):
        if spec.keys() & {"column", "template"} and not (len(at) == 1 and at[0] in NESTED):
            return _column(_convert(spec), at, reading)
        return _nested(
            {str(name): maker(value, at=(*at, str(name)), reading=reading) for name, value in spec.items()}, at
        )
    if not isinstance(spec, str):
        return ValueMaker(make=lambda _: spec, columns=frozenset())
    if at[0] in TIMES:
        return _column(ColumnSpec(template=spec) if "{" in spec else ColumnSpec(column=spec), at, reading)
    template = _template(spec)
    if template.columns:
        return _read_by(template, _reader(ColumnSpec(template=spec), at, reading))
    return _constant(template.make({}), at)


def _convert(spec: dict[str, Any]) -> ColumnSpec:
    try:
        column = msgspec.convert(spec, ColumnSpec)
    except msgspec.ValidationError as error:
        raise ValueSpecProblem(str(error)) from error
    if (column.column is None) == (column.template is None):
        raise ValueSpecProblem("say `column` or `template`, one of them")
    if column.unit is not None and column.unit not in UNITS:
        raise ValueSpecProblem(f"there is no unit {column.unit!r}; there are {', '.join(UNITS)}")
    if column.cut is not None and column.cut < 1:
        raise ValueSpecProblem("`cut` is how many characters are kept, so at least 1")
    return column


def _column(column: ColumnSpec, at: At, reading: ReadingOptions) -> ValueMaker:
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
    if column.number or column.add or at in NUMBERS or at[0] in INTEGERS:
        whole = at[0] in INTEGERS
        return lambda text: read_number(text, decimal=decimal, integer=whole) + column.add
    if column.boolean or (at[0] == "customer" and at[2:] == ("verified",)):
        return read_boolean
    if column.cut is not None:
        cut = column.cut
        return lambda text: text if len(text) <= cut else text[: cut - 1] + "…"
    return lambda text: text


def _read_by(source: ValueMaker, read: Callable[[str], Any]) -> ValueMaker:
    where = ", ".join(sorted(source.columns))

    def make(row: Row) -> Any:
        text: str | None = source.make(row)
        if text is None or not text.strip():
            return None
        try:
            return read(text)
        except UnreadableCellError as error:
            raise CellProblem(where, str(error)) from None

    return ValueMaker(make=make, columns=source.columns)


def _text(name: str) -> ValueMaker:
    return ValueMaker(make=lambda row: row[name], columns=frozenset({name}))


def _template(text: str) -> ValueMaker:
    """`{column}` stands for the column, `{{` for a brace. With all its columns empty, the field is left out."""
    for found in PLACEHOLDER.finditer(text):
        if found[0] in "{}":
            raise ValueSpecProblem(f"a brace without its partner in {text!r}; write {{{{ for a brace")
    names = {found[1]: plain(found[1]) for found in PLACEHOLDER.finditer(text) if found[1]}
    if len(names) == 1 and text == "{" + (alone := next(iter(names))) + "}":
        return _text(names[alone])  # what most fields are, and nothing to put together

    def fill(found: re.Match[str], row: Row) -> str:
        return row[names[found[1]]] if found[1] else found[0][0]

    def make(row: Row) -> str | None:
        if names and not any(row[name] for name in names.values()):
            return None
        return PLACEHOLDER.sub(lambda found: fill(found, row), text)

    return ValueMaker(make=make, columns=frozenset(names.values()))


def _constant(text: str, at: At) -> ValueMaker:
    if at[0] in DURATIONS | INTEGERS or at in NUMBERS:
        raise ValueSpecProblem(f"`{'.'.join(at)}` wants a number, not {text!r}")
    return ValueMaker(make=lambda _: text, columns=frozenset())


def _nested(members: Mapping[str, ValueMaker], at: At) -> ValueMaker:
    """Members that are empty are left out; a score, an amount or an identifier is nothing without what the row says."""
    whole = at in {("score",), ("value",)} or (at[0] == "customer" and len(at) == 2)
    told = [name for name, part in members.items() if part.columns and name != "verified"] if whole else []

    def make(row: Row) -> Any:
        made = {name: part.make(row) for name, part in members.items()}
        if told and all(made[name] is None for name in told):
            return None
        kept = {name: value for name, value in made.items() if value is not None}
        return kept or None

    return ValueMaker(
        make=make, columns=frozenset().union(*(part.columns for part in members.values())), members=members
    )


def _mapped(source: ValueMaker, column: ColumnSpec, known: Mapping[str, Any]) -> ValueMaker:
    where = ", ".join(sorted(source.columns))

    def make(row: Row) -> Any:
        text = source.make(row) or ""
        if text in known:
            return known[text]
        if (bare := text.strip()) in known:
            return known[bare]
        if column.otherwise is msgspec.UNSET:
            said = say(
                "has a value that `map` does not know (or add `otherwise`)",
                "`map`에 없는 값입니다. `map`에 더하거나 `otherwise`를 적으세요",
            )
            raise CellProblem(where, said)
        return column.otherwise

    return ValueMaker(make=make, columns=source.columns)


def _time(column: ColumnSpec, reading: ReadingOptions) -> Callable[[str], str]:
    said = column.format or "iso"
    formats = [said] if isinstance(said, str) else list(said)
    if (swapped := _swapped(formats)) is not None:
        raise ValueSpecProblem(f"`format` reads 05/06 as two days: keep {swapped[0]!r} or {swapped[1]!r}, not both")
    read, zone, shift = reader(formats), _zone(column.zone or reading.timezone), reading.shift

    def make(text: str) -> str:
        try:
            moment = read(text.strip())
            moved = shift(moment) if shift is not None else moment
            local = moved if moved.tzinfo is not None else moved.replace(tzinfo=zone)
            return local.astimezone(UTC).isoformat().replace("+00:00", "Z")
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


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueSpecProblem(f"there is no time zone {name!r}; an IANA name like Asia/Seoul is wanted") from None
