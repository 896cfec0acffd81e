"""A mapping made ready for work: from a row, its touchpoints (as JSON documents) or what is wrong with it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schemas import validation
from waymark.console import say
from waymark.imports import mapping as mappings
from waymark.imports.mapping import Condition, Entry, MappingError
from waymark.imports.values import Made, Row, SpecProblem, ValueProblem, maker

SCHEMA = "touchpoint.v1"

Document = dict[str, Any]
Test = Callable[[Row], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something that is wrong with a line of the file: a stable code, the field, and how to mend it."""

    line: int
    code: str
    message: str
    field: str = ""
    id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One entry of the mapping, ready."""

    tests: Sequence[Test]
    fields: Mapping[str, Made]


class Recipe:
    """Makes touchpoints of rows. Its problems name the columns that the file has not."""

    def __init__(self, mapping: mappings.Mapping) -> None:
        problems: list[str] = []
        self.steps = [_step(mapping, n, entry, problems) for n, entry in enumerate(mapping.touchpoints)]
        self.columns = frozenset(
            {name for step in self.steps for made in step.fields.values() for name in made.columns}
            | {name for entry in mapping.touchpoints for name in entry.when}
        )
        if problems:
            raise MappingError(problems)

    def require(self, columns: Sequence[str]) -> None:
        """Raise MappingError when the file lacks columns that the mapping reads."""
        missing = sorted(self.columns - set(columns))
        if missing:
            there = ", ".join(columns) or "none"
            raise MappingError([f"the file has no column {name!r}; it has: {there}" for name in missing])

    def touchpoints(self, line: int, row: Row) -> tuple[list[Document], list[Problem]]:
        """What a row becomes: documents that satisfy the contract, and problems with the others."""
        documents: list[Document] = []
        problems: list[Problem] = []
        for step in self.steps:
            if not all(test(row) for test in step.tests):
                continue
            try:
                made = {name: part.make(row) for name, part in step.fields.items()}
            except ValueProblem as problem:
                problems.append(Problem(line=line, code="unreadable_value", message=str(problem)))
                continue
            document = {name: value for name, value in made.items() if value is not None} | {"replay": True}
            found = check(line, document)
            problems += found
            if not found:
                documents.append(document)
        return documents, problems


def check(line: int, document: Document) -> list[Problem]:
    """What the contract has against a document."""
    id_ = str(document.get("id", ""))
    return [
        Problem(line=line, code=str(error.code), field=error.path, message=_said(error), id=id_)
        for error in validation.errors(SCHEMA, document)
    ]


def _said(error: validation.FieldError) -> str:
    return say(error.message, error.message_ko)


def _step(mapping: mappings.Mapping, number: int, entry: Entry, problems: list[str]) -> Step:
    fields: dict[str, Made] = {}
    for name, spec in mappings.fields_of(mapping, entry).items():
        try:
            fields[name] = maker(spec, field=name, member=None, timezone=mapping.timezone)
        except SpecProblem as problem:
            problems.append(f"touchpoints[{number}].fields.{name}: {problem}")
    return Step(tests=[_test(column, wanted) for column, wanted in entry.when.items()], fields=fields)


def _test(column: str, wanted: Any) -> Test:
    if isinstance(wanted, Condition):
        return _condition(column, wanted)
    values = frozenset(_as_text(value) for value in (wanted if isinstance(wanted, list) else [wanted]))
    return lambda row: row[column] in values


def _condition(column: str, wanted: Condition) -> Test:
    def test(row: Row) -> bool:
        text = row[column]
        in_list = wanted.one_of is None or text in wanted.one_of
        not_in_list = wanted.none_of is None or text not in wanted.none_of
        return in_list and not_in_list and (wanted.empty is None or wanted.empty == (not text))

    return test


def _as_text(value: object) -> str:
    """YAML reads `seq: 0` as a number and `yes` as true; the file has text."""
    return str(value).lower() if isinstance(value, bool) else str(value)
