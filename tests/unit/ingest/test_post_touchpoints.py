"""The service at its ASGI interface: what becomes of touchpoints, over a Kafka that remembers."""

import asyncio
import json
from typing import Any

import pytest

from schemas import validation
from services.ingest.sources.source import Source, SourceScope
from tests.fixtures.clock import SteppingClock
from tests.fixtures.ingest_bench import IngestBench, a_touchpoint, bench_with
from tests.waiting import until

# --- what becomes of touchpoints ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrap",
    [
        pytest.param(lambda one: one, id="a bare object"),
        pytest.param(lambda one: [one], id="a list"),
        pytest.param(lambda one: {"touchpoints": [one]}, id="an object of many"),
    ],
)
async def test_one_touchpoint_is_accepted_and_published(bench: IngestBench, wrap: Any) -> None:
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


async def test_what_is_published_is_the_published_form(bench: IngestBench) -> None:
    await bench.post(a_touchpoint(attributes={"a": [1, None, {"b": "c"}]}, refs={"case_id": "T-1"}, transfers=2.0))

    (record,) = bench.publisher.records
    assert validation.errors("touchpoint.v1#published", json.loads(record.value or b"")) == []


async def test_many_are_answered_one_by_one_in_their_order(bench: IngestBench) -> None:
    answer = await bench.post([a_touchpoint(id="1"), a_touchpoint(id="2", channel="fax"), a_touchpoint(id="3"), 7])

    assert answer.status == 207
    assert [result["index"] for result in answer.results] == [0, 1, 2, 3]
    assert answer.outcomes == ["accepted", "invalid_field", "accepted", "not_an_object"]
    assert [tp.id for tp in bench.publisher.touchpoints] == ["1", "3"]


async def test_a_rejected_one_says_which_member_and_how_to_fix_it(bench: IngestBench) -> None:
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
async def test_messages_speak_the_language_that_was_asked_for(
    bench: IngestBench, accept_language: str, message: str
) -> None:
    answer = await bench.post(a_touchpoint(channel="fax"), accept_language=accept_language)

    assert answer.results[0]["message"].startswith(message)
    assert answer.headers["content-language"] == ("ko" if accept_language.startswith("ko") else "en")


async def test_an_answer_never_repeats_what_was_sent_but_the_id(bench: IngestBench) -> None:
    secret = "kim@example.com"
    answer = await bench.post(
        [
            a_touchpoint(customer={"email": secret}, channel=secret, reason=3, **{secret: secret}),
            a_touchpoint(customer={"phone": secret}),
        ]
    )

    assert answer.status == 422
    assert secret.encode() not in answer.body


async def test_an_identifier_that_names_nobody_is_left_out_with_a_warning(bench: IngestBench) -> None:
    answer = await bench.post(a_touchpoint(customer={"phone": "1588-1234", "customer_id": "C-1"}))

    assert answer.status == 202
    (warning,) = answer.results[0]["warnings"]
    assert (warning["path"], warning["code"]) == ("customer.phone", "identifier_service_number")
    assert set(bench.publisher.touchpoints[0].customer) == {"customer_id"}
    assert bench.sample("waymark_ingest_identifiers_dropped_total", reason="identifier_service_number") == 1


async def test_without_a_usable_identifier_it_is_rejected_with_the_reasons(bench: IngestBench) -> None:
    answer = await bench.post(a_touchpoint(customer={"phone": "114", "email": "none"}))

    assert answer.outcomes == ["no_usable_identifier"]
    assert [warning["code"] for warning in answer.results[0]["warnings"]] == [
        "identifier_service_number",
        "identifier_blocked",
    ]


async def test_a_channel_that_the_source_may_not_send_is_rejected_with_those_it_may(clock: SteppingClock) -> None:
    bench = IngestBench(clock=clock)
    bench.key = bench.keys.add(Source(name="shop", channels=frozenset({"web", "app"})))  # type: ignore[arg-type]  # a StrEnum's values are equal to its members
    answer = await (await bench.started()).post([a_touchpoint(channel="web"), a_touchpoint(id="2")])

    assert answer.outcomes == ["accepted", "channel_not_allowed"]
    assert "app, web" in answer.results[1]["message"]


async def test_replay_needs_the_scope(clock: SteppingClock) -> None:
    bench = await IngestBench(clock=clock).started()
    refused = await bench.post(a_touchpoint(replay=True))
    bench.key = bench.keys.add(Source(name="import", scopes=frozenset(SourceScope)))
    accepted = await bench.post(a_touchpoint(replay=True))

    assert (refused.outcomes, accepted.outcomes) == (["replay_not_allowed"], ["accepted"])
    assert bench.publisher.touchpoints[0].replay


async def test_defaults_of_the_source_are_filled_in(clock: SteppingClock) -> None:
    bench = IngestBench(clock=clock)
    bench.key = bench.keys.add(Source(name="kiosk", defaults={"channel": "kiosk", "refs": {"store_id": "S-1"}}))
    answer = await (await bench.started()).post(a_touchpoint(channel=...))

    assert answer.status == 202
    assert (bench.publisher.touchpoints[0].channel, bench.publisher.touchpoints[0].refs) == (
        "kiosk",
        {"store_id": "S-1"},
    )


# --- duplicates --------------------------------------------------------------------------------------------------


async def test_a_repeat_is_a_duplicate_and_is_not_published_again(bench: IngestBench) -> None:
    await bench.post(a_touchpoint())
    answer = await bench.post([a_touchpoint(), a_touchpoint(id="2")])

    assert (answer.status, answer.outcomes) == (202, ["duplicate", "accepted"])
    assert [tp.id for tp in bench.publisher.touchpoints] == ["call-1", "2"]


async def test_the_same_id_with_another_payload_goes_on_to_the_worker(bench: IngestBench) -> None:
    await bench.post(a_touchpoint())
    answer = await bench.post(a_touchpoint(reason="billing"))

    assert answer.outcomes == ["accepted"]
    assert len(bench.publisher.touchpoints) == 2


async def test_one_id_of_two_sources_is_no_duplicate(bench: IngestBench) -> None:
    await bench.post(a_touchpoint())
    bench.key = bench.keys.add(Source(name="web"))

    assert (await bench.post(a_touchpoint())).outcomes == ["accepted"]


async def test_a_repeat_within_one_request_is_published_once(bench: IngestBench) -> None:
    answer = await bench.post([a_touchpoint(), a_touchpoint(), a_touchpoint(reason="other")])

    assert answer.outcomes == ["accepted", "duplicate", "accepted"]
    assert len(bench.publisher.touchpoints) == 2


async def test_a_repeat_of_what_was_not_acknowledged_is_no_duplicate(bench: IngestBench) -> None:
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


async def test_what_kafka_did_not_acknowledge_is_unavailable(bench: IngestBench) -> None:
    bench.publisher.refuse = {"touchpoints", "touchpoints-rejected"}
    answer = await bench.post([a_touchpoint(), a_touchpoint(id="2", channel="fax")])

    assert (answer.status, answer.headers["retry-after"]) == (503, "5")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.outcomes == ["not_acknowledged", "invalid_field"]
    assert [result["status"] for result in answer.results] == ["unavailable", "rejected"]
    assert answer.json["code"] == "some_unavailable"
    assert "5 s" in answer.results[0]["message"]
    assert bench.sample("waymark_ingest_publish_failures_total") == 1


async def test_only_what_failed_is_unavailable(bench: IngestBench) -> None:
    bench.publisher.refuse_positions = frozenset({1})
    answer = await bench.post([a_touchpoint(id="0", channel="fax"), *(a_touchpoint(id=str(at)) for at in (1, 2, 3))])

    assert [result["status"] for result in answer.results] == ["rejected", "accepted", "unavailable", "accepted"]
    assert [tp.id for tp in bench.publisher.touchpoints] == ["1", "3"]


async def test_nothing_is_accepted_before_the_acknowledgement(bench: IngestBench) -> None:
    bench.publisher.stuck = "touchpoints"
    request = asyncio.create_task(bench.post(a_touchpoint()), name="a request")
    await until(lambda: bench.publisher.waiting)
    repeat = asyncio.create_task(bench.post(a_touchpoint()), name="its repeat")
    await until(lambda: bench.publisher.waiting == 2)
    answered_early = request.done() or repeat.done()
    bench.publisher.release()

    assert not answered_early
    assert (await request).outcomes == (await repeat).outcomes == ["accepted"]


async def test_a_rejected_touchpoint_becomes_a_dead_letter_with_its_bytes(bench: IngestBench) -> None:
    item = '{"id": "7", "channel": "fax", "text": "안녕"}'.encode()
    await bench.post(b"[" + item + b"]")

    (letter,) = bench.publisher.dead_letters
    assert (letter.value, letter.source, letter.code) == (item, "ivr", "invalid_field")
    assert {error.path for error in letter.errors} == {"occurred_at", "kind", "customer", "channel"}
    assert bench.sample("waymark_ingest_dead_letters_total", outcome="written") == 1


async def test_a_dead_letter_that_is_lost_is_counted_and_changes_no_answer(bench: IngestBench) -> None:
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


async def test_one_trace_context_goes_through_to_every_record(bench: IngestBench) -> None:
    given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    await bench.post([a_touchpoint(), 3], traceparent=given)
    await bench.post(a_touchpoint(id="2"), traceparent="nonsense")

    traces = [dict(record.headers)["traceparent"].decode() for record in bench.publisher.records]
    assert traces[:2] == [given, given]
    assert traces[2] != given
    assert traces[2].startswith("00-")


async def test_what_was_done_is_counted_by_outcome_and_reason(bench: IngestBench) -> None:
    await bench.post([a_touchpoint(), a_touchpoint(id="2", channel="fax"), 3])
    await bench.post(a_touchpoint())

    def count(outcome: str, reason: str) -> float:
        return bench.sample("waymark_ingest_touchpoints_total", outcome=outcome, reason=reason)

    assert [count("accepted", ""), count("duplicate", "")] == [1, 1]
    assert [count("rejected", "invalid_field"), count("rejected", "not_an_object")] == [1, 1]
    assert bench.sample("waymark_ingest_in_flight_requests") == 0
    assert bench.sample("waymark_ingest_in_flight_bytes") == 0
    assert bench.sample("waymark_http_requests_total", route="/v1/touchpoints", method="POST", code_class="2xx") == 2


# --- dry runs ----------------------------------------------------------------------------------------------------


async def test_a_dry_run_says_what_would_become_of_each_and_leaves_no_trace(bench: IngestBench) -> None:
    sent = [a_touchpoint(id="1"), a_touchpoint(id="1"), a_touchpoint(id="2", channel="fax"), 7]

    tried = await bench.post(sent, waymark_dry_run="true")
    entries = (await bench.inspect()).json["entries"]
    done = await bench.post(sent)

    assert (tried.status, tried.json["dry_run"]) == (207, True)
    assert tried.outcomes == done.outcomes == ["accepted", "duplicate", "invalid_field", "not_an_object"]
    assert entries == []
    assert len(bench.publisher.records) == 3  # of the second request alone


async def test_a_dry_run_of_what_is_right_is_200_not_202(bench: IngestBench) -> None:
    answer = await bench.post(a_touchpoint(), waymark_dry_run="true")

    assert (answer.status, answer.outcomes, bench.publisher.records) == (200, ["accepted"], [])


async def test_a_key_in_the_body_is_not_kept_with_what_was_rejected(bench: IngestBench) -> None:
    posted = a_touchpoint(channel="fax")
    body = json.dumps({**posted, "writeKey": bench.key.text}, ensure_ascii=False).encode()

    answer = await bench.call("POST", [body], {})

    assert answer.status == 422
    assert [json.loads(letter.value) for letter in bench.publisher.dead_letters] == [posted]
