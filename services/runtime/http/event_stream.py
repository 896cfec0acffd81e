"""Server-sent events to many clients: the form of an event, and bounded queues between one reader and its clients.

A client that cannot keep up is disconnected, and can resume with the id of the last event that it got. What is read,
and what an id means, is left to the service.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

T = TypeVar("T")

RETRY: Final = b"retry: 2000\n\n"
"""The first line of a stream: how many milliseconds a client waits before it resumes."""

ALIVE: Final = b": \n\n"
"""A comment, as a sign of life."""

HEADERS: Final = {"cache-control": "no-store", "x-accel-buffering": "no"}
"""Headers of the answer, so that no proxy keeps events back."""


def event_frame(event: str, cursor: str | None, data: str) -> bytes:
    """Return one event of `text/event-stream`; `data` is a single line."""
    name = f"id: {cursor}\n" if cursor is not None else ""
    return f"{name}event: {event}\ndata: {data}\n\n".encode()


def place_frame(cursor: str) -> bytes:
    """Return a sign of life that also says where to resume, and that no client takes for an event."""
    return f"id: {cursor}\n: \n\n".encode()


def bye_frame(reason: str) -> bytes:
    """Return the last event of a stream: why the server lets the client go (`slow`, `restart`)."""
    return event_frame("bye", None, f'{{"reason":"{reason}"}}')


@dataclass(slots=True, kw_only=True, eq=False)
class StreamListener(Generic[T]):
    """A connected client; `ended` says why nothing more will come."""

    queue: "asyncio.Queue[T | None]"
    ended: str = ""


@dataclass(slots=True, kw_only=True)
class StreamListeners(Generic[T]):
    """The clients of one stream in this process, at most `most`, each at most `queue_length` items behind.

    `connected` is told how many there are, `dropped` why one was let go.
    """

    most: int
    queue_length: int
    heartbeat_s: float
    connected: Callable[[int], None]
    dropped: Callable[[str], None]
    _all: set[StreamListener[T]] = field(default_factory=set, init=False)
    _closed: bool = field(default=False, init=False)

    @property
    def has_room(self) -> bool:
        """Whether this process accepts another client."""
        return not self._closed and len(self._all) < self.most

    def __len__(self) -> int:
        return len(self._all)

    def everyone(self) -> list[StreamListener[T]]:
        """Return those who listen now."""
        return list(self._all)

    def join(self) -> StreamListener[T]:
        """Add a client, which gets what is offered from now on."""
        listener: StreamListener[T] = StreamListener(queue=asyncio.Queue(self.queue_length))
        self._all.add(listener)
        self.connected(len(self._all))
        return listener

    def leave(self, listener: StreamListener[T]) -> None:
        """Remove a client, once or more often."""
        self._all.discard(listener)
        self.connected(len(self._all))

    def offer(self, listener: StreamListener[T], item: T) -> None:
        """Queue an item for a client, or disconnect one that is too far behind."""
        try:
            listener.queue.put_nowait(item)
        except asyncio.QueueFull:
            self._disconnect(listener, "slow")

    def close(self) -> None:
        """End every stream; the clients resume at another replica."""
        self._closed = True
        for listener in self.everyone():
            self._disconnect(listener, "restart")

    async def queued(self, listener: StreamListener[T]) -> AsyncIterator[T | None]:
        """Yield items as they come, and None as a sign of life, until the client is disconnected."""
        while True:
            try:
                async with asyncio.timeout(self.heartbeat_s):
                    item = await listener.queue.get()
            except TimeoutError:
                yield None
                continue
            if item is None:
                return
            yield item

    def _disconnect(self, listener: StreamListener[T], reason: str) -> None:
        listener.ended = reason
        self.leave(listener)
        self.dropped(reason)
        while not listener.queue.empty():
            listener.queue.get_nowait()
        listener.queue.put_nowait(None)
