"""What the inspector keeps alive, and no more."""

import gc
import tracemalloc
from datetime import UTC, datetime

from services.ingest.inspector.logbook import Logbook, LogbookLimits, RecordedRefusal
from services.ingest.reasons import ItemOutcome, RequestRefusal, TouchpointRejection
from services.ingest.results.item_result import ItemResult
from services.runtime.kafka.record import ProducerRecord
from tests.fixtures.clock import SteppingClock
from tests.fixtures.ingest_bench import a_touchpoint, bench_with

NOW = datetime(2026, 11, 22, 0, 15, tzinfo=UTC)


async def test_good_touchpoints_of_a_busy_source_do_not_push_out_the_bad_ones(clock: SteppingClock) -> None:
    bench = await bench_with(clock, inspector_entries="20").started()
    await bench.post(a_touchpoint(id="bad", channel="fax"))
    for number in range(200):
        await bench.post(a_touchpoint(id=str(number)))

    assert [seen["id"] for seen in await bench.entries("outcome=rejected")] == ["bad"]
    assert len(await bench.entries("outcome=accepted&limit=200")) == 20


async def test_nothing_is_kept_when_it_is_turned_off(clock: SteppingClock) -> None:
    bench = await bench_with(clock, inspector_entries="0").started()
    await bench.post([a_touchpoint(), 7])
    await bench.post(b"")

    assert await bench.entries() == []


def _fill(logbook: Logbook, source: str, count: int) -> None:
    for number in range(count):
        value = f'{{"id":"{number}","text":"{"x" * 900}"}}'.encode()
        result = ItemResult(outcome=ItemOutcome.ACCEPTED, id=str(number))
        logbook.record_results(source, NOW, [result], {0: ProducerRecord(topic="t", key=None, value=value)}, {})
        bad = ItemResult(outcome=ItemOutcome.REJECTED, id=str(number), reason=TouchpointRejection.NOT_AN_OBJECT)
        logbook.record_results(source, NOW, [bad], {}, {0: b"y" * 900 + str(number).encode()})
        turned = RecordedRefusal(
            refusal=RequestRefusal.EMPTY_BODY, status=400, facts={}, route="/", content_type="", content_length=""
        )
        logbook.record_refusal(source, NOW, turned)


def test_what_is_kept_alive_is_bounded_for_one_source_and_for_all() -> None:
    rules = LogbookLimits(entries=1_000, ring_bytes=64 * 1024, all_bytes=1024 * 1024)
    logbook = Logbook(rules)
    gc.collect()
    tracemalloc.start()
    try:
        for source in range(60):
            _fill(logbook, f"source-{source}", 150)
        gc.collect()
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert logbook.weight <= rules.all_bytes
    assert held <= rules.all_bytes * 1.1
    assert logbook.pages("source-59") != []
    assert logbook.pages("source-0") == []
    assert sum(page.bytes for page in logbook.pages("source-59", bad=False)) <= rules.ring_bytes


def test_the_weight_is_what_is_kept() -> None:
    logbook = Logbook(LogbookLimits(entries=7, ring_bytes=10_000, all_bytes=30_000))
    for turn in range(50):
        _fill(logbook, f"source-{turn % 5}", 3)
        assert logbook.weight == sum(page.bytes for page in logbook.pages(None))
