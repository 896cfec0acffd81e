"""Reads the rejections of other replicas from `touchpoints-rejected`, only while somebody looks.

The topic has every rejected touchpoint; the header `replica` of a letter names the replica that wrote it. Reading
starts some hundred letters back at the first look, and ends a while after the last one.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Protocol

from schemas.codec import UndecodableError
from schemas.documents import dead_letter
from services.ingest.inspector.logbook import Logbook
from services.runtime.telemetry.logs import get_logger

_log = get_logger(__name__)

REPLICA_HEADER = "replica"
MAPPED_HEADER = "mapped"
"""Of a dead letter: `true` where its bytes are another wire form's, which was mapped to a touchpoint."""

LETTERS_BACK = 500
_NOTED = 20 * LETTERS_BACK
_KEPT_S = 60.0
_PATIENCE_S = 2.0
_AGAIN_S = 2.0


class RejectionTail(Protocol):
    """The end of a topic. Its pieces come as long as it is read: values of records, and now and then an empty list,
    the first one when all that stood there at the start has been given."""

    def pieces(self) -> AsyncGenerator[list[bytes]]:
        """Yield what comes; raises one of the outages."""


OpenRejectionTail = Callable[[], AbstractAsyncContextManager[RejectionTail]]


class OtherReplicas:
    """Copies the rejections of other replicas into the logbook."""

    def __init__(self, logbook: Logbook, replica: str) -> None:
        self._logbook = logbook
        self._replica = replica
        self._open_tail: OpenRejectionTail | None = None
        self._outages: tuple[type[BaseException], ...] = ()
        self._looked_at = -_KEPT_S
        self._wake = asyncio.Event()
        self._there = asyncio.Event()
        self._noted: OrderedDict[str, None] = OrderedDict()

    @property
    def caught_up(self) -> bool:
        """Whether the logbook has all recent rejections of other replicas."""
        return self._there.is_set()

    def read_from(self, open_tail: OpenRejectionTail, outages: tuple[type[BaseException], ...]) -> None:
        """Set where they are read from, and what reading may raise; without it there are no others."""
        self._open_tail = open_tail
        self._outages = outages

    def keep_reading(self) -> None:
        """Keep reading: somebody is looking at present."""
        if self._open_tail is not None:
            self._looked_at = asyncio.get_running_loop().time()
            self._wake.set()

    async def catch_up(self) -> None:
        """Keep reading, and wait a moment for the rejections of other replicas."""
        if self._open_tail is None:
            return
        self.keep_reading()
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await self._there.wait()
        except TimeoutError:
            return

    async def run(self) -> None:
        """Read while somebody looks, for ever."""
        while self._open_tail is not None:
            await self._wake.wait()
            try:
                async with self._open_tail() as tail:
                    await self._follow(tail)
            except self._outages as error:
                _log.warning("other replicas' rejections cannot be read", reason=type(error).__name__)
                await asyncio.sleep(_AGAIN_S)
            finally:
                self._there.clear()

    async def _follow(self, tail: RejectionTail) -> None:
        async with aclosing(tail.pieces()) as pieces:
            async for values in pieces:
                for value in values:
                    self._note(value)
                if not values:
                    self._there.set()
                if asyncio.get_running_loop().time() - self._looked_at > _KEPT_S:
                    self._wake.clear()
                    return

    def _note(self, value: bytes) -> None:
        try:
            letter = dead_letter.decode(value)
        except UndecodableError:
            return
        if letter.headers.get(REPLICA_HEADER) != self._replica and letter.id not in self._noted:
            self._noted[letter.id] = None
            if len(self._noted) > _NOTED:
                self._noted.popitem(last=False)
            self._logbook.record_other_replica(letter)
