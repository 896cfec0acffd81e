"""Authenticates readers by the keys of `journey.api_keys` for readers, agents and admins, sent as bearer tokens.

The form of keys and their comparison are left to `services.runtime.credentials.api_keys`, the table to
`services.runtime.key_tables`. This module writes nothing.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass

from services.journey.api.messages import ReadRefusal
from services.runtime.clock import Clock
from services.runtime.credentials.api_keys import KeyKind, KeyRing, KeyVerdict, StoredKey, parse
from services.runtime.credentials.persons import acting_name
from services.runtime.key_tables import RoleKeyTable
from services.runtime.postgres.pools import TRANSIENT, Pool, acquire

_ROLE_KEYS = RoleKeyTable("journey.api_keys")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadAdmission:
    """The decision whether a caller may read, and if not, why not; what its key may do; and who asks.

    `label` is the person whom the console signed in, else what the key is called, or its id.
    """

    refusal: ReadRefusal | None
    key: StoredKey | None = None
    label: str = ""

    @property
    def granted(self) -> bool:
        """Whether the caller may read."""
        return self.refusal is None

    @property
    def is_admin(self) -> bool:
        """Whether the caller may change who is who, and the rules."""
        return self.granted and self.key is not None and self.key.kind.includes(KeyKind.ADMIN)


class ReadAuthenticator:
    """Authenticates requests by their `Authorization` header; keys of `for_people` say for whom they act."""

    def __init__(self, ring: KeyRing, for_people: Collection[str] = ()) -> None:
        self._ring = ring
        self._for_people = frozenset(for_people)

    async def admit(self, headers: Mapping[str, str]) -> ReadAdmission:
        """Decide on a request with these headers, whose names are found in any case.

        Every key of this table may read, whatever else it may do elsewhere.
        """
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            return ReadAdmission(refusal=ReadRefusal.KEY_MISSING)
        presented = parse(token)
        if presented is not None and presented.kind is KeyKind.SOURCE:
            return ReadAdmission(refusal=ReadRefusal.KEY_OF_A_SOURCE)
        verdict, key = await self._ring.check(token)
        name = "" if key is None else acting_name(key, headers, self._for_people) or key.key_id
        return ReadAdmission(refusal=_refusal(verdict, key), key=key, label=name)


def _refusal(verdict: KeyVerdict, key: StoredKey | None) -> ReadRefusal | None:
    if verdict is KeyVerdict.UNVERIFIABLE:
        return ReadRefusal.KEYS_UNVERIFIABLE
    if key is None or not key.kind.includes(KeyKind.READER):
        return ReadRefusal.KEY_INVALID
    return None


def build_authenticator(pool: Pool, clock: Clock, *, for_people: Collection[str] = ()) -> ReadAuthenticator:
    """Return the authenticator of this service. It caches keys for ten seconds, and while the database is away."""
    return ReadAuthenticator(KeyRing(stored_key_loader(pool), clock, outages=TRANSIENT), for_people)


def stored_key_loader(pool: Pool) -> Callable[[str], Awaitable[StoredKey | None]]:
    """Return a function that reads stored keys through `pool`."""

    async def load(key_id: str) -> StoredKey | None:
        async with acquire(pool) as connection:
            return await _ROLE_KEYS.find(connection, key_id)

    return load
