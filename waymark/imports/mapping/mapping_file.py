"""What a mapping file says: how to read a table, and which touchpoints each of its rows becomes.

This module knows the shape of the file and reports what is wrong with it; `recipe` gives it its meaning.
"""

import codecs
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from schemas.strict_yaml import yaml_text
from schemas.strict_yaml.shapes import shape_problems
from services.ingest.forms.mapping import members
from services.ingest.forms.mapping.faults import MappingFileError
from waymark.imports.mapping.column_names import plain
from waymark.imports.mapping.times import parse_shift


class AmbiguousError(MappingFileError):
    """Every column that the mapping reads is there, and one of them more than once."""


class ColumnSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A value that is made from one column, or from several by a template.

    `map` translates values (`otherwise` stands for those it does not know; without it they are problems). `format` (one
    or several, tried in turn) and `zone` read times, `number` turns text into a number and `add` shifts it, `unit` says
    what a bare number of a duration counts, `decimal` is the sign before a fraction, `boolean` reads yes and no,
    `cut` is how many characters of a text are kept.
    """

    column: str | None = None
    template: str | None = None
    map: dict[str, str | int | float | bool | None] | None = None
    otherwise: str | int | float | bool | msgspec.UnsetType | None = msgspec.UNSET
    format: str | list[str] | None = None
    zone: str | None = None
    number: bool = False
    add: int | float = 0
    unit: str | None = None
    decimal: str | None = None
    boolean: bool = False
    cut: int | None = None


class ColumnCondition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A condition on one column that is more than a value or a list of values."""

    one_of: tuple[str, ...] | None = None
    none_of: tuple[str, ...] | None = None
    empty: bool | None = None


class MappingEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One touchpoint that a row becomes when all conditions of `when` hold."""

    fields: dict[str, Any]
    when: dict[str, str | int | float | bool | list[str | int | float | bool] | ColumnCondition] = {}


class MappingFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A mapping file. `defaults` go under the fields of every entry, `customer` and its like member by member.

    How the file is read: `encoding` (else its byte order mark, else UTF-8), `delimiter` and `quote` of CSV, `sheet` of
    a workbook, `skip_rows` before the header, `columns` where there is none, `empty`: texts that mean nothing. How its
    values are read: `timezone`, `decimal`, `shift`, which moves its times.
    """

    touchpoints: list[MappingEntry]
    description: str = ""
    format: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    quote: str = '"'
    sheet: str | int | None = None
    skip_rows: int = 0
    columns: list[str] | None = None
    empty: list[str] = []
    timezone: str = "Asia/Seoul"
    decimal: str = "."
    shift: str | None = None
    defaults: dict[str, Any] = {}


Examine = Callable[[MappingFile, int, MappingEntry], Iterable[str]]
"""What somebody else has against an entry, by its number: `touchpoints[0].fields.id: …`."""


def no_problem(_mapping: MappingFile, _number: int, _entry: MappingEntry) -> Iterable[str]:
    """Return no problems; for formats that need no check."""
    return ()


def load(path: Path, examine: Examine = no_problem) -> MappingFile:
    """Read a mapping file.

    Raises:
        MappingFileError: it is not YAML, or says something that means nothing here; everything, with file and line.
    """
    try:
        text = yaml_text.read(path)
    except yaml_text.UnreadableTextError as error:
        raise MappingFileError([f"{path}: {error}"]) from error
    problems = [*text.doubled, *text.misshapen(MappingFile), *map(text.located, _senseless(text.document, examine))]
    if problems:
        raise MappingFileError([f"{path}: {problem}" for problem in problems])
    return msgspec.convert(text.document, MappingFile)


def parse(document: Any) -> MappingFile:
    """Check a mapping that was read. Raises MappingFileError with everything that is wrong."""
    misshapen = [f"{yaml_text.path_text(one.place)}: {one.message}" for one in shape_problems(document, MappingFile)]
    if problems := [*misshapen, *_senseless(document, no_problem)]:
        raise MappingFileError(problems)
    return msgspec.convert(document, MappingFile)


def _senseless(document: Any, examine: Examine) -> list[str]:
    """What means nothing in those parts of a mapping that have their shape."""
    if not isinstance(document, dict):
        return []
    shapes = {field.name: field.type for field in msgspec.structs.fields(MappingFile)}
    entries = document.get("touchpoints")
    usable = {name: document[name] for name in shapes.keys() & document.keys() if name != "touchpoints"}
    usable = {name: value for name, value in usable.items() if not any(shape_problems(value, shapes[name]))}
    mapping = msgspec.convert({**usable, "touchpoints": []}, MappingFile)
    problems = _reading_problems(mapping)
    if entries == []:
        problems.append("`touchpoints` is empty: say at least one touchpoint that a row becomes")
    for number, raw in enumerate(entries if isinstance(entries, list) else ()):
        if not any(shape_problems(raw, MappingEntry)):
            entry = msgspec.convert(raw, MappingEntry)
            found = _entry_problems(mapping, number, entry)
            problems += found or examine(mapping, number, entry)
    return problems


def fields_of(mapping: MappingFile, entry: MappingEntry) -> dict[str, Any]:
    """The fields of an entry over the defaults."""
    fields = members.merged(mapping.defaults, entry.fields)
    return {name: value for name, value in fields.items() if value is not None}


def _reading_problems(mapping: MappingFile) -> list[str]:
    """What is wrong with how the file shall be read."""
    decimals = {mapping.decimal} - {".", ","}
    checks = [
        (
            mapping.encoding is not None and not is_encoding(mapping.encoding),
            f"encoding: there is no encoding {mapping.encoding!r}",
        ),
        (
            mapping.delimiter is not None and len(mapping.delimiter) != 1,
            '`delimiter` is one character, like ";" or "\\t"',
        ),
        (len(mapping.quote) > 1, '`quote` is one character, or "" where quotes mean nothing'),
        (mapping.skip_rows < 0, "`skip_rows` counts the rows before the header, so it is not negative"),
        (bool(decimals), '`decimal` is "." or ","'),
        (mapping.shift is not None and not _is_shift(mapping.shift), _SHIFTS),
    ]
    names = [plain(name) for name in mapping.columns or []]
    twice = sorted({name for name in names if names.count(name) > 1})
    return [text for wrong, text in checks if wrong] + [f"`columns` has {name!r} twice" for name in twice]


_SHIFTS = "`shift` is a span like 46y, -2w or 12h, or `to 2026-11-22` for the day of the file's latest time"


def is_encoding(name: str) -> bool:
    """Return whether text can be in this encoding."""
    try:
        return bool(codecs.lookup(name)._is_text_encoding)
    except (LookupError, ValueError):
        return False


def _is_shift(text: str) -> bool:
    try:
        parse_shift(text)
    except ValueError:
        return False
    return True


def _entry_problems(mapping: MappingFile, number: int, entry: MappingEntry) -> list[str]:
    at = f"touchpoints[{number}]"
    for where, said in (("defaults", mapping.defaults), (f"{at}.fields", entry.fields)):
        wrong = [name for name in members.NESTED & said.keys() if not isinstance(said[name], dict)]
        if wrong:
            return [f"{where}.{name}: say its members, like `{name}: {{…}}`" for name in sorted(wrong)]
    fields = fields_of(mapping, entry)
    missing = [f"{at}: `{name}` is missing" for name in members.missing(fields)]
    unknown = [f"{at}: there is no field `{name}`{hint}" for name, hint in members.unknown(fields)]
    return missing + unknown
