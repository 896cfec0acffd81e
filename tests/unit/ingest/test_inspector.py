"""What the inspector shows of what came, to whom, and what it never shows."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.inspector import masking
from services.ingest.sources.source import Source, SourceScope
from services.runtime.credentials.api_keys import KeyKind
from tests.fixtures.ingest_bench import IngestBench, a_touchpoint

NOW = datetime(2026, 11, 22, 0, 15, tzinfo=UTC)


# --- what is shown -----------------------------------------------------------------------------------------------


async def test_an_accepted_touchpoint_is_shown_as_it_was_published_with_its_person_masked(bench: IngestBench) -> None:
    await bench.post(
        a_touchpoint(text="다시 전화했어요", refs={"case_id": "T-77"}, customer={"phone": "010-1234-5678"})
    )

    (seen,) = await bench.entries()

    assert (seen["outcome"], seen["id"], seen["source"]) == ("accepted", "call-1", "ivr")
    became = seen["became"]
    assert became["customer"] == {"phone": {"value": "text(13) +999999999999", "verified": False}}
    assert (became["channel"], became["kind"]) == ("phone", "call_ended")
    assert became["occurred_at"] == "2026-11-22T00:14:00.000000Z"
    assert became["text"] == "text(8) 가가 가가가가가"
    assert became["refs"] == {"case_id": "text(4) A-99"}
    assert "sent" not in seen


async def test_a_rejected_touchpoint_is_shown_with_its_fault_the_shape_of_what_stood_there_and_the_cure(
    bench: IngestBench,
) -> None:
    await bench.post(a_touchpoint(occurred_at="2026-11-22 09:14:00", channel="fax"))

    (seen,) = await bench.entries()

    assert (seen["outcome"], seen["code"], seen["field"]) == ("rejected", "invalid_field", "occurred_at")
    faults = {fault["path"]: fault for fault in seen["errors"]}
    assert faults["occurred_at"]["sent"] == "text(19) 9999-99-99 99:99:99"
    assert faults["channel"]["sent"] == "text(3) aaa"
    assert seen["sent"]["customer"] == {"phone": "text(13) 999-9999-9999"}
    assert "became" not in seen


async def test_a_request_that_is_refused_as_a_whole_is_shown_too(bench: IngestBench) -> None:
    await bench.post(b"id=1", content_type="application/x-www-form-urlencoded")

    (seen,) = await bench.entries()

    assert (seen["outcome"], seen["code"]) == ("refused", "unsupported_media_type")
    assert seen["request"] == {
        "status": 415,
        "route": "/v1/touchpoints",
        "content_type": "application/x-www-form-urlencoded",
    }


async def test_duplicates_and_what_kafka_did_not_take_are_shown(bench: IngestBench) -> None:
    await bench.post(a_touchpoint())
    await bench.post(a_touchpoint())
    bench.publisher.refuse = {"touchpoints"}
    await bench.post(a_touchpoint(id="call-2"))

    assert [(seen["outcome"], seen.get("code")) for seen in await bench.entries()] == [
        ("unavailable", "not_acknowledged"),
        ("duplicate", None),
        ("accepted", None),
    ]


async def test_the_sentences_are_those_of_the_answer_in_the_language_asked_for(bench: IngestBench) -> None:
    answer = await bench.post(a_touchpoint(replay=True), accept_language="ko")

    (seen,) = await bench.entries(accept_language="ko")

    assert seen["message"] == answer.results[0]["message"]
    assert seen["errors"] == [
        {"path": "replay", "code": "replay_not_allowed", "message": seen["message"], "sent": "true or false"}
    ]


async def test_an_identifier_that_was_left_out_is_warned_of_with_its_shape(bench: IngestBench) -> None:
    await bench.post(a_touchpoint(customer={"phone": "1588-1234"}))

    (seen,) = await bench.entries()

    assert seen["code"] == "no_usable_identifier"
    (warning,) = seen["warnings"]
    assert (warning["path"], warning["code"], warning["sent"]) == (
        "customer.phone",
        "identifier_service_number",
        "text(9) 9999-9999",
    )


SECRET = "seo.yeon.kim@example.com"
ODD = [
    {"customer": {"email": SECRET}, "channel": SECRET},
    {SECRET: SECRET, "customer": {SECRET: SECRET, "phone": "010-7777-8888"}},
    {"text": SECRET, "agent": SECRET, "refs": {"case_id": SECRET, SECRET: SECRET}, "reason": SECRET},
    {"attributes": {SECRET: [SECRET, {SECRET: SECRET}]}, "queue": SECRET, "outcome": SECRET},
    {"interaction_id": SECRET, "kind": SECRET, "occurred_at": SECRET, "direction": SECRET, "source": SECRET},
]


@pytest.mark.parametrize("members", ODD)
async def test_no_value_that_was_sent_is_ever_shown_wherever_it_stood(
    bench: IngestBench, members: dict[str, Any]
) -> None:
    await bench.post(a_touchpoint(**{"customer": {"email": SECRET, "customer_id": SECRET}, **members}))
    await bench.post(a_touchpoint(**members), content_type=f"text/{SECRET}; name={SECRET}")
    await bench.post(f"not JSON {SECRET}".encode())
    await bench.call("POST", [b"{}"], {"authorization": f"Bearer {SECRET}"})

    operator = bench.keys.add_operator()
    shown = (await bench.inspect(key=operator.text)).body.decode()

    assert len(json.loads(shown)["entries"]) == 4
    assert SECRET not in shown
    assert "seo.yeon" not in shown
    assert "7777" not in shown


@given(st.text(max_size=60))
def test_a_shape_tells_nothing_but_kinds_of_characters(text: str) -> None:
    shape = masking.shape(text)

    assert len(shape) <= masking.SHAPE_LENGTH + 1
    for character in text:
        if character.isalnum() and character not in "aA9가字":
            assert character not in shape


_LEAVES = st.none() | st.booleans() | st.floats() | st.text()
_ANYTHING = st.recursive(_LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=40)


@given(_ANYTHING)
def test_a_structure_of_anything_can_be_written_as_json(document: Any) -> None:
    json.dumps(masking.structure(document))


# --- looking for something ---------------------------------------------------------------------------------------


async def test_entries_are_filtered_by_outcome_code_and_id(bench: IngestBench) -> None:
    await bench.post([a_touchpoint(id="1"), a_touchpoint(id="2", channel="fax"), 7, a_touchpoint(id="4", replay=True)])

    assert [seen["id"] for seen in await bench.entries("outcome=accepted")] == ["1"]
    assert [seen["code"] for seen in await bench.entries("outcome=rejected")] == [
        "replay_not_allowed",
        "not_an_object",
        "invalid_field",
    ]
    assert [seen["id"] for seen in await bench.entries("outcome=rejected,accepted&code=invalid_field")] == ["2"]
    assert [seen["outcome"] for seen in await bench.entries("id=4")] == ["rejected"]


async def test_a_cursor_goes_through_all_of_them_once_and_ends(bench: IngestBench) -> None:
    for number in range(7):
        await bench.post([a_touchpoint(id=f"{number}-{at}") for at in range(3)])
    found: list[str] = []
    query = "limit=4"

    while True:
        answer = await bench.inspect(query)
        found += [seen["id"] for seen in answer.json["entries"]]
        if "next" not in answer.json:
            break
        query = f"limit=4&cursor={answer.json['next']}"

    assert found == [f"{number}-{at}" for number in reversed(range(7)) for at in reversed(range(3))]


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=201", "limit=x", "outcome=lost", "cursor=nonsense", "colour=red", "limit=%FF"]
)
async def test_a_query_that_makes_no_sense_is_400_and_says_what_does(bench: IngestBench, query: str) -> None:
    answer = await bench.inspect(query)

    assert (answer.status, answer.json["code"]) == (400, "invalid_query")
    assert "colour" not in answer.json["message"]


# --- who may look ------------------------------------------------------------------------------------------------


async def test_a_source_sees_its_own_and_nobody_elses(bench: IngestBench) -> None:
    await bench.post(a_touchpoint(id="mine"))
    other = bench.keys.add(Source(name="web"))

    assert await bench.entries(key=other.text) == []
    asked = await bench.inspect("source=ivr", key=other.text)
    assert (asked.status, asked.json["code"]) == (403, "inspect_not_allowed")


async def test_a_key_without_the_scope_sees_nothing(bench: IngestBench) -> None:
    public = bench.keys.add(Source(name="web", scopes=frozenset({SourceScope.WRITE})))

    answer = await bench.inspect(key=public.text)

    assert (answer.status, answer.json["code"]) == (403, "inspect_not_allowed")


@pytest.mark.parametrize("kind", [KeyKind.READER, KeyKind.AGENT, KeyKind.ADMIN])
async def test_an_operator_sees_every_source_and_strangers(bench: IngestBench, kind: KeyKind) -> None:
    await bench.post(a_touchpoint(id="of ivr"))
    await bench.call("POST", [b"{}"], {"authorization": "Bearer nonsense"})
    operator = bench.keys.add_operator(kind)

    assert [(seen["source"], seen["outcome"]) for seen in await bench.entries(key=operator.text)] == [
        ("", "refused"),
        ("ivr", "accepted"),
    ]
    assert [seen["source"] for seen in await bench.entries("source=ivr", key=operator.text)] == ["ivr"]


@pytest.mark.parametrize("key", ["nonsense", "wm_src_000000000000_00", "wm_reader_000000000000_00"])
async def test_without_a_valid_key_nothing_is_shown(bench: IngestBench, key: str) -> None:
    assert (await bench.inspect(key=key)).status == 401


async def test_an_operator_is_told_when_keys_cannot_be_checked(bench: IngestBench) -> None:
    operator = bench.keys.add_operator()
    bench.keys.away = True

    answer = await bench.inspect(key=operator.text)

    assert (answer.status, answer.headers["retry-after"]) == (503, "5")


# --- the page ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/inspector", "/inspector/inspector.css", "/inspector/inspector.js"])
async def test_the_page_comes_from_the_package_and_may_load_nothing_from_elsewhere(
    bench: IngestBench, path: str
) -> None:
    answer = await bench.call("GET", [b""], {}, at=path)

    assert answer.status == 200
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert b"http://" not in answer.body.replace(b"http://www.w3.org", b"")
    assert b"https://" not in answer.body
    assert b"localStorage" not in answer.body
    assert b"sessionStorage" not in answer.body


# --- the way to it -----------------------------------------------------------------------------------------------


async def test_a_browser_at_the_front_door_is_led_to_the_inspector(bench: IngestBench) -> None:
    answer = await bench.call("GET", [b""], {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}, at="/")

    assert (answer.status, answer.headers["location"]) == (303, "inspector")


@pytest.mark.parametrize("accept", ["application/json", "*/*", ""])
async def test_a_program_at_the_front_door_is_told_the_addresses(bench: IngestBench, accept: str) -> None:
    answer = await bench.call("GET", [b""], {"accept": accept}, at="/")

    assert answer.status == 200
    assert answer.json["places"]["send"] == "v1/touchpoints"
    for place in ("inspector", "docs", "openapi.json"):
        assert place in answer.json["places"].values()
        assert (await bench.call("GET", [b""], {}, at=f"/{place}")).status == 200
