"""What the schema accepts, the accessor reads: nothing is accepted at the door that the next room cannot hold."""

from __future__ import annotations

import copy
import json
import time
import timeit
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas import codec, validation
from schemas.documents import touchpoint
from schemas.vocabulary import Channel
from tests.contract.contract_files import ACCESSORS, EXAMPLES, accepted, read
from tests.contract.schema_documents import JSON_VALUES, documents

MANY = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)

ROOTS = [name for name in ACCESSORS if "#" not in name]

NAMES = st.sampled_from(ROOTS)


def as_json(document: Any) -> bytes:
    """As a producer would send it."""
    return json.dumps(document, ensure_ascii=False).encode()


def places(node: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document where something stands."""
    steps = list(node.items()) if isinstance(node, dict) else list(enumerate(node)) if isinstance(node, list) else []
    return [found for step, inner in steps for found in [(*at, step), *places(inner, (*at, step))]]


def with_another(document: Any, place: tuple[Any, ...], value: Any) -> Any:
    """A copy of `document` with `value` at `place`."""
    changed = copy.deepcopy(document)
    inner = changed
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    return changed


@MANY
@given(data=st.data(), name=NAMES)
def test_a_document_that_the_schema_accepts_can_be_read_and_written_again(data: st.DataObject, name: str) -> None:
    schema = validation.schema(name)
    document = data.draw(documents(schema, schema))
    if validation.errors(name, document):
        assert {"oneOf", "if"} & (schema.keys() | schema["properties"].get("anchor", {}).keys()), document
        return
    accessor = ACCESSORS[name]
    value = accessor.decode(as_json(document))
    written = accessor.encode(value)
    assert validation.errors(name, json.loads(written)) == []
    assert accessor.decode(written) == value


@MANY
@given(data=st.data(), key=st.sampled_from(sorted(accepted())))
def test_an_example_with_anything_in_some_place_is_refused_or_can_be_read(data: st.DataObject, key: str) -> None:
    name, path = accepted()[key]
    document = read(path)
    changed = with_another(document, data.draw(st.sampled_from(places(document))), data.draw(JSON_VALUES))
    if not validation.errors(name, changed):
        ACCESSORS[name].decode(as_json(changed))


@MANY
@given(document=JSON_VALUES)
def test_anything_at_all_gets_an_answer(document: Any) -> None:
    for name in ACCESSORS:
        found = validation.errors(name, document)
        assert 1 <= len(found) <= validation.MAX_ERRORS
        try:
            ACCESSORS[name].decode(as_json(document))
        except codec.UndecodableError:
            continue
        pytest.fail("An accessor read a document that its schema refuses outright.")


@MANY
@given(raw=st.binary(max_size=60))
def test_bytes_that_are_no_document_are_undecodable_and_nothing_worse(raw: bytes) -> None:
    for accessor in ACCESSORS.values():
        with pytest.raises(codec.UndecodableError):
            accessor.decode(raw)


@pytest.mark.parametrize("name", ACCESSORS)
@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda raw: raw + b" x", id="trailing garbage"),
        pytest.param(lambda raw: raw + raw, id="two documents"),
        pytest.param(lambda raw: raw[:-2], id="cut short"),
        pytest.param(lambda raw: b"\xef\xbb\xbf" + raw, id="byte order mark"),
        pytest.param(lambda raw: raw.replace(b'"id"', b'"\xed\xa0\xbd"', 1), id="surrogate in UTF-8"),
        pytest.param(lambda raw: raw.replace(b":", b":NaN,", 1), id="NaN"),
        pytest.param(lambda raw: raw.decode().encode("utf-16"), id="UTF-16"),
    ],
)
def test_a_spoilt_document_is_undecodable(name: str, spoil: Any) -> None:
    raw = next(path for schema, path in accepted().values() if schema == name).read_bytes().strip()
    ACCESSORS[name].decode(raw)
    with pytest.raises(codec.UndecodableError):
        ACCESSORS[name].decode(spoil(raw))


@pytest.mark.parametrize("name", ACCESSORS)
def test_a_reader_of_today_reads_what_a_writer_of_tomorrow_adds(name: str) -> None:
    path = next(path for schema, path in accepted().values() if schema == name)
    tomorrow = read(path) | {"added_tomorrow": {"a": [1]}}
    assert ACCESSORS[name].decode(as_json(tomorrow)) == ACCESSORS[name].decode(path.read_bytes())


MOMENTS = st.builds(
    lambda milliseconds, hours: datetime.fromtimestamp(1.8e9 + milliseconds / 1000, timezone(timedelta(hours=hours))),
    st.sampled_from([0, 1, 120, 1000]) | st.integers(0, 10**11),
    st.sampled_from([0, 0, 9]),
).map(lambda moment: moment.astimezone(UTC) if not moment.utcoffset() else moment)


@MANY
@given(st.data())
def test_a_touchpoint_is_written_as_its_tree_would_be(data: st.DataObject) -> None:
    value = touchpoint.TouchpointDocument(
        id="t-1",
        channel=Channel.WEB,
        kind="page_viewed",
        customer={"email": touchpoint.IdentifierValue(value="지민@example.com")},
        source="web",
        occurred_at=data.draw(MOMENTS),
        received_at=data.draw(MOMENTS),
        due_at=data.draw(st.none() | MOMENTS),
        sent_at=data.draw(st.none() | MOMENTS),
        reported_at=data.draw(st.none() | MOMENTS),
    )

    assert json.loads(touchpoint.encode(value)) == json.loads(codec.Codec(touchpoint.TouchpointDocument).encode(value))


def test_reading_a_touchpoint_costs_microseconds() -> None:
    """About 2 µs; the bound is ten times that, in time of this process alone, to hold on a busy machine."""
    raw = touchpoint.encode(touchpoint.decode((EXAMPLES / "touchpoint.v1/published/call_ended.json").read_bytes()))
    best = min(timeit.repeat(lambda: touchpoint.decode(raw), timer=time.process_time, number=2000, repeat=5)) / 2000
    assert best < 20e-6
