"""Who comes in: the source behind a presented key, unless its address tried too many wrong ones."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from services.ingest.protection.address import Networks
from services.ingest.protection.rates import Rates
from services.ingest.protection.wrong_keys import WrongKeys
from services.ingest.reasons import Refusal, Refused
from services.ingest.sources import Scope, Source, Sources
from services.runtime.keys import KeyKind, KeyRing, Verdict, parse

ALL_SOURCES = None
"""What a viewer with an operator's key may look into."""

_WRONG = frozenset({Refusal.KEY_INVALID, Refusal.KEY_REVOKED, Refusal.KEY_EXPIRED})


Opened = TypeVar("Opened")


class Door:
    """Checks keys and paces. `trusted` are the proxies whose `X-Forwarded-For` is believed."""

    def __init__(
        self, sources: Sources, operators: KeyRing, rates: Rates, wrong_keys: WrongKeys, trusted: Networks = ()
    ) -> None:
        self._sources = sources
        self._operators = operators
        self._asking = asyncio.Semaphore(2)
        self._wrong_keys = wrong_keys
        self.rates = rates
        self.trusted = trusted

    async def source_of(self, key: str | None, address: str) -> Source:
        """Return the source that `key` belongs to; raises `Refused`."""
        return await self._guarded(address, lambda ask: self._sources.source_of(key, ask=ask))

    async def viewer_of(self, key: str | None, address: str) -> str | None:
        """Return the source whose traffic `key` may look into, `ALL_SOURCES` for an operator's; raises `Refused`."""
        presented = parse(key) if key else None
        if presented is not None and presented.kind is not KeyKind.SOURCE:
            await self._guarded(address, lambda _: self._operator(key or ""))
            return ALL_SOURCES
        source = await self.source_of(key, address)
        if Scope.INSPECT not in source.scopes:
            raise Refused(Refusal.INSPECT_NOT_ALLOWED)
        return source.name

    async def _operator(self, key: str) -> None:
        async with self._asking:
            verdict, stored = await self._operators.check(key)
        if stored is not None:
            self._sources.note_use(stored.key_id)
        if verdict is Verdict.UNVERIFIABLE:
            raise Refused(Refusal.KEYS_UNAVAILABLE, headers={"retry-after": "5"}, retry_after=5)
        if verdict is not Verdict.VALID:
            raise Refused(Refusal.KEY_INVALID, headers={"www-authenticate": 'Bearer realm="waymark"'})

    async def _guarded(self, address: str, open_: Callable[[bool], Awaitable[Opened]]) -> Opened:
        """Open unless too many wrong keys came from `address`; then only with what is held in memory."""
        wait_s = self._wrong_keys.wait_s(address)
        try:
            return await open_(not wait_s)
        except Refused as refused:
            if refused.refusal not in _WRONG:
                raise
            self._wrong_keys.count(address)
            if not wait_s:
                raise
            headers = {"retry-after": str(wait_s)}
            raise Refused(Refusal.TOO_MANY_WRONG_KEYS, headers=headers, retry_after=wait_s) from None
