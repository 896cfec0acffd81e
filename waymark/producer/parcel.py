"""Prepares a touchpoint for sending, and limits how many go into one request."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import orjson

MOST_TOUCHPOINTS = 500
MOST_BYTES = 2_000_000
"""Of one request: half of what ingest takes, whatever the limits of a proxy on the way."""


@dataclass(frozen=True, slots=True)
class PreparedTouchpoint:
    """One touchpoint as JSON, with its id."""

    id: str
    raw: bytes
    dated: bool
    """Whether it says itself when it was sent."""

    def stamped(self, now: datetime) -> bytes:
        """Return the JSON with `sent_at`, from which ingest learns how wrong this machine's clock is."""
        return self.raw if self.dated else self.raw[:-1] + b',"sent_at":"' + _text(now).encode() + b'"}'


def prepare(touchpoint: Mapping[str, Any], now: datetime) -> PreparedTouchpoint:
    """Give `touchpoint` an id and a time, so that it stays the same touchpoint however often it is sent.

    Raises:
        TypeError: it holds what JSON cannot.
    """
    whole = {"id": str(uuid4()), "occurred_at": _text(now), **touchpoint}
    raw = orjson.dumps(whole, default=_json)
    return PreparedTouchpoint(str(whole["id"]), raw, "sent_at" in whole)


def fits(parcels: int, size: int, more: PreparedTouchpoint) -> bool:
    """Return whether one more touchpoint fits into a request that has `parcels` of `size` bytes."""
    return not parcels or (parcels < MOST_TOUCHPOINTS and size + len(more.raw) <= MOST_BYTES)


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()


def _json(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError
