"""A mapping made ready for work: turns a row into touchpoints (as JSON documents) or into problems."""

from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from schemas import validation
from schemas.field_errors import ErrorCode
from services.ingest.forms.mapping.conditions import ConditionTest, every
from services.ingest.forms.mapping.faults import MappingFileError, MappingRuleError, UnreadableValueError
from services.ingest.forms.mapping.members import DURATIONS, TIMES
from services.ingest.forms.mapping.rules import MappingRule
from waymark.console import say
from waymark.imports.mapping import mapping_file as mappings
from waymark.imports.mapping.cells import UnreadableCellError, read_boolean, unit_named
from waymark.imports.mapping.column_names import BUILT_IN, has, plain, twins
from waymark.imports.mapping.mapping_file import AmbiguousError, ColumnCondition, MappingEntry
from waymark.imports.mapping.times import parse_shift
from waymark.imports.mapping.values import (
    ColumnReader,
    ReadingOptions,
    Row,
    compile_column_value,
)

SCHEMA = "touchpoint.v1"
WORDS = frozenset({"text", "reason", "outcome", "queue", "agent", "attributes"})
"""Fields that lose nothing but words when they are cut; an id or an identifier would become another's."""
FIRST_YEAR, LAST_YEAR = 2000, 2100

Document = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class LineProblem:
    """Something that is wrong with a line of the file: a stable code, the field, its columns, and how to mend it.

    `year` is given where a time lies in a year that is not taken.
    """

    line: int
    code: str
    message: str
    field: str = ""
    column: str = ""
    id: str = ""
    year: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeStep:
    """One mapping entry, ready for work."""

    rule: MappingRule[Row]
    fields: Mapping[str, ColumnReader]


class RowRecipe:
    """Turns rows into touchpoints. Its problems name the columns that the file lacks."""

    def __init__(self, mapping: mappings.MappingFile) -> None:
        problems: list[str] = []
        self.shift = None if mapping.shift is None else parse_shift(mapping.shift)
        reading = ReadingOptions(timezone=mapping.timezone, decimal=mapping.decimal, shift=self.shift)
        self.steps = [_step(mapping, n, entry, reading, problems) for n, entry in enumerate(mapping.touchpoints)]
        self.columns = frozenset(
            {name for step in self.steps for made in step.fields.values() for name in made.columns}
            | {plain(name) for entry in mapping.touchpoints for name in entry.when}
        )
        self.doubts = sorted({doubt for entry in mapping.touchpoints for doubt in _unit_doubts(mapping, entry)})
        if problems:
            raise MappingFileError(problems)

    def require(self, columns: Sequence[str]) -> None:
        """Raise MappingFileError when the file lacks columns that the mapping reads."""
        missing = sorted(self.columns - set(columns) - BUILT_IN)
        if missing:
            problems = _lacks(missing, columns)
            raise (
                AmbiguousError(problems)
                if all(twins(name, columns) for name in missing)
                else MappingFileError(problems)
            )

    def touchpoints(self, line: int, row: Row) -> tuple[list[Document], list[LineProblem]]:
        """What a row becomes: documents that satisfy the contract, and problems with the others."""
        documents: list[Document] = []
        problems: list[LineProblem] = []
        for step in self.steps:
            if not step.rule.test(row):
                continue
            document, found = _made(step, line, row)
            found = found or check(line, document, step.fields)
            problems += found
            if not found:
                documents.append(document)
        return documents, problems

    def times(self, row: Row) -> list[datetime]:
        """When the touchpoints of a row occurred, of those whose time can be read."""
        found = []
        for step in self.steps:
            if step.rule.test(row):
                with suppress(UnreadableValueError, ValueError):  # `check` reports it when the row becomes a touchpoint
                    made = step.fields["occurred_at"].read(row)
                    found += [datetime.fromisoformat(made)] if isinstance(made, str) else []
        return found


def load(path: Path) -> mappings.MappingFile:
    """Read a mapping file that touchpoints can be made by; raises `MappingFileError` with everything that is wrong."""
    mapping = mappings.load(path, _against)
    RowRecipe(mapping)
    return mapping


def _against(mapping: mappings.MappingFile, number: int, entry: MappingEntry) -> list[str]:
    try:
        shift = None if mapping.shift is None else parse_shift(mapping.shift)
    except ValueError:
        shift = None  # which is a problem of its own
    problems: list[str] = []
    _step(
        mapping,
        number,
        entry,
        ReadingOptions(timezone=mapping.timezone, decimal=mapping.decimal, shift=shift),
        problems,
    )
    return problems


def check(line: int, document: Document, fields: Mapping[str, ColumnReader] | None = None) -> list[LineProblem]:
    """Return what the contract has against a document; `fields` are the mapping that made it."""
    id_ = str(document.get("id", ""))
    problems = []
    for error in validation.errors(SCHEMA, document):
        columns = ", ".join(sorted(_columns_at(fields or {}, error.path)))
        message, code, year = say(error.message, error.message_ko), str(error.code), None
        if error.path in TIMES and (year := _year_not_taken(document.get(error.path))) is not None:
            code, message = "year_out_of_range", year_problem(str(year))
        if columns and error.code is ErrorCode.MISSING:
            message = _empty(columns)
        elif columns and error.code is ErrorCode.TOO_LONG and error.path.split(".")[0] in WORDS:
            message += say(
                f" (column {columns!r}; `cut` in the mapping does)", f" ({columns!r} 열, `cut`으로 줄입니다)"
            )
        elif columns:
            message += say(f" (column {columns!r})", f" ({columns!r} 열)")
        problems.append(
            LineProblem(line=line, code=code, field=error.path, column=columns, message=message, id=id_, year=year)
        )
    return problems


def _empty(columns: str) -> str:
    """What is wrong where a field is required and what it is made of is empty in this row."""
    cure, ko_cure = "", ""
    if ", " not in columns:
        when = f"`when: {{{columns}: {{empty: false}}}}`"
        cure, ko_cure = f"; {when} leaves out rows where it is empty", f". {when}를 적으면 빈 행을 뺍니다"
    return say(
        f"it is required, and column {columns!r} says nothing here{cure}",
        f"있어야 하는 값인데 {columns!r} 열에서 나온 것이 없습니다{ko_cure}",
    )


def year_problem(years: str) -> str:
    """What is wrong with a time of a year that is not taken."""
    return say(
        f"the year is {years}; Waymark takes {FIRST_YEAR} to {LAST_YEAR}",
        f"연도가 {years}년입니다. {FIRST_YEAR}년부터 {LAST_YEAR}년까지만 받습니다",
    )


def _made(step: RecipeStep, line: int, row: Row) -> tuple[Document, list[LineProblem]]:
    document: Document = {}
    problems = [
        LineProblem(line=line, code="unreadable_value", field=one.member, column=one.place, message=one.message)
        for one in step.rule.fill(document, row)
    ]
    return document | {"replay": True}, problems


def _year_not_taken(value: object) -> int | None:
    """The year of a time that is well written but for its year."""
    try:
        year = datetime.fromisoformat(str(value)).year
    except ValueError:
        return None
    return None if FIRST_YEAR <= year <= LAST_YEAR else year


def _columns_at(fields: Mapping[str, ColumnReader], path: str) -> frozenset[str]:
    """The columns of the value at `path` (`customer.phone.value`), or of the deepest that it stands in."""
    columns: frozenset[str] = frozenset()
    members = fields
    while path and members:
        name = max((name for name in members if path == name or path.startswith(f"{name}.")), key=len, default=None)
        if name is None:
            break
        columns, members = members[name].columns, members[name].members
        path = path[len(name) + 1 :]
    return columns


def _lacks(missing: Sequence[str], columns: Sequence[str]) -> list[str]:
    """What to say of columns that the file has not: those that stand there twice each, the others with what it has."""
    alike = {name: found for name in missing if len(found := twins(name, columns)) > 1}
    problems = [
        f"the file has {len(found)} columns called {name!r}: say {' or '.join(repr(one) for one in found)}"
        for name, found in alike.items()
    ]
    unknown = [name for name in missing if name not in alike]
    if unknown:
        names = ("column " if len(unknown) == 1 else "columns ") + ", ".join(map(repr, unknown))
        problems.append(f"the file has no {names}; {has(columns)}")
    return problems


def _unit_doubts(mapping: mappings.MappingFile, entry: MappingEntry) -> Iterator[str]:
    """What to say of columns of durations that name another unit than the one in which they are read."""
    for name, spec in mappings.fields_of(mapping, entry).items():
        if name not in DURATIONS or (isinstance(spec, dict) and "unit" in spec):
            continue
        column = spec["column"] if isinstance(spec, dict) and "column" in spec else str(spec).strip("{}")
        unit = unit_named(str(column))
        if unit not in {None, "s"}:
            yield say(
                f"column {column!r} names a unit, and its numbers are read as seconds: say `unit: {unit}` of `{name}`",
                f"{column!r} 열 이름에 단위가 있는데 초로 읽습니다. `{name}`에 `unit: {unit}`을 적으세요",
            )


def _step(
    mapping: mappings.MappingFile, number: int, entry: MappingEntry, reading: ReadingOptions, problems: list[str]
) -> RecipeStep:
    fields: dict[str, ColumnReader] = {}
    for name, spec in mappings.fields_of(mapping, entry).items():
        try:
            fields[name] = compile_column_value(spec, at=(name,), reading=reading)
        except MappingRuleError as problem:
            problems.append(f"touchpoints[{number}].fields.{name}: {problem}")
    tests = [_test(plain(column), wanted) for column, wanted in entry.when.items()]
    rule = MappingRule(members={name: made.read for name, made in fields.items()}, test=every(tests))
    return RecipeStep(rule=rule, fields=fields)


def _test(column: str, wanted: Any) -> ConditionTest[Row]:
    if isinstance(wanted, ColumnCondition):
        return _condition(column, wanted)
    many = wanted if isinstance(wanted, list) else [wanted]
    values = frozenset(_as_text(value) for value in many)
    truths = frozenset(value for value in many if isinstance(value, bool))
    if not truths:
        return lambda row: _among(row[column], values)
    return lambda row: _among(row[column], values) or _truth(row[column]) in truths


def _among(text: str, values: Container[str]) -> bool:
    """Whether a cell says one of these, with blanks around it or without."""
    return text in values or text.strip() in values


def _condition(column: str, wanted: ColumnCondition) -> ConditionTest[Row]:
    def test(row: Row) -> bool:
        text = row[column]
        in_list = wanted.one_of is None or _among(text, wanted.one_of)
        not_in_list = wanted.none_of is None or not _among(text, wanted.none_of)
        return in_list and not_in_list and (wanted.empty is None or wanted.empty == (not text.strip()))

    return test


def _truth(text: str) -> bool | None:
    """What a cell says where the mapping asks for true or false, in any of the languages."""
    try:
        return read_boolean(text)
    except UnreadableCellError:
        return None


def _as_text(value: object) -> str:
    """YAML reads `seq: 0` as a number and `yes` as true; the file has text."""
    return str(value).lower() if isinstance(value, bool) else str(value)
