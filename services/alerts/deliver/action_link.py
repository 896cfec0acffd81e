"""Signed links with which whoever reads a message takes its issue, without a key of the API.

The token names the issue and the endpoint that was told, ends after a week, and is signed (HMAC-SHA256) with a key
that is derived from a master key; nothing is stored. A link only shows a page: taking the issue needs its button,
because mail scanners and chat previews open links. Pure: the time is an argument.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

VALID_FOR = timedelta(days=7)
PATH = "/v1/replies/"
_PURPOSE = b"waymark/action-link/v1"
_VERSION = b"\1"
_MAC_BYTES = 16
_TOKEN_BYTES = 1 + 16 + 16 + 5 + _MAC_BYTES


class LinkRefusedError(Exception):
    """A token is not ours, or its time is over (`expired`)."""

    def __init__(self, *, expired: bool) -> None:
        super().__init__("expired" if expired else "not ours")
        self.expired = expired


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionLink:
    """What a link allows: to take this issue, as a reader of this endpoint, until then."""

    issue_id: UUID
    endpoint_id: UUID
    expires_at: datetime


class ActionLinks:
    """Makes and reads links; the first of `master_keys` signs, every one verifies."""

    def __init__(self, master_keys: Sequence[str], base_url: str) -> None:
        """`base_url` is where browsers reach this API; without it or without a key there are no links."""
        self._keys = [hmac.digest(key.encode(), _PURPOSE, "sha256") for key in master_keys]
        self._base = base_url.rstrip("/")

    def url(self, link: ActionLink) -> str | None:
        """Return the address of a link; None where links are not set up."""
        if not self._keys or not self._base:
            return None
        claim = _claim(link)
        token = base64.urlsafe_b64encode(claim + _mac(self._keys[0], claim)).rstrip(b"=").decode()
        return self._base + PATH + token

    def read(self, token: str, now: datetime) -> ActionLink:
        """Return what a token allows.

        Raises:
            LinkRefusedError: it is not ours, or its time is over.
        """
        try:
            raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except (ValueError, binascii.Error):
            raise LinkRefusedError(expired=False) from None
        claim, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
        known = [hmac.compare_digest(_mac(key, claim), mac) for key in self._keys]
        if len(raw) != _TOKEN_BYTES or claim[:1] != _VERSION or not any(known):
            raise LinkRefusedError(expired=False)
        ends = datetime.fromtimestamp(int.from_bytes(claim[33:], "big"), UTC)
        if now >= ends:
            raise LinkRefusedError(expired=True)
        return ActionLink(issue_id=UUID(bytes=claim[1:17]), endpoint_id=UUID(bytes=claim[17:33]), expires_at=ends)


def _claim(link: ActionLink) -> bytes:
    ends = int(link.expires_at.timestamp()).to_bytes(5, "big")
    return _VERSION + link.issue_id.bytes + link.endpoint_id.bytes + ends


def _mac(key: bytes, claim: bytes) -> bytes:
    return hmac.new(key, claim, hashlib.sha256).digest()[:_MAC_BYTES]
