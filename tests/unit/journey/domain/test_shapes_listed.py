"""A shape of a rule is named in several places. Here each is compared with the list of shapes, the registry."""

import json
import re
from collections import defaultdict
from pathlib import Path
from random import Random
from typing import Any, get_args

import msgspec
import pytest

from schemas import data_files, validation
from services.journey.domain.rules.placeholders import ANYWHERE
from services.journey.domain.rules.rule import Rule
from services.journey.domain.rules.shapes.registry import AnyRule
from services.journey.domain.touchpoint import RecordedTouchpoint, Touchpoint
from services.journey.rulebook import rules_file
from tests.oracle.dense import stories
from tests.oracle.rule_making import a_rule
from tests.oracle.rule_shapes import BY_SHAPE
from tests.unit.journey.domain.making import told

SHAPES = {shape.__struct_config__.tag: shape for shape in get_args(AnyRule)}

DOCS = Path(__file__).parents[4] / "docs"
SEMANTICS = (DOCS / "semantics.md").read_text(encoding="utf-8")
FOR_ANALYSTS = (DOCS / "rules.md").read_text(encoding="utf-8")
SCHEMA = validation.schema("rules.v1")
RULE = SCHEMA["$defs"]["rule"]
SECTIONS = dict(re.findall(r"^### (\S+)$(.*?)(?=^##)", SEMANTICS, re.DOTALL | re.MULTILINE))
NUMBERS = {shape: set(re.findall(r"`(\w+)`", text.rpartition("Numbers:")[2])) for shape, text in SECTIONS.items()}
EXAMPLES = sorted((data_files.FOLDER / "examples" / "friction.v1" / "valid").glob("*.json"))


def drawn(count: int) -> list[dict[str, Any]]:
    random = Random(3)
    return [a_rule(random, number) for number in range(count)]


PLACES = {
    "the schema's enum": RULE["properties"]["shape"]["enum"],
    "the schema's branches": [branch["if"]["properties"]["shape"]["const"] for branch in RULE["allOf"]],
    "what the branches lead to": [branch["then"]["$ref"].removeprefix("#/$defs/") for branch in RULE["allOf"]],
    "the oracle": BY_SHAPE,
    "the rules made at random": sorted({rule["shape"] for rule in drawn(100)}),
    "docs/semantics.md": SECTIONS,
    "docs/rules.md": [word.lower() for word in re.findall(r"^### (\w+): ", FOR_ANALYSTS, re.MULTILINE)],
    "the rules' example": [
        rule.__struct_config__.tag
        for rule in rules_file.load(rules_file.DEFAULT.parent / "examples" / "valid" / "own-rules.yaml").rules
    ],
}


@pytest.mark.parametrize("place", PLACES)
def test_every_shape_and_no_other_is_in(place: str) -> None:
    assert sorted(PLACES[place]) == sorted(SHAPES)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_schema_has_the_members_of_the_shape(shape: str) -> None:
    members: dict[str, Any] = SCHEMA["$defs"][shape]["properties"]
    assert members.keys() == {"shape", *SHAPES[shape].__struct_fields__}
    assert SCHEMA["$defs"][shape]["additionalProperties"] is False


@pytest.mark.parametrize("shape", SHAPES)
def test_what_all_shapes_share_is_described_once(shape: str) -> None:
    shared = {"shape", *Rule.__struct_fields__}
    assert RULE["properties"].keys() == shared
    assert [name for name, member in SCHEMA["$defs"][shape]["properties"].items() if member is True] == [
        *RULE["properties"]
    ]


@pytest.mark.parametrize("shape", SHAPES)
def test_the_document_for_analysts_has_every_member_and_placeholder_of_the_shape(shape: str) -> None:
    members = [f"`{member}`" for member in SHAPES[shape].__struct_fields__]
    placeholders = [f"{{{name}}}" for name in (*ANYWHERE, *SHAPES[shape].placeholders)]
    assert [text for text in (*members, *placeholders) if text not in FOR_ANALYSTS] == []


def test_a_finding_has_the_numbers_that_the_semantics_say() -> None:
    rules = rules_file.read(json.dumps({"rules": drawn(300)}), name="drawn")
    shape_of = {rule.id: str(rule.__struct_config__.tag) for rule in rules.rules}
    numbers: defaultdict[str, set[str]] = defaultdict(set)
    for documents in stories(1, 40):
        touchpoints = [msgspec.convert(one, Touchpoint) for one in documents]
        history = [RecordedTouchpoint(touchpoint=one, appended_at=one.received_at) for one in touchpoints]
        waiting = told(*history, rules=rules).timers
        for finding in told(*history, rules=rules, fired=[timer.id for timer in waiting]).findings:
            numbers[shape_of[finding.rule]] |= finding.evidence.keys()
    assert numbers == NUMBERS


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_of_a_friction_has_numbers_that_its_rule_gives(path: Path) -> None:
    friction = msgspec.json.decode(path.read_bytes())
    [rule] = [rule for rule in rules_file.load().rules if rule.id == friction["rule"]]
    assert friction.get("evidence", {}).keys() <= NUMBERS[str(rule.__struct_config__.tag)]
