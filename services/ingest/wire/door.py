"""Who comes in: the source behind a presented key, unless its address tried too many wrong ones."""

from services.ingest.protection.address import Networks
from services.ingest.protection.rates import Rates
from services.ingest.protection.wrong_keys import WrongKeys
from services.ingest.reasons import Refusal, Refused
from services.ingest.sources import Source, Sources

_WRONG = frozenset({Refusal.KEY_INVALID, Refusal.KEY_REVOKED, Refusal.KEY_EXPIRED})


class Door:
    """Checks keys and paces. `trusted` are the proxies whose `X-Forwarded-For` is believed."""

    def __init__(self, sources: Sources, rates: Rates, wrong_keys: WrongKeys, trusted: Networks = ()) -> None:
        self._sources = sources
        self._wrong_keys = wrong_keys
        self.rates = rates
        self.trusted = trusted

    async def source_of(self, key: str | None, address: str) -> Source:
        """Return the source that `key` belongs to; raises `Refused`."""
        wait_s = self._wrong_keys.wait_s(address)
        try:
            return await self._sources.source_of(key, ask=not wait_s)
        except Refused as refused:
            if refused.refusal not in _WRONG:
                raise
            self._wrong_keys.count(address)
            if not wait_s:
                raise
            headers = {"retry-after": str(wait_s)}
            raise Refused(Refusal.TOO_MANY_WRONG_KEYS, headers=headers, retry_after=wait_s) from None
