"""Every example is a test: accepted ones pass the schema, the accessor and back; refused ones fail where they say."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

import msgspec
import pytest

from schemas import topics, validation
from schemas.codec import utc_text
from schemas.documents import dead_letter
from tests.contract.contract_files import ACCESSORS, EXAMPLES, FORMS, accepted, read, refused, schema_files

ACCEPTED, REFUSED = accepted(), refused()


class Refused(msgspec.Struct, forbid_unknown_fields=True):
    """What an example of a refused document says."""

    why: str
    expect: dict[str, str]
    document: Any


def telling(node: Any) -> Any:
    """A document without the members that say nothing."""
    if isinstance(node, dict):
        members = {name: telling(member) for name, member in node.items()}
        return {name: member for name, member in members.items() if member not in ({}, [], False)}
    return [telling(element) for element in node] if isinstance(node, list) else node


def in_utc(node: Any) -> Any:
    """A document with its times as the accessor writes them."""
    if isinstance(node, dict):
        return {name: in_utc(member) for name, member in node.items()}
    if isinstance(node, str) and len(node) >= 20 and node[4] == "-" and node[10:11] == "T":
        return utc_text(datetime.fromisoformat(node))
    return [in_utc(element) for element in node] if isinstance(node, list) else node


@pytest.mark.parametrize("name", ACCEPTED)
def test_an_accepted_example_passes_its_schema(name: str) -> None:
    schema, path = ACCEPTED[name]
    assert validation.errors(schema, read(path)) == []


@pytest.mark.parametrize("name", ACCEPTED)
def test_an_accepted_example_survives_the_accessor(name: str) -> None:
    schema, path = ACCEPTED[name]
    accessor = ACCESSORS[schema]
    value = accessor.decode(path.read_bytes())
    written = accessor.encode(value)
    assert telling(json.loads(written)) == telling(in_utc(read(path)))
    assert accessor.decode(written) == value
    assert validation.errors(schema, json.loads(written)) == []


@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_example_is_refused_where_and_why_it_says(name: str) -> None:
    schema, path = REFUSED[name]
    example = msgspec.convert(read(path), Refused)
    found = [{"path": error.path, "code": error.code.value} for error in validation.errors(schema, example.document)]
    assert example.expect in found
    assert example.why.endswith((".", "?"))


@pytest.mark.parametrize("name", [name for name in ACCEPTED if "-published-" in name])
def test_what_stands_on_the_topic_could_have_been_posted(name: str) -> None:
    assert validation.errors("touchpoint.v1", read(ACCEPTED[name][1])) == []


def test_every_schema_has_examples_of_both_sorts() -> None:
    for name in schema_files():
        assert len([key for key, (schema, _) in ACCEPTED.items() if schema == name]) >= 2, name
        assert len([key for key, (schema, _) in REFUSED.items() if schema == name]) >= 5, name


def test_no_example_is_an_orphan() -> None:
    read_by_a_test = {path for _, path in (*ACCEPTED.values(), *REFUSED.values())}
    files = {path for path in EXAMPLES.rglob("*") if path.is_file()}
    assert files == read_by_a_test
    assert {folder.name for folder in EXAMPLES.iterdir()} == set(schema_files())
    assert {form.name for folder in EXAMPLES.iterdir() for form in folder.iterdir()} == {*FORMS, "invalid"}


def test_every_topic_has_an_example_in_korean() -> None:
    for topic in topics.load().values():
        texts = [path.read_text(encoding="utf-8") for _, path in ACCEPTED.values() if topic.schema in path.parts]
        if topic.schema == "dead_letter.v1":  # its text is inside the original bytes
            texts = [dead_letter.decode(text.encode()).value.decode("utf-8", "replace") for text in texts]
        assert any("가" <= letter <= "힣" for text in texts for letter in text), topic.name


def test_mail_addresses_in_examples_belong_to_nobody() -> None:
    """example.com is reserved, so that nobody gets mail because of us."""
    for path in EXAMPLES.rglob("*.json"):
        for domain in re.findall(r"[\w.+-]@([\w.-]+)", path.read_text(encoding="utf-8")):
            assert domain == "example.com" or domain.endswith(".example.com"), path


def test_a_changed_example_would_be_noticed() -> None:
    schema, path = ACCEPTED["touchpoint.v1-valid-least"]
    document = read(path) | {"occurred_at": "yesterday"}
    assert [error.path for error in validation.errors(schema, document)] == ["occurred_at"]
