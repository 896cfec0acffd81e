"""The AsyncAPI document is current and sound.

AsyncAPI's own schema checks it in CI (`tests/contract/asyncapi_spec_check.py`); these checks need no download.
"""

from __future__ import annotations

from typing import Any

import yaml

from schemas import asyncapi, data_files, topics, validation

DOCUMENT: dict[str, Any] = yaml.safe_load(asyncapi.PATH.read_text(encoding="utf-8"))


def references(node: Any) -> list[str]:
    """Every `$ref` in the document."""
    if isinstance(node, list):
        return [found for element in node for found in references(element)]
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [found for member in node.values() for found in references(member)]
    return []


def resolves(reference: str) -> bool:
    """Whether `reference` points to something, here or in a file beside the document."""
    file, _, pointer = reference.partition("#")
    target: Any = DOCUMENT if not file else validation.schema(file.removeprefix("./").removesuffix(".schema.json"))
    for step in filter(None, pointer.split("/")):
        if step not in target:
            return False
        target = target[step]
    return True


def test_the_document_is_current() -> None:
    assert asyncapi.PATH.read_text(encoding="utf-8") == asyncapi.text(), "Run `python -m schemas.asyncapi`."


def test_writing_it_gives_the_same_document(tmp_path: Any) -> None:
    asyncapi.write(tmp_path / "asyncapi.yaml")
    assert yaml.safe_load((tmp_path / "asyncapi.yaml").read_text(encoding="utf-8")) == DOCUMENT


def test_it_is_asyncapi_3_with_what_that_requires() -> None:
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert {"title", "version"} <= DOCUMENT["info"].keys()
    for server in DOCUMENT["servers"].values():
        assert {"host", "protocol"} <= server.keys()
    for operation in DOCUMENT["operations"].values():
        assert operation["action"] in {"send", "receive"}
        assert operation["channel"].keys() == {"$ref"}


def test_every_reference_resolves() -> None:
    found = references(DOCUMENT)
    assert len(found) >= 20
    assert [reference for reference in found if not resolves(reference)] == []


def test_a_broken_reference_would_be_noticed() -> None:
    assert not resolves("#/components/messages/nothing")
    assert not resolves("./touchpoint.v1.schema.json#/$defs/nothing")


def test_every_topic_is_a_channel_with_its_operations() -> None:
    for name, topic in topics.load().items():
        channel = DOCUMENT["channels"][name]
        assert channel["bindings"]["kafka"]["partitions"] == topic.partitions
        wanted = {f"{service}_sends_{name}" for service in topic.producers}
        wanted |= {f"{service}_receives_{name}" for service in topic.consumers}
        assert wanted == {key for key in DOCUMENT["operations"] if key.endswith(f"s_{name}")}
    assert set(DOCUMENT["channels"]) == set(topics.load())


def test_an_operation_uses_messages_of_its_own_channel() -> None:
    for operation in DOCUMENT["operations"].values():
        for message in operation["messages"]:
            assert message["$ref"].startswith(operation["channel"]["$ref"] + "/messages/")


def test_schema_files_stand_beside_it() -> None:
    assert asyncapi.PATH.parent == data_files.FOLDER
