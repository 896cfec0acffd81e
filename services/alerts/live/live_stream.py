"""The live stream behind `/v1/stream`: one reader of the feed per process, which fans out to bounded queues.

A client that reconnects with the id of the last event it saw gets everything since then from the database; a client
whose id is too old gets `resync`. A client that cannot keep up is disconnected and can resume. A client that asked for
a part of the issues has only that part in its queue. HTTP is left to `api`, what belongs to a part to `feed_filter`.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field

from services.alerts.live import feed_store
from services.alerts.live.feed_filter import EVERYTHING, FeedFilter, FeedVerdict, IssueAspects, aspects_in
from services.alerts.live.feed_store import FeedCursor, FeedEntry
from services.alerts.metrics import StateMetrics
from services.alerts.wakeups import Wakeups
from services.runtime.http import event_stream
from services.runtime.http.event_stream import StreamListener, StreamListeners, event_frame
from services.runtime.postgres.pools import Pool, acquire
from services.runtime.process.outages import tolerated
from services.runtime.telemetry.logs import get_logger

_log = get_logger(__name__)

PAGE = 500
POLL_S = 1.0
LATE_ROW_PAUSES_S = (0.01, 0.03, 0.1, 0.3)
"""A row is readable when no older transaction runs: after a wake-up without a row, the feed is read again so soon."""
LEFT = "issue.left"
"""The type of an event that says: this issue is none of those that you asked for any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    """An event in its wire form."""

    cursor: FeedCursor
    wire: bytes


@dataclass(slots=True, kw_only=True)
class LiveStream:
    """Reads the feed and streams it to any number of clients."""

    pool: Pool
    wakeups: Wakeups
    metrics: StateMetrics
    heartbeat_s: float
    most_clients: int
    queue_length: int
    _listeners: StreamListeners[_Frame] = field(init=False)
    _wanted: dict[StreamListener[_Frame], FeedFilter] = field(default_factory=dict, init=False)
    _cursor: FeedCursor | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._listeners = StreamListeners(
            most=self.most_clients,
            queue_length=self.queue_length,
            heartbeat_s=self.heartbeat_s,
            connected=self.metrics.live_clients.set,
            dropped=lambda reason: self.metrics.live_clients_dropped.labels(reason).inc(),
        )

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
        self._listeners.close()

    async def stream(self, last_event_id: str | None, wanted: FeedFilter = EVERYTHING) -> AsyncGenerator[bytes]:
        """Yield the wire form of a stream that resumes behind `last_event_id`, or starts now without one."""
        listener, since = await self._join(wanted)
        try:
            yield event_stream.RETRY
            seen = since
            async for first in self._beginning(last_event_id, since, wanted):
                seen = max(seen, first.cursor)
                yield first.wire
            async for frame in self._listeners.queued(listener):
                if frame is None:
                    yield self._sign_of_life(listener, seen)
                elif frame.cursor > seen:
                    yield frame.wire
            yield event_stream.bye_frame(listener.ended)
        finally:
            self._listeners.leave(listener)
            self._wanted.pop(listener, None)

    @property
    def has_room(self) -> bool:
        """Whether this process accepts another client."""
        return self._listeners.has_room

    def _sign_of_life(self, listener: StreamListener[_Frame], seen: FeedCursor) -> bytes:
        """Return a comment, with the place where the client stands if nothing waits for it.

        A client of a small part would otherwise resume at its last event, long after that place is forgotten.
        """
        behind = not listener.queue.empty() or self._cursor is None or self._cursor <= seen
        return event_stream.ALIVE if behind else event_stream.place_frame(str(self._cursor))

    async def _join(self, wanted: FeedFilter) -> tuple[StreamListener[_Frame], FeedCursor]:
        if self._cursor is None:
            async with acquire(self.pool) as connection:
                start = await feed_store.end_cursor(connection)
            self._cursor = self._cursor or start
        listener = self._listeners.join()
        self._wanted[listener] = wanted
        return listener, self._cursor

    async def _beginning(
        self, last_event_id: str | None, until: FeedCursor, wanted: FeedFilter
    ) -> AsyncIterator[_Frame]:
        """Yield what a client gets first: what it missed, up to where its queue begins."""
        if last_event_id is None:
            yield _Frame(cursor=until, wire=event_frame("ready", str(until), "{}"))
            return
        cursor = feed_store.parse_cursor(last_event_id)
        known = False
        while cursor is not None:
            async with acquire(self.pool) as connection:
                entries = await feed_store.read_after(connection, cursor, PAGE) if cursor < until else []
                # asked last: what was pruned while a slow client read what came before is missing from the page
                if not await feed_store.can_resume(connection, cursor):
                    break
            if not known:
                known = True
                yield _Frame(cursor=cursor, wire=event_stream.ALIVE)  # another replica may be ahead of this one
            for entry in entries:
                if (frame := _framed(_Change(entry=entry), wanted)) is not None:
                    yield frame
            if len(entries) < PAGE:
                return
            cursor = entries[-1].cursor
        yield _Frame(cursor=until, wire=event_frame("resync", str(until), "{}"))

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
                self._cursor = entry.cursor
                self._offer(_Change(entry=entry))
            count += len(entries)
            more = len(entries) == PAGE
        return count

    def _offer(self, change: "_Change") -> None:
        for listener in self._listeners.everyone():
            frame = _framed(change, self._wanted[listener])
            if frame is not None:
                self._listeners.offer(listener, frame)


@dataclass(slots=True, kw_only=True)
class _Change:
    """An entry of the feed on its way to readers; what they choose by is read once, and only if somebody chooses."""

    entry: FeedEntry
    _told: _Frame | None = None
    _aspects: tuple[IssueAspects | None, IssueAspects] | None = None

    @property
    def told(self) -> _Frame:
        """The change as an event, one for all readers."""
        if self._told is None:
            self._told = self.frame(self.entry.type)
        return self._told

    @property
    def aspects(self) -> tuple[IssueAspects | None, IssueAspects]:
        """How the issue was, if that is known, and how it is."""
        if self._aspects is None:
            was = self.entry.was
            self._aspects = (aspects_in(was) if was is not None else None, aspects_in(self.entry.document))
        return self._aspects

    def frame(self, name: str) -> _Frame:
        """Return the change as an event of this name."""
        cursor = self.entry.cursor
        return _Frame(cursor=cursor, wire=event_frame(name, str(cursor), self.entry.document))


def _framed(change: _Change, wanted: FeedFilter) -> _Frame | None:
    """Return what a reader is told of a change, None if nothing."""
    if wanted.takes_all:
        return change.told
    verdict = wanted.verdict(change.entry.type, *change.aspects)
    if verdict is FeedVerdict.NOTHING:
        return None
    return change.told if verdict is FeedVerdict.TOLD else change.frame(LEFT)
