"""API keys: how they look, how they are hashed, and a cache that outlives a database outage.

A key reads `wm_<kind>_<key id>_<secret>`. Only the SHA-256 of the secret is ever stored: the secret carries 256 random
bits, so a slow password hash would add cost and no safety. Leaves tables to the services.
"""

import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from services.runtime.clock import Clock
from services.runtime.telemetry.logs import get_logger

_log = get_logger(__name__)


class KeyKind(StrEnum):
    """What a key opens. Among the roles, `admin` includes `agent`, and `agent` includes `reader`."""

    SOURCE = "src"
    READER = "reader"
    AGENT = "agent"
    ADMIN = "admin"

    def includes(self, wanted: "KeyKind") -> bool:
        """Return whether a key of this kind may do what `wanted` may."""
        order = [KeyKind.READER, KeyKind.AGENT, KeyKind.ADMIN]
        if self in order and wanted in order:
            return order.index(self) >= order.index(wanted)
        return self is wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class MintedKey:
    """A new key: `text` is shown once, `key_id` and `secret_hash` are stored."""

    kind: KeyKind
    key_id: str
    text: str = field(repr=False)
    secret_hash: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PresentedKey:
    """A key as a caller sent it: split into parts, but not yet verified."""

    kind: KeyKind
    key_id: str
    secret_hash: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredKey:
    """A key as the database knows it. `subject` is the source's name, or the label of a role's key."""

    kind: KeyKind
    key_id: str
    subject: str
    secret_hash: bytes = field(repr=False)
    expires_at: datetime | None = None
    revoked: bool = False


class KeyVerdict(StrEnum):
    """Why a key was accepted or refused."""

    VALID = "valid"
    MALFORMED = "malformed"
    UNKNOWN = "unknown"
    REVOKED = "revoked"
    EXPIRED = "expired"
    UNVERIFIABLE = "unverifiable"


def mint(kind: KeyKind) -> MintedKey:
    """Make a new key of `kind` from the system's randomness."""
    key_id = secrets.token_hex(6)
    secret = secrets.token_hex(32)
    return MintedKey(kind=kind, key_id=key_id, text=f"wm_{kind}_{key_id}_{secret}", secret_hash=_hash(secret))


def parse(text: str) -> PresentedKey | None:
    """Split a key into its parts, or return None where it does not look like one of ours."""
    parts = text.strip().split("_")
    if len(parts) != 4 or parts[0] != "wm" or len(text) > 200 or not text.isascii():
        return None
    if not (parts[2].isalnum() and parts[3].isalnum()):
        return None
    try:
        kind = KeyKind(parts[1])
    except ValueError:
        return None
    return PresentedKey(kind=kind, key_id=parts[2], secret_hash=_hash(parts[3]))


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


@dataclass(slots=True)
class _Cached:
    key: StoredKey | None
    at: float


class KeyRing:
    """Checks presented keys against the stored ones, remembering what it learnt.

    A revocation is noticed within `fresh_s`. When `load` fails with one of `outages`, an answer up to `stale_s` old
    still serves, so that an outage of PostgreSQL does not stop acceptance. Unknown ids are remembered too, so that a
    caller with a wrong key cannot load the database.
    """

    def __init__(
        self,
        load: Callable[[str], Awaitable[StoredKey | None]],
        clock: Clock,
        *,
        outages: tuple[type[BaseException], ...],
        fresh_s: float = 10.0,
        stale_s: float = 86_400.0,
        capacity: int = 10_000,
    ) -> None:
        self._load = load
        self._clock = clock
        self._outages = outages
        self._fresh_s = fresh_s
        self._stale_s = stale_s
        self._capacity = capacity
        self._cache: OrderedDict[str, _Cached] = OrderedDict()

    async def check(self, text: str) -> tuple[KeyVerdict, StoredKey | None]:
        """Return the verdict on a presented key and, where it is valid, the stored one."""
        presented = parse(text)
        if presented is None:
            return KeyVerdict.MALFORMED, None
        try:
            stored = await self._find(presented.key_id)
        except self._outages as error:
            _log.warning("keys cannot be verified", reason=type(error).__name__)
            return KeyVerdict.UNVERIFIABLE, None
        verdict = judge(presented, stored, self._clock.now())
        return verdict, stored if verdict is KeyVerdict.VALID else None

    async def _find(self, key_id: str) -> StoredKey | None:
        now = self._clock.monotonic()
        cached = self._cache.get(key_id)
        if cached is not None and now - cached.at < self._fresh_s:
            return cached.key
        try:
            key = await self._load(key_id)
        except self._outages:
            if cached is not None and now - cached.at < self._stale_s:
                return cached.key
            raise
        self._cache[key_id] = _Cached(key, now)
        self._cache.move_to_end(key_id)
        if len(self._cache) > self._capacity:
            self._cache.popitem(last=False)
        return key


def judge(presented: PresentedKey, stored: StoredKey | None, now: datetime) -> KeyVerdict:
    """Decide whether `presented` is the key that is stored, in constant time."""
    expected = stored.secret_hash if stored is not None else bytes(32)
    same = hmac.compare_digest(presented.secret_hash, expected)
    if stored is None or not same or presented.kind is not stored.kind:
        return KeyVerdict.UNKNOWN
    if stored.revoked:
        return KeyVerdict.REVOKED
    if stored.expires_at is not None and stored.expires_at <= now:
        return KeyVerdict.EXPIRED
    return KeyVerdict.VALID
