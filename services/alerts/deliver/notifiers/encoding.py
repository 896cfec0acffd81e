"""Encodes what notifiers send: JSON as UTF-8 without escapes, and times as RFC 3339 in UTC."""

from datetime import UTC, datetime

import msgspec


def encode(document: object) -> bytes:
    """Return a document as JSON."""
    return msgspec.json.encode(document)


def moment(at: datetime) -> str:
    """Return a time as RFC 3339 with milliseconds: `2026-11-22T00:15:03.120Z`."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
