"""The live stream behind `/v1/stream`: one reader of the feed a process, fanned out to bounded queues.

A client that comes back with the id of the last event it saw gets everything since, from the database; one whose id is
too old is told to `resync`. A client that cannot keep up is let go, and resumes. Leaves HTTP to `api.stream`.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field

from services.alerts.live import feed_store
from services.alerts.live.feed_store import FeedCursor, FeedEntry
from services.alerts.metrics import StateMetrics
from services.alerts.wakeups import Wakeups
from services.runtime.logs import get_logger
from services.runtime.postgres import Pool, acquire, is_transient

_log = get_logger(__name__)

PAGE = 500
POLL_S = 1.0
SETTLING_S = (0.01, 0.03, 0.1, 0.3)
"""A row is shown once no older transaction runs: after a wake-up without a row, look again this soon."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    """An event as it goes over the wire."""

    cursor: FeedCursor
    wire: bytes


@dataclass(slots=True, kw_only=True, eq=False)
class _Listener:
    """A client. `ended` says why nothing more will come."""

    queue: asyncio.Queue[_Frame | None]
    since: FeedCursor
    ended: str = ""


@dataclass(slots=True, kw_only=True)
class LiveStream:
    """Reads the feed while it runs, and streams it to any number of clients."""

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
        """Read what is new and hand it on, until cancelled."""
        while True:
            try:
                await self._advance()
                if await self.wakeups.wait(feed_store.WAKE, POLL_S):
                    await self._settle()
            except Exception as error:
                if not is_transient(error):
                    raise
                _log.warning("feed not read", reason=type(error).__name__)
                await asyncio.sleep(POLL_S)

    def close(self) -> None:
        """End every stream; clients resume elsewhere."""
        self._closed = True
        for listener in list(self._listeners):
            self._let_go(listener, "restart")

    async def stream(self, last_event_id: str | None) -> AsyncGenerator[bytes]:
        """Yield the wire form of a stream that goes on behind `last_event_id`, or starts now without one."""
        listener = await self._join()
        try:
            yield b"retry: 2000\n\n"
            seen = listener.since
            async for first in self._beginning(last_event_id, listener.since):
                seen = max(seen, first.cursor)
                yield first.wire
            async for frame in self._following(listener):
                if frame is None:
                    yield b": \n\n"
                elif frame.cursor > seen:
                    yield frame.wire
            yield _frame("bye", None, f'{{"reason":"{listener.ended}"}}')
        finally:
            self._leave(listener)

    @property
    def has_room(self) -> bool:
        """Whether this process takes another client."""
        return not self._closed and len(self._listeners) < self.most_clients

    async def _join(self) -> _Listener:
        if self._cursor is None:
            async with acquire(self.pool) as connection:
                start = await feed_store.end(connection)
            self._cursor = self._cursor or start
        listener = _Listener(queue=asyncio.Queue(self.queue_length), since=self._cursor)
        self._listeners.add(listener)
        self.metrics.live_clients.set(len(self._listeners))
        return listener

    def _leave(self, listener: _Listener) -> None:
        self._listeners.discard(listener)
        self.metrics.live_clients.set(len(self._listeners))

    async def _beginning(self, last_event_id: str | None, until: FeedCursor) -> AsyncIterator[_Frame]:
        """What a client is told first: what it missed, up to the place where its queue begins."""
        if last_event_id is None:
            yield _Frame(cursor=until, wire=_frame("ready", str(until), "{}"))
            return
        cursor = feed_store.parse_cursor(last_event_id)
        async with acquire(self.pool) as connection:
            if cursor is None or not await feed_store.resumable(connection, cursor):
                yield _Frame(cursor=until, wire=_frame("resync", str(until), "{}"))
                return
        yield _Frame(cursor=cursor, wire=b": \n\n")  # another replica may have shown more than this one has read yet
        while cursor < until:
            async with acquire(self.pool) as connection:
                entries = await feed_store.after(connection, cursor, PAGE)
            for entry in entries:
                yield _framed(entry)
            if len(entries) < PAGE:
                return
            cursor = entries[-1].cursor

    async def _following(self, listener: _Listener) -> AsyncIterator[_Frame | None]:
        """Frames as they come; None for a sign of life. Ends when the listener was let go."""
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

    async def _settle(self) -> None:
        for pause in SETTLING_S:
            if await self._advance():
                return
            await asyncio.sleep(pause)

    async def _advance(self) -> int:
        """Read what is behind the cursor and hand it to every listener; return how much that was."""
        count = 0
        more = True
        while more:
            async with acquire(self.pool) as connection:
                if self._cursor is None:
                    self._cursor = await feed_store.end(connection)
                entries = await feed_store.after(connection, self._cursor, PAGE)
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
            self._let_go(listener, "slow")

    def _let_go(self, listener: _Listener, reason: str) -> None:
        listener.ended = reason
        self._leave(listener)
        self.metrics.live_clients_dropped.labels(reason).inc()
        while not listener.queue.empty():
            listener.queue.get_nowait()
        listener.queue.put_nowait(None)


def _framed(entry: FeedEntry) -> _Frame:
    return _Frame(cursor=entry.cursor, wire=_frame(entry.type, str(entry.cursor), entry.document))


def _frame(event: str, cursor: str | None, data: str) -> bytes:
    """One event of `text/event-stream`; documents are single lines."""
    name = f"id: {cursor}\n" if cursor is not None else ""
    return f"{name}event: {event}\ndata: {data}\n\n".encode()
