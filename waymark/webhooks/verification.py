"""Decides whether a webhook is its sender's: signature over the raw bytes, and a time that is near.

`v1` is HMAC-SHA256 with a shared secret (`whsec_…`), `v1a` is Ed25519 with a public key (`whpk_…`). The signed text is
`id.timestamp.body`. Tokens of versions that no key is for are passed over, as the specification asks, so a sender may
add versions. https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import binascii
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

SECRET_PREFIX = "whsec_"  # noqa: S105  a prefix
PUBLIC_PREFIX = "whpk_"
TOLERANCE_S = 300
"""How far the time of a webhook may be from ours, in either direction."""

MOST_TOKENS = 32
"""More signatures than this are not looked at: nobody rotates so many keys at once."""


class WebhookRefusal(StrEnum):
    """Why a webhook is refused."""

    NO_KEY = "no_key"
    KEY_MALFORMED = "key_malformed"
    HEADER_MISSING = "header_missing"
    TIMESTAMP_MALFORMED = "timestamp_malformed"
    TOO_OLD = "too_old"
    TOO_NEW = "too_new"
    NO_KNOWN_SIGNATURE = "no_known_signature"
    """No token has a version that one of the keys is for."""
    WRONG_SIGNATURE = "wrong_signature"


_SENTENCES = {
    WebhookRefusal.NO_KEY: "Give the secret (whsec_…) or the public key (whpk_…) of the endpoint.",
    WebhookRefusal.KEY_MALFORMED: "A key is whsec_ or whpk_ and base64; a public key has 32 bytes.",
    WebhookRefusal.HEADER_MISSING: "webhook-id, webhook-timestamp and webhook-signature are needed.",
    WebhookRefusal.TIMESTAMP_MALFORMED: "webhook-timestamp is whole seconds since 1970.",
    WebhookRefusal.TOO_OLD: "It was signed more than five minutes ago: a repeat of somebody else, or a wrong clock.",
    WebhookRefusal.TOO_NEW: "It was signed more than five minutes ahead of this clock.",
    WebhookRefusal.NO_KNOWN_SIGNATURE: "It has no signature of a kind that your keys are for (v1: whsec_, v1a: whpk_).",
    WebhookRefusal.WRONG_SIGNATURE: "No signature fits: another key, or other bytes than signed; use the raw body.",
}


class WebhookRefusedError(Exception):
    """A webhook is not to be believed; `refusal` is the reason for programs, the text says what to do."""

    def __init__(self, refusal: WebhookRefusal) -> None:
        super().__init__(_SENTENCES[refusal])
        self.refusal = refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedWebhook:
    """A webhook that was verified: its id (drop repeats by it), when it was signed, by which version, and its body."""

    id: str
    signed_at: datetime
    version: str
    body: bytes = field(repr=False)

    def document(self) -> Any:
        """Return the body as JSON; raises `ValueError` if it is none."""
        return json.loads(self.body)


def verify(
    body: bytes,
    headers: Mapping[str, str],
    keys: Sequence[str],
    *,
    now: datetime | None = None,
    tolerance_s: int = TOLERANCE_S,
) -> VerifiedWebhook:
    """Return the webhook if one of `keys` signed it; `body` is the raw bytes, names of headers may have any case.

    Raises:
        WebhookRefusedError: it is not to be believed, with the reason.
    """
    given = {name.lower(): value for name, value in headers.items()}
    webhook_id, stamp, tokens = (given.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature"))
    if not (webhook_id and stamp and tokens):
        raise WebhookRefusedError(WebhookRefusal.HEADER_MISSING)
    signed_at = _checked_time(stamp, now or datetime.now(UTC), tolerance_s)
    signed = b".".join((webhook_id.encode(), stamp.encode(), body))
    version = _matching(signed, tokens.split(" ")[:MOST_TOKENS], _read_keys(keys))
    return VerifiedWebhook(id=webhook_id, signed_at=signed_at, version=version, body=body)


def _checked_time(stamp: str, now: datetime, tolerance_s: int) -> datetime:
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 11):
        raise WebhookRefusedError(WebhookRefusal.TIMESTAMP_MALFORMED)
    ahead_s = int(stamp) - now.timestamp()
    if ahead_s > tolerance_s:
        raise WebhookRefusedError(WebhookRefusal.TOO_NEW)
    if ahead_s < -tolerance_s:
        raise WebhookRefusedError(WebhookRefusal.TOO_OLD)
    return datetime.fromtimestamp(int(stamp), UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Keys:
    """The keys of a receiver by the version that they verify."""

    secrets: tuple[bytes, ...]
    public: tuple[Ed25519PublicKey, ...]


def _read_keys(keys: Sequence[str]) -> _Keys:
    if not keys:
        raise WebhookRefusedError(WebhookRefusal.NO_KEY)
    try:
        public = [_decoded(key[len(PUBLIC_PREFIX) :]) for key in keys if key.startswith(PUBLIC_PREFIX)]
        secrets = [_decoded(key.removeprefix(SECRET_PREFIX)) for key in keys if not key.startswith(PUBLIC_PREFIX)]
        if not all(secrets):
            raise WebhookRefusedError(WebhookRefusal.KEY_MALFORMED)
        return _Keys(secrets=tuple(secrets), public=tuple(Ed25519PublicKey.from_public_bytes(one) for one in public))
    except ValueError:
        raise WebhookRefusedError(WebhookRefusal.KEY_MALFORMED) from None


def _decoded(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)


def _matching(signed: bytes, tokens: Sequence[str], keys: _Keys) -> str:
    """Return the version of the first token that fits; every comparison of secrets takes the same time."""
    known = False
    for token in tokens:
        version, comma, text = token.partition(",")
        if not comma or version not in {"v1", "v1a"} or not (keys.secrets if version == "v1" else keys.public):
            continue
        known = True
        try:
            signature = _decoded(text)
        except (ValueError, binascii.Error):
            continue
        if version == "v1":
            if any(hmac.compare_digest(hmac.digest(key, signed, "sha256"), signature) for key in keys.secrets):
                return version
        elif any(_fits(key, signature, signed) for key in keys.public):
            return version
    raise WebhookRefusedError(WebhookRefusal.WRONG_SIGNATURE if known else WebhookRefusal.NO_KNOWN_SIGNATURE)


def _fits(key: Ed25519PublicKey, signature: bytes, signed: bytes) -> bool:
    try:
        key.verify(signature, signed)
    except InvalidSignature:
        return False
    return True
