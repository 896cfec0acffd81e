"""Builds the records of accepted touchpoints for Kafka.

The record's key is an HMAC of the strongest identifier: one customer stays on one partition, and who reads keys (tools,
metrics of hot keys, logs of the broker) reads nobody's phone number.
"""

import hmac
import re
from collections.abc import Callable
from functools import lru_cache

from schemas.documents import touchpoint
from services.ingest.touchpoint.acceptance import AcceptedTouchpoint
from services.runtime.kafka.record import ProducerRecord

_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_KEY_BYTES = 16
_SEPARATOR = "\x1f"
"""Between type and value; it stands in neither, since the contract allows no control characters there."""


def traceparent(given: str, fresh: Callable[[], str]) -> str:
    """Return the caller's W3C trace context if it is valid, else a fresh one (`fresh`: 32 hexadecimal digits)."""
    if given and _TRACEPARENT.fullmatch(given):
        return given
    trace = fresh()
    return f"00-{trace}-{trace[16:]}-01"


@lru_cache(maxsize=8192)  # customers come back; the digest costs as much as checking the touchpoint
def key_of(type_: str, value: str, secret: bytes) -> bytes:
    """Return the record key of an identifier: 32 hexadecimal digits, always the same for the same identifier."""
    return hmac.digest(secret, f"{type_}{_SEPARATOR}{value}".encode(), "sha256")[:_KEY_BYTES].hex().encode()


def touchpoint_record(accepted: AcceptedTouchpoint, secret: bytes, trace: str) -> ProducerRecord:
    """Return the record of an accepted touchpoint."""
    return ProducerRecord(
        topic=touchpoint.TOPIC,
        key=key_of(*accepted.key, secret),
        value=touchpoint.encode(accepted.touchpoint),
        headers=touchpoint.headers(accepted.touchpoint, trace),
    )
