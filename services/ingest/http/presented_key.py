"""Finds the source key in a request's headers, without checking it. URLs are never read: proxies log them."""

import base64
import binascii

from services.ingest.http.exchange import Headers


def presented_key(headers: Headers) -> str | None:
    """Return the key of `Authorization` (Bearer, bare, or the Basic user name) or of `X-Write-Key` (before a colon)."""
    authorization = headers.get(b"authorization", b"").decode("latin-1").strip()
    if authorization:
        scheme, _, rest = authorization.partition(" ")
        return _basic_user(rest.strip()) if scheme.lower() == "basic" else rest.strip() or scheme
    write_key = headers.get(b"x-write-key", b"").decode("latin-1").strip()
    return write_key.partition(":")[0] or None


def _basic_user(encoded: str) -> str:
    try:
        user, _, _ = base64.b64decode(encoded, validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return encoded  # is no key either, and is refused as one
    return user.decode("latin-1") or encoded
