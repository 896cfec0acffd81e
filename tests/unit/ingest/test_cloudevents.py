"""CloudEvents at the ASGI interface of the service: three modes, what an event becomes, what is said of a wrong one."""

import json
from typing import Any

import pytest

from services.ingest.forms.cloudevents.event_rules import EventRules
from services.ingest.forms.mapping.faults import MappingFileError
from services.ingest.sources.source import Source
from tests.fixtures.clock import SteppingClock
from tests.fixtures.ingest_bench import IngestBench, Response, a_touchpoint

STRUCTURED = "application/cloudevents+json"
BATCHED = "application/cloudevents-batch+json"


def an_event(**members: Any) -> dict[str, Any]:
    """Return a valid event with a native touchpoint as its data; a member that is `...` is left out."""
    whole: dict[str, Any] = {
        "specversion": "1.0",
        "id": "e-1",
        "source": "/crm/seoul",
        "type": "waymark.touchpoint.v1",
        "data": a_touchpoint(),
        **members,
    }
    return {name: value for name, value in whole.items() if value is not ...}


def a_foreign(**members: Any) -> dict[str, Any]:
    """Return a valid event of a type of its own, that says whose it is."""
    return an_event(
        **{
            "type": "com.acme.order.placed",
            "time": "2026-11-22T09:14:00+09:00",
            "identity": "010-1234-5678",
            "identitytype": "phone",
            "data": {"order": "A-5512", "buyer": {"number": "C-1009"}, "items": [{"name": "kettle"}]},
            **members,
        }
    )


async def send(bench: IngestBench, event: Any, content_type: str = STRUCTURED, **headers: str) -> Response:
    return await bench.post(event, content_type=content_type, **headers)


async def with_rules(clock: SteppingClock, **types: Any) -> IngestBench:
    """Return a bench whose source has rules for types of events, and a default channel."""
    bench = IngestBench(clock=clock)
    source = Source(name="shop", defaults={"channel": "web"}, dialects={"cloudevents": {"types": types}})
    bench.key = bench.keys.add(source)
    return await bench.started()


# --- modes -------------------------------------------------------------------------------------------------------


async def test_a_touchpoint_comes_out_the_same_however_it_was_sent(bench: IngestBench) -> None:
    answers = [
        await bench.post(a_touchpoint(id="1", text="안녕")),
        await send(bench, an_event(data=a_touchpoint(id="2", text="안녕"))),
        await send(bench, [an_event(data=a_touchpoint(id="3", text="안녕"))], BATCHED),
        await send(
            bench,
            a_touchpoint(id="4", text="안녕"),
            "application/json; charset=utf-8",
            ce_specversion="1.0",
            ce_id="e-4",
            ce_source="/crm",
            ce_type="waymark.touchpoint.v1",
        ),
    ]

    assert [answer.status for answer in answers] == [202] * 4
    first, *others = bench.publisher.touchpoints
    assert [other.id for other in others] == ["2", "3", "4"]
    for other in others:
        assert (other.customer, other.text, other.kind, other.occurred_at) == (
            first.customer,
            first.text,
            first.kind,
            first.occurred_at,
        )


async def test_a_batch_is_answered_event_by_event(bench: IngestBench) -> None:
    answer = await send(
        bench,
        [an_event(), an_event(time="late"), 3, an_event(data=a_touchpoint(id="b", channel="pigeon"))],
        BATCHED,
    )

    assert answer.status == 207
    assert answer.outcomes == ["accepted", "invalid_field", "not_an_object", "invalid_field"]
    assert [result.get("field") for result in answer.results] == [None, "time", None, "channel"]
    assert len(bench.publisher.dead_letters) == 3


async def test_an_empty_batch_is_a_batch(bench: IngestBench) -> None:
    answer = await send(bench, b" [ ] ", BATCHED)

    assert (answer.status, answer.json["results"]) == (202, [])


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code"),
    [
        (b"", STRUCTURED, 400, "empty_body"),
        (b"[]", STRUCTURED, 400, "invalid_event"),
        (b"{", STRUCTURED, 400, "invalid_event"),
        (b"{}", BATCHED, 400, "invalid_batch"),
        (b"", BATCHED, 400, "empty_body"),
        (b"[{]", BATCHED, 400, "body_not_json"),
        (json.dumps([an_event()] * 1001).encode(), BATCHED, 413, "too_many_items"),
        (b"x", "application/cloudevents+avro", 415, "unsupported_media_type"),
        (b"x", "application/cloudevents-batch+xml", 415, "unsupported_media_type"),
        (b"x", "application/cloudevents", 415, "unsupported_media_type"),
        (b"{}", f"{STRUCTURED}; charset=euc-kr", 415, "unsupported_media_type"),
    ],
)
async def test_what_is_no_event_at_all_is_refused_whole(
    bench: IngestBench, body: bytes, content_type: str, status: int, code: str
) -> None:
    answer = await send(bench, body, content_type)

    assert (answer.status, answer.json["code"]) == (status, code)


@pytest.mark.parametrize(
    "content_type", [STRUCTURED.upper(), f"{STRUCTURED}; charset=UTF-8", f'{STRUCTURED};charset="utf-8"']
)
async def test_the_content_type_is_read_in_any_case_and_with_its_charset(bench: IngestBench, content_type: str) -> None:
    assert (await send(bench, an_event(), content_type)).status == 202


async def test_an_event_needs_a_key_like_everything_else(bench: IngestBench) -> None:
    answer = await bench.call("POST", [json.dumps(an_event()).encode()], {"content_type": STRUCTURED})

    assert (answer.status, answer.json["code"]) == (401, "key_missing")


async def test_the_same_event_again_is_a_duplicate_in_whatever_mode(bench: IngestBench) -> None:
    await send(bench, an_event())
    again = await send(
        bench,
        a_touchpoint(),
        "application/json",
        ce_specversion="1.0",
        ce_id="e-1",
        ce_source="/crm/seoul",
        ce_type="waymark.touchpoint.v1",
    )

    assert again.outcomes == ["duplicate"]


# --- what is said of a wrong one ---------------------------------------------------------------------------------


async def test_a_wrong_attribute_is_named_with_the_way_to_mend_it_in_the_callers_language(bench: IngestBench) -> None:
    english = await send(bench, an_event(time="2026-11-22T09:15Z"))
    korean = await send(bench, an_event(time="2026-11-22T09:15Z"), accept_language="ko")

    assert (english.status, english.results[0]["field"], english.results[0]["code"]) == (422, "time", "invalid_field")
    assert "RFC 3339 with seconds" in english.json["message"]
    assert "초와 시간대" in korean.json["message"]


async def test_in_binary_mode_the_header_is_named(bench: IngestBench) -> None:
    answer = await send(bench, a_touchpoint(), "application/json", ce_specversion="1.0", ce_id="1", ce_type="x")

    assert [error["path"] for error in answer.results[0]["errors"]] == ["ce-source"]


@pytest.mark.parametrize("name", ["ce_id", "ce_source", "ce_type", "ce_specversion"])
async def test_one_required_header_alone_is_an_event_and_a_wrong_one(bench: IngestBench, name: str) -> None:
    answer = await send(bench, a_touchpoint(), "application/json", **{name: "1.0"})

    assert answer.status == 422


async def test_a_dead_letter_of_binary_mode_has_the_attributes_too(bench: IngestBench) -> None:
    await send(bench, b"{", "application/json", ce_specversion="1.0", ce_id="1", ce_source="/a", ce_type="b")

    (letter,) = bench.publisher.dead_letters
    kept = json.loads(letter.value)
    assert (kept["id"], kept["source"], kept["data_base64"]) == ("1", "/a", "ew==")


@pytest.mark.parametrize(
    ("members", "field", "code"),
    [
        ({"data": "text"}, "data", "type"),
        ({"data": ...}, "data", "format"),
        ({"data": "<x/>", "datacontenttype": "application/xml"}, "data", "format"),
        ({"identity": "x", "identitytype": ...}, "identitytype", "format"),
        ({"identity": "x", "identitytype": "사람"}, "identitytype", "format"),
        ({"sequence": "a1"}, "sequence", "format"),
    ],
)
async def test_an_event_that_is_no_touchpoint_says_why(
    bench: IngestBench, members: dict[str, Any], field: str, code: str
) -> None:
    answer = await send(bench, an_event(**members))

    (error,) = answer.results[0]["errors"]
    assert (answer.results[0]["id"], error["path"], error["code"]) == ("e-1", field, code)


# --- native touchpoints in an envelope ---------------------------------------------------------------------------


async def test_the_envelope_fills_in_what_the_touchpoint_leaves_out(bench: IngestBench) -> None:
    bare = a_touchpoint(id=..., occurred_at=..., customer=...)
    event = an_event(
        data=bare,
        time="2026-11-22T00:14:00Z",
        identity="a@b.example",
        identitytype="email",
        previousidentity="010-1234-5678",
        sequence="0007",
        correlationid="case-7",
        partitionkey="p",
    )
    await send(bench, event)

    (found,) = bench.publisher.touchpoints
    assert (found.id, found.occurred_at.isoformat(), found.sequence) == ("e-1", "2026-11-22T00:14:00+00:00", 7)
    assert {name: one.value for name, one in found.customer.items()} == {
        "email": "a@b.example",
        "phone": "+821012345678",
    }
    assert (found.refs, found.attributes) == ({"correlation_id": "case-7"}, {"ce_partitionkey": "p"})


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, "00-" + "a" * 32 + "-" + "b" * 16 + "-01"),
        ({"traceparent": "00-" + "c" * 32 + "-" + "d" * 16 + "-00"}, "00-c"),
    ],
)
async def test_a_trace_of_the_event_goes_on_unless_the_request_has_one(
    bench: IngestBench, headers: dict[str, str], expected: str
) -> None:
    await send(bench, an_event(traceparent="00-" + "a" * 32 + "-" + "b" * 16 + "-01"), **headers)

    assert dict(bench.publisher.records[0].headers)["traceparent"].decode().startswith(expected)


async def test_what_the_touchpoint_says_itself_counts(bench: IngestBench) -> None:
    event = an_event(
        data=a_touchpoint(sequence=1, refs={"correlation_id": "mine"}),
        time="2020-01-01T00:00:00Z",
        identity="02-123-4567",
        identitytype="phone",
        sequence="9",
        correlationid="theirs",
    )
    await send(bench, event)

    (found,) = bench.publisher.touchpoints
    assert (found.id, found.occurred_at.year, found.sequence) == ("call-1", 2026, 1)
    assert (found.customer["phone"].value, found.refs) == ("+821012345678", {"correlation_id": "mine"})


@pytest.mark.parametrize(
    ("given", "type_"),
    [("email", "email"), ("customerId", "customer_id"), ("customerid", "customer_id"), ("temporaryId", "anonymous_id")],
)
async def test_an_identity_type_is_known_by_its_name_elsewhere_too(bench: IngestBench, given: str, type_: str) -> None:
    await send(bench, an_event(data=a_touchpoint(customer=...), identity="a@b.example", identitytype=given))

    assert set(bench.publisher.touchpoints[0].customer) == {type_}


# --- foreign events ----------------------------------------------------------------------------------------------


async def test_without_a_rule_a_type_is_a_kind_and_the_data_an_attribute(clock: SteppingClock) -> None:
    bench = await with_rules(clock)
    await send(bench, a_foreign(subject="order/5512", severity=3))

    (found,) = bench.publisher.touchpoints
    assert (found.id, found.kind, found.channel) == ("/crm/seoul#e-1", "com.acme.order.placed", "web")
    assert found.customer["phone"].value == "+821012345678"
    assert found.attributes == {
        "ce_source": "/crm/seoul",
        "ce_type": "com.acme.order.placed",
        "ce_subject": "order/5512",
        "ce_severity": 3,
        "data": {"order": "A-5512", "buyer": {"number": "C-1009"}, "items": [{"name": "kettle"}]},
    }


async def test_two_origins_may_use_one_id(clock: SteppingClock) -> None:
    bench = await with_rules(clock)
    events = [a_foreign(source="/shop/1"), a_foreign(source="/shop/2"), a_foreign(source="/" + "s" * 300)]
    answer = await send(bench, events, BATCHED)

    ids = [found.id for found in bench.publisher.touchpoints]
    assert answer.outcomes == ["accepted"] * 3
    assert ids[:2] == ["/shop/1#e-1", "/shop/2#e-1"]
    assert len(ids[2]) == 67


async def test_a_rule_says_what_goes_where(clock: SteppingClock) -> None:
    rule = {
        "kind": "order_placed",
        "channel": "app",
        "id": "event",
        "identitytype": "phone",
        "keep_data": False,
        "fields": {
            "customer.customer_id": "data.buyer.number",
            "refs.order_id": "data.order",
            "text": "data.items.0.name",
            "reason": "subject",
            "queue": "data.absent.member",
            "attributes.region": "region",
        },
    }
    bench = await with_rules(clock, **{"com.acme.order.*": rule})
    await send(bench, a_foreign(subject="delivery", region="seoul", identitytype=...))

    (found,) = bench.publisher.touchpoints
    assert (found.id, found.kind, found.channel, found.text) == ("e-1", "order_placed", "app", "kettle")
    assert (found.reason, found.refs, found.queue) == ("delivery", {"order_id": "A-5512"}, None)
    assert set(found.customer) == {"customer_id", "phone"}
    assert found.attributes["region"] == "seoul"
    assert "data" not in found.attributes


def test_the_rule_for_the_very_type_counts_before_a_pattern_and_a_long_pattern_before_a_short_one() -> None:
    rules = EventRules(
        {
            "types": {"com.*": {"kind": "a"}, "com.acme.*": {"kind": "b"}, "com.acme.x": {"kind": "c"}},
            "native_types": ["n"],
        }
    )

    kinds = [rules.rule_for(type_).kind for type_ in ("com.b", "com.acme.y", "com.acme.x", "org")]
    assert kinds == ["a", "b", "c", None]
    assert [rules.rule_for(name).native for name in ("n", "waymark.touchpoint.v1", "com.b")] == [True, True, False]


@pytest.mark.parametrize(
    "dialect",
    [
        [],
        {"type": {}},
        {"types": {"a": {"kinds": "x"}}},
        {"types": {"a": {"kind": "Not A Kind"}}},
        {"types": {"a": {"channel": "pigeon"}}},
        {"types": {"a": {"fields": {"source": "data.x"}}}},
        {"types": {"a": {"fields": {"customer": "data.x"}}}},
        {"types": {"a": {"fields": {"text": "data..x"}}}},
        {"types": {"a": {"fields": {"score.colour": "data.x"}}}},
    ],
)
def test_a_dialect_that_makes_no_sense_is_refused(dialect: Any) -> None:
    with pytest.raises(MappingFileError):
        EventRules(dialect)


@pytest.mark.logs_error("a source's dialect is not valid")
async def test_a_dialect_that_went_bad_in_the_table_stops_nobody(clock: SteppingClock) -> None:
    bench = IngestBench(clock=clock)
    bench.key = bench.keys.add(Source(name="shop", dialects={"cloudevents": {"types": 3}}))
    await bench.started()

    assert (await send(bench, an_event())).status == 202
