"""The channel of what comes without one: a source that may use one need not say it, in whatever form it sends."""

from schemas.vocabulary import Channel
from services.ingest.sources.source import Source
from tests.fixtures.clock import SteppingClock
from tests.fixtures.ingest_bench import IngestBench, a_touchpoint
from tests.unit.ingest.test_cloudevents import BATCHED, a_foreign, an_event, send


async def test_a_source_of_one_channel_need_not_say_it_in_any_form(clock: SteppingClock) -> None:
    bench = IngestBench(clock=clock)
    bench.key = bench.keys.add(Source(name="shop", channels=frozenset({Channel.WEB})))
    await bench.started()
    native = {name: value for name, value in a_touchpoint(id="1").items() if name != "channel"}

    answers = [
        await send(bench, a_foreign()),
        await send(bench, [a_foreign(id="e-2")], BATCHED),
        await send(bench, an_event(data={**native, "id": "3"})),
        await bench.post(native),
    ]

    assert [answer.status for answer in answers] == [202] * 4
    assert {found.channel for found in bench.publisher.touchpoints} == {"web"}


async def test_a_source_of_two_channels_must_say_which(clock: SteppingClock) -> None:
    bench = IngestBench(clock=clock)
    bench.key = bench.keys.add(Source(name="shop", channels=frozenset({Channel.WEB, Channel.APP})))
    await bench.started()

    answer = await send(bench, a_foreign())

    assert [result["field"] for result in answer.results] == ["channel"]
