"""A model of the house, behind a real HTTP server and as a real entry point: what it says, and who stands in for it."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pytest
import structlog
from aiohttp import web

from schemas.vocabulary import SentimentOrigin
from services.ingest.company_files import CompanyFiles
from services.ingest.sentiment.model.model_asking import AT_ONCE, BATCH, REST_S
from services.ingest.settings import IngestSettings
from services.runtime.settings import SettingsError
from tests.fixtures.clock import SteppingClock
from tests.fixtures.ingest_bench import IngestBench, a_touchpoint, bench_with
from tests.waiting import until

ANGRY = "세 번째 전화인데 아직 해결이 안 됐어요"
PLAIN = "A-5512 주문 건입니다"
"""A text in which no word of the lists is found."""
SAID = {"kind": "message_received", "channel": "chat", "direction": "inbound"}
LEXICON, MODEL = SentimentOrigin.LEXICON, SentimentOrigin.MODEL


@dataclass(kw_only=True)
class ModelServer:
    """A server on loopback that says of texts what it is told to; `asked` are the batches, `heads` their headers."""

    told: Mapping[str, float | None] = field(default_factory=dict)
    answer: Callable[[list[str]], web.StreamResponse] | None = None
    asked: list[list[str]] = field(default_factory=list)
    heads: list[Mapping[str, str]] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""

    async def read(self, request: web.Request) -> web.StreamResponse:
        texts = json.loads(await request.read())["texts"]
        self.asked.append(texts)
        self.heads.append(dict(request.headers))
        await self.gate.wait()
        if self.answer is not None:
            return self.answer(texts)
        return web.json_response({"sentiments": [self.told.get(text, 0.5) for text in texts]})


@pytest.fixture
async def model() -> AsyncIterator[ModelServer]:
    server = ModelServer()
    server.gate.set()
    app = web.Application(client_max_size=16 * 1024 * 1024)
    app.router.add_post("/read", server.read)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/read"
    yield server
    server.gate.set()
    await runner.cleanup()


class OpenBench(Protocol):
    """Opens a bench with a model; it is closed when the test ends."""

    async def __call__(self, model: str, **settings: str) -> IngestBench:
        """Return the bench, started."""


@pytest.fixture
async def open_bench(clock: SteppingClock) -> AsyncIterator[OpenBench]:
    opened: list[IngestBench] = []

    async def a_bench(model: str, **settings: str) -> IngestBench:
        within = {"sentiment_model_timeout_s": "5", **settings}
        opened.append(bench_with(clock, sentiment_model=model, **within))
        return await opened[-1].started()

    yield a_bench
    for bench in opened:
        await bench.service.intake.sentiment.aclose()


def said(text: str, id_: str = "m-1", **members: Any) -> dict[str, Any]:
    return a_touchpoint(**{**SAID, "id": id_, "text": text, **members})


async def published(
    bench: IngestBench, *documents: dict[str, Any]
) -> list[tuple[float | None, SentimentOrigin | None]]:
    """Post touchpoints in one request; return the sentiments on the topic, and whose they are."""
    before = len(bench.publisher.touchpoints)
    answer = await bench.post({"touchpoints": list(documents)})
    assert answer.status == 202, answer.body
    return [(one.sentiment, one.sentiment_by) for one in bench.publisher.touchpoints[before:]]


def counted(bench: IngestBench, outcome: str) -> float:
    name = "waymark_ingest_sentiment_model_texts_total"
    return bench.service.registry.get_sample_value(name, {"outcome": outcome}) or 0.0


async def test_what_the_model_says_takes_the_place_of_the_word_lists(open_bench: OpenBench, model: ModelServer) -> None:
    model.told = {ANGRY: -0.75, PLAIN: None}
    bench = await open_bench(model.url, sentiment_model_key="key-of-the-house")
    found = await published(
        bench,
        said(ANGRY, "a"),
        said(PLAIN, "b"),
        said("아무 말", "c"),
        said(ANGRY, "d"),
        said(ANGRY, "e", sentiment=0.9),
        said(ANGRY, "f", kind="bot_replied", direction="outbound"),
    )

    assert found == [(-0.75, MODEL), (None, None), (0.5, MODEL), (-0.75, MODEL), (0.9, None), (None, None)]
    assert model.asked == [[ANGRY, PLAIN, "아무 말"]]
    assert model.heads[0]["Authorization"] == "Bearer key-of-the-house"
    assert counted(bench, "told") == 3


async def test_without_a_model_the_word_lists_speak(open_bench: OpenBench, model: ModelServer) -> None:
    bench = await open_bench("")
    [(value, by)] = await published(bench, said(ANGRY))
    off = await open_bench(model.url, sentiment_from_text="false")
    assert (value is not None and value < 0, by) == (True, LEXICON)
    assert await published(off, said(ANGRY)) == [(None, None)]
    assert model.asked == []


async def test_a_long_request_is_read_in_batches_and_only_the_end_of_a_long_text(
    open_bench: OpenBench, model: ModelServer
) -> None:
    bench = await open_bench(model.url)
    long = "가" * 3_000 + "끝"
    found = await published(bench, said(long, "long"), *(said(f"글 {at}", f"m-{at}") for at in range(BATCH)))
    assert found == [(0.5, MODEL)] * (BATCH + 1)
    assert [len(batch) for batch in model.asked] == [BATCH, 1]
    assert model.asked[0][0] == "가" * 1_999 + "끝"


async def test_nothing_is_asked_about_what_is_not_published_or_not_shown(
    open_bench: OpenBench, model: ModelServer, tmp_path: Path
) -> None:
    bench = await open_bench(model.url)
    await published(bench, said(ANGRY, "a"))
    assert (await bench.post(said(ANGRY, "a"))).outcomes == ["duplicate"]
    await bench.post(said(ANGRY, "b", channel="fax"))
    assert len(model.asked) == 1

    for treatment, kept in (("drop", False), ("hmac", True), ("encrypt", True)):
        policy = tmp_path / f"{treatment}.yaml"
        policy.write_text(f"default: {{text: {treatment}}}\n")
        secrets = {"privacy_secret": "s" * 32, "privacy_keys": "k" * 32}
        hiding = await open_bench(model.url, privacy=str(policy), **secrets)
        [(value, by)] = await published(hiding, said(ANGRY))
        assert (value is not None, by) == (kept, LEXICON if kept else None)
    assert len(model.asked) == 1


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (lambda texts: web.json_response({"sentiments": [0.1] * (len(texts) + 1)}), "unreadable"),
        (lambda _: web.json_response({"sentiments": [-1.5]}), "unreadable"),
        (lambda _: web.json_response({"sentiments": [True]}), "unreadable"),
        (lambda _: web.json_response({"sentiments": ["bad"]}), "unreadable"),
        (lambda _: web.Response(text='{"sentiments": [NaN]}'), "unreadable"),
        (lambda _: web.json_response([0.1]), "unreadable"),
        (lambda _: web.Response(text="<html>"), "unreadable"),
        (lambda _: web.Response(body=b"\xff"), "unreadable"),
        (lambda _: web.Response(text='{"sentiments": [0.1]' + " " * 70_000 + "}"), "unreadable"),
        (lambda _: web.Response(status=500), "status"),
        (lambda _: web.Response(status=307, headers={"Location": "/read"}), "status"),
    ],
)
async def test_an_answer_that_is_none_leaves_the_word_lists(
    open_bench: OpenBench,
    model: ModelServer,
    answer: Callable[[list[str]], web.StreamResponse],
    outcome: str,
) -> None:
    model.answer = answer
    bench = await open_bench(model.url)
    with structlog.testing.capture_logs() as logs:
        [(value, by)] = await published(bench, said(ANGRY))
    assert (value is not None and value < 0, by) == (True, LEXICON)
    assert (counted(bench, outcome), counted(bench, "told"), len(model.asked)) == (1, 0, 1)
    [warned] = [one for one in logs if "sentiment model fails" in one["event"]]
    assert warned["reason"] == outcome
    assert "전화" not in str(logs)


async def test_nobody_waits_longer_than_the_limit_and_a_model_that_keeps_failing_rests(
    clock: SteppingClock, open_bench: OpenBench, model: ModelServer
) -> None:
    model.gate.clear()
    bench = await open_bench(model.url, sentiment_model_timeout_s="0.05")
    for at in range(3):
        assert (await published(bench, said(ANGRY, f"a{at}")))[0][1] is LEXICON
    assert counted(bench, "timeout") == 3
    model.gate.set()
    assert (await published(bench, said(ANGRY, "b")))[0][1] is LEXICON
    assert (counted(bench, "resting"), len(model.asked)) == (1, 3)
    clock.advance(seconds=REST_S)
    bench.service.intake.sentiment._model._within_s = 5.0  # type: ignore[union-attr]  # this bench has a model
    with structlog.testing.capture_logs() as logs:
        assert await published(bench, said(ANGRY, "c")) == [(0.5, MODEL)]
    assert [one["event"] for one in logs if "sentiment" in one["event"]] == ["the sentiment model answers again"]


async def test_a_model_that_is_not_there_costs_no_touchpoint(open_bench: OpenBench, unused_tcp_port: int) -> None:
    bench = await open_bench(f"http://127.0.0.1:{unused_tcp_port}/read")
    assert (await published(bench, said(ANGRY)))[0][1] is LEXICON
    assert counted(bench, "unreachable") == 1


async def test_the_model_is_asked_for_few_requests_at_once(open_bench: OpenBench, model: ModelServer) -> None:
    model.gate.clear()
    bench = await open_bench(model.url)
    held = [asyncio.create_task(published(bench, said(ANGRY, f"m-{at}"))) for at in range(AT_ONCE)]
    await until(lambda: len(model.asked) == AT_ONCE)
    assert (await published(bench, said(ANGRY, "over")))[0][1] is LEXICON
    assert counted(bench, "busy") == 1
    model.gate.set()
    await asyncio.gather(*held)
    assert counted(bench, "told") == AT_ONCE


PACKAGE = """
import threading
GATE = threading.Event()
ASKED = []
def read(texts):
    ASKED.append(list(texts))
    return [-0.25 if "해결" in text else None for text in texts]
def fail(texts):
    raise ValueError(f"cannot read {texts[0]}")
def hang(texts):
    ASKED.append(list(texts))
    GATE.wait(30)
    return [0.75] * len(texts)
CONSTANT = 3
"""


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Install a package with entry points, as pip lays it down; returns the name of its module."""
    name = f"house_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(PACKAGE, encoding="utf-8")
    (tmp_path / "broken_house.py").write_text("raise RuntimeError('secret')\n", encoding="utf-8")
    told = tmp_path / f"{name}-1.0.dist-info"
    told.mkdir()
    (told / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
    entries = "".join(f"house-{one} = {name}:{one}\n" for one in ("read", "fail", "hang", "CONSTANT"))
    text = f"[waymark.sentiment_models]\n{entries}house-broken = broken_house:read\n"
    (told / "entry_points.txt").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    return name


async def test_a_function_of_a_package_reads_texts(open_bench: OpenBench, house: str) -> None:
    bench = await open_bench("house-read")
    found = await published(bench, said(ANGRY, "a"), said(PLAIN, "b"))
    assert found == [(-0.25, MODEL), (None, None)]
    module = __import__(house)
    assert module.ASKED == [[ANGRY, PLAIN]]


async def test_a_function_that_raises_leaves_the_word_lists_and_no_text_in_the_log(
    open_bench: OpenBench, house: str
) -> None:
    bench = await open_bench("house-fail")
    with structlog.testing.capture_logs() as logs:
        assert (await published(bench, said(ANGRY)))[0][1] is LEXICON
    [warned] = [one for one in logs if "sentiment model fails" in one["event"]]
    assert (warned["reason"], warned["detail"]) == ("raised", "ValueError")
    assert "전화" not in str(logs)
    assert counted(bench, "raised") == 1
    assert house


async def test_a_function_that_hangs_holds_nobody_and_is_asked_no_second_time_meanwhile(
    open_bench: OpenBench, house: str
) -> None:
    bench = await open_bench("house-hang", sentiment_model_timeout_s="0.05")
    for id_ in ("a", "b"):
        assert (await published(bench, said(ANGRY, id_)))[0][1] is LEXICON
    module = __import__(house)
    assert len(module.ASKED) == 1
    [thread] = [one for one in threading.enumerate() if one.name == "sentiment model"]
    assert thread.daemon
    module.GATE.set()
    await until(lambda: not thread.is_alive())
    bench.service.intake.sentiment._model._within_s = 5.0  # type: ignore[union-attr]  # this bench has a model
    assert await published(bench, said(ANGRY, "c")) == [(0.75, MODEL)]


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("house-reed", "did you mean house-read?"),
        ("nobody", "entry point waymark.sentiment_models"),
        ("house-broken", "cannot be loaded: RuntimeError"),
        ("house-CONSTANT", "is no function"),
    ],
)
def test_a_model_that_cannot_be_used_stops_ingest_at_its_start(
    clock: SteppingClock, house: str, name: str, problem: str
) -> None:
    assert house
    with pytest.raises(SettingsError) as refused:
        bench_with(clock, sentiment_model=name)
    assert problem in str(refused.value)
    assert "WAYMARK_INGEST_SENTIMENT_MODEL" in str(refused.value)
    assert "secret" not in str(refused.value)


def test_the_doctor_reads_the_name_without_loading_the_model(house: str) -> None:
    assert house
    CompanyFiles.read(IngestSettings.load({"WAYMARK_INGEST_SENTIMENT_MODEL": "house-broken"}))
    with pytest.raises(SettingsError, match="did you mean house-read"):
        CompanyFiles.read(IngestSettings.load({"WAYMARK_INGEST_SENTIMENT_MODEL": "house-reed"}))
