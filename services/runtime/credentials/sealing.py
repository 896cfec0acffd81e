"""Secrets that others gave us and that we must be able to read again, sealed for a database.

AES-256-GCM under a key that is derived (HKDF) from a master key of the settings; what the secret belongs to is bound to
it, so that a row moved elsewhere opens nothing. The first master key seals, every one opens, so that they can be
rotated. Without a master key a secret is kept as it is, and says so (`master_key` None).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_PURPOSE = b"waymark/sealed-secret/v1"
_NONCE_BYTES = 12
_KEY_BYTES = 32


class CannotUnsealError(Exception):
    """The secret was sealed under a master key that the settings do not name, or for another purpose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedSecret:
    """A secret as it is stored: bytes, and the name of the master key that sealed them."""

    material: bytes
    master_key: str | None


class SecretSealer:
    """Seals and opens secrets with the master keys of this process; the first seals new ones."""

    def __init__(self, master_keys: Sequence[str]) -> None:
        self._keys = {_name(key): _derived(key) for key in master_keys}
        self._current = next(iter(self._keys), None)

    @property
    def protects(self) -> bool:
        """Whether new secrets are sealed instead of kept as they are."""
        return self._current is not None

    @property
    def current(self) -> str | None:
        """The name of the master key that seals new secrets; None without one."""
        return self._current

    def knows(self, master_key: str) -> bool:
        """Whether a master key of this name is among ours."""
        return master_key in self._keys

    def seal(self, secret: str, *, owner: str, nonce: bytes) -> SealedSecret:
        """Return `secret` as it is to be stored for `owner`; `nonce` is 12 random bytes, never used before."""
        if self._current is None:
            return SealedSecret(material=secret.encode(), master_key=None)
        if len(nonce) != _NONCE_BYTES:
            raise ValueError("a nonce has 12 bytes")
        text = AESGCM(self._keys[self._current]).encrypt(nonce, secret.encode(), owner.encode())
        return SealedSecret(material=nonce + text, master_key=self._current)

    def open(self, sealed: SealedSecret, *, owner: str) -> str:
        """Return the secret of `owner`.

        Raises:
            CannotUnsealError: its master key is not among ours, or it was sealed for somebody else.
        """
        if sealed.master_key is None:
            return sealed.material.decode()
        key = self._keys.get(sealed.master_key)
        if key is None:
            raise CannotUnsealError("its master key is not in the settings")
        nonce, text = sealed.material[:_NONCE_BYTES], sealed.material[_NONCE_BYTES:]
        try:
            return AESGCM(key).decrypt(nonce, text, owner.encode()).decode()
        except InvalidTag:
            raise CannotUnsealError("it was sealed for something else, or changed") from None


def _derived(master_key: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=_PURPOSE).derive(master_key.encode())


def _name(master_key: str) -> str:
    """A name for a master key that says nothing about it."""
    return hashlib.sha256(_PURPOSE + master_key.encode()).hexdigest()[:12]
