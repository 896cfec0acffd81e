"""Authenticates readers by the keys of `journey.api_keys` for readers, agents and admins, sent as bearer tokens.

The form of keys and their comparison are left to `services.runtime.credentials.api_keys`, the table to
`services.runtime.key_tables`. This module writes nothing.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from services.journey.api.messages import ReadRefusal
from services.runtime.clock import Clock
from services.runtime.credentials.api_keys import KeyKind, KeyRing, KeyVerdict, StoredKey, parse
from services.runtime.key_tables import RoleKeyTable
from services.runtime.postgres.pools import TRANSIENT, Pool, acquire

_ROLE_KEYS = RoleKeyTable("journey.api_keys")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadAdmission:
    """The decision whether a caller may read, and if not, why not; and what its key is called and may do."""

    refusal: ReadRefusal | None
    key: StoredKey | None = None

    @property
    def granted(self) -> bool:
        """Whether the caller may read."""
        return self.refusal is None

    @property
    def is_admin(self) -> bool:
        """Whether the caller may change who is who, and the rules."""
        return self.granted and self.key is not None and self.key.kind.includes(KeyKind.ADMIN)

    @property
    def label(self) -> str:
        """What the key is called, or its id."""
        return "" if self.key is None else self.key.subject or self.key.key_id


class ReadAuthenticator:
    """Authenticates requests by their `Authorization` header."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring

    async def admit(self, authorization: str | None) -> ReadAdmission:
        """Decide on one request. Every key of this table may read, whatever else it may do elsewhere."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            return ReadAdmission(refusal=ReadRefusal.KEY_MISSING)
        presented = parse(token)
        if presented is not None and presented.kind is KeyKind.SOURCE:
            return ReadAdmission(refusal=ReadRefusal.KEY_OF_A_SOURCE)
        verdict, key = await self._ring.check(token)
        return ReadAdmission(refusal=_refusal(verdict, key), key=key)


def _refusal(verdict: KeyVerdict, key: StoredKey | None) -> ReadRefusal | None:
    if verdict is KeyVerdict.UNVERIFIABLE:
        return ReadRefusal.KEYS_UNVERIFIABLE
    if key is None or not key.kind.includes(KeyKind.READER):
        return ReadRefusal.KEY_INVALID
    return None


def build_authenticator(pool: Pool, clock: Clock) -> ReadAuthenticator:
    """Return the authenticator of this service. It caches keys for ten seconds, and while the database is away."""
    return ReadAuthenticator(KeyRing(stored_key_loader(pool), clock, outages=TRANSIENT))


def stored_key_loader(pool: Pool) -> Callable[[str], Awaitable[StoredKey | None]]:
    """Return a function that reads stored keys through `pool`."""

    async def load(key_id: str) -> StoredKey | None:
        async with acquire(pool) as connection:
            return await _ROLE_KEYS.find(connection, key_id)

    return load
