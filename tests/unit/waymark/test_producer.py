"""The producer helper: what is handed over gets one final result, through overload, outages and refusals."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx2
import orjson
import pytest

from tests.fixtures.clock import SteppingClock
from tests.fixtures.ingest_bench import NOW, IngestBench, bench_with
from waymark.producer import (
    AsyncProducer,
    Producer,
    QueueFullError,
    RequestRefused,
    TouchpointResult,
    TouchpointStatus,
    exchange,
)
from waymark.producer.parcel import MOST_TOUCHPOINTS, prepare

CALL = {"channel": "phone", "kind": "call_ended", "customer": {"phone": "010-1234-5678"}}

Respond = Callable[[list[dict[str, Any]]], httpx2.Response]


def accepted(touchpoints: list[dict[str, Any]]) -> httpx2.Response:
    """Ingest's answer to touchpoints that it all takes."""
    return httpx2.Response(202, json={"results": [{"id": one["id"], "status": "accepted"} for one in touchpoints]})


def overloaded(_: list[dict[str, Any]]) -> httpx2.Response:
    """Ingest's answer when too much is in flight."""
    return httpx2.Response(503, headers={"retry-after": "0"}, json={"code": "overloaded", "message": "Later."})


class ScriptedIngest:
    """Answers request after request as scripted, and takes everything after that. Remembers what it was sent."""

    def __init__(self, *script: Respond) -> None:
        self._script: Iterator[Respond] = iter(script)
        self.requests: list[list[dict[str, Any]]] = []
        self.asked = threading.Event()

    def handle(self, request: httpx2.Request) -> httpx2.Response:
        """Answer one request."""
        touchpoints = orjson.loads(request.read())["touchpoints"]
        self.requests.append(touchpoints)
        self.asked.set()
        return next(self._script, accepted)(touchpoints)

    def producer(self, **options: Any) -> Producer:
        """A producer that talks to it."""
        return Producer("http://ingest", "wm_src_x", transport=httpx2.MockTransport(self.handle), **options)


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait little between tries."""
    monkeypatch.setattr(exchange, "FIRST_PAUSE_S", 0.01)


def test_touchpoints_get_an_id_a_time_and_their_result() -> None:
    ingest = ScriptedIngest()
    results: list[TouchpointResult] = []
    with ingest.producer(on_result=results.append) as producer:
        ids = [producer.send(CALL) for _ in range(3)]
        producer.flush()
    assert [(result.id, result.status) for result in results] == [(id_, TouchpointStatus.ACCEPTED) for id_ in ids]
    sent = [one for request in ingest.requests for one in request]
    assert [one["id"] for one in sent] == ids
    assert all({"occurred_at", "sent_at"} <= one.keys() for one in sent)


def test_what_is_sent_again_is_the_same_touchpoint() -> None:
    ingest = ScriptedIngest(overloaded, overloaded)
    with ingest.producer() as producer:
        id_ = producer.send(CALL)
    assert [[one["id"] for one in request] for request in ingest.requests] == [[id_]] * 3
    assert len({one["occurred_at"] for (one,) in ingest.requests}) == 1
    assert producer.counts == {TouchpointStatus.ACCEPTED: 1}


def test_only_what_has_no_final_result_is_sent_again() -> None:
    def mixed(touchpoints: list[dict[str, Any]]) -> httpx2.Response:
        states = ["accepted", "unavailable", "rejected"]
        results = [{"id": one["id"], "status": state} for one, state in zip(touchpoints, states, strict=True)]
        results[2] |= {"code": "invalid_field", "field": "channel", "message": "Use a channel."}
        return httpx2.Response(503, headers={"retry-after": "0"}, json={"results": results})

    ingest = ScriptedIngest(mixed)
    results: list[TouchpointResult] = []
    with ingest.producer(on_result=results.append) as producer:
        for name in "abc":
            producer.send({**CALL, "id": name})
    assert [[one["id"] for one in request] for request in ingest.requests] == [["a", "b", "c"], ["b"]]
    assert [(r.id, r.status, r.code, r.field) for r in results] == [
        ("a", TouchpointStatus.ACCEPTED, "", ""),
        ("c", TouchpointStatus.REJECTED, "invalid_field", "channel"),
        ("b", TouchpointStatus.ACCEPTED, "", ""),
    ]


def test_an_unreachable_ingest_is_tried_again() -> None:
    def unreachable(_: list[dict[str, Any]]) -> httpx2.Response:
        raise httpx2.ConnectError("refused")

    ingest = ScriptedIngest(unreachable)
    with ingest.producer() as producer:
        producer.send(CALL)
    assert producer.counts == {TouchpointStatus.ACCEPTED: 1}


def test_a_wrong_key_is_said_at_once_and_nothing_waits_for_ever() -> None:
    def unknown_key(_: list[dict[str, Any]]) -> httpx2.Response:
        return httpx2.Response(401, json={"code": "key_invalid", "message": "This key is not known."})

    ingest = ScriptedIngest(*[unknown_key] * 9)
    results: list[TouchpointResult] = []
    producer = ingest.producer(on_result=results.append)
    producer.send(CALL)
    with pytest.raises(RequestRefused, match="401 key_invalid: This key is not known"):
        producer.flush()
    with pytest.raises(RequestRefused):
        producer.send(CALL)
    with pytest.raises(RequestRefused):
        producer.close()
    assert [(result.status, result.code) for result in results] == [(TouchpointStatus.UNAVAILABLE, "key_invalid")]


def test_a_full_queue_is_said_and_closing_gives_back_what_is_unsent() -> None:
    ingest = ScriptedIngest(*[overloaded] * 10_000)
    results: list[TouchpointResult] = []
    producer = ingest.producer(queue_size=2, linger_s=0.0, on_result=results.append)
    first = producer.send(CALL)
    assert ingest.asked.wait(10)  # it is on its way now, and the queue is empty
    queued = [producer.send(CALL), producer.send(CALL)]
    with pytest.raises(QueueFullError):
        producer.send(CALL, timeout_s=0.01)
    assert not producer.flush(timeout_s=0.05)
    producer.close(timeout_s=0.05)
    assert {result.id for result in results} == {first, *queued}
    assert {result.status for result in results} == {TouchpointStatus.UNAVAILABLE}


def test_large_crowds_go_in_requests_of_bounded_size() -> None:
    ingest = ScriptedIngest()
    with ingest.producer() as producer:
        for _ in range(MOST_TOUCHPOINTS + 10):
            producer.send(CALL)
    assert sum(len(request) for request in ingest.requests) == MOST_TOUCHPOINTS + 10
    assert max(len(request) for request in ingest.requests) <= MOST_TOUCHPOINTS


@pytest.mark.logs_error("on_result failed")
def test_a_callback_that_fails_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def broken(_: TouchpointResult) -> None:
        raise ValueError("mine")

    with ScriptedIngest().producer(on_result=broken) as producer:
        producer.send(CALL)
        producer.send(CALL)
    assert producer.counts == {TouchpointStatus.ACCEPTED: 2}
    assert "on_result failed" in caplog.text


def test_the_time_of_sending_is_stamped_unless_it_is_given() -> None:
    now = datetime(2026, 11, 22, 0, 15, tzinfo=UTC)
    plain = orjson.loads(prepare(CALL, now).stamped(now))
    assert plain["sent_at"] == plain["occurred_at"] == "2026-11-22T00:15:00+00:00"
    given = orjson.loads(prepare({**CALL, "sent_at": "2026-11-22T09:00:00+09:00"}, now).stamped(now))
    assert given["sent_at"] == "2026-11-22T09:00:00+09:00"


@pytest.fixture
async def ingest() -> IngestBench:
    """The real ingest, in this process, with a Kafka in hand."""
    return await bench_with(SteppingClock(NOW)).started()


def real(ingest: IngestBench, **options: Any) -> AsyncProducer:
    transport = httpx2.ASGITransport(ingest.app)
    return AsyncProducer("http://ingest", ingest.key.text, transport=transport, linger_s=0.01, **options)


async def test_the_real_ingest_takes_what_the_producer_sends(ingest: IngestBench) -> None:
    results: list[TouchpointResult] = []
    async with real(ingest, on_result=results.append) as producer:
        good = await producer.send({**CALL, "occurred_at": NOW.isoformat()})
        bad = await producer.send({**CALL, "occurred_at": NOW.isoformat(), "channel": "pigeon"})
        assert await producer.flush()
    assert [one.id for one in ingest.publisher.touchpoints] == [good]
    found = {result.id: result for result in results}
    assert found[good].status is TouchpointStatus.ACCEPTED
    assert (found[bad].status, found[bad].field) == (TouchpointStatus.REJECTED, "channel")


async def test_an_outage_of_kafka_is_waited_out(ingest: IngestBench) -> None:
    ingest.publisher.refuse.add("touchpoints")
    async with real(ingest) as producer:
        id_ = await producer.send({**CALL, "occurred_at": NOW.isoformat()})
        assert not await producer.flush(timeout_s=0.2)
        ingest.publisher.refuse.clear()
    assert [one.id for one in ingest.publisher.touchpoints] == [id_]
    assert producer.counts == {TouchpointStatus.ACCEPTED: 1}


async def test_a_wrong_key_ends_the_asynchronous_producer_too(ingest: IngestBench) -> None:
    producer = AsyncProducer("http://ingest", "wm_src_wrong", transport=httpx2.ASGITransport(ingest.app))
    with pytest.raises(RequestRefused, match="401"):
        async with producer:
            await producer.send(CALL)
    assert producer.counts == {TouchpointStatus.UNAVAILABLE: 1}


@pytest.mark.logs_error("on_result failed")
async def test_a_callback_that_fails_does_not_end_the_asynchronous_producer(
    ingest: IngestBench, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: TouchpointResult) -> None:
        raise ValueError("mine")

    async with real(ingest, on_result=broken) as producer:
        await producer.send({**CALL, "occurred_at": NOW.isoformat()})
        assert await producer.flush(timeout_s=5)
    assert producer.counts == {TouchpointStatus.ACCEPTED: 1}
    assert "on_result failed" in caplog.text
