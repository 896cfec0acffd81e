"""Authentication: finds the source of a presented key, and limits addresses that present wrong keys."""

import asyncio

from services.ingest.protection.client_address import Networks
from services.ingest.protection.rate_limits import RateLimiter
from services.ingest.protection.wrong_keys import WrongKeyLimiter
from services.ingest.reasons import RequestRefusal, RequestRefusedError
from services.ingest.sources.source import Source, SourceScope
from services.ingest.sources.source_keys import SourceKeys
from services.runtime.credentials.api_keys import KeyKind, KeyRing, KeyVerdict, parse

ALL_SOURCES = None
"""The scope of a viewer with an operator's key."""

_WRONG = frozenset({RequestRefusal.KEY_INVALID, RequestRefusal.KEY_REVOKED, RequestRefusal.KEY_EXPIRED})


class SourceAuthenticator:
    """Checks keys, of sources and of operators. `trusted` are the proxies whose `X-Forwarded-For` is believed."""

    def __init__(
        self,
        sources: SourceKeys,
        operators: KeyRing,
        rates: RateLimiter,
        wrong_keys: WrongKeyLimiter,
        trusted: Networks = (),
    ) -> None:
        self._sources = sources
        self._operators = operators
        self._asking = asyncio.Semaphore(2)
        self._wrong_keys = wrong_keys
        self.rates = rates
        self.trusted = trusted

    async def source_of(self, key: str | None, address: str) -> Source:
        """Return the source that `key` belongs to; raises `RequestRefusedError`."""
        wait_s = self._wrong_keys.wait_s(address)
        try:
            return await self._sources.source_of(key, ask=not wait_s)
        except RequestRefusedError as refused:
            raise self._counted(refused, address, wait_s) from None

    async def viewer_of(self, key: str | None, address: str) -> str | None:
        """Return the source that `key` may inspect, `ALL_SOURCES` for an operator's; raises `RequestRefusedError`."""
        presented = parse(key) if key else None
        if presented is not None and presented.kind is not KeyKind.SOURCE:
            wait_s = self._wrong_keys.wait_s(address)
            try:
                await self._operator(key or "")
            except RequestRefusedError as refused:
                raise self._counted(refused, address, wait_s) from None
            return ALL_SOURCES
        source = await self.source_of(key, address)
        if SourceScope.INSPECT not in source.scopes:
            raise RequestRefusedError(RequestRefusal.INSPECT_NOT_ALLOWED)
        return source.name

    async def _operator(self, key: str) -> None:
        async with self._asking:
            verdict, stored = await self._operators.check(key)
        if stored is not None:
            self._sources.note_use(stored.key_id)
        if verdict is KeyVerdict.UNVERIFIABLE:
            raise RequestRefusedError(RequestRefusal.KEYS_UNAVAILABLE, headers={"retry-after": "5"}, retry_after=5)
        if verdict is not KeyVerdict.VALID:
            raise RequestRefusedError(
                RequestRefusal.KEY_INVALID, headers={"www-authenticate": 'Bearer realm="waymark"'}
            )

    def _counted(self, refused: RequestRefusedError, address: str, wait_s: int) -> RequestRefusedError:
        """Count a wrong key and return the refusal to raise; after too many, unknown keys are no longer looked up."""
        if refused.refusal not in _WRONG:
            return refused
        self._wrong_keys.count(address)
        if not wait_s:
            return refused
        headers = {"retry-after": str(wait_s)}
        return RequestRefusedError(RequestRefusal.TOO_MANY_WRONG_KEYS, headers=headers, retry_after=wait_s)
