"""The rules and events in examples/cloudevents become what they say."""

from datetime import UTC, datetime
from pathlib import Path

import yaml

from services.ingest.sources.source import Source
from tests.fixtures.clock import SteppingClock
from tests.fixtures.ingest_bench import IngestBench
from tests.unit.ingest.test_cloudevents import BATCHED, send

EXAMPLES = Path(__file__).parents[3] / "examples" / "cloudevents"


async def test_the_example_of_a_shop_is_what_it_says(clock: SteppingClock) -> None:
    rules = yaml.safe_load((EXAMPLES / "shop.yaml").read_text(encoding="utf-8"))
    bench = IngestBench(clock=clock)
    bench.key = bench.keys.add(Source(name="shop", dialects={"cloudevents": rules}))
    answer = await send(await bench.started(), (EXAMPLES / "order_placed.json").read_bytes())

    (found,) = bench.publisher.touchpoints
    assert (answer.status, found.kind, found.id) == (202, "order_placed", "/shop/seoul#A-5512-placed")
    assert {type_: one.value for type_, one in found.customer.items()} == {
        "customer_id": "C-1009",
        "email": "c1009@example.com",
    }
    assert found.refs == {"order_id": "A-5512", "correlation_id": "checkout-771"}
    assert found.value is not None
    assert (found.value.amount, found.value.currency) == (129000, "KRW")
    assert set(found.attributes) == {"ce_source", "ce_type"}


async def test_the_example_of_a_kiosk_is_what_it_says_and_may_be_sent_again(clock: SteppingClock) -> None:
    clock.set(datetime(2026, 11, 22, 0, 15, tzinfo=UTC))
    rules = yaml.safe_load((EXAMPLES / "kiosk.yaml").read_text(encoding="utf-8"))
    bench = IngestBench(clock=clock)
    bench.key = bench.keys.add(Source(name="kiosks", dialects={"cloudevents": rules}))
    visit = (EXAMPLES / "kiosk_visit.json").read_bytes()
    first = await send(await bench.started(), visit, BATCHED)
    again = await send(bench, visit, BATCHED)

    told = [
        (found.kind, found.reason, {type_: one.value for type_, one in found.customer.items()})
        for found in bench.publisher.touchpoints
    ]
    assert told == [
        ("payment_declined", "card_refused", {"session_id": "K-03-8841"}),
        ("assistance_requested", "payment", {"loyalty_id": "L-778", "session_id": "K-03-8841"}),
        ("device_fault", "paper_out", {"loyalty_id": "L-778", "session_id": "K-03-8841"}),
    ]
    assert {(found.channel, found.interaction_id) for found in bench.publisher.touchpoints} == {("kiosk", "K-03-8841")}
    assert [found.sequence for found in bench.publisher.touchpoints] == [1, 2, 3]
    assert [one["status"] for one in first.json["results"]] == ["accepted"] * 3
    assert [one["status"] for one in again.json["results"]] == ["duplicate"] * 3
