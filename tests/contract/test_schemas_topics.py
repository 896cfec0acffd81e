"""Topics, schemas and catalogues name one another, completely; and the guard that checks their files bites."""

from __future__ import annotations

import pytest

from schemas import data_files, kinds, topics, validation
from schemas.identifiers import blocked, identifier_types
from tests.contract.contract_files import ACCESSORS, NOT_ON_A_TOPIC, leaves, schema_files

TOPICS = topics.load()

FILES = {path.stem: path for path in topics.FOLDER.glob("*.yaml")}


def test_the_topics_are_those_of_the_design() -> None:
    assert set(TOPICS) == {"touchpoints", "touchpoints-rejected", "frictions", "issues", "journeys"}


def test_every_schema_is_carried_by_a_topic_and_every_topic_carries_one() -> None:
    assert {topic.schema for topic in TOPICS.values()} == set(schema_files())


def test_every_schema_has_an_accessor() -> None:
    assert {name.partition("#")[0] for name in ACCESSORS} == set(schema_files())
    assert set(validation.names()) - NOT_ON_A_TOPIC == set(schema_files())


@pytest.mark.parametrize("name", TOPICS)
def test_a_topic_names_services_that_exist(name: str) -> None:
    topic = TOPICS[name]
    services = {path.name for path in (data_files.FOLDER.parent / "services").iterdir()}
    assert {topic.owner, *topic.producers, *topic.consumers} <= services
    assert topic.owner in topic.producers


@pytest.mark.parametrize("name", TOPICS)
def test_a_topic_says_whether_it_carries_personal_data(name: str) -> None:
    marked = [node["x-personal-data"] for _, node in leaves(validation.schema(TOPICS[name].schema))]
    assert TOPICS[name].personal_data == any(marked)
    assert TOPICS[name].personal_data_why.endswith(".")


@pytest.mark.parametrize("name", TOPICS)
def test_a_topic_that_is_compacted_keeps_everything_else_forever(name: str) -> None:
    topic = TOPICS[name]
    assert (topic.retention_ms is None) == (topic.cleanup is topics.CleanupPolicy.COMPACT)


def test_a_dead_letter_finds_room_for_the_largest_touchpoint() -> None:
    """A refused value is kept as base64, which is a third longer, between headers and errors."""
    longest = validation.schema("dead_letter.v1")["properties"]["value_base64"]["maxLength"]
    assert longest + 64 * 1024 <= TOPICS["touchpoints-rejected"].max_message_bytes


def test_touchpoints_are_stamped_by_the_broker() -> None:
    assert TOPICS["touchpoints"].timestamp_type is topics.TimestampType.LOG_APPEND_TIME
    assert TOPICS["touchpoints"].config()["message.timestamp.type"] == "LogAppendTime"


def test_topic_names_have_neither_dot_nor_underscore() -> None:
    """Kafka's metric names turn both into the same letter."""
    assert not [name for name in TOPICS if "." in name or "_" in name]


@pytest.mark.parametrize("misspelling", ["partition: 8", "retention_hour: 1", "aditional: x"])
def test_a_misspelt_key_of_a_topic_is_refused(misspelling: str) -> None:
    text = FILES["touchpoints"].read_text(encoding="utf-8")
    with pytest.raises(data_files.DataFileError, match=misspelling.split(":", maxsplit=1)[0]):
        topics.parse("touchpoints", f"{text}\n{misspelling}\n")


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        pytest.param("partitions: 8", "partitions: none", id="not a number"),
        pytest.param("partitions: 8", "partitions: 0", id="no partition"),
        pytest.param("partitions: 8", "", id="left out"),
        pytest.param("partitions: 8", "partitions: 8\npartitions: 9", id="given twice"),
        pytest.param("cleanup: delete", "cleanup: forever", id="unknown policy"),
        pytest.param("LogAppendTime", "logappendtime", id="unknown timestamp type"),
        pytest.param("schema: touchpoint.v1", "schema: touchpoint", id="schema without a version"),
        pytest.param("retention_hours: 168", "retention_hours: -1", id="negative retention"),
    ],
)
def test_a_wrong_value_in_a_topic_is_refused(line: str, instead: str) -> None:
    text = FILES["touchpoints"].read_text(encoding="utf-8")
    assert line in text
    with pytest.raises(data_files.DataFileError, match=r"topics/touchpoints\.yaml"):
        topics.parse("touchpoints", text.replace(line, instead))


def test_a_misspelt_key_of_a_catalogue_is_refused() -> None:
    with pytest.raises(data_files.DataFileError, match="contacts"):
        data_files.parse(
            "a: {title: {en: A, ko: 가}, description: An A., contacts: true}",
            dict[str, kinds.TouchpointKind],
            name="kinds.yaml",
        )


def test_kinds_expect_fields_that_a_touchpoint_has() -> None:
    members = validation.schema("touchpoint.v1")["properties"]
    for name, kind in kinds.load().items():
        assert set(kind.fields) <= set(members), name


def test_kinds_and_identifier_types_are_well_formed_names() -> None:
    sample = {"id": "x", "occurred_at": "2026-11-22T09:15:00Z", "channel": "web"}
    for name in kinds.load():
        assert validation.errors("touchpoint.v1", sample | {"kind": name, "customer": {"email": "x"}}) == []
    for name in identifier_types.load():
        assert validation.errors("touchpoint.v1", sample | {"kind": "page_viewed", "customer": {name: "x"}}) == []


def test_blocked_values_speak_of_identifier_types_that_exist() -> None:
    assert blocked.types() <= set(identifier_types.load())
