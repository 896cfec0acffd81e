"""What a mapping file says: how to read a table, and which touchpoints each of its rows becomes.

This module knows the shape of the file and reports what is wrong with it; `recipe` gives it its meaning.
"""

from difflib import get_close_matches
from pathlib import Path
from typing import Any

import msgspec
import yaml

from schemas.touchpoint import Posted

REQUIRED = frozenset({"id", "occurred_at", "channel", "kind", "customer"})
FIELDS = frozenset(Posted.__struct_fields__) - {"source", "received_at", "replay", "reported_at", "time_quality"}
NESTED = frozenset({"customer", "refs", "attributes", "score", "value"})


class MappingError(Exception):
    """The mapping cannot be used; `problems` has one line for each thing to mend."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class Column(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A value that is made from one column.

    `map` translates values (`otherwise` stands for those it does not know; without it they are problems). `format` and
    `zone` read times, `number` turns text into a number, `add` shifts it.
    """

    column: str
    map: dict[str, str | int | float | bool | None] | None = None
    otherwise: str | int | float | bool | msgspec.UnsetType | None = msgspec.UNSET
    format: str | None = None
    zone: str | None = None
    number: bool = False
    add: int | float = 0


class Condition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A condition on one column that is more than a value or a list of values."""

    one_of: tuple[str, ...] | None = None
    none_of: tuple[str, ...] | None = None
    empty: bool | None = None


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One touchpoint that a row becomes when all conditions of `when` hold."""

    fields: dict[str, Any]
    when: dict[str, str | int | float | bool | list[str | int | float | bool] | Condition] = {}


class Mapping(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A mapping file. `defaults` go under the fields of every entry, `customer` and its like member by member."""

    touchpoints: list[Entry]
    description: str = ""
    format: str | None = None
    encoding: str = "utf-8-sig"
    delimiter: str = ","
    timezone: str = "Asia/Seoul"
    defaults: dict[str, Any] = {}


def load(path: Path) -> Mapping:
    """Read a mapping file.

    Raises:
        MappingError: it is not YAML, or says something that means nothing here.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise MappingError([f"{path}: {error}"]) from error
    return parse(document)


def parse(document: Any) -> Mapping:
    """Check a mapping that was read. Raises MappingError with everything that is wrong."""
    try:
        mapping = msgspec.convert(document, Mapping)
    except msgspec.ValidationError as error:
        raise MappingError([str(error)]) from error
    if not mapping.touchpoints:
        raise MappingError(["`touchpoints` is empty: say at least one touchpoint that a row becomes"])
    problems = [text for n, entry in enumerate(mapping.touchpoints) for text in _entry_problems(mapping, n, entry)]
    if problems:
        raise MappingError(problems)
    return mapping


def fields_of(mapping: Mapping, entry: Entry) -> dict[str, Any]:
    """The fields of an entry over the defaults."""
    fields = {**mapping.defaults, **entry.fields}
    for name in NESTED & mapping.defaults.keys() & entry.fields.keys():
        fields[name] = {**mapping.defaults[name], **entry.fields[name]}
    return {name: value for name, value in fields.items() if value is not None}


def _entry_problems(mapping: Mapping, number: int, entry: Entry) -> list[str]:
    at = f"touchpoints[{number}]"
    for where, said in (("defaults", mapping.defaults), (f"{at}.fields", entry.fields)):
        wrong = [name for name in NESTED & said.keys() if not isinstance(said[name], dict)]
        if wrong:
            return [f"{where}.{name}: say its members, like `{name}: {{…}}`" for name in sorted(wrong)]
    fields = fields_of(mapping, entry)
    missing = [f"{at}: `{name}` is missing" for name in sorted(REQUIRED - fields.keys())]
    unknown = [f"{at}: there is no field `{name}`{_hint(name)}" for name in sorted(fields.keys() - FIELDS)]
    return missing + unknown


def _hint(name: str) -> str:
    close = get_close_matches(name, FIELDS, n=1)
    return f"; did you mean `{close[0]}`?" if close else ""
