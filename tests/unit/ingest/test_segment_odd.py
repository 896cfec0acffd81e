"""One odd property loses neither its call nor its batch: the libraries never look at what they are answered."""

import json
from typing import Any

import pytest

from tests.fixtures.ingest_bench import IngestBench
from tests.unit.ingest.test_segment_http import a_track, send

ODD: list[Any] = [
    pytest.param("1234567890123456789", "1234567890123456789", "number_kept_as_text", id="beyond 2^53"),
    pytest.param("-98765432109876543210987", "-98765432109876543210987", "number_kept_as_text", id="beyond 64 bits"),
    pytest.param("1e999", "1e999", "number_kept_as_text", id="no finite double"),
    pytest.param("1.5e20", "1.5e+20", "number_kept_as_text", id="a real number beyond 2^53"),
    pytest.param("NaN", "NaN", "number_kept_as_text", id="NaN"),
    pytest.param("-Infinity", "-Infinity", "number_kept_as_text", id="Infinity"),
    pytest.param('"a\\u0000b"', "ab", "member_shortened", id="NUL"),
    pytest.param('"cut \\ud83d"', "cut ", "member_shortened", id="half of a surrogate pair"),
    pytest.param(json.dumps("x" * 5000), "x" * 4096, "member_shortened", id="a long text"),
    pytest.param(json.dumps("x" * 70000), "x" * 4096, "member_shortened", id="larger than a call"),
    pytest.param(json.dumps([1] * 101), [1] * 100, "member_shortened", id="a long list"),
    pytest.param('{"a": [9007199254740993]}', {"a": ["9007199254740993"]}, "number_kept_as_text", id="inside"),
]


@pytest.mark.parametrize(("written", "kept", "code"), ODD)
async def test_an_odd_property_is_kept_as_it_can_be_and_reported(
    bench: IngestBench, written: str, kept: Any, code: str
) -> None:
    odd = json.dumps(a_track(messageId="1", properties={"tweet_id": "HERE", "fine": 1})).replace('"HERE"', written)
    body = '{"batch": [' + odd + ", " + json.dumps(a_track(messageId="2")) + "]}"
    answer = await send(bench, body.encode())

    assert (answer.status, answer.json["accepted"], answer.json["rejected"]) == (200, 2, [])
    assert bench.publisher.touchpoints[0].attributes == {"tweet_id": kept, "fine": 1, "event": "Order Completed"}
    assert {warned["code"] for warned in answer.json["warnings"]} == {code}
    assert {warned["index"] for warned in answer.json["warnings"]} == {0}
    assert answer.json["warnings"][0]["field"].startswith("properties.tweet_id")


@pytest.mark.parametrize("member", ["properties", "traits"])
async def test_what_is_nested_too_deeply_becomes_text_at_the_limit(bench: IngestBench, member: str) -> None:
    deep = "[" * 40 + "1" + "]" * 40
    answer = await send(bench, json.dumps(a_track(**{member: {"x": "HERE"}})).replace('"HERE"', deep).encode())

    assert (answer.json["accepted"], answer.json["rejected"]) == (1, [])


async def test_a_member_said_twice_counts_once(bench: IngestBench) -> None:
    body = json.dumps(a_track(properties={"x": 1})).replace('"x": 1', '"x": 1, "x": 2').encode()
    answer = await send(bench, body)

    assert (answer.json["accepted"], bench.publisher.touchpoints[0].attributes["x"]) == (1, 2)


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"sentAt": "yesterday"}, "sentAt"),
        ({"traits": {"email": "x" * 300}}, "customer.email"),
        ({"anonymousId": "a" * 300}, "anonymousId"),
        ({"context": {"device": {"id": "d\u0001"}}}, "customer.device_id"),
        ({"properties": {"\u0001": 1}}, "properties"),
        ({"properties": {str(number): number for number in range(150)}}, "properties"),
    ],
)
async def test_what_fits_nowhere_is_left_out_and_the_call_goes_in(
    bench: IngestBench, members: dict[str, Any], field: str
) -> None:
    answer = await send(bench, a_track(**members))

    assert (answer.json["accepted"], answer.json["rejected"]) == (1, [])
    assert [warned["field"] for warned in answer.json["warnings"]] == [field]


async def test_a_message_id_that_is_too_long_becomes_one_that_repeats(bench: IngestBench) -> None:
    first = await send(bench, a_track(messageId="m" * 300))
    second = await send(bench, a_track(messageId="m" * 300))

    assert (first.json["accepted"], second.json["duplicate"]) == (1, 1)


@pytest.mark.parametrize("members", [{"timestamp": "yesterday"}, {"userId": "", "anonymousId": ""}])
async def test_what_a_touchpoint_cannot_do_without_still_rejects_it(
    bench: IngestBench, members: dict[str, Any]
) -> None:
    answer = await send(bench, a_track(**members, properties={"tweet_id": 1234567890123456789}))

    assert (answer.json["accepted"], len(answer.json["rejected"])) == (0, 1)
