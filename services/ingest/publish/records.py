"""Builds the records for Kafka: an accepted touchpoint for `touchpoints`, a rejected one as a dead letter.

The record's key is an HMAC of the strongest identifier: one customer stays on one partition, and who reads keys (tools,
metrics of hot keys, logs of the broker) reads nobody's phone number.
"""

import hmac
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache

from schemas.documents import dead_letter, touchpoint
from schemas.documents.dead_letter import DeadLetterDocument, DeadLetterError, DeadLetterStage
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


def dead_letter_record(  # noqa: PLR0913  a dead letter is all of this
    *,
    id_: str,
    item: bytes,
    source: str,
    code: str,
    errors: tuple[DeadLetterError, ...],
    now: datetime,
    headers: Mapping[str, str],
    trace: str,
) -> ProducerRecord:
    """Return the record of a rejected touchpoint, with the bytes that were sent."""
    value_base64, value_bytes = dead_letter.preserve(item)
    letter = DeadLetterDocument(
        id=id_,
        stage=DeadLetterStage.INGEST,
        code=code,
        value_base64=value_base64,
        value_bytes=value_bytes,
        first_seen=now,
        errors=errors,
        headers=dict(headers),
        source=source,
    )
    return ProducerRecord(
        topic=dead_letter.TOPIC,
        key=source.encode(),
        value=dead_letter.encode(letter),
        headers=dead_letter.headers(letter, trace),
    )
