"""Makes one field's value from a row: constants, templates like `{case}-{seq}`, value maps, numbers, times.

A maker answers None for "leave the field out", which is what an empty column means, and raises `ValueProblem` for a
value that it cannot read. The message never quotes the value: it may be personal data.
"""

import re
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from waymark.imports.mapping import Column

Row = Mapping[str, str]
Maker = Callable[[Row], Any]

PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([^{}]+)\}|[{}]")
TIMES = frozenset({"occurred_at", "due_at"})
INTEGERS = frozenset({"transfers", "sequence"})
NUMBERS = frozenset({"wait_s", "duration_s", "hold_s", "sentiment"}) | INTEGERS
NUMBER_MEMBERS = frozenset({("score", "value"), ("score", "scale"), ("value", "amount")})


class ValueProblem(Exception):  # noqa: N818 - it names what is wrong with one value of a row, which is then reported
    """A row has a value that cannot be read as the mapping says."""


class SpecProblem(Exception):  # noqa: N818 - the same for the mapping itself
    """The mapping says something about a value that cannot be followed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A maker, and the columns that it reads."""

    make: Maker
    columns: frozenset[str]


def maker(spec: Any, *, field: str, member: str | None, timezone: str) -> Made:
    """The maker for what a mapping says about `field` (or about `member` of it).

    Raises:
        SpecProblem: that cannot be followed.
    """
    if isinstance(spec, dict) and "column" in spec:
        return _column(_convert(spec), field, member, timezone)
    if isinstance(spec, dict | list):
        nested = {name: maker(value, field=field, member=name, timezone=timezone) for name, value in _members(spec)}
        return Made(make=_mapping_of(nested), columns=_union(nested.values()))
    if isinstance(spec, str) and field in TIMES:
        spec = re.sub(r"^\{([^{}]+)\}$", r"\1", spec)
        return _column(Column(column=spec), field, member, timezone)
    if isinstance(spec, str):
        template = _template(spec)
        return _numeric(template, field, member) if template.columns else _constant(template.make({}), field, member)
    return Made(make=lambda _: spec, columns=frozenset())


def columns_of(text: str) -> Set[str]:
    """The columns that a template names."""
    return {found[1] for found in PLACEHOLDER.finditer(text) if found[1]}


def _members(spec: Any) -> list[tuple[str, Any]]:
    if isinstance(spec, list):
        raise SpecProblem("a list is no value here")
    return [(str(name), value) for name, value in spec.items()]


def _convert(spec: dict[str, Any]) -> Column:
    try:
        column = msgspec.convert(spec, Column)
    except msgspec.ValidationError as error:
        raise SpecProblem(str(error)) from error
    if column.zone is not None:
        _zone(column.zone)
    return column


def _column(column: Column, field: str, member: str | None, timezone: str) -> Made:
    name = column.column
    if column.map is not None:
        make = _mapped(column, column.map)
    elif field in TIMES or column.format is not None:
        make = _time(name, column.format or "iso", _zone(column.zone or timezone))
    elif column.number or column.add or _wants_number(field, member):
        make = _number(name, column.add, integer=field in INTEGERS)
    else:
        make = _text(name)
    return Made(make=make, columns=frozenset({name}))


def _mapping_of(nested: Mapping[str, Made]) -> Maker:
    def make(row: Row) -> Any:
        made = {name: part.make(row) for name, part in nested.items()}
        kept = {name: value for name, value in made.items() if value is not None}
        return kept or None

    return make


def _union(parts: Any) -> frozenset[str]:
    return frozenset().union(*(part.columns for part in parts))


def _text(name: str) -> Maker:
    return lambda row: row[name] or None


def _template(text: str) -> Made:
    """`{column}` stands for the column, `{{` for a brace. With all its columns empty, the field is left out."""
    for found in PLACEHOLDER.finditer(text):
        if found[0] in "{}":
            raise SpecProblem(f"a brace without its partner in {text!r}; write {{{{ for a brace")
    columns = frozenset(columns_of(text))

    def fill(found: re.Match[str], row: Row) -> str:
        return row[found[1]] if found[1] else found[0][0]

    def make(row: Row) -> str | None:
        if columns and not any(row[name] for name in columns):
            return None
        return PLACEHOLDER.sub(lambda found: fill(found, row), text)

    return Made(make=make, columns=columns)


def _constant(text: str, field: str, member: str | None) -> Made:
    if _wants_number(field, member):
        raise SpecProblem(f"`{field}` wants a number, not {text!r}")
    return Made(make=lambda _: text, columns=frozenset())


def _numeric(template: Made, field: str, member: str | None) -> Made:
    """A template for a field that wants a number is read as one."""
    if not _wants_number(field, member):
        return template

    def make(row: Row) -> int | float | None:
        text = template.make(row)
        return None if text is None else _read_number(text, "template", integer=field in INTEGERS)

    return Made(make=make, columns=template.columns)


def _wants_number(field: str, member: str | None) -> bool:
    return field in NUMBERS if member is None else (field, member) in NUMBER_MEMBERS


def _number(name: str, add: float, *, integer: bool) -> Maker:
    def make(row: Row) -> int | float | None:
        if not row[name]:
            return None
        return _read_number(row[name], f"column {name!r}", integer=integer) + add

    return make


def _read_number(text: str, where: str, *, integer: bool) -> int | float:
    try:
        value = float(text.replace(",", "").strip())
    except ValueError:
        raise ValueProblem(f"{where} is not a number") from None
    if integer and not value.is_integer():
        raise ValueProblem(f"{where} is not a whole number")
    return int(value) if value.is_integer() else value


def _mapped(column: Column, known: Mapping[str, Any]) -> Maker:
    def make(row: Row) -> Any:
        text = row[column.column]
        if text in known:
            return known[text]
        if column.otherwise is msgspec.UNSET:
            raise ValueProblem(f"column {column.column!r} has a value that `map` does not know (or add `otherwise`)")
        return column.otherwise

    return make


def _time(name: str, form: str, zone: ZoneInfo) -> Maker:
    read = _READERS.get(form) or _by_format(form)

    def make(row: Row) -> str | None:
        text = row[name].strip()
        if not text:
            return None
        try:
            moment = read(text)
            local = moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)
            return local.astimezone(UTC).isoformat().replace("+00:00", "Z")
        except (ValueError, OverflowError, OSError):
            raise ValueProblem(f"column {name!r} is not a time of the format {form!r}") from None

    return make


def _by_format(form: str) -> Callable[[str], datetime]:
    return lambda text: datetime.strptime(text, form)  # noqa: DTZ007 - the caller puts the zone on


_READERS: dict[str, Callable[[str], datetime]] = {
    "iso": datetime.fromisoformat,
    "epoch_s": lambda text: datetime.fromtimestamp(float(text), UTC),
    "epoch_ms": lambda text: datetime.fromtimestamp(float(text) / 1000, UTC),
}


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise SpecProblem(f"there is no time zone {name!r}; an IANA name like Asia/Seoul is wanted") from None
