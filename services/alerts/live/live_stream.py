"""The live stream behind `/v1/stream`: one reader of the feed per process, which fans out to bounded queues.

A client that reconnects with the id of the last event it saw gets everything since then from the database; a client
whose id is too old gets `resync`. A client that cannot keep up is disconnected and can resume. HTTP is left to `api`.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field

from services.alerts.live import feed_store
from services.alerts.live.feed_store import FeedCursor, FeedEntry
from services.alerts.metrics import StateMetrics
from services.alerts.wakeups import Wakeups
from services.runtime.postgres.pools import Pool, acquire
from services.runtime.process.outages import tolerated
from services.runtime.telemetry.logs import get_logger

_log = get_logger(__name__)

PAGE = 500
POLL_S = 1.0
LATE_ROW_PAUSES_S = (0.01, 0.03, 0.1, 0.3)
"""A row is readable when no older transaction runs: after a wake-up without a row, the feed is read again so soon."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    """An event in its wire form."""

    cursor: FeedCursor
    wire: bytes


@dataclass(slots=True, kw_only=True, eq=False)
class _Listener:
    """A connected client; `ended` says why nothing more will come."""

    queue: asyncio.Queue[_Frame | None]
    since: FeedCursor
    ended: str = ""


@dataclass(slots=True, kw_only=True)
class LiveStream:
    """Reads the feed and streams it to any number of clients."""

    pool: Pool
    wakeups: Wakeups
    metrics: StateMetrics
    heartbeat_s: float
    most_clients: int
    queue_length: int
    _listeners: set[_Listener] = field(default_factory=set, init=False)
    _cursor: FeedCursor | None = field(default=None, init=False)
    _closed: bool = field(default=False, init=False)

    async def run(self) -> None:
        """Read new entries and pass them on, until cancelled."""
        while True:
            with tolerated(_log, "feed not read") as outage:
                await self._advance()
                if await self.wakeups.wait(feed_store.WAKE, POLL_S):
                    await self._read_late_rows()
            if outage:
                await asyncio.sleep(POLL_S)

    def close(self) -> None:
        """End every stream; the clients resume at another replica."""
        self._closed = True
        for listener in list(self._listeners):
            self._disconnect(listener, "restart")

    async def stream(self, last_event_id: str | None) -> AsyncGenerator[bytes]:
        """Yield the wire form of a stream that resumes behind `last_event_id`, or starts now without one."""
        listener = await self._join()
        try:
            yield b"retry: 2000\n\n"
            seen = listener.since
            async for first in self._beginning(last_event_id, listener.since):
                seen = max(seen, first.cursor)
                yield first.wire
            async for frame in self._queued(listener):
                if frame is None:
                    yield b": \n\n"
                elif frame.cursor > seen:
                    yield frame.wire
            yield _frame("bye", None, f'{{"reason":"{listener.ended}"}}')
        finally:
            self._leave(listener)

    @property
    def has_room(self) -> bool:
        """Whether this process accepts another client."""
        return not self._closed and len(self._listeners) < self.most_clients

    async def _join(self) -> _Listener:
        if self._cursor is None:
            async with acquire(self.pool) as connection:
                start = await feed_store.end_cursor(connection)
            self._cursor = self._cursor or start
        listener = _Listener(queue=asyncio.Queue(self.queue_length), since=self._cursor)
        self._listeners.add(listener)
        self.metrics.live_clients.set(len(self._listeners))
        return listener

    def _leave(self, listener: _Listener) -> None:
        self._listeners.discard(listener)
        self.metrics.live_clients.set(len(self._listeners))

    async def _beginning(self, last_event_id: str | None, until: FeedCursor) -> AsyncIterator[_Frame]:
        """Yield what a client gets first: what it missed, up to where its queue begins."""
        if last_event_id is None:
            yield _Frame(cursor=until, wire=_frame("ready", str(until), "{}"))
            return
        cursor = feed_store.parse_cursor(last_event_id)
        async with acquire(self.pool) as connection:
            if cursor is None or not await feed_store.can_resume(connection, cursor):
                yield _Frame(cursor=until, wire=_frame("resync", str(until), "{}"))
                return
        yield _Frame(cursor=cursor, wire=b": \n\n")  # another replica may be ahead of this one
        while cursor < until:
            async with acquire(self.pool) as connection:
                entries = await feed_store.read_after(connection, cursor, PAGE)
            for entry in entries:
                yield _framed(entry)
            if len(entries) < PAGE:
                return
            cursor = entries[-1].cursor

    async def _queued(self, listener: _Listener) -> AsyncIterator[_Frame | None]:
        """Yield frames as they come, and None as a sign of life, until the listener is disconnected."""
        while True:
            try:
                async with asyncio.timeout(self.heartbeat_s):
                    frame = await listener.queue.get()
            except TimeoutError:
                yield None
                continue
            if frame is None:
                return
            yield frame

    async def _read_late_rows(self) -> None:
        for pause in LATE_ROW_PAUSES_S:
            if await self._advance():
                return
            await asyncio.sleep(pause)

    async def _advance(self) -> int:
        """Read the entries behind the cursor, pass them to every listener, and return how many there were."""
        count = 0
        more = True
        while more:
            async with acquire(self.pool) as connection:
                if self._cursor is None:
                    self._cursor = await feed_store.end_cursor(connection)
                entries = await feed_store.read_after(connection, self._cursor, PAGE)
            for entry in entries:
                frame = _framed(entry)
                self._cursor = entry.cursor
                for listener in list(self._listeners):
                    self._offer(listener, frame)
            count += len(entries)
            more = len(entries) == PAGE
        return count

    def _offer(self, listener: _Listener, frame: _Frame) -> None:
        try:
            listener.queue.put_nowait(frame)
        except asyncio.QueueFull:
            self._disconnect(listener, "slow")

    def _disconnect(self, listener: _Listener, reason: str) -> None:
        listener.ended = reason
        self._leave(listener)
        self.metrics.live_clients_dropped.labels(reason).inc()
        while not listener.queue.empty():
            listener.queue.get_nowait()
        listener.queue.put_nowait(None)


def _framed(entry: FeedEntry) -> _Frame:
    return _Frame(cursor=entry.cursor, wire=_frame(entry.type, str(entry.cursor), entry.document))


def _frame(event: str, cursor: str | None, data: str) -> bytes:
    """Return one event of `text/event-stream`; documents are single lines."""
    name = f"id: {cursor}\n" if cursor is not None else ""
    return f"{name}event: {event}\ndata: {data}\n\n".encode()
