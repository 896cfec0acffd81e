"""Reads files of journey definitions, and definitions as they are stored. What they mean is left to the domain.

A file is checked against `schemas/journeys.v1.schema.json`, then definition by definition; every problem is reported at
once, with its line and, for a name that is not known, the nearest one.
"""

from difflib import get_close_matches
from pathlib import Path
from typing import Any

import msgspec

from schemas import validation
from schemas.strict_yaml.yaml_text import UnreadableTextError, YamlText
from services.journey.domain.definitions.definition import DefinitionRefusedError, JourneyDefinition, StageDefinition
from services.journey.domain.definitions.definition_book import DefinitionBook, DefinitionsVersion
from services.journey.domain.rules.edition import BEGINNING
from services.journey.rulebook import durations

SCHEMA = "journeys.v1"
FOLDER = Path(__file__).parent / "journeys"


def shipped_sets() -> tuple[str, ...]:
    """Return the names of the sets of definitions that come with this release."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))


class DefinitionsRefusedError(ValueError):
    """A file of definitions that cannot be used; `problems` lists all its problems, one line each."""

    def __init__(self, name: str, problems: list[str]) -> None:
        """Name the file, and list its problems."""
        super().__init__("\n".join([f"{name} cannot be used:", *(f"  {problem}" for problem in problems)]))
        self.problems = tuple(problems)


class DefinitionsFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file that can be used: its `text`, and the definitions as the schema has them and as the domain takes them."""

    text: str
    raw: list[dict[str, Any]]
    definitions: tuple[JourneyDefinition, ...]


def load(name: str) -> DefinitionsFile:
    """Return the file at the path `name`, or a shipped set; raise `DefinitionsRefusedError` or `OSError`."""
    path = FOLDER / f"{name}.yaml" if name in shipped_sets() else Path(name)
    try:
        return read(path.read_text(encoding="utf-8-sig"), name=path.name)
    except UnicodeDecodeError as error:
        problem = f"byte {error.start + 1} is not UTF-8; save the file as UTF-8"
        raise DefinitionsRefusedError(path.name, [problem]) from None


def read(text: str, *, name: str) -> DefinitionsFile:
    """Return the definitions of the YAML `text`; raise `DefinitionsRefusedError` with every mistake in it."""
    try:
        written = YamlText(text)
    except UnreadableTextError as error:
        raise DefinitionsRefusedError(name, [str(error)]) from error
    document = written.document
    if not isinstance(document, dict):
        raise DefinitionsRefusedError(name, ["there is nothing in it: give a list of journeys"])
    problems = [f"{one.path}: {one.message}{_nearest(one.path)}" for one in validation.errors(SCHEMA, document)]
    raw = document.get("journeys")
    sound = [
        (at, one)
        for at, one in enumerate(raw if isinstance(raw, list) else ())
        if not any(problem.startswith((f"journeys[{at}].", f"journeys[{at}]:")) for problem in problems)
    ]
    definitions: list[JourneyDefinition] = []
    for at, one in sound:
        try:
            definitions.append(_definition(one))
        except (DefinitionRefusedError, msgspec.ValidationError) as error:
            problems.append(f"journeys[{at}]: {error}")
        else:
            if [other.id for other in definitions].count(one["id"]) > 1:
                problems.append(f"journeys[{at}]: {one['id']}: this id is given twice")
    if problems or written.doubled:
        raise DefinitionsRefusedError(name, [*written.doubled, *(written.located(one) for one in problems)])
    return DefinitionsFile(text=text, raw=[one for _, one in sound], definitions=tuple(definitions))


def encode(raw: list[dict[str, Any]]) -> bytes:
    """Return definitions as they are stored; equal ones in equal order give equal bytes."""
    return msgspec.json.encode({"journeys": raw}, order="sorted")


def decode(document: bytes) -> tuple[JourneyDefinition, ...]:
    """Return the definitions of a stored version.

    Raises:
        ValueError: this release cannot read them.
    """
    stored = msgspec.json.decode(document, type=_StoredDefinitions)
    definitions = tuple(_definition(raw) for raw in stored.journeys)
    DefinitionBook([DefinitionsVersion(in_force_from=BEGINNING, definitions=definitions)])
    return definitions


class _StoredDefinitions(msgspec.Struct, frozen=True):
    journeys: list[dict[str, Any]]


_DURATIONS = durations.members_of(JourneyDefinition)
_MEMBERS = sorted({*JourneyDefinition.__struct_fields__, *StageDefinition.__struct_fields__, "journeys"})


def _definition(raw: dict[str, Any]) -> JourneyDefinition:
    definition: JourneyDefinition = msgspec.convert(durations.parsed(raw, _DURATIONS), JourneyDefinition)
    definition.check()
    return definition


def _nearest(path: str) -> str:
    """Return a hint at the known member that is nearest to the last step of `path`; empty where that is one itself."""
    step = path.rpartition(".")[2].partition("[")[0]
    if step in _MEMBERS:
        return ""
    near = get_close_matches(step, _MEMBERS, n=1)
    return f" Did you mean {near[0]}?" if near else ""
