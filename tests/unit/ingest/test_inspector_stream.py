"""The inspector live: what comes is told at once, of this replica and of others."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.documents import dead_letter
from schemas.documents.dead_letter import DeadLetterDocument, DeadLetterError, DeadLetterStage, preserve
from tests.fixtures.clock import SteppingClock
from tests.fixtures.ingest_bench import IngestBench, a_touchpoint, bench_with
from tests.ports.rejection_tail import TailInMemory
from tests.waiting import until

NOW = datetime(2026, 11, 22, 0, 15, tzinfo=UTC)


class Watching:
    """A client of the stream that reads what comes until it leaves."""

    def __init__(self, bench: IngestBench, query: str = "", **headers: str) -> None:
        self.text = ""
        self.status = 0
        self._bench = bench
        self._query = query
        self._headers = {"authorization": f"Bearer {bench.key.text}", **headers}
        self._gone = asyncio.Event()
        self.stuck = asyncio.Event()
        self.stuck.set()

    async def __aenter__(self) -> "Watching":
        self._task = asyncio.create_task(self._watch())
        await until(lambda: "event: ready" in self.text or self._task.done(), within=5)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._gone.set()
        self.stuck.set()
        async with asyncio.timeout(5):
            await self._task

    @property
    def events(self) -> list[tuple[str, Any]]:
        """Name and document of each event but `ready`."""
        found = []
        for block in self.text.split("\n\n"):
            lines = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line and not line.startswith(":"))
            if "event" in lines and lines["event"] != "ready":
                found.append((lines["event"], json.loads(lines["data"])))
        return found

    @property
    def last_id(self) -> str:
        """The last event's id."""
        return [line.removeprefix("id: ") for line in self.text.split("\n") if line.startswith("id: ")][-1]

    async def _watch(self) -> None:
        raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in self._headers.items()]
        scope: dict[str, Any] = {"type": "http", "method": "GET", "path": "/v1/inspector/stream", "headers": raw}
        scope |= {"query_string": self._query.encode(), "client": ("127.0.0.1", 1), "http_version": "1.1"}
        sent = False

        async def receive() -> dict[str, Any]:
            nonlocal sent
            if not sent:
                sent = True
                return {"type": "http.request", "body": b"", "more_body": False}
            await self._gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            await self.stuck.wait()
            self.status = message.get("status", self.status)
            self.text += message.get("body", b"").decode()

        await self._bench.app(scope, receive, send)


async def test_what_comes_is_reported_at_once_and_masked(bench: IngestBench) -> None:
    async with Watching(bench) as watching:
        await bench.post([a_touchpoint(id="1"), a_touchpoint(id="2", channel="fax")])
        await until(lambda: len(watching.events) == 2, within=5)

    assert [(name, seen["id"]) for name, seen in watching.events] == [("accepted", "1"), ("rejected", "2")]
    assert "010-1234-5678" not in watching.text
    assert bench.service.inspector.streams == 0
    assert bench.service.inspector.logbook.watchers == 0


async def test_a_stream_goes_on_where_it_was_left(bench: IngestBench) -> None:
    async with Watching(bench) as watching:
        await bench.post(a_touchpoint(id="1"))
        await until(lambda: len(watching.events) == 1, within=5)
    await bench.post(a_touchpoint(id="2"))

    async with Watching(bench, last_event_id=watching.last_id) as again:
        await until(lambda: len(again.events) == 1, within=5)

    assert [seen["id"] for _, seen in again.events] == ["2"]


async def test_an_id_of_another_replica_starts_anew_and_says_so(bench: IngestBench) -> None:
    await bench.post(a_touchpoint(id="1"))
    async with Watching(bench, last_event_id="elsewhere-12-0") as watching:
        await until(lambda: bool(watching.events), within=5)

    assert watching.events == [("resync", {})]


async def test_a_stream_shows_what_its_filters_ask_for(bench: IngestBench) -> None:
    async with Watching(bench, "outcome=rejected") as watching:
        await bench.post([a_touchpoint(id="1"), a_touchpoint(id="2", channel="fax")])
        await until(lambda: bool(watching.events), within=5)

    assert [name for name, _ in watching.events] == ["rejected"]


async def test_of_a_busy_source_the_newest_are_shown_and_the_rest_counted(bench: IngestBench) -> None:
    async with Watching(bench) as watching:
        for number in range(3):
            await bench.post([a_touchpoint(id=f"{number}-{at}") for at in range(60)])
        await until(lambda: any(seen.get("id") == "2-59" for _, seen in watching.events), within=5)

    names = [name for name, _ in watching.events]
    assert "skipped" in names
    assert names.count("accepted") <= 100


async def test_no_more_watch_than_there_is_room_for(clock: SteppingClock) -> None:
    bench = await bench_with(clock, inspector_streams="1").started()
    async with Watching(bench) as first:
        answer = await bench.call(
            "GET", [b""], {"authorization": f"Bearer {bench.key.text}"}, at="/v1/inspector/stream"
        )
        assert (answer.status, answer.json["code"]) == (503, "too_many_streams")
    assert first.status == 200
    async with Watching(bench) as again:
        assert again.status == 200


async def test_a_client_that_does_not_read_is_let_go(bench: IngestBench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.ingest.http.exchange._UNREAD_S", 0.05)
    async with Watching(bench) as watching:
        watching.stuck.clear()
        await bench.post(a_touchpoint())
        await until(lambda: bench.service.inspector.streams == 0, within=5)


async def test_streams_end_when_the_process_does(bench: IngestBench) -> None:
    async with Watching(bench) as watching:
        bench.health.draining = True
        await until(lambda: "event: bye" in watching.text, within=5)


# --- other replicas ----------------------------------------------------------------------------------------------


def a_letter(source: str, **headers: str) -> DeadLetterDocument:
    value, length = preserve(json.dumps(a_touchpoint(replay=True)).encode())
    error = DeadLetterError(path="replay", code="replay_not_allowed", message="`replay` needs a source with …")
    return DeadLetterDocument(
        id=f"letter-{source}",
        stage=DeadLetterStage.INGEST,
        code="replay_not_allowed",
        value_base64=value,
        value_bytes=length,
        first_seen=NOW,
        errors=(error,),
        headers=headers,
        source=source,
    )


async def test_what_other_replicas_rejected_is_shown_once_in_the_language_asked_for(bench: IngestBench) -> None:
    inspector = bench.service.inspector
    letters = [a_letter("ivr"), a_letter("web"), a_letter("ivr", replica=inspector.replica)]
    tail = TailInMemory([*map(dead_letter.encode, letters), b"nonsense"])
    inspector.other_replicas.read_from(lambda: tail, (ConnectionError,))
    reading = asyncio.create_task(inspector.other_replicas.run())
    try:
        answer = await bench.inspect(accept_language="ko")
        again = await bench.inspect()
    finally:
        reading.cancel()

    (seen,) = answer.json["entries"]
    assert (seen["replica"], seen["outcome"], seen["code"]) == ("another", "rejected", "replay_not_allowed")
    assert seen["message"].startswith("`replay`에는")
    assert seen["errors"][0]["sent"] == "true or false"
    assert answer.json["rejected_from"] == again.json["rejected_from"] == "all replicas"
    assert len(again.json["entries"]) == 1
    assert tail.opened == 1


async def test_without_kafka_the_listing_says_that_it_is_of_this_replica_alone(
    bench: IngestBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.ingest.inspector.other_replicas._PATIENCE_S", 0.05)

    def fails() -> TailInMemory:
        raise ConnectionRefusedError

    bench.service.inspector.other_replicas.read_from(fails, (ConnectionError,))
    reading = asyncio.create_task(bench.service.inspector.other_replicas.run())
    try:
        assert (await bench.inspect()).json["rejected_from"] == "this replica"
    finally:
        reading.cancel()


async def test_every_letter_says_which_replica_wrote_it(bench: IngestBench) -> None:
    await bench.post(a_touchpoint(channel="fax"))

    (letter,) = bench.publisher.dead_letters
    assert letter.headers["replica"] == bench.service.inspector.replica
