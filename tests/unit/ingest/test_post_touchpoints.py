"""The service at its ASGI interface, over a Kafka and a key table that remember."""

import asyncio
import base64
import gzip
import json
from typing import Any

import pytest

from schemas import validation
from services.ingest.settings import IngestSettings
from services.ingest.sources import Scope, Source
from tests.conftest import SteppingClock
from tests.unit.ingest.fakes import Bench, a_touchpoint
from tests.waiting import until


def bench_with(clock: SteppingClock, **settings: str) -> Bench:
    environ = {f"WAYMARK_INGEST_{name.upper()}": value for name, value in settings.items()}
    return Bench(clock=clock, settings=IngestSettings.load(environ))


# --- what becomes of touchpoints ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrap",
    [
        pytest.param(lambda one: one, id="a bare object"),
        pytest.param(lambda one: [one], id="a list"),
        pytest.param(lambda one: {"touchpoints": [one]}, id="an object of many"),
    ],
)
async def test_one_touchpoint_is_accepted_and_published(bench: Bench, wrap: Any) -> None:
    answer = await bench.post(wrap(a_touchpoint()))

    assert answer.status == 202
    assert answer.json == {
        "results": [{"index": 0, "status": "accepted", "id": "call-1"}],
        "accepted": 1,
        "duplicate": 0,
        "rejected": 0,
        "unavailable": 0,
    }
    assert [(tp.source, tp.id) for tp in bench.publisher.touchpoints] == [("ivr", "call-1")]


async def test_what_is_published_is_the_published_form(bench: Bench) -> None:
    await bench.post(a_touchpoint(attributes={"a": [1, None, {"b": "c"}]}, refs={"case_id": "T-1"}, transfers=2.0))

    (record,) = bench.publisher.records
    assert validation.errors("touchpoint.v1#published", json.loads(record.value or b"")) == []


async def test_many_are_answered_one_by_one_in_their_order(bench: Bench) -> None:
    answer = await bench.post([a_touchpoint(id="1"), a_touchpoint(id="2", channel="fax"), a_touchpoint(id="3"), 7])

    assert answer.status == 207
    assert [result["index"] for result in answer.results] == [0, 1, 2, 3]
    assert answer.outcomes == ["accepted", "invalid_field", "accepted", "not_an_object"]
    assert [tp.id for tp in bench.publisher.touchpoints] == ["1", "3"]


async def test_a_rejected_one_says_which_member_and_how_to_fix_it(bench: Bench) -> None:
    answer = await bench.post(a_touchpoint(channel="fax", sentiment=3))

    assert answer.status == 422
    assert answer.headers["content-type"] == "application/problem+json"
    (result,) = answer.results
    errors = {error["path"]: error["code"] for error in result["errors"]}
    assert (result["status"], result["code"], result["field"]) == ("rejected", "invalid_field", next(iter(errors)))
    assert errors == {"channel": "not_allowed", "sentiment": "range"}
    assert (answer.json["status"], answer.json["code"]) == (422, "invalid_field")
    assert answer.json["message"] == answer.json["detail"] == result["message"]


@pytest.mark.parametrize(
    ("accept_language", "message"),
    [
        ("ko-KR,ko;q=0.9,en;q=0.8", "다음 중 하나를 사용해 주세요"),
        ("en", "Use one of"),
        ("", "Use one of"),
        ("fr", "Use one of"),
    ],
)
async def test_messages_speak_the_language_that_was_asked_for(bench: Bench, accept_language: str, message: str) -> None:
    answer = await bench.post(a_touchpoint(channel="fax"), accept_language=accept_language)

    assert answer.results[0]["message"].startswith(message)
    assert answer.headers["content-language"] == ("ko" if accept_language.startswith("ko") else "en")


async def test_an_answer_never_repeats_what_was_sent_but_the_id(bench: Bench) -> None:
    secret = "kim@example.com"
    answer = await bench.post(
        [
            a_touchpoint(customer={"email": secret}, channel=secret, reason=3, **{secret: secret}),
            a_touchpoint(customer={"phone": secret}),
        ]
    )

    assert answer.status == 422
    assert secret.encode() not in answer.body


async def test_an_identifier_that_names_nobody_is_left_out_with_a_warning(bench: Bench) -> None:
    answer = await bench.post(a_touchpoint(customer={"phone": "1588-1234", "customer_id": "C-1"}))

    assert answer.status == 202
    (warning,) = answer.results[0]["warnings"]
    assert (warning["path"], warning["code"]) == ("customer.phone", "identifier_service_number")
    assert set(bench.publisher.touchpoints[0].customer) == {"customer_id"}
    assert bench.sample("waymark_ingest_identifiers_dropped_total", reason="identifier_service_number") == 1


async def test_without_a_usable_identifier_it_is_rejected_with_the_reasons(bench: Bench) -> None:
    answer = await bench.post(a_touchpoint(customer={"phone": "114", "email": "none"}))

    assert answer.outcomes == ["no_usable_identifier"]
    assert [warning["code"] for warning in answer.results[0]["warnings"]] == [
        "identifier_service_number",
        "identifier_blocked",
    ]


async def test_a_channel_that_the_source_may_not_send_is_rejected_with_those_it_may(clock: SteppingClock) -> None:
    bench = Bench(clock=clock)
    bench.key = bench.keys.add(Source(name="shop", channels=frozenset({"web", "app"})))  # type: ignore[arg-type]  # a StrEnum's values are equal to its members
    answer = await (await bench.started()).post([a_touchpoint(channel="web"), a_touchpoint(id="2")])

    assert answer.outcomes == ["accepted", "channel_not_allowed"]
    assert "app, web" in answer.results[1]["message"]


async def test_replay_needs_the_scope(clock: SteppingClock) -> None:
    bench = await Bench(clock=clock).started()
    refused = await bench.post(a_touchpoint(replay=True))
    bench.key = bench.keys.add(Source(name="import", scopes=frozenset(Scope)))
    accepted = await bench.post(a_touchpoint(replay=True))

    assert (refused.outcomes, accepted.outcomes) == (["replay_not_allowed"], ["accepted"])
    assert bench.publisher.touchpoints[0].replay


async def test_defaults_of_the_source_are_filled_in(clock: SteppingClock) -> None:
    bench = Bench(clock=clock)
    bench.key = bench.keys.add(Source(name="kiosk", defaults={"channel": "kiosk", "refs": {"store_id": "S-1"}}))
    answer = await (await bench.started()).post(a_touchpoint(channel=...))

    assert answer.status == 202
    assert (bench.publisher.touchpoints[0].channel, bench.publisher.touchpoints[0].refs) == (
        "kiosk",
        {"store_id": "S-1"},
    )


# --- duplicates --------------------------------------------------------------------------------------------------


async def test_a_repeat_is_a_duplicate_and_is_not_published_again(bench: Bench) -> None:
    await bench.post(a_touchpoint())
    answer = await bench.post([a_touchpoint(), a_touchpoint(id="2")])

    assert (answer.status, answer.outcomes) == (202, ["duplicate", "accepted"])
    assert [tp.id for tp in bench.publisher.touchpoints] == ["call-1", "2"]


async def test_the_same_id_with_another_payload_goes_on_to_the_worker(bench: Bench) -> None:
    await bench.post(a_touchpoint())
    answer = await bench.post(a_touchpoint(reason="billing"))

    assert answer.outcomes == ["accepted"]
    assert len(bench.publisher.touchpoints) == 2


async def test_one_id_of_two_sources_is_no_duplicate(bench: Bench) -> None:
    await bench.post(a_touchpoint())
    bench.key = bench.keys.add(Source(name="web"))

    assert (await bench.post(a_touchpoint())).outcomes == ["accepted"]


async def test_a_repeat_within_one_request_is_published_once(bench: Bench) -> None:
    answer = await bench.post([a_touchpoint(), a_touchpoint(), a_touchpoint(reason="other")])

    assert answer.outcomes == ["accepted", "duplicate", "accepted"]
    assert len(bench.publisher.touchpoints) == 2


async def test_a_repeat_of_what_was_not_acknowledged_is_no_duplicate(bench: Bench) -> None:
    bench.publisher.refuse = {"touchpoints"}
    failed = await bench.post([a_touchpoint(), a_touchpoint()])
    bench.publisher.refuse = set()
    again = await bench.post(a_touchpoint())

    assert (failed.outcomes, again.outcomes) == (["not_acknowledged", "not_acknowledged"], ["accepted"])


async def test_only_so_many_ids_are_remembered(clock: SteppingClock) -> None:
    bench = await bench_with(clock, remembered_ids="2").started()
    await bench.post([a_touchpoint(id=str(number)) for number in range(3)])
    answer = await bench.post([a_touchpoint(id=str(number)) for number in range(3)])

    assert answer.outcomes == ["accepted", "duplicate", "duplicate"]


# --- Kafka -------------------------------------------------------------------------------------------------------


async def test_what_kafka_did_not_acknowledge_is_unavailable(bench: Bench) -> None:
    bench.publisher.refuse = {"touchpoints", "touchpoints-rejected"}
    answer = await bench.post([a_touchpoint(), a_touchpoint(id="2", channel="fax")])

    assert (answer.status, answer.headers["retry-after"]) == (503, "5")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.outcomes == ["not_acknowledged", "invalid_field"]
    assert [result["status"] for result in answer.results] == ["unavailable", "rejected"]
    assert answer.json["code"] == "some_unavailable"
    assert "5 s" in answer.results[0]["message"]
    assert bench.sample("waymark_ingest_publish_failures_total") == 1


async def test_only_what_failed_is_unavailable(bench: Bench) -> None:
    bench.publisher.refuse_positions = frozenset({1})
    answer = await bench.post([a_touchpoint(id="0", channel="fax"), *(a_touchpoint(id=str(at)) for at in (1, 2, 3))])

    assert [result["status"] for result in answer.results] == ["rejected", "accepted", "unavailable", "accepted"]
    assert [tp.id for tp in bench.publisher.touchpoints] == ["1", "3"]


async def test_nothing_is_accepted_before_the_acknowledgement(bench: Bench) -> None:
    bench.publisher.stuck = "touchpoints"
    request = asyncio.create_task(bench.post(a_touchpoint()), name="a request")
    await until(lambda: bench.publisher.waiting)
    repeat = asyncio.create_task(bench.post(a_touchpoint()), name="its repeat")
    await until(lambda: bench.publisher.waiting == 2)
    answered_early = request.done() or repeat.done()
    bench.publisher.release()

    assert not answered_early
    assert (await request).outcomes == (await repeat).outcomes == ["accepted"]


async def test_a_rejected_touchpoint_becomes_a_dead_letter_with_its_bytes(bench: Bench) -> None:
    item = '{"id": "7", "channel": "fax", "text": "안녕"}'.encode()
    await bench.post(b"[" + item + b"]")

    (letter,) = bench.publisher.dead_letters
    assert (letter.value, letter.source, letter.code) == (item, "ivr", "invalid_field")
    assert {error.path for error in letter.errors} == {"occurred_at", "kind", "customer", "channel"}
    assert bench.sample("waymark_ingest_dead_letters_total", outcome="written") == 1


async def test_a_dead_letter_that_is_lost_is_counted_and_changes_no_answer(bench: Bench) -> None:
    bench.publisher.refuse = {"touchpoints-rejected"}
    answer = await bench.post([a_touchpoint(), a_touchpoint(id="2", channel="fax"), 3])

    assert answer.outcomes == ["accepted", "invalid_field", "not_an_object"]
    assert bench.sample("waymark_ingest_dead_letters_total", outcome="lost") == 2


async def test_dead_letters_that_are_stuck_hold_an_answer_up_for_a_bounded_time(clock: SteppingClock) -> None:
    bench = await bench_with(clock, dead_letter_timeout_s="0.05").started()
    bench.publisher.stuck = "touchpoints-rejected"
    async with asyncio.timeout(5.0):
        answer = await bench.post([a_touchpoint(), a_touchpoint(id="2", channel="fax")])

    assert answer.outcomes == ["accepted", "invalid_field"]
    assert bench.sample("waymark_ingest_dead_letters_total", outcome="lost") == 1


async def test_one_trace_context_goes_through_to_every_record(bench: Bench) -> None:
    given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    await bench.post([a_touchpoint(), 3], traceparent=given)
    await bench.post(a_touchpoint(id="2"), traceparent="nonsense")

    traces = [dict(record.headers)["traceparent"].decode() for record in bench.publisher.records]
    assert traces[:2] == [given, given]
    assert traces[2] != given
    assert traces[2].startswith("00-")


async def test_what_was_done_is_counted_by_outcome_and_reason(bench: Bench) -> None:
    await bench.post([a_touchpoint(), a_touchpoint(id="2", channel="fax"), 3])
    await bench.post(a_touchpoint())

    def count(outcome: str, reason: str) -> float:
        return bench.sample("waymark_ingest_touchpoints_total", outcome=outcome, reason=reason)

    assert [count("accepted", ""), count("duplicate", "")] == [1, 1]
    assert [count("rejected", "invalid_field"), count("rejected", "not_an_object")] == [1, 1]
    assert bench.sample("waymark_ingest_in_flight_requests") == 0
    assert bench.sample("waymark_ingest_in_flight_bytes") == 0
    assert bench.sample("waymark_http_requests_total", route="/v1/touchpoints", method="POST", code_class="2xx") == 2


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
async def test_a_key_is_taken_from_a_header(bench: Bench, headers: Any) -> None:
    answer = await bench.call("POST", [json.dumps(a_touchpoint()).encode()], headers(bench.key.text))

    assert answer.status == 202


@pytest.mark.parametrize("many", [True, False])
async def test_a_key_is_taken_from_the_body(bench: Bench, many: bool) -> None:
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
async def test_without_a_valid_key_it_is_401(bench: Bench, headers: dict[str, str], code: str) -> None:
    answer = await bench.call("POST", [json.dumps(a_touchpoint()).encode()], headers)

    assert (answer.status, answer.json["code"]) == (401, code)
    assert answer.headers["www-authenticate"] == 'Bearer realm="waymark"'
    assert bench.publisher.records == []


async def test_a_key_of_another_secret_or_kind_is_unknown(bench: Bench) -> None:
    key = bench.key.text
    for wrong in (key[:-1] + ("0" if key[-1] != "0" else "1"), key.replace("wm_src_", "wm_admin_")):
        answer = await bench.call("POST", [b"{}"], {"authorization": f"Bearer {wrong}"})
        assert (answer.status, answer.json["code"]) == (401, "key_invalid")


async def test_a_disabled_source_is_403(clock: SteppingClock) -> None:
    bench = Bench(clock=clock)
    bench.key = bench.keys.add(Source(name="old", disabled=True))
    answer = await (await bench.started()).post(a_touchpoint())

    assert (answer.status, answer.json["code"]) == (403, "source_disabled")


async def test_an_outage_of_the_database_stops_nobody_who_was_known(bench: Bench) -> None:
    bench.keys.away = True
    known = await bench.post(a_touchpoint())
    unknown = await bench.call("POST", [b"{}"], {"authorization": f"Bearer wm_src_{'0' * 12}_{'0' * 64}"})

    assert known.status == 202
    assert (unknown.status, unknown.json["code"], unknown.headers["retry-after"]) == (503, "keys_unavailable", "5")


# --- HTTP --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_any_other_method_is_405_with_allow(bench: Bench, method: str) -> None:
    answer = await bench.call(method, [b""], {})

    assert (answer.status, answer.headers["allow"]) == (405, "POST")


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
        ("application/cloudevents+json", 415),
        ("nonsense", 415),
    ],
)
async def test_json_in_utf8_is_taken_and_a_missing_type_tolerated(bench: Bench, content_type: str, status: int) -> None:
    headers = {"content_type": content_type} if content_type else {}

    assert (await bench.post(a_touchpoint(), **headers)).status == status


async def test_a_gzipped_body_in_pieces_is_taken(bench: Bench) -> None:
    packed = gzip.compress(json.dumps([a_touchpoint(id=str(at)) for at in range(50)]).encode())
    headers = {"authorization": f"Bearer {bench.key.text}", "content-encoding": "gzip"}
    answer = await bench.call("POST", [packed[:10], packed[10:]], headers)

    assert answer.json["accepted"] == 50


async def test_a_body_of_nearly_the_limit_is_taken(bench: Bench) -> None:
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


@pytest.mark.parametrize(
    ("body", "code"),
    [(b"", "empty_body"), (b"{}x", "body_not_json"), (b"[]", "no_touchpoints"), (b"3", "invalid_envelope")],
)
async def test_a_body_that_is_no_envelope_is_400(bench: Bench, body: bytes, code: str) -> None:
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


async def test_a_client_that_waits_to_be_told_to_go_on_is_refused_at_once(bench: Bench) -> None:
    async with asyncio.timeout(1.0):
        answer = await bench.call("POST", [b""], {"expect": "100-continue", "x-write-key": "x"}, ends=False)

    assert (answer.status, answer.headers["connection"]) == (401, "close")


async def test_a_client_that_hangs_up_halfway_leaves_nothing_behind(bench: Bench) -> None:
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
