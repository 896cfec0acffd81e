"""`waymark tail` against the service itself, over real HTTP."""

import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest

from services.ingest.inspector.follow_up import LaterOutcome
from services.runtime.http.server import serving
from tests.fixtures.clock import SteppingClock
from tests.fixtures.ingest_bench import IngestBench, a_touchpoint
from tests.unit.ingest.test_inspector_follow_up import Journey
from tests.waiting import until
from waymark.console import CommandError, out
from waymark.touchpoints import inspector_stream
from waymark.touchpoints import tail_command as command
from waymark.touchpoints.inspector_stream import StreamEvent, StreamRequest, follow, recent


@pytest.fixture
async def bench(clock: SteppingClock) -> IngestBench:
    return await IngestBench(clock=clock).started()


@pytest.fixture
async def watch(bench: IngestBench) -> AsyncIterator[StreamRequest]:
    async with serving(bench.app, "127.0.0.1", 0, drain_s=2.0) as port:
        yield StreamRequest(url=f"http://127.0.0.1:{port}", key=bench.key.text)
        bench.health.draining = True


class Following:
    """Reads a stream until it is left."""

    def __init__(self, watch: StreamRequest) -> None:
        self.events: list[StreamEvent] = []
        self._watch = watch

    async def __aenter__(self) -> "Following":
        self._task = asyncio.create_task(self._read())
        await until(lambda: bool(self.events) or self._task.done(), within=10)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _read(self) -> None:
        async with httpx2.AsyncClient() as client:
            async for event in follow(client, self._watch):
                self.events.append(event)


async def test_the_past_is_shown_oldest_first(bench: IngestBench, watch: StreamRequest) -> None:
    for number in range(3):
        await bench.post(a_touchpoint(id=str(number)))

    async with httpx2.AsyncClient() as client:
        assert [entry["id"] for entry in await recent(client, watch)] == ["0", "1", "2"]


async def test_what_comes_is_followed(bench: IngestBench, watch: StreamRequest) -> None:
    async with Following(watch) as following:
        await bench.post([a_touchpoint(id="1"), a_touchpoint(id="2", channel="fax")])
        await until(lambda: len(following.events) == 3, within=10)

    assert [(event.name, event.document.get("id")) for event in following.events[1:]] == [
        ("accepted", "1"),
        ("rejected", "2"),
    ]


async def test_a_stream_that_breaks_off_is_taken_up_where_it_was(
    bench: IngestBench, clock: SteppingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspector_stream, "RETRY_S", 0.05)
    async with serving(bench.app, "127.0.0.1", 0, drain_s=2.0) as port:
        watch = StreamRequest(url=f"http://127.0.0.1:{port}", key=bench.key.text)
        async with Following(watch) as following:
            await bench.post(a_touchpoint(id="1"))
            await until(lambda: len(following.events) == 2, within=10)
            bench.health.draining = True
            await until(lambda: "bye" in [event.name for event in following.events], within=10)
            await bench.post(a_touchpoint(id="2"))
            bench.health.draining = False
            await until(lambda: "2" in [event.document.get("id") for event in following.events], within=10)
        bench.health.draining = True

    ids = [event.document["id"] for event in following.events if event.name == "accepted"]
    assert ids == ["1", "2"]


async def test_a_key_that_opens_nothing_is_said_so(watch: StreamRequest) -> None:
    wrong = StreamRequest(url=watch.url, key="wm_src_000000000000_00")
    async with httpx2.AsyncClient() as client:
        with pytest.raises(CommandError, match="not a source key"):
            await recent(client, wrong)
        with pytest.raises(CommandError, match="not a source key"):
            await anext(aiter(follow(client, wrong)))


async def test_an_ingest_that_is_away_is_named() -> None:
    async with httpx2.AsyncClient() as client:
        with pytest.raises(CommandError, match=r"http://127\.0\.0\.1:1 does not answer"):
            await recent(client, StreamRequest(url="http://127.0.0.1:1", key="x"))


@pytest.mark.parametrize(("language", "word"), [("ko_KR.UTF-8", "거부"), ("en_US.UTF-8", "rejected")])
async def test_an_entry_is_shown_with_the_cure_in_the_operators_language(
    bench: IngestBench, watch: StreamRequest, language: str, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", language)
    await bench.post(a_touchpoint(channel="call center", customer={"phone": "010-7777-8888"}))
    async with httpx2.AsyncClient() as client:
        (entry,) = await recent(client, watch)

    with out.capture() as captured:
        command._show(entry, as_json=False)

    shown = captured.get()
    assert word in shown
    assert "`phone`" in shown
    assert "7777" not in shown


async def test_what_became_of_a_touchpoint_stands_beside_it_and_below_when_it_comes_later(
    bench: IngestBench, watch: StreamRequest, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.service.inspector.follow_up.ask_from(journey := Journey(a=(LaterOutcome.CONFLICT, "id_conflict")))
    await bench.post(a_touchpoint(id="a"))
    monkeypatch.setattr(out, "width", 200)

    async with httpx2.AsyncClient() as client:
        for entry in await recent(client, watch):
            command._show(entry, as_json=False)
    async with Following(watch) as following:
        await bench.post(a_touchpoint(id="b"))
        await until(lambda: any(event.name == "accepted" for event in following.events), within=10)
        journey.fates["b"] = (LaterOutcome.DEAD_LETTER, "not_storable")
        await until(lambda: any(_told(event) == ("b", "dead_letter") for event in following.events), within=20)
    for event in following.events:
        if event.name == "later":
            command._show_later(event.document, as_json=False)

    shown = capsys.readouterr().out
    assert "✓ accepted ivr a call_ended · phone → conflict id_conflict" in shown
    assert "Send it with a new id." in shown
    assert "→ dead letter not_storable ivr b" in shown


def _told(event: StreamEvent) -> tuple[str, str]:
    later = event.document.get("later", {})
    return str(event.document.get("id")), str(later.get("outcome"))
