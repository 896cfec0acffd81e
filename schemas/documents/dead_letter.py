"""Dead letter v1: a record that was refused for good, with the reason and the original bytes for sending it again.

`code` and `errors` never quote the value; the value itself is in `value_base64` and is personal data.
"""

from __future__ import annotations

import base64
from enum import StrEnum

import msgspec

from schemas import cloudevents
from schemas.codec import Codec
from schemas.vocabulary import Moment

SCHEMA = "dead_letter.v1"
TOPIC = "touchpoints-rejected"

MAX_VALUE_BYTES = 262_144
"""Of a longer original only the first bytes are kept; `value_bytes` still says how long it was."""


class DeadLetterStage(StrEnum):
    """Which service refused the record."""

    INGEST = "ingest"
    JOURNEY = "journey"
    ALERTS = "alerts"


class DeadLetterError(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One thing that was wrong: where, and how to fix it."""

    path: str
    code: str
    message: str


class DeadLetterDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One refused record. `topic`, `partition` and `offset` say where it stood, if it came from Kafka."""

    id: str
    stage: DeadLetterStage
    code: str
    value_base64: str
    value_bytes: int
    first_seen: Moment
    errors: tuple[DeadLetterError, ...] = ()
    headers: dict[str, str] = {}
    source: str | None = None
    topic: str | None = None
    partition: int | None = None
    offset: int | None = None
    attempt: int = 1

    @property
    def value(self) -> bytes:
        """The original bytes, cut at `MAX_VALUE_BYTES`."""
        return base64.b64decode(self.value_base64, validate=True)

    @property
    def truncated(self) -> bool:
        """Whether bytes are missing, so that the record cannot be sent again unchanged."""
        return len(self.value) < self.value_bytes


_DEAD_LETTER = Codec(DeadLetterDocument)


def preserve(original: bytes) -> tuple[str, int]:
    """Return `value_base64` and `value_bytes` for the refused bytes."""
    return base64.b64encode(original[:MAX_VALUE_BYTES]).decode("ascii"), len(original)


def decode(raw: bytes) -> DeadLetterDocument:
    """Return the dead letter in a record of the topic; raises `schemas.codec.UndecodableError`."""
    return _DEAD_LETTER.decode(raw)


def encode(letter: DeadLetterDocument) -> bytes:
    """Return the value of a record of the topic."""
    return _DEAD_LETTER.encode(letter)


def headers(letter: DeadLetterDocument, traceparent: str | None = None) -> cloudevents.RecordHeaders:
    """Return the headers of its record."""
    return cloudevents.headers(
        cloudevents.CloudEventType.DEAD_LETTER,
        id=letter.id,
        origin=cloudevents.origin(letter.stage.value, letter.source),
        time=letter.first_seen,
        traceparent=traceparent,
    )
