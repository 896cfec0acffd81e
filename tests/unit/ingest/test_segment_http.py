"""Segment's addresses at the service's ASGI interface: what the libraries need to stop, to try again, and to go on."""

import base64
import gzip
import json
import zlib
from typing import Any

import pytest

from schemas.vocabulary import TimeQuality
from services.ingest.forms.segment.post_calls import PATHS
from services.ingest.forms.segment.segment_mapping import CallType
from services.ingest.forms.segment.segment_openapi import BATCH, MESSAGES, RESPONSES, operations
from services.ingest.reasons import STATUS, RequestRefusal
from services.ingest.sources.source import Source, SourceScope
from tests.fixtures.clock import SteppingClock
from tests.fixtures.ingest_bench import IngestBench, Response, bench_with

TRACK = MESSAGES[CallType.TRACK]
SENT = "2026-11-22T00:14:40.000Z"


def a_track(**members: Any) -> dict[str, Any]:
    """A track call with `members` put over it."""
    return {**TRACK, **members}


async def send(bench: IngestBench, document: Any, at: str = "/v1/batch", **headers: str) -> Response:
    """Send with the bench's key in Basic, as most libraries do; an empty `authorization` leaves it out."""
    body = document if isinstance(document, bytes) else json.dumps(document, ensure_ascii=False).encode()
    given = {"authorization": basic(bench.key.text), **headers}
    return await bench.call("POST", [body], {name: held for name, held in given.items() if held}, at=at)


def basic(user: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:".encode()).decode()


async def with_source(clock: SteppingClock, **members: Any) -> IngestBench:
    """A bench whose key belongs to a source of this make."""
    bench = IngestBench(clock=clock)
    bench.key = bench.keys.add(Source(name="web", **members))
    return await bench.started()


# --- what is taken --------------------------------------------------------------------------------------------------


async def test_a_batch_is_taken_with_exactly_200_and_json(bench: IngestBench) -> None:
    answer = await send(bench, {**BATCH, "sentAt": SENT})

    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json == {"success": True, "accepted": 2, "duplicate": 0, "ignored": 0, "rejected": []}
    assert [(found.kind, found.id) for found in bench.publisher.touchpoints] == [
        ("identified", "ajs-2"),
        ("order_placed", "ajs-1"),
    ]
    assert bench.publisher.touchpoints[0].customer["email"].value == "kim@example.com"


@pytest.mark.parametrize(("path", "call"), [(path, call) for path, call in PATHS.items() if call is not None])
async def test_every_address_of_a_single_call_knows_which_one_it_is(
    bench: IngestBench, path: str, call: CallType
) -> None:
    message = {name: held for name, held in MESSAGES[call].items() if name != "type"}

    answer = await send(bench, message, path)

    assert answer.status == 200
    assert answer.json["ignored" if call is CallType.GROUP else "accepted"] == 1


@pytest.mark.parametrize("path", [path for path, call in PATHS.items() if call is None])
async def test_every_address_of_a_batch_takes_one(bench: IngestBench, path: str) -> None:
    assert (await send(bench, BATCH, path)).json["accepted"] == 2


async def test_a_batch_may_come_to_the_address_of_a_call(bench: IngestBench) -> None:
    assert (await send(bench, BATCH, "/v1/track")).json["accepted"] == 2
    assert [found.kind for found in bench.publisher.touchpoints] == ["identified", "order_placed"]


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "text/plain", "application/x-www-form-urlencoded", "application/octet-stream", ""],
)
@pytest.mark.parametrize(
    ("encoding", "encode"),
    [("", bytes), ("gzip", gzip.compress), ("deflate", zlib.compress), ("deflate", lambda b: zlib.compress(b)[2:-4])],
)
async def test_any_content_type_and_encoding_is_read(
    bench: IngestBench, content_type: str, encoding: str, encode: Any
) -> None:
    body = encode(json.dumps(BATCH, ensure_ascii=False).encode())

    answer = await send(bench, body, content_type=content_type, content_encoding=encoding)

    assert (answer.status, answer.json["accepted"]) == (200, 2)


async def test_korean_arrives_as_it_was_sent_escaped_or_not(bench: IngestBench) -> None:
    escaped = json.dumps(a_track(messageId="1", properties={"reason": "배송 지연"})).encode()
    raw = json.dumps(a_track(messageId="2", properties={"reason": "배송 지연"}), ensure_ascii=False).encode()

    await send(bench, escaped, "/v1/track")
    await send(bench, raw, "/v1/track")

    assert [found.reason for found in bench.publisher.touchpoints] == ["배송 지연"] * 2


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param(lambda key: {"authorization": basic(key)}, id="Basic"),
        pytest.param(lambda key: {"authorization": f"Bearer {key}"}, id="Bearer"),
        pytest.param(lambda key: {"authorization": "", "x_write_key": key}, id="X-Write-Key"),
        pytest.param(lambda key: {"authorization": "", "x_write_key": f"{key}:secret"}, id="key and secret"),
    ],
)
async def test_the_key_is_found_in_every_header(bench: IngestBench, headers: Any) -> None:
    assert (await send(bench, BATCH, **headers(bench.key.text))).status == 200


@pytest.mark.parametrize("member", ["writeKey", "api_key"])
@pytest.mark.parametrize("wrap", [lambda call: call, lambda call: {"batch": [call]}], ids=["one", "batch"])
async def test_the_key_is_found_in_the_body(bench: IngestBench, member: str, wrap: Any) -> None:
    answer = await send(bench, {**wrap(TRACK), member: bench.key.text}, authorization="")

    assert (answer.status, answer.json["accepted"]) == (200, 1)


async def test_a_masked_key_in_the_body_does_not_matter_when_a_header_has_it(bench: IngestBench) -> None:
    assert (await send(bench, {**TRACK, "writeKey": "key:***"}, "/api/s/s2s/track")).status == 200


# --- times and repeats ----------------------------------------------------------------------------------------------


async def test_a_retry_is_a_duplicate_though_it_was_sent_later_and_counts_its_tries(bench: IngestBench) -> None:
    first = await send(bench, {**BATCH, "sentAt": "2026-11-22T00:14:40.000Z"})
    again = await send(bench, {**BATCH, "sentAt": "2026-11-22T00:14:55.000Z"}, x_retry_count="1")
    other = await send(bench, {"batch": [a_track(event="Order Cancelled")]})

    assert [answer.json["accepted"] for answer in (first, again, other)] == [2, 0, 1]
    assert again.json["duplicate"] == 2


async def test_the_times_of_a_message_are_kept(bench: IngestBench) -> None:
    message = a_track(timestamp="2026-11-22T01:14:40Z", originalTimestamp="2026-11-22T01:14:30Z")
    await send(bench, {"batch": [message], "sentAt": "2026-11-22T01:15:00Z"})

    (found,) = bench.publisher.touchpoints
    assert found.reported_at is not None
    assert found.reported_at.isoformat() == "2026-11-22T01:14:30+00:00"
    assert found.occurred_at.isoformat() == "2026-11-22T00:14:30+00:00"
    assert found.time_quality is TimeQuality.CORRECTED


async def test_a_message_without_a_time_happened_when_it_came_and_its_retry_is_a_duplicate(
    bench: IngestBench, clock: SteppingClock
) -> None:
    message = {name: held for name, held in TRACK.items() if name != "timestamp"}
    await send(bench, message, "/v1/track")
    clock.advance(seconds=5)
    again = await send(bench, message, "/v1/track")

    (found,) = bench.publisher.touchpoints
    assert (found.occurred_at, found.time_quality) == (found.received_at, TimeQuality.RECEIVED)
    assert again.json["duplicate"] == 1


async def test_a_time_of_sending_that_is_none_is_left_out(bench: IngestBench) -> None:
    answer = await send(bench, {"batch": [TRACK], "sentAt": None})
    assert answer.json["accepted"] == 1


# --- what is wrong --------------------------------------------------------------------------------------------------


async def test_what_is_wrong_with_one_call_is_reported_in_its_own_words_and_kept_as_it_was_sent(
    bench: IngestBench,
) -> None:
    bad = [a_track(messageId="m-1", userId=None, anonymousId=None), a_track(messageId="m-2", timestamp="yesterday")]
    answer = await send(bench, {"batch": [TRACK, *bad, {"type": "order", "messageId": "m-3"}, 7]})

    assert (answer.status, answer.json["accepted"]) == (200, 1)
    told = [(one["index"], one.get("messageId"), one["code"], one.get("field")) for one in answer.json["rejected"]]
    assert told == [
        (1, "m-1", "invalid_field", "userId"),
        (2, "m-2", "invalid_field", "timestamp"),
        (3, "m-3", "unknown_call", "type"),
        (4, None, "not_an_object", None),
    ]
    assert all(one["message"] for one in answer.json["rejected"])
    assert json.loads(bench.publisher.dead_letters[0].value) == bad[0]


@pytest.mark.parametrize("member", ["writeKey", "api_key"])
async def test_a_key_in_the_body_is_not_kept_with_what_was_rejected(bench: IngestBench, member: str) -> None:
    for document in ({"type": "x", member: bench.key.text}, {member: bench.key.text, "type": "x"}):
        assert (await send(bench, document, authorization="")).json["rejected"]

    assert [json.loads(letter.value) for letter in bench.publisher.dead_letters] == [{"type": "x"}] * 2


async def test_a_placeholder_is_left_out_with_a_warning(bench: IngestBench) -> None:
    answer = await send(bench, a_track(userId="anonymous"), "/v1/track")

    assert answer.json["accepted"] == 1
    assert [(one["code"], one["field"]) for one in answer.json["warnings"]] == [("identifier_blocked", "userId")]


async def test_everything_rejected_is_still_200_for_a_library_would_try_again(bench: IngestBench) -> None:
    answer = await send(bench, {"batch": [{"type": "x"}]})

    assert (answer.status, answer.json["success"], len(answer.json["rejected"])) == (200, True, 1)


@pytest.mark.parametrize(
    ("document", "headers", "status", "code"),
    [
        (b"", {}, 400, "empty_body"),
        (b"{", {}, 400, "body_not_json"),
        (b"[]", {}, 400, "invalid_calls"),
        (b'"text"', {}, 400, "invalid_calls"),
        ({"batch": {}}, {}, 400, "invalid_calls"),
        ({"batch": []}, {}, 400, "no_calls"),
        (b'{"batch":' + b"[" * 100_000, {}, 400, None),
        (BATCH, {"content_encoding": "gzip"}, 400, "invalid_encoding"),
        (BATCH, {"content_encoding": "br"}, 415, "unsupported_encoding"),
        (BATCH, {"authorization": basic("wrong")}, 401, "key_invalid"),
        (BATCH, {"authorization": ""}, 401, "key_missing"),
        ({"batch": [TRACK] * 1001}, {}, 413, "too_many_items"),
        (gzip.compress(b" " * 40_000_000), {"content_encoding": "gzip"}, 413, "inflated_too_large"),
    ],
)
async def test_a_refusal_ends_a_retry_loop(
    bench: IngestBench, document: Any, headers: dict[str, str], status: int, code: str | None
) -> None:
    """A 4xx that is no 408, 410 or 429, with `code` and `message`: without these two a library repeats a 400."""
    answer = await send(bench, document, **headers)

    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json["message"]
    assert answer.json["code"] == (code or answer.json["code"])


async def test_what_could_not_be_written_is_asked_for_again_as_a_whole(bench: IngestBench) -> None:
    bench.publisher.refuse_positions = frozenset({1})

    answer = await send(bench, BATCH)

    assert answer.status == 503
    assert (answer.headers["retry-after"], answer.json["code"]) == ("5", "some_unavailable")
    bench.publisher.refuse_positions = frozenset()
    again = await send(bench, BATCH)
    assert (again.json["accepted"], again.json["duplicate"]) == (1, 1)


async def test_too_much_in_flight_is_refused_with_whole_seconds_to_wait(clock: SteppingClock) -> None:
    bench = await bench_with(clock, max_in_flight_bytes="1024").started()

    answer = await send(bench, {"batch": [a_track(properties={"x": "y" * 3000})]})

    assert (answer.status, answer.json["code"]) == (503, "overloaded")
    assert answer.headers["retry-after"].isdigit()


async def test_half_a_character_spoils_its_own_message_alone(bench: IngestBench) -> None:
    body = json.dumps({"batch": [a_track(messageId="1"), a_track(messageId="2")]}).encode()
    answer = await send(bench, body.replace(b"Order Completed", b"cut \\ud83d", 1))

    assert (answer.json["accepted"], [one["code"] for one in answer.json["rejected"]]) == (1, ["text_not_allowed"])


# --- the source's say -----------------------------------------------------------------------------------------------


async def test_the_source_s_mapping_counts(clock: SteppingClock) -> None:
    bench = await with_source(
        clock, dialects={"segment": {"channel": "kiosk", "events": {"Order Completed": None}, "other_events": {}}}
    )

    answer = await send(bench, {"batch": [TRACK, a_track(messageId="2", event="Help", properties={})]})

    assert (answer.json["accepted"], answer.json["ignored"]) == (1, 1)
    assert [found.channel for found in bench.publisher.touchpoints] == ["kiosk"]
    assert bench.sample("waymark_ingest_messages_ignored_total", dialect="segment") == 1


@pytest.mark.logs_error("segment mapping cannot be used")
async def test_a_mapping_that_was_broken_by_hand_loses_nothing(clock: SteppingClock) -> None:
    bench = await with_source(clock, dialects={"segment": {"events": 7}})

    answer = await send(bench, BATCH)

    assert (answer.status, answer.json["code"]) == (503, "source_misconfigured")
    assert answer.headers["retry-after"] == "60"


@pytest.mark.parametrize(
    ("scopes", "path", "replayed"),
    [
        ({SourceScope.WRITE}, "/v1/import", False),
        ({SourceScope.WRITE, SourceScope.REPLAY}, "/v1/import", True),
        ({SourceScope.WRITE, SourceScope.REPLAY}, "/v1/batch", False),
        ({SourceScope.REPLAY}, "/v1/batch", True),
    ],
)
async def test_history_is_sent_to_the_import_by_who_may(
    clock: SteppingClock, scopes: set[SourceScope], path: str, replayed: bool
) -> None:
    bench = await with_source(clock, scopes=frozenset(scopes))

    await send(bench, BATCH, path)

    assert {found.replay for found in bench.publisher.touchpoints} == {replayed}


# --- browsers -------------------------------------------------------------------------------------------------------

SHOP = "https://shop.example.com"


@pytest.mark.parametrize(
    ("origins", "allowed"), [({SHOP}, True), ({"*"}, True), ({"https://other.example.com"}, False), (set(), False)]
)
async def test_a_page_may_send_if_its_source_says_so(clock: SteppingClock, origins: set[str], allowed: bool) -> None:
    bench = await with_source(clock, origins=frozenset(origins))

    answer = await send(bench, TRACK, "/v1/t", origin=SHOP, content_type="text/plain")

    assert answer.status == (200 if allowed else 403)
    assert (answer.headers.get("access-control-allow-origin") == SHOP) is allowed
    if not allowed:
        assert answer.json["code"] == "origin_not_allowed"


async def test_a_preflight_needs_no_key(clock: SteppingClock) -> None:
    bench = await with_source(clock, origins=frozenset({SHOP}))

    answer = await bench.call("OPTIONS", [], {"origin": SHOP, "access_control_request_method": "POST"}, at="/v1/t")

    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == SHOP
    allowed = answer.headers["access-control-allow-headers"].split(", ")
    assert {"authorization", "content-type", "x-retry-count"} <= set(allowed)


async def test_a_preflight_of_a_strange_page_is_told_nothing(clock: SteppingClock) -> None:
    bench = await with_source(clock, origins=frozenset({SHOP}))

    answer = await bench.call("OPTIONS", [], {"origin": "https://evil.example.com"}, at="/v1/t")

    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    ("headers", "broken"), [({"authorization": basic("wrong")}, 401), ({"content_encoding": "br"}, 415), ({}, 503)]
)
async def test_a_page_can_read_a_refusal_and_when_to_come_back(
    clock: SteppingClock, headers: dict[str, str], broken: int
) -> None:
    bench = await with_source(clock, origins=frozenset({SHOP}))
    bench.publisher.refuse = {"touchpoints"}

    answer = await send(bench, BATCH, origin=SHOP, **headers)

    assert answer.status == broken
    assert answer.headers["access-control-allow-origin"] == SHOP
    assert "retry-after" in answer.headers["access-control-expose-headers"]


# --- the documentation ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(operations()))
async def test_the_examples_in_the_documentation_are_taken(bench: IngestBench, path: str) -> None:
    (example,) = operations()[path]["requestBody"]["content"]["application/json"]["examples"].values()

    assert (await send(bench, example["value"], path)).status == 200


def test_every_status_that_can_come_is_documented() -> None:
    elsewhere = {refusal for refusal in RequestRefusal if "webhook" in refusal or "signature" in refusal}
    assert {STATUS[refusal] for refusal in set(RequestRefusal) - elsewhere} - set(RESPONSES) == {405}


def test_the_addresses_are_in_the_documentation_once(bench: IngestBench) -> None:
    documented = bench.app.api.openapi()["paths"]

    assert set(operations()) <= set(documented)
    assert "/v1/t" not in documented
