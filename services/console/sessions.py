"""A session: who is signed in, and the key that their requests carry, sealed into a cookie that only we can read.

Nothing is kept here, so there is nothing to fill up and replicas need not agree on anything but the master key. A
session ends with its time, with its key (which each API checks anew), or with the cookie.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from services.runtime.credentials.api_keys import KeyKind
from services.runtime.credentials.sealing import CannotUnsealError, SealedSecret, SecretSealer

MOST_COOKIE_CHARACTERS = 2000
"""Of a sealed session; one holds some 400."""

_OWNER = "console session v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleSession:
    """Somebody who is signed in. `token` must come with every request that changes something."""

    label: str
    role: KeyKind
    key: str = field(repr=False)
    token: str = field(repr=False)
    ends_at: datetime

    def admits(self, token: str) -> bool:
        """Return whether a request with this token comes from a page of ours."""
        return hmac.compare_digest(self.token.encode(), token.encode())


class _Sealed(msgspec.Struct, frozen=True):
    """A session as it stands in the cookie."""

    label: str
    role: KeyKind
    key: str
    token: str
    ends_at: datetime


class SessionSealer:
    """Turns sessions into texts of cookies and back."""

    def __init__(self, sealer: SecretSealer) -> None:
        if not sealer.protects:
            raise ValueError("sessions are never written unsealed")
        self._sealer = sealer

    def seal(self, session: ConsoleSession, *, nonce: bytes) -> str:
        """Return the cookie of `session`; `nonce` is 12 random bytes, never used before."""
        text = msgspec.json.encode(
            _Sealed(
                label=session.label,
                role=session.role,
                key=session.key,
                token=session.token,
                ends_at=session.ends_at,
            )
        ).decode()
        sealed = self._sealer.seal(text, owner=_OWNER, nonce=nonce)
        return f"{sealed.master_key}.{urlsafe_b64encode(sealed.material).decode()}"

    def open(self, cookie: str, *, now: datetime) -> ConsoleSession | None:
        """Return the session of a cookie; None if it is not ours, was changed, or is over."""
        name, _, material = cookie.partition(".")
        if not material or len(cookie) > MOST_COOKIE_CHARACTERS:
            return None
        try:
            sealed = SealedSecret(material=urlsafe_b64decode(material), master_key=name)
            found = msgspec.json.decode(self._sealer.open(sealed, owner=_OWNER), type=_Sealed)
        except (Base64Error, CannotUnsealError, ValueError):  # msgspec's errors are ValueErrors
            return None
        if found.ends_at <= now:
            return None
        return ConsoleSession(
            label=found.label, role=found.role, key=found.key, token=found.token, ends_at=found.ends_at
        )
