"""Signs webhooks by the Standard Webhooks specification (`v1`, and `v1a` on demand) and derives the secrets that sign.

With a master key in the settings, a secret is not stored: it is derived from random material in the database, so a
copy of the database cannot sign. Without a master key the material is the secret; docs/alerts.md says so. The
signature is implemented from the specification, because the library's `sign` takes text instead of bytes and reads a
naive time as UTC; the tests verify signatures with that library and with Svix's. `v1a` is Ed25519: its private key is
derived from the master key apart from the secret, so who verifies with either can sign with neither; it needs a master
key. Storing secrets is left to `secret_store`.
"""

import base64
import hashlib
import hmac
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import islice
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.alerts.deliver.webhook.secret_store import SecretMaterial

PREFIX = "whsec_"
MATERIAL_BYTES = 32
MOST_OLD_SECRETS = 10
"""The most old secrets that sign besides the newest: more would make a header that receivers refuse."""

OVERLAP = timedelta(hours=24)
"""How long an old secret stays valid after a rotation, unless the rotation says otherwise."""

PUBLIC_PREFIX = "whpk_"

_PURPOSE = b"waymark/endpoint-secret/v1"
_PURPOSE_OF_PAIRS = b"waymark/endpoint-key-pair/v1"


class MissingMasterKeyError(Exception):
    """A secret was derived from a master key that is no longer in the settings."""


class WebhookSigner:
    """Derives secrets and signs with the master keys of this process; the first key is for new secrets."""

    def __init__(self, master_keys: Sequence[str]) -> None:
        self._keys = {_name(key): key.encode() for key in master_keys}
        self._current = next(iter(self._keys), None)

    @property
    def protected(self) -> bool:
        """Whether new secrets are derived and not stored."""
        return self._current is not None

    def new_secret(self, *, secret_id: UUID, endpoint_id: UUID, material: bytes, now: datetime) -> SecretMaterial:
        """Return what to store for a new secret; `material` is 32 random bytes."""
        return SecretMaterial(
            id=secret_id, endpoint_id=endpoint_id, material=material, master_key=self._current, created_at=now
        )

    def reveal(self, stored: SecretMaterial) -> str:
        """Return the secret as its receiver gets it: `whsec_…`."""
        return PREFIX + base64.b64encode(self._secret(stored)).decode()

    def public_key(self, stored: SecretMaterial) -> str | None:
        """Return the public key of a secret as its receiver gets it, `whpk_…`; None without a master key."""
        pair = self._pair(stored)
        return PUBLIC_PREFIX + base64.b64encode(pair.public_key().public_bytes_raw()).decode() if pair else None

    def headers(self, webhook_id: str, body: bytes, secrets: Iterable[SecretMaterial], now: datetime) -> dict[str, str]:
        """Return the three headers of an attempt at `now`, signed with `secrets` in the order newest first.

        Only the newest secret and ten old ones sign.
        """
        timestamp = str(int(now.timestamp()))
        signed = b".".join((webhook_id.encode(), timestamp.encode(), body))
        signatures: list[str] = []
        for stored in islice(secrets, 1 + MOST_OLD_SECRETS):
            signatures.append("v1," + _text(hmac.digest(self._secret(stored), signed, "sha256")))
            pair = self._pair(stored) if stored.asymmetric else None
            if pair is not None:
                signatures.append("v1a," + _text(pair.sign(signed)))
        return {"webhook-id": webhook_id, "webhook-timestamp": timestamp, "webhook-signature": " ".join(signatures)}

    def _pair(self, stored: SecretMaterial) -> Ed25519PrivateKey | None:
        if stored.master_key is None:
            return None
        seed = hmac.digest(self._key(stored.master_key), _PURPOSE_OF_PAIRS + _bound(stored), "sha256")
        return Ed25519PrivateKey.from_private_bytes(seed)

    def _key(self, name: str) -> bytes:
        key = self._keys.get(name)
        if key is None:
            raise MissingMasterKeyError(name)
        return key

    def _secret(self, stored: SecretMaterial) -> bytes:
        if stored.master_key is None:
            return stored.material
        return hmac.digest(self._key(stored.master_key), _PURPOSE + _bound(stored), "sha256")


def _bound(stored: SecretMaterial) -> bytes:
    """Return what ties a derived key to its endpoint."""
    return stored.endpoint_id.bytes + stored.material


def _text(signature: bytes) -> str:
    return base64.b64encode(signature).decode()


def _name(master_key: str) -> str:
    """Return a name for a master key that does not reveal it."""
    return hashlib.sha256(_PURPOSE + master_key.encode()).hexdigest()[:12]
