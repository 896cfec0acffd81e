"""The live streams of the read API: nothing missed, of one customer or of all, bounded, and resumed where one left."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx2
import pytest

from services.journey.live import change_feed
from services.journey.live.live_changes import LiveChanges
from services.runtime.http.event_stream import StreamListeners
from services.runtime.postgres.pools import Pool, acquire
from tests.fixtures.journey_rows import Rows, named
from tests.waiting import until

pytestmark = pytest.mark.local

ADD = """
INSERT INTO journey.outbox (topic, key, customer_id, headers, value)
VALUES ($1, 'k', $2, '[]', convert_to(json_build_object('id', $3::text)::text, 'UTF8'))"""


async def publish(pool: Pool, customer: str, name: str, topic: str = "journeys") -> None:
    """What a worker's commit does."""
    async with acquire(pool) as connection:
        await connection.execute(ADD, topic, named(customer), name)


@dataclass(frozen=True, slots=True)
class Event:
    """One server-sent event."""

    name: str
    id: str | None
    data: Any


class Following:
    """A client of a stream: what it got so far, without comments."""

    def __init__(self, stream: AsyncGenerator[bytes]) -> None:
        self.events: list[Event] = []
        self._stream = stream

    async def read(self) -> None:
        async for frame in self._stream:
            lines = dict(line.split(": ", 1) for line in frame.decode().splitlines() if ": " in line)
            if "event" in lines:
                self.events.append(Event(lines["event"], lines.get("id"), json.loads(lines["data"])))

    @property
    def names(self) -> list[str]:
        return [str(event.data.get("id", event.name)) for event in self.events]


def a_live(pool: Pool, **limits: Any) -> LiveChanges:
    terms: dict[str, Any] = {"most": 10, "queue_length": 100, "heartbeat_s": 60.0, **limits}
    listeners = StreamListeners[Any](connected=lambda _: None, dropped=lambda _: None, **terms)
    return LiveChanges(pool=pool, listeners=listeners)


@asynccontextmanager
async def following(
    live: LiveChanges, last_event_id: str | None = None, customer: UUID | None = None
) -> AsyncIterator[Following]:
    """A client that is connected: its first event is there, unless it resumes."""
    client = Following(live.stream(last_event_id, customer))
    task = asyncio.create_task(client.read())
    try:
        await until(lambda: bool(client.events) or (last_event_id is not None and len(live.listeners) > 0))
        yield client
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_changes_come_as_they_are_committed(pool: Pool) -> None:
    live = a_live(pool)
    await publish(pool, "before", "before")
    async with following(live) as client:
        await publish(pool, "C-1", "a")
        await publish(pool, "C-2", "b", topic="frictions")
        await live.advance()
        await until(lambda: client.names == ["ready", "a", "b"])
        assert [event.name for event in client.events] == ["ready", "journey", "friction"]
    assert len(live.listeners) == 0


async def test_what_is_committed_late_is_not_skipped_and_is_told_once(pool: Pool) -> None:
    """Two writers; the one that wrote first commits last. A reader of `id > last` would lose its row."""
    live = a_live(pool)
    async with following(live) as client, acquire(pool) as slow:
        writing = slow.transaction()
        await writing.start()
        await slow.execute(ADD, "journeys", named("C-1"), "written first")
        await publish(pool, "C-2", "written second")
        for _ in range(3):
            await live.advance()
        await until(lambda: client.names == ["ready", "written second"])
        resumable = client.events[-1].id
        await writing.commit()
        for _ in range(3):
            await live.advance()
        await until(lambda: client.names == ["ready", "written second", "written first"])
    async with following(live, resumable) as again:
        await until(lambda: {"written first", "written second"} <= set(again.names))


async def test_a_client_resumes_without_a_gap(pool: Pool) -> None:
    live = a_live(pool)
    async with following(live) as client:
        await publish(pool, "C-1", "a")
        await live.advance()
        await until(lambda: client.names == ["ready", "a"])
        left_at = client.events[-1].id
    for name in "bcd":
        await publish(pool, "C-1", name)
    async with following(live, left_at) as again:
        await publish(pool, "C-1", "e")
        await live.advance()
        await until(lambda: again.names[-1:] == ["e"])
        assert [name for name in again.names if name != "a"] == ["b", "c", "d", "e"]


@pytest.mark.parametrize("last", ["nonsense", "-1", "99999999", "9" * 40, "1.5"])
async def test_an_id_that_is_not_of_this_life_means_start_over(pool: Pool, last: str) -> None:
    live = a_live(pool)
    await publish(pool, "C-1", "a")
    async with following(live, last) as client:
        await until(lambda: client.names == ["resync"])
        await publish(pool, "C-1", "b")
        await live.advance()
        await until(lambda: client.names == ["resync", "b"])


async def test_who_was_away_too_long_starts_over(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    live = a_live(pool)
    for name in "abc":
        await publish(pool, "C-1", name)
    async with acquire(pool) as connection:
        assert await change_feed.can_resume(connection, 1)
        monkeypatch.setattr(change_feed, "MOST_MISSED", 1)
        assert not await change_feed.can_resume(connection, 1)
        monkeypatch.undo()
        await connection.execute("DELETE FROM journey.outbox WHERE id <= 2")
        assert not await change_feed.can_resume(connection, 0)
    async with following(live, "0") as client:
        await until(lambda: client.names == ["resync"])


async def test_one_customer_is_followed_through_a_merge(pool: Pool, journey_rows: Rows) -> None:
    live = a_live(pool)
    for name in ("older", "younger", "somebody else"):
        await journey_rows.customer(name)
    async with following(live, customer=named("younger")) as client:
        left_at = client.events[0].id
        await publish(pool, "younger", "mine")
        await publish(pool, "somebody else", "not mine")
        await live.advance()
        async with acquire(pool) as connection:
            merge = "UPDATE journey.customers SET merged_into = $1, merged_at = now() WHERE customer_id = $2"
            await connection.execute(merge, named("older"), named("younger"))
        await publish(pool, "older", "mine by merge")
        await live.advance()
        await until(lambda: client.names == ["ready", "mine", "mine by merge"])
    async with following(live, left_at, named("younger")) as again:
        await until(lambda: again.names == ["mine", "mine by merge"])


async def test_a_slow_client_is_let_go_and_the_others_are_not(pool: Pool) -> None:
    live = a_live(pool, queue_length=2)
    slow = live.stream(None)
    assert await anext(slow)
    async with following(live) as quick:
        for number in range(4):
            await publish(pool, "C-1", str(number))
            await live.advance()
            await until(lambda: len(quick.events) == number + 2)  # noqa: B023  asked before the next round
        frames = [frame async for frame in slow]
        assert frames[-1] == b'event: bye\ndata: {"reason":"slow"}\n\n'
        assert len(live.listeners) == 1
        live.close()
        await until(lambda: quick.names[-1:] == ["bye"])
    assert not live.listeners.has_room


async def test_a_stream_is_refused_where_there_is_no_room_no_customer_or_no_key(
    reader: httpx2.AsyncClient, stranger: httpx2.AsyncClient, journey_rows: Rows
) -> None:
    assert (await stranger.get("/v1/stream")).status_code == 401
    unknown = await reader.get("/v1/customers/phone:%2B821012345678/stream")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "customer_unknown")
    api = reader._transport.app.state.read_api  # type: ignore[attr-defined]  # the application in this process
    api.live.close()
    full = await reader.get("/v1/stream", headers={"accept-language": "ko"})
    assert (full.status_code, full.json()["code"]) == (503, "stream_full")
    assert "스트림" in full.json()["message"]
