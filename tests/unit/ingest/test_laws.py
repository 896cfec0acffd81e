"""What holds for anything at all that is sent: no 500, a result for each touchpoint, only valid records."""

import json
from datetime import UTC, datetime
from typing import Any

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from schemas import validation
from tests.fixtures.clock import SteppingClock
from tests.fixtures.ingest_bench import IngestBench, Response, a_touchpoint

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
texts = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(["", " ", "null", "0", "\u1112\u1161"])
identifiers = st.dictionaries(
    st.sampled_from(["email", "phone", "customer_id", "cookie", "acme_id", "Bad Name"]),
    texts | st.builds(lambda value, verified: {"value": value, "verified": verified}, texts, st.booleans()) | st.none(),
    max_size=4,
)
NAMES = sorted(validation.schema("touchpoint.v1")["properties"])
nearly = st.builds(
    lambda members, customer: a_touchpoint(**{"customer": customer, **members}),
    st.dictionaries(st.sampled_from(NAMES), anything | texts, max_size=3),
    identifiers,
)
free = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 2**53) | st.floats(-1e9, 1e9) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab가\u0301", min_size=1), inner, max_size=3),
    max_leaves=8,
)
plausible = st.builds(
    lambda members, customer: a_touchpoint(customer={"customer_id": "C-1", **customer}, **members),
    st.fixed_dictionaries(
        {},
        optional={
            "text": texts,
            "reason": st.text("abc가\u1112\u1161\u11ab ", min_size=1),
            "attributes": st.dictionaries(st.text("ab가\u0301", min_size=1), free, max_size=3),
            "occurred_at": st.integers(1, 25).map(lambda year: f"20{year:02}-02-28T23:59:59.123456789+09:00"),
            "transfers": st.sampled_from([0, 1.0, 1000]),
            "sentiment": st.floats(-1, 1),
            "kind": st.sampled_from(["email_received", "acme.thing"]),
        },
    ),
    st.dictionaries(st.sampled_from(["email", "phone", "cookie", "acme_id"]), st.text(min_size=1), max_size=3),
)
quick = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


async def answered(document: bytes) -> tuple[IngestBench, Response]:
    bench = await IngestBench(clock=SteppingClock(datetime(2026, 11, 22, 0, 15, tzinfo=UTC))).started()
    answer = await bench.post(document)
    assert answer.status in {202, 207, 400, 413, 422}, answer.body
    assert isinstance(answer.json, dict)
    return bench, answer


def _json(thing: Any, *, ascii_only: bool) -> bytes:
    return json.dumps(thing, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")


@quick
@given(anything, st.booleans())
async def test_any_json_is_answered(thing: Any, ascii_only: bool) -> None:
    await answered(_json(thing, ascii_only=ascii_only))


@quick
@given(st.binary(max_size=100))
async def test_any_bytes_are_answered(body: bytes) -> None:
    await answered(body)


@quick
@given(st.lists(plausible | nearly | anything, min_size=1, max_size=4), st.booleans())
async def test_a_list_has_a_result_for_each_and_only_valid_records_are_published(
    things: list[Any], ascii_only: bool
) -> None:
    bench, answer = await answered(_json(things, ascii_only=ascii_only))
    if answer.status == 400:  # NaN and bare halves of surrogate pairs are no JSON, so nothing is told apart
        return

    outcomes = [result["status"] for result in answer.results]
    event("accepted" if "accepted" in outcomes else "none accepted")
    assert [result["index"] for result in answer.results] == list(range(len(things)))
    assert outcomes.count("accepted") == len(bench.publisher.touchpoints)
    assert outcomes.count("rejected") == len(bench.publisher.dead_letters)
    for record in bench.publisher.records:
        schema = "touchpoint.v1#published" if record.topic == "touchpoints" else "dead_letter.v1"
        assert validation.errors(schema, json.loads(record.value or b"")) == []
        assert record.key


@quick
@given(plausible)
async def test_what_was_accepted_once_is_a_duplicate_the_second_time(thing: dict[str, Any]) -> None:
    document = _json(thing, ascii_only=True)
    bench, first = await answered(document)
    event(f"first {first.status}")
    if first.status != 202:
        return

    assert [result["status"] for result in (await bench.post(document)).results] == ["duplicate"]
