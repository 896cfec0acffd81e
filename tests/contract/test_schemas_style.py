"""The schemas keep the house's rules: bounded, described, marked for personal data, and one definition of one thing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest

from schemas import validation
from tests.contract.contract_files import leaves, schema_files

SCHEMAS = {name: validation.schema(name) for name in schema_files()}

PLACES = {f"{name}{at}": node for name, schema in SCHEMAS.items() for at, node in leaves(schema)}

KNOWN_KEYWORDS = frozenset(
    {"$schema", "$id", "$ref", "$defs", "title", "description", "type", "format", "enum", "const", "pattern"}
    | {"required", "properties", "additionalProperties", "propertyNames", "items", "oneOf", "if", "then"}
    | {f"{edge}{thing}" for edge in ("min", "max") for thing in ("Length", "imum", "Items", "Properties")}
    | {"contentEncoding", "x-hint", "x-personal-data"}
)


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    """Every subschema; the members of `properties` and `$defs` are names, not keywords."""
    if isinstance(node, list):
        for element in node:
            yield from nodes(element)
    if not isinstance(node, dict):
        return
    yield node
    for word, inner in node.items():
        if word in {"properties", "$defs"}:
            for named in inner.values():
                yield from nodes(named)
        elif word in {"items", "additionalProperties", "propertyNames", "oneOf", "if", "then"}:
            yield from nodes(inner)


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_valid_json_schema_2020_12(name: str) -> None:
    assert SCHEMAS[name]["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert jsonschema_rs.meta.is_valid(SCHEMAS[name])
    assert SCHEMAS[name]["$id"] == f"urn:waymark:schema:{name}"


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_misspells_no_keyword(name: str) -> None:
    """JSON Schema ignores a keyword that it does not know, so a misspelt bound would bound nothing."""
    assert {word for node in nodes(SCHEMAS[name]) for word in node} <= KNOWN_KEYWORDS


@pytest.mark.parametrize("place", PLACES)
def test_a_leaf_says_whether_it_is_personal_data(place: str) -> None:
    assert isinstance(PLACES[place].get("x-personal-data"), bool)


def test_the_leaves_that_are_personal_data_are_these() -> None:
    """Reviewed by people; a new one belongs into this list, and into the privacy notes."""
    personal = {place.replace("/properties", "") for place, node in PLACES.items() if node["x-personal-data"]}
    assert personal == {
        "touchpoint.v1/$defs/id",
        "touchpoint.v1/$defs/identifier_value",
        "touchpoint.v1/$defs/free",
        "touchpoint.v1/text",
        "friction.v1/$defs/id",
        "issue.v1/$defs/id",
        "issue.v1/$defs/person",
        "journey.v1/$defs/id",
        "dead_letter.v1/value_base64",
        "dead_letter.v1/headers/additionalProperties",
    }


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_string_list_map_and_number_is_bounded(name: str) -> None:
    for node in nodes(SCHEMAS[name]):
        kinds = node.get("type", [])
        kinds = {kinds} if isinstance(kinds, str) else set(kinds)
        unbounded = {
            bound
            for kind, bounds in {
                "string": ("maxLength", "pattern"),
                "array": ("maxItems", "items"),
                "number": ("minimum", "maximum"),
                "integer": ("minimum", "maximum"),
            }.items()
            if kind in kinds and "enum" not in node and node.get("format") != "uuid"
            for bound in bounds
            if bound not in node
        }
        assert not unbounded, node


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_object_is_closed_or_bounded(name: str) -> None:
    for node in nodes(SCHEMAS[name]):
        if node.get("type") == "object":
            closed = node.get("additionalProperties") is False
            bounded = {"maxProperties", "propertyNames", "additionalProperties"} <= node.keys()
            requirement_only = "properties" not in node and "required" in node
            assert closed or bounded or requirement_only, node


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_property_is_described(name: str) -> None:
    schema = SCHEMAS[name]
    for node in nodes(schema):
        for member, inner in node.get("properties", {}).items():
            if node.get("title", "").startswith("Published") or "const" in inner:
                continue
            described = inner.get("description") or schema["$defs"][inner["$ref"].rpartition("/")[2]]["description"]
            assert described.endswith((".", "…", ":")), member


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_pattern_comes_with_a_hint_in_both_languages(name: str) -> None:
    for node in nodes(SCHEMAS[name]):
        if node.get("pattern") not in (None, "^[^\\u0000]*$") and "x-personal-data" in node:
            assert set(node.get("x-hint", {"en", "ko"})) == {"en", "ko"}, node


def test_one_name_is_defined_one_way_everywhere() -> None:
    seen: dict[str, str] = {}
    for schema in SCHEMAS.values():
        for name, node in schema.get("$defs", {}).items():
            assert seen.setdefault(name, json.dumps(node)) == json.dumps(node), name


def test_frictions_issues_and_journeys_have_no_member_for_an_identifier() -> None:
    for name in ("friction.v1", "issue.v1", "journey.v1"):
        members = {member for node in nodes(SCHEMAS[name]) for member in node.get("properties", {})}
        assert not members & {"customer", "identifiers", "phone", "email", "text"}, name
