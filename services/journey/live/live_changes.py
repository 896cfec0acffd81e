"""The live stream behind `/v1/stream` and `/v1/customers/…/stream`: one reader of the feed, many bounded clients.

The feed is read only while somebody listens. HTTP is left to `api`.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from services.journey.live import change_feed
from services.journey.live.change_feed import ChangeEntry, ChangeFeed
from services.journey.read.snapshots import CustomerReference, absorbed, customer_of, roots
from services.runtime.http.event_stream import ALIVE, RETRY, StreamListener, StreamListeners, bye_frame, event_frame
from services.runtime.postgres.pools import Connection, Pool, acquire
from services.runtime.process.outages import tolerated
from services.runtime.telemetry.logs import get_logger

_log = get_logger(__name__)

EVERY_S: Final = 0.5
PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class _Told:
    """An entry with the event id of the moment: where whoever got it resumes."""

    entry: ChangeEntry
    floor: int

    @property
    def wire(self) -> bytes:
        return event_frame(self.entry.event, str(self.floor), self.entry.document)


@dataclass(slots=True, kw_only=True)
class LiveChanges:
    """Streams changes to any number of clients; `watched` is the customer of each client that asked for one."""

    pool: Pool
    listeners: StreamListeners[_Told]
    _feed: ChangeFeed | None = field(default=None, init=False)
    _watched: dict[StreamListener[_Told], UUID] = field(default_factory=dict, init=False)
    _wanted: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _starting: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    async def run(self) -> None:
        """Read and pass on while somebody listens, until cancelled."""
        while True:
            await self._wanted.wait()
            with tolerated(_log, "changes not read"):
                await self.advance()
            await asyncio.sleep(EVERY_S)

    def close(self) -> None:
        """End every stream; the clients resume at another replica."""
        self.listeners.close()

    async def find(self, who: CustomerReference) -> UUID | None:
        """Return the customer whose changes are asked for, None if there is none."""
        async with acquire(self.pool) as connection:
            return await customer_of(connection, who)

    async def stream(self, last_event_id: str | None, customer: UUID | None = None) -> AsyncGenerator[bytes]:
        """Yield the wire form of a stream that resumes at `last_event_id`, or starts now without one."""
        listener = await self._join(customer)
        try:
            yield RETRY
            shown: set[int] = set()
            async for frame, entry_id in self._beginning(last_event_id, customer):
                shown.add(entry_id)
                yield frame
            async for told in self.listeners.queued(listener):
                if told is None:
                    yield ALIVE
                elif told.entry.id not in shown:
                    yield told.wire
            yield bye_frame(listener.ended)
        finally:
            self._leave(listener)

    async def advance(self) -> int:
        """Pass on what became visible since the last look; return how many entries there were."""
        feed = self._feed
        if feed is None:
            return 0
        async with acquire(self.pool) as connection:
            look = await feed.look(connection)
            owners = await self._owners(connection, look.entries)
        feed.give(look)
        for entry in look.entries:
            told = _Told(entry, feed.floor)
            whose = owners.get(entry.customer_id, entry.customer_id)
            for listener in self.listeners.everyone():
                watched = self._watched.get(listener)
                if watched is None or owners.get(watched, watched) == whose:
                    self.listeners.offer(listener, told)
        self._forget_the_gone()
        return len(look.entries)

    async def _owners(self, connection: Connection, found: Sequence[ChangeEntry]) -> dict[UUID, UUID]:
        """Return who these customers and the watched ones are now; nothing if no one customer is watched."""
        if not found or not self._watched:
            return {}
        return await roots(connection, list({*self._watched.values(), *(entry.customer_id for entry in found)}))

    async def _join(self, customer: UUID | None) -> StreamListener[_Told]:
        async with self._starting:
            if self._feed is None:
                feed = ChangeFeed()
                async with acquire(self.pool) as connection:
                    await feed.start(connection)
                self._feed = feed
        listener = self.listeners.join()
        if customer is not None:
            self._watched[listener] = customer
        self._wanted.set()
        return listener

    def _leave(self, listener: StreamListener[_Told]) -> None:
        self.listeners.leave(listener)
        self._watched.pop(listener, None)
        if not len(self.listeners):
            self._wanted.clear()
            self._feed = None

    def _forget_the_gone(self) -> None:
        here = set(self.listeners.everyone())
        self._watched = {listener: customer for listener, customer in self._watched.items() if listener in here}

    async def _beginning(self, last_event_id: str | None, customer: UUID | None) -> AsyncIterator[tuple[bytes, int]]:
        """Yield what a client gets first, with the id of each entry: what it missed, or `ready`, or `resync`."""
        floor = 0 if self._feed is None else self._feed.floor
        if last_event_id is None:
            yield event_frame("ready", str(floor), "{}"), -1
            return
        since = change_feed.parse_floor(last_event_id)
        async with acquire(self.pool) as connection:
            if since is None or not await change_feed.can_resume(connection, since):
                yield event_frame("resync", str(floor), "{}"), -1
                return
        yield ALIVE, -1
        while True:
            async with acquire(self.pool) as connection:
                everyone = None if customer is None else await self._everyone(connection, customer)
                page = await change_feed.missed(connection, since, everyone, PAGE)
            for entry in page:
                yield event_frame(entry.event, last_event_id, entry.document), entry.id
            if len(page) < PAGE:
                return
            since = page[-1].id

    async def _everyone(self, connection: Connection, customer: UUID) -> list[UUID]:
        root = (await roots(connection, [customer])).get(customer, customer)
        return [root, *await absorbed(connection, root)]
