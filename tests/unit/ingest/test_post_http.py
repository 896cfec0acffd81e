"""The service at its ASGI interface: keys, limits, and plain HTTP."""

import asyncio
import base64
import gzip
import json
from typing import Any

import pytest

from schemas import validation
from services.ingest.sources.source import Source
from tests.fixtures.clock import SteppingClock
from tests.fixtures.ingest_bench import IngestBench, a_touchpoint, bench_with
from tests.waiting import until

# --- keys --------------------------------------------------------------------------------------------------------


def _basic(text: str) -> str:
    return f"Basic {base64.b64encode(text.encode()).decode()}"


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param(lambda key: {"authorization": f"Bearer {key}"}, id="Bearer"),
        pytest.param(lambda key: {"authorization": f"bearer  {key} "}, id="bearer, untidy"),
        pytest.param(lambda key: {"authorization": _basic(f"{key}:")}, id="the Basic user name"),
        pytest.param(lambda key: {"authorization": _basic(key)}, id="the Basic user name, no colon"),
        pytest.param(lambda key: {"x-write-key": key}, id="X-Write-Key"),
        pytest.param(lambda key: {"x-write-key": f"{key}:secret"}, id="X-Write-Key before a colon"),
    ],
)
async def test_a_key_is_taken_from_a_header(bench: IngestBench, headers: Any) -> None:
    answer = await bench.call("POST", [json.dumps(a_touchpoint()).encode()], headers(bench.key.text))

    assert answer.status == 202


@pytest.mark.parametrize("many", [True, False])
async def test_a_key_is_taken_from_the_body(bench: IngestBench, many: bool) -> None:
    document = {"touchpoints": [a_touchpoint()]} if many else a_touchpoint()
    answer = await bench.call("POST", [json.dumps({**document, "writeKey": bench.key.text}).encode()], {})

    assert answer.outcomes == ["accepted"]


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        pytest.param({}, "key_missing", id="none"),
        pytest.param({"authorization": "Bearer wm_src_000000000000_00"}, "key_invalid", id="unknown"),
        pytest.param({"authorization": "Bearer nonsense"}, "key_invalid", id="no key at all"),
        pytest.param({"authorization": "Bearer"}, "key_invalid", id="a scheme alone"),
        pytest.param({"authorization": "Basic %%%"}, "key_invalid", id="broken base64"),
        pytest.param({"authorization": _basic(":")}, "key_invalid", id="an empty user name"),
        pytest.param({"x-write-key": "\xff\xfe"}, "key_invalid", id="not ASCII"),
    ],
)
async def test_without_a_valid_key_it_is_401(bench: IngestBench, headers: dict[str, str], code: str) -> None:
    answer = await bench.call("POST", [json.dumps(a_touchpoint()).encode()], headers)

    assert (answer.status, answer.json["code"]) == (401, code)
    assert answer.headers["www-authenticate"] == 'Bearer realm="waymark"'
    assert bench.publisher.records == []


async def test_a_key_of_another_secret_or_kind_is_unknown(bench: IngestBench) -> None:
    key = bench.key.text
    for wrong in (key[:-1] + ("0" if key[-1] != "0" else "1"), key.replace("wm_src_", "wm_admin_")):
        answer = await bench.call("POST", [b"{}"], {"authorization": f"Bearer {wrong}"})
        assert (answer.status, answer.json["code"]) == (401, "key_invalid")


async def test_a_disabled_source_is_403(clock: SteppingClock) -> None:
    bench = IngestBench(clock=clock)
    bench.key = bench.keys.add(Source(name="old", disabled=True))
    answer = await (await bench.started()).post(a_touchpoint())

    assert (answer.status, answer.json["code"]) == (403, "source_disabled")


async def test_an_outage_of_the_database_stops_nobody_who_was_known(bench: IngestBench) -> None:
    bench.keys.away = True
    known = await bench.post(a_touchpoint())
    unknown = await bench.call("POST", [b"{}"], {"authorization": f"Bearer wm_src_{'0' * 12}_{'0' * 64}"})

    assert known.status == 202
    assert (unknown.status, unknown.json["code"], unknown.headers["retry-after"]) == (503, "keys_unavailable", "5")


# --- HTTP --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH"])
async def test_any_other_method_is_405_with_allow(bench: IngestBench, method: str) -> None:
    answer = await bench.call(method, [b""], {})

    assert (answer.status, answer.headers["allow"]) == (405, "OPTIONS, POST")


async def test_options_says_what_may_be_asked(bench: IngestBench) -> None:
    answer = await bench.call("OPTIONS", [b""], {})

    assert (answer.status, answer.headers["allow"], answer.body) == (204, "OPTIONS, POST", b"")


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 202),
        ("application/json; charset=utf-8", 202),
        ('Application/JSON;charset="UTF-8"', 202),
        ("", 202),
        ("application/json; charset=euc-kr", 415),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("application/cloudevents+avro", 415),
        ("nonsense", 415),
    ],
)
async def test_json_in_utf8_is_taken_and_a_missing_type_tolerated(
    bench: IngestBench, content_type: str, status: int
) -> None:
    headers = {"content_type": content_type} if content_type else {}

    assert (await bench.post(a_touchpoint(), **headers)).status == status


async def test_a_gzipped_body_in_pieces_is_taken(bench: IngestBench) -> None:
    packed = gzip.compress(json.dumps([a_touchpoint(id=str(at)) for at in range(50)]).encode())
    headers = {"authorization": f"Bearer {bench.key.text}", "content-encoding": "gzip"}
    answer = await bench.call("POST", [packed[:10], packed[10:]], headers)

    assert answer.json["accepted"] == 50


async def test_a_body_of_nearly_the_limit_is_taken(bench: IngestBench) -> None:
    answer = await bench.post([a_touchpoint(id=str(at), text="x" * 8000) for at in range(480)])

    assert answer.json["accepted"] == 480


@pytest.mark.parametrize(
    ("settings", "document", "code", "limit"),
    [
        pytest.param({"max_body_bytes": "1024"}, b"[" + b" " * 2000 + b"]", "body_too_large", "1024", id="wire"),
        pytest.param({"max_items": "2"}, [1, 2, 3], "too_many_items", "2", id="items"),
    ],
)
async def test_a_request_over_a_limit_is_413_and_the_limit_is_said(
    clock: SteppingClock, settings: dict[str, str], document: Any, code: str, limit: str
) -> None:
    bench = await bench_with(clock, **settings).started()
    answer = await bench.post(document)

    assert (answer.status, answer.json["code"]) == (413, code)
    assert limit in answer.json["message"]
    assert bench.sample("waymark_ingest_requests_refused_total", reason=code) == 1


async def test_a_bomb_is_413_and_the_limit_is_said(clock: SteppingClock) -> None:
    bench = await bench_with(clock, max_inflated_bytes="100000").started()
    answer = await bench.post(gzip.compress(bytes(10_000_000)), content_encoding="gzip")

    assert (answer.status, answer.json["code"]) == (413, "inflated_too_large")
    assert "100000" in answer.json["message"]


@pytest.mark.parametrize(
    ("item", "code", "limit"),
    [
        pytest.param(a_touchpoint(text="x" * 2000), "item_too_large", "1024", id="bytes"),
        pytest.param(a_touchpoint(attributes={"a": [[[[1]]]]}), "too_deep", "5", id="depth"),
    ],
)
async def test_a_touchpoint_over_a_limit_is_rejected_alone_and_the_limit_is_said(
    clock: SteppingClock, item: dict[str, Any], code: str, limit: str
) -> None:
    bench = await bench_with(clock, max_item_bytes="1024", max_depth="5").started()
    answer = await bench.post([item, a_touchpoint(id="2")])

    assert answer.outcomes == [code, "accepted"]
    assert limit in answer.results[0]["message"]


async def test_nothing_comes_in_deeper_than_the_contract_s_check_looks(clock: SteppingClock) -> None:
    bench = await bench_with(clock, max_depth="100").started()
    deep = json.loads("[" * validation.MAX_DEPTH + "]" * validation.MAX_DEPTH)
    answer = await bench.post(a_touchpoint(attributes={"a": deep}))

    assert answer.outcomes == ["too_deep"]


@pytest.mark.parametrize(
    ("body", "code"),
    [(b"", "empty_body"), (b"{}x", "body_not_json"), (b"[]", "no_touchpoints"), (b"3", "invalid_envelope")],
)
async def test_a_body_that_is_no_envelope_is_400(bench: IngestBench, body: bytes, code: str) -> None:
    answer = await bench.post(body)

    assert (answer.status, answer.json["code"]) == (400, code)
    assert {"type", "title", "status", "detail", "message"} <= answer.json.keys()


async def test_a_body_that_does_not_come_is_408_and_the_connection_closes(clock: SteppingClock) -> None:
    bench = await bench_with(clock, body_timeout_s="0.05").started()

    headers = {"authorization": f"Bearer {bench.key.text}"}
    answer = await bench.call("POST", [b'{"id":', b""], headers, ends=False)

    assert (answer.status, answer.json["code"]) == (408, "body_timeout")
    assert "0.05" in answer.json["message"]
    assert answer.headers["connection"] == "close"


async def test_a_client_that_waits_to_be_told_to_go_on_is_refused_at_once(bench: IngestBench) -> None:
    async with asyncio.timeout(1.0):
        answer = await bench.call("POST", [b""], {"expect": "100-continue", "x-write-key": "x"}, ends=False)

    assert (answer.status, answer.headers["connection"]) == (401, "close")


async def test_a_client_that_hangs_up_halfway_leaves_nothing_behind(bench: IngestBench) -> None:
    await bench.call("POST", [b'{"id":', None], {"authorization": f"Bearer {bench.key.text}"})

    assert bench.publisher.records == []
    assert bench.sample("waymark_ingest_in_flight_bytes") == 0
    assert bench.sample("waymark_http_requests_total", route="/v1/touchpoints", method="POST", code_class="5xx") == 0


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"max_in_flight_requests": "1"}, id="requests"),
        pytest.param({"max_in_flight_bytes": "1024"}, id="bytes"),
    ],
)
async def test_what_is_too_much_at_once_is_503_with_retry_after(clock: SteppingClock, settings: dict[str, str]) -> None:
    bench = await bench_with(clock, **settings).started()
    document = a_touchpoint(text="x" * 600)
    bench.publisher.stuck = "touchpoints"
    first = asyncio.create_task(bench.post(document), name="the first")
    await until(lambda: bench.publisher.waiting)
    second = await bench.post({**document, "id": "2"})
    bench.publisher.release()

    assert (second.status, second.json["code"], second.headers["retry-after"]) == (503, "overloaded", "5")
    assert (await first).status == 202
    assert (await bench.post({**document, "id": "2"})).status == 202
