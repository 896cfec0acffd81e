"""The keys of all sources, held in memory.

All keys are read at the start and every few seconds, and requests are checked against the held keys. So an outage of
PostgreSQL stops no known source, and a request waits for the database only when its key is new. Leaves SQL to
`services.ingest.sources.source_store`.
"""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.ingest.reasons import RequestRefusal, RequestRefusedError
from services.ingest.sources.source import Source
from services.runtime.clock import Clock
from services.runtime.credentials.api_keys import KeyVerdict, StoredKey, judge, parse
from services.runtime.process.refreshing import refresh_for_ever
from services.runtime.telemetry.health import CheckResult
from services.runtime.telemetry.logs import get_logger

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceKey:
    """A stored key with the source it belongs to."""

    key: StoredKey
    source: Source


class SourceKeyStore(Protocol):
    """Where keys are kept. Both readings raise one of `outages`, TimeoutError among them, when it cannot be reached."""

    outages: tuple[type[BaseException], ...]

    async def all_keys(self) -> list[SourceKey]:
        """Return every key that is not revoked."""

    async def one_key(self, key_id: str) -> SourceKey | None:
        """Return the key with that id, revoked or not."""

    async def one_operator(self, key_id: str) -> StoredKey | None:
        """Return the operator's key with that id."""

    async def mark_used(self, key_ids: frozenset[str], at: datetime) -> None:
        """Note when keys were last used."""


_REFUSALS = {
    KeyVerdict.MALFORMED: RequestRefusal.KEY_INVALID,
    KeyVerdict.UNKNOWN: RequestRefusal.KEY_INVALID,
    KeyVerdict.REVOKED: RequestRefusal.KEY_REVOKED,
    KeyVerdict.EXPIRED: RequestRefusal.KEY_EXPIRED,
    KeyVerdict.UNVERIFIABLE: RequestRefusal.KEYS_UNAVAILABLE,
}

_ASK_WITHIN_S = 2.0
_UNKNOWN_IDS = 10_000
_MARK_EVERY_S = 60.0


class SourceKeys:
    """The keys of all sources in memory, refreshed by `run`.

    A revoked key stops working within `refresh_s`. An unknown one is looked up at once, so a new key works at once;
    the answer is remembered until the next refresh, and few look-ups run together, so that wrong keys cannot load the
    database.
    """

    def __init__(self, store: SourceKeyStore, clock: Clock, *, refresh_s: float, retry_after_s: int) -> None:
        self._store = store
        self._clock = clock
        self._refresh_s = refresh_s
        self._retry_after_s = retry_after_s
        self._keys: dict[str, SourceKey] | None = None
        self._origins: frozenset[str] = frozenset()
        self._looked_up: OrderedDict[str, SourceKey | None] = OrderedDict()
        self._asking = asyncio.Semaphore(2)
        self._used: set[str] = set()
        self._marked_at = clock.monotonic()

    async def source_of(self, text: str | None, *, ask: bool = True) -> Source:
        """Return the source that a presented key belongs to; without `ask` an unknown key is not looked up.

        Raises:
            RequestRefusedError: the key is missing or not valid, its source is disabled, or it cannot be checked now.
        """
        if not text:
            raise self._refused(RequestRefusal.KEY_MISSING)
        presented = parse(text)
        if presented is None:
            raise self._refused(RequestRefusal.KEY_INVALID)
        found = self._keys.get(presented.key_id) if self._keys is not None else None
        if found is None and ask:
            found = await self._find(presented.key_id)
        verdict = judge(presented, found.key if found is not None else None, self._clock.now())
        if verdict is not KeyVerdict.VALID or found is None:
            raise self._refused(_REFUSALS[verdict])
        if found.source.disabled:
            raise self._refused(RequestRefusal.SOURCE_DISABLED)
        self._used.add(presented.key_id)
        return found.source

    @property
    def origins(self) -> frozenset[str]:
        """The web origins that any source may be sent from, as of the last refresh."""
        return self._origins

    def note_use(self, key_id: str) -> None:
        """Note that a key was used, of an operator's for example."""
        self._used.add(key_id)

    async def refresh(self) -> None:
        """Read all keys anew; raises one of the store's `outages`."""
        keys = await self._store.all_keys()
        self._keys = {found.key.key_id: found for found in keys}
        self._looked_up.clear()
        self._origins = frozenset().union(*(found.source.origins for found in keys))

    async def run(self) -> None:
        """Refresh for ever, and note now and then which keys were used."""
        await refresh_for_ever(
            self._refresh_and_mark, what="source keys", every_s=self._refresh_s, outages=self._store.outages
        )

    async def _refresh_and_mark(self) -> None:
        await self.refresh()
        await self._mark_used()

    async def check(self) -> CheckResult:
        """Check that the keys have been read at least once; for `/readyz`."""
        if self._keys is None:
            return CheckResult(name="source_keys", ok=False, detail="not read yet")
        return CheckResult(name="source_keys", ok=True, detail=f"{len(self._keys)} held")

    async def _find(self, key_id: str) -> SourceKey | None:
        if key_id in self._looked_up:
            return self._looked_up[key_id]
        try:
            async with asyncio.timeout(_ASK_WITHIN_S), self._asking:
                if key_id in self._looked_up:  # another request asked while this one waited for its turn
                    return self._looked_up[key_id]
                found = await self._store.one_key(key_id)
        except self._store.outages:
            # With all keys at hand an unknown one is most likely wrong, but it may be newer than the outage.
            raise self._refused(RequestRefusal.KEYS_UNAVAILABLE) from None
        self._looked_up[key_id] = found
        if len(self._looked_up) > _UNKNOWN_IDS:
            self._looked_up.popitem(last=False)
        return found

    async def _mark_used(self) -> None:
        if not self._used or self._clock.monotonic() - self._marked_at < _MARK_EVERY_S:
            return
        used, self._used = frozenset(self._used), set()
        self._marked_at = self._clock.monotonic()
        await self._store.mark_used(used, self._clock.now())

    def _refused(self, refusal: RequestRefusal) -> RequestRefusedError:
        if refusal is RequestRefusal.KEYS_UNAVAILABLE:
            after = self._retry_after_s
            return RequestRefusedError(refusal, headers={"retry-after": str(after)}, retry_after=after)
        headers = {} if refusal is RequestRefusal.SOURCE_DISABLED else {"www-authenticate": 'Bearer realm="waymark"'}
        return RequestRefusedError(refusal, headers=headers)
