"""A session: who is signed in, and the key that their requests carry, sealed into a cookie that only we can read.

Nothing is kept here, so there is nothing to fill up and replicas need not agree on anything but the master key. A
session ends with its time, with its key (which each API checks anew), or with the cookie.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

import msgspec

from services.console.roles import PersonRole, Right, rights_of
from services.runtime.credentials.sealing import CannotUnsealError, SealedSecret, SecretSealer

MOST_COOKIE_CHARACTERS = 2000
"""Of a sealed session; one holds some 400."""

_OWNER = "console session v2"
_OWNER_OF_ATTEMPTS = "console sign-in v1"

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleSession:
    """Somebody who is signed in. `token` must come with every request that changes something.

    `key` is empty for whom the provider signed in: keys of the console serve them, as their role allows.
    """

    label: str
    role: PersonRole
    key: str = field(repr=False)
    token: str = field(repr=False)
    ends_at: datetime

    @property
    def rights(self) -> frozenset[Right]:
        """What this person may do."""
        return rights_of(self.role, by_key=bool(self.key))

    def admits(self, token: str) -> bool:
        """Return whether a request with this token comes from a page of ours."""
        return hmac.compare_digest(self.token.encode(), token.encode())


class _Sealed(msgspec.Struct, frozen=True):
    """A session as it stands in the cookie."""

    label: str
    role: PersonRole
    key: str
    token: str
    ends_at: datetime


class SignInAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody on the way to the provider and back: what must return with them, and the page that they came for."""

    state: str
    nonce: str
    verifier: str
    target: str
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
        return self._sealed(text, _OWNER, nonce)

    def seal_attempt(self, attempt: SignInAttempt, *, nonce: bytes) -> str:
        """Return the cookie of `attempt`; `nonce` is 12 random bytes, never used before."""
        return self._sealed(msgspec.json.encode(attempt).decode(), _OWNER_OF_ATTEMPTS, nonce)

    def open_attempt(self, cookie: str, *, now: datetime) -> SignInAttempt | None:
        """Return the attempt of a cookie; None if it is not ours, was changed, or took too long."""
        found = self._opened(cookie, _OWNER_OF_ATTEMPTS, SignInAttempt)
        return found if found is not None and found.ends_at > now else None

    def open(self, cookie: str, *, now: datetime) -> ConsoleSession | None:
        """Return the session of a cookie; None if it is not ours, was changed, or is over."""
        found = self._opened(cookie, _OWNER, _Sealed)
        if found is None or found.ends_at <= now:
            return None
        return ConsoleSession(
            label=found.label, role=found.role, key=found.key, token=found.token, ends_at=found.ends_at
        )

    def _sealed(self, text: str, owner: str, nonce: bytes) -> str:
        sealed = self._sealer.seal(text, owner=owner, nonce=nonce)
        return f"{sealed.master_key}.{urlsafe_b64encode(sealed.material).decode()}"

    def _opened(self, cookie: str, owner: str, form: type[_T]) -> _T | None:
        name, _, material = cookie.partition(".")
        if not material or len(cookie) > MOST_COOKIE_CHARACTERS:
            return None
        try:
            sealed = SealedSecret(material=urlsafe_b64decode(material), master_key=name)
            return msgspec.json.decode(self._sealer.open(sealed, owner=owner), type=form)
        except (Base64Error, CannotUnsealError, ValueError):  # msgspec's errors are ValueErrors
            return None
