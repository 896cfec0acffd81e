from __future__ import annotations

import json
from datetime import UTC, datetime

import msgspec

from schemas import cloudevents
from schemas.documents import dead_letter, friction, issue, journey, touchpoint
from tests.contract.contract_files import EXAMPLES

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def example(path: str) -> bytes:
    """The bytes of an example."""
    return (EXAMPLES / path).read_bytes()


def test_a_record_carries_cloudevents_attributes_in_its_headers() -> None:
    value = touchpoint.decode(example("touchpoint.v1/published/call_ended.json"))
    assert dict(touchpoint.headers(value, TRACE)) == {
        "ce_specversion": b"1.0",
        "ce_id": b"call-8841-end",
        "ce_source": b"/waymark/ingest/callcentre",
        "ce_type": b"waymark.touchpoint.v1",
        "ce_time": b"2026-11-22T00:15:00.000000Z",
        "content-type": b"application/json",
        "traceparent": TRACE.encode(),
    }


def test_without_a_trace_there_is_no_traceparent() -> None:
    value = touchpoint.decode(example("touchpoint.v1/published/call_ended.json"))
    assert "traceparent" not in dict(touchpoint.headers(value))
    assert "traceparent" not in dict(touchpoint.headers(value, ""))


def test_korean_stands_in_headers_as_utf_8() -> None:
    found = cloudevents.headers(
        cloudevents.CloudEventType.TOUCHPOINT,
        id="약속-1",
        origin="/waymark/ingest/crm",
        time=datetime(2026, 11, 22, tzinfo=UTC),
    )
    assert dict(found)["ce_id"] == "약속-1".encode()


def test_every_revision_of_a_friction_is_an_event_of_its_own() -> None:
    first = friction.decode(example("friction.v1/valid/repeat_contact.json"))
    second = msgspec.structs.replace(first, revision=first.revision + 1)
    assert dict(friction.headers(first))["ce_id"] != dict(friction.headers(second))["ce_id"]
    assert dict(friction.headers(first))["ce_source"] == b"/waymark/journey"


def test_every_version_of_an_issue_and_a_journey_is_an_event_of_its_own() -> None:
    opened = issue.decode(example("issue.v1/valid/open.json"))
    assert dict(issue.headers(opened))["ce_id"] == f"{opened.id}.1".encode()
    assert dict(issue.headers(opened))["ce_type"] == b"waymark.issue.v1"
    story = journey.decode(example("journey.v1/valid/open.json"))
    assert dict(journey.headers(story))["ce_id"] == f"{story.id}.3".encode()
    assert dict(journey.headers(story))["ce_type"] == b"waymark.journey.v1"


def test_a_dead_letter_names_the_part_that_refused_it_and_the_source_if_known() -> None:
    known = dead_letter.decode(example("dead_letter.v1/valid/refused_at_the_door.json"))
    unknown = dead_letter.decode(example("dead_letter.v1/valid/nothing_was_readable.json"))
    assert dict(dead_letter.headers(known))["ce_source"] == b"/waymark/ingest/web"
    assert dict(dead_letter.headers(unknown))["ce_source"] == b"/waymark/ingest"


def test_every_type_names_a_schema() -> None:
    stems = {kind.value.removeprefix("waymark.") for kind in cloudevents.CloudEventType}
    assert stems == {folder.name for folder in EXAMPLES.iterdir()}
    assert json.loads(example("journey.v1/valid/open.json"))["version"] == 3
