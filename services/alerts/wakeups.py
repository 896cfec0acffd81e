"""Wakes waiters by LISTEN as soon as a transaction that notified their channel is committed; also a sign of life.

A notification can be lost when a connection breaks, so every waiter also polls, and all waiters are woken after a loss.
The same connection holds an advisory lock in the name of this process. If PostgreSQL grants that lock to another
process, this one is dead or cut off, and its leases need not run out first.
"""

import asyncio
from collections.abc import Iterable
from typing import Any

from services.runtime.postgres.pools import Connection, Pool, acquire, check_writable
from services.runtime.process.outages import tolerated
from services.runtime.telemetry.logs import get_logger

_log = get_logger(__name__)

PAUSE_S = 1.0
ASK_EVERY_S = 5.0
"""Seconds between two checks of the session itself: a silent connection can be a broken one."""


ALIVE = "SELECT pg_advisory_lock(hashtextextended($1, 0))"
"""The sign of life; `delivery_store.release_dead` tries the same lock."""


class Wakeups:
    """One event per channel, set by `run` until it is cancelled; `owner` is the owner of this process's leases."""

    def __init__(self, pool: Pool, channels: Iterable[str], *, owner: str) -> None:
        self._pool = pool
        self._owner = owner
        self._alive = asyncio.Event()
        self._events = {channel: asyncio.Event() for channel in channels}

    @property
    def alive(self) -> bool:
        """Whether other processes can see that this one lives; without that it should lease nothing."""
        return self._alive.is_set()

    def wake(self, channel: str) -> None:
        """Wake the waiter of `channel` from within this process."""
        self._events[channel].set()

    async def wait(self, channel: str, within_s: float) -> bool:
        """Wait until `channel` is notified or time is up; each channel has one waiter."""
        event = self._events[channel]
        try:
            async with asyncio.timeout(within_s):
                await event.wait()
        except TimeoutError:
            return False
        event.clear()
        return True

    async def run(self) -> None:
        """Listen, and listen again if the connection breaks."""
        while True:
            with tolerated(_log, "not listening"):
                await self._listen()
            for event in self._events.values():
                event.set()
            await asyncio.sleep(PAUSE_S)

    async def _listen(self) -> None:
        broken = asyncio.Event()
        async with acquire(self._pool) as connection:
            connection.add_termination_listener(lambda _connection: broken.set())
            await connection.execute(ALIVE, self._owner)
            try:
                for channel in self._events:
                    await connection.add_listener(channel, self._notified)
                self._alive.set()
                for event in self._events.values():
                    event.set()
                await _watch(connection, broken)
            finally:
                self._alive.clear()
                if not connection.is_closed():
                    for channel in self._events:
                        await connection.remove_listener(channel, self._notified)

    def _notified(self, _connection: Any, _pid: int, channel: str, _payload: object) -> None:
        self._events[channel].set()


async def _watch(connection: Connection, broken: asyncio.Event) -> None:
    """Return if the connection breaks; fail if its server is silent or is no longer the primary."""
    while not broken.is_set():
        try:
            async with asyncio.timeout(ASK_EVERY_S):
                await broken.wait()
        except TimeoutError:
            await connection.execute("SELECT 1")
            check_writable(connection)
