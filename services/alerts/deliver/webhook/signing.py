"""Signs webhooks by the Standard Webhooks specification (`v1`) and derives the secrets that sign.

With a master key in the settings, a secret is not stored: it is derived from random material in the database, so a copy
of the database cannot sign. Without a master key the material is the secret; docs/alerts.md says so. The signature is
implemented from the specification, because the library's `sign` takes text instead of bytes and reads a naive time as
UTC; the tests verify signatures with that library and with Svix's. Storing secrets is left to `secret_store`.
"""

import base64
import hashlib
import hmac
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import islice
from uuid import UUID

from services.alerts.deliver.webhook.secret_store import SecretMaterial

PREFIX = "whsec_"
MATERIAL_BYTES = 32
MOST_OLD_SECRETS = 10
"""The most old secrets that sign besides the newest: more would make a header that receivers refuse."""

OVERLAP = timedelta(hours=24)
"""How long an old secret stays valid after a rotation, unless the rotation says otherwise."""

_PURPOSE = b"waymark/endpoint-secret/v1"


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

    def headers(self, webhook_id: str, body: bytes, secrets: Iterable[SecretMaterial], now: datetime) -> dict[str, str]:
        """Return the three headers of an attempt at `now`, signed with `secrets` in the order newest first.

        Only the newest secret and ten old ones sign.
        """
        timestamp = str(int(now.timestamp()))
        signed = b".".join((webhook_id.encode(), timestamp.encode(), body))
        signatures = [
            "v1," + base64.b64encode(hmac.digest(self._secret(stored), signed, "sha256")).decode()
            for stored in islice(secrets, 1 + MOST_OLD_SECRETS)
        ]
        return {"webhook-id": webhook_id, "webhook-timestamp": timestamp, "webhook-signature": " ".join(signatures)}

    def _secret(self, stored: SecretMaterial) -> bytes:
        if stored.master_key is None:
            return stored.material
        key = self._keys.get(stored.master_key)
        if key is None:
            raise MissingMasterKeyError(stored.master_key)
        return hmac.digest(key, _PURPOSE + stored.endpoint_id.bytes + stored.material, "sha256")


def _name(master_key: str) -> str:
    """Return a name for a master key that does not reveal it."""
    return hashlib.sha256(_PURPOSE + master_key.encode()).hexdigest()[:12]
