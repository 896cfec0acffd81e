"""Decodes each record of the log once: into a touchpoint with all that its batch needs of it, or into a dead letter."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from operator import attrgetter
from typing import Any

import msgspec

from schemas.codec import UndecodableError, holds_nul
from schemas.documents import touchpoint as touchpoint_v1
from services.journey.consume.dead_letters import DeadLetter, RecordFault
from services.journey.consume.intake import ConsumedRecord
from services.journey.domain.touchpoint import RecordedTouchpoint, Touchpoint, fingerprint, is_late
from services.runtime.telemetry.tracing import traceparent_of

MOST_BYTES = 1024 * 1024
"""Longest record that is decoded; the limit of ingest for one item is 64 KiB."""

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)
"""Times outside these bounds are mistakes of a producer, and arithmetic on them may overflow."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DECODER = msgspec.json.Decoder(Touchpoint)


class PoisonCode(StrEnum):
    """Why a record can never be applied."""

    EMPTY = "empty"
    TOO_LARGE = "too_large"
    NOT_UTF8 = "not_utf8"
    NOT_A_TOUCHPOINT = "not_a_touchpoint"
    NAMELESS = "nameless"
    NUL = "nul"
    TIME_OUT_OF_RANGE = "time_out_of_range"
    NUMBER_OUT_OF_RANGE = "number_out_of_range"
    NO_USABLE_IDENTIFIER = "no_usable_identifier"
    ID_CONFLICT = "id_conflict"
    NOT_STORABLE = "not_storable"


class DecodedRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A record that holds a touchpoint, as the whole batch uses it: filtered, resolved, projected and stored.

    `payload` is the JSON as it was read, `fingerprint` that of the content. `appended_at` is the broker's time, and a
    `late` touchpoint is only kept.
    """

    partition: int
    record: ConsumedRecord
    touchpoint: Touchpoint
    fingerprint: bytes
    payload: str
    appended_at: datetime
    late: bool

    @property
    def offset(self) -> int:
        """The offset of the record in its partition."""
        return self.record.offset

    @property
    def recorded(self) -> RecordedTouchpoint:
        """The touchpoint in the form that the domain takes."""
        return RecordedTouchpoint(touchpoint=self.touchpoint, appended_at=self.appended_at, late=self.late)

    @property
    def trace(self) -> str | None:
        """The W3C trace context of the record, None without one."""
        return traceparent_of(self.record.headers)


BatchRecord = DecodedRecord | DeadLetter
"""One record of a batch: what it holds, or why that can never be applied."""


def decode_record(partition: int, record: ConsumedRecord, late_after: timedelta) -> BatchRecord:
    """Return the touchpoint in `record`, or why there is none. It never raises, whatever the log holds.

    A touchpoint is late if it was received more than `late_after` after it happened.
    """
    value = record.value
    if not value:
        return _letter(partition, record, PoisonCode.EMPTY)
    if len(value) > MOST_BYTES:
        return _letter(partition, record, PoisonCode.TOO_LARGE)
    try:
        payload = value.decode()
        touchpoint = _decode(value)
    except UnicodeDecodeError:
        return _letter(partition, record, PoisonCode.NOT_UTF8)
    except UndecodableError as error:
        fault = RecordFault(path=error.path, message=error.message)
        return _letter(partition, record, PoisonCode.NOT_A_TOUCHPOINT, (fault,), _names(value))
    refused = _refusal(touchpoint, value)
    if refused is not None:
        code, where = refused
        fault = RecordFault(path=where, message=_MESSAGES[code])
        return _letter(partition, record, code, (fault,), _Names(touchpoint.source, touchpoint.id))
    return DecodedRecord(
        partition=partition,
        record=record,
        touchpoint=touchpoint,
        fingerprint=fingerprint(touchpoint),
        payload=payload,
        appended_at=appended_at(record),
        late=is_late(touchpoint, late_after),
    )


def refuse(decoded: DecodedRecord, code: PoisonCode) -> DeadLetter:
    """Return the dead letter of a touchpoint that was decoded and yet cannot be applied."""
    names = _Names(decoded.touchpoint.source, decoded.touchpoint.id)
    fault = RecordFault(path=_MEMBERS.get(code, ""), message=_MESSAGES[code])
    return _letter(decoded.partition, decoded.record, code, (fault,), names)


def appended_at(record: ConsumedRecord) -> datetime:
    """Return the broker's time of the record; a record without a time counts as appended in 1970."""
    return _EPOCH + timedelta(milliseconds=max(record.timestamp, 0))


class _Names(msgspec.Struct, frozen=True):
    source: str | None = None
    id: str | None = None


_NAMELESS = _Names()


def _letter(
    partition: int,
    record: ConsumedRecord,
    code: PoisonCode,
    faults: tuple[RecordFault, ...] = (),
    names: _Names = _NAMELESS,
) -> DeadLetter:
    return DeadLetter(
        partition=partition,
        record=record,
        code=code,
        faults=faults,
        appended_at=appended_at(record),
        source=names.source,
        touchpoint_id=names.id,
    )


def _decode(value: bytes) -> Touchpoint:
    checked = touchpoint_v1.decode(value)
    try:
        return _DECODER.decode(value)
    except msgspec.ValidationError:  # `2.0` for the whole number 2, which the contract allows
        return _DECODER.decode(touchpoint_v1.encode(checked))


def _refusal(touchpoint: Touchpoint, value: bytes) -> tuple[PoisonCode, str] | None:
    """Return why a touchpoint of the contract cannot be applied, and the path of the member at fault."""
    if not touchpoint.source or not touchpoint.id:
        return PoisonCode.NAMELESS, "id" if touchpoint.source else "source"
    if b"\\u0000" in value and holds_nul(msgspec.to_builtins(touchpoint)):
        return PoisonCode.NUL, ""
    if _has_huge_number(touchpoint):
        return PoisonCode.NUMBER_OUT_OF_RANGE, ""
    odd = _odd_time(touchpoint)
    return (PoisonCode.TIME_OUT_OF_RANGE, odd) if odd else None


_MESSAGES = {
    PoisonCode.NAMELESS: "Give the touchpoint a source and an id.",
    PoisonCode.NUL: "Leave out the character U+0000, which cannot be stored.",
    PoisonCode.TIME_OUT_OF_RANGE: "Give a time between the years 2000 and 2100.",
    PoisonCode.NUMBER_OUT_OF_RANGE: "Send numbers of more than 64 bits as text.",
    PoisonCode.ID_CONFLICT: "This id was used before with other content: send a new id.",
    PoisonCode.NO_USABLE_IDENTIFIER: "No identifier in it points to one person.",
    PoisonCode.NOT_STORABLE: "The database refuses a value in it.",
}
_MEMBERS = {PoisonCode.ID_CONFLICT: "id", PoisonCode.NO_USABLE_IDENTIFIER: "customer"}


_TIMES = ("occurred_at", "received_at", "due_at", "sent_at", "reported_at")
_moments = attrgetter(*_TIMES)


def _odd_time(touchpoint: Touchpoint) -> str:
    for name, moment in zip(_TIMES, _moments(touchpoint), strict=True):
        if moment is not None and not EARLIEST <= moment < LATEST:
            return name
    return ""


_numbers = attrgetter("wait_s", "duration_s", "hold_s", "transfers", "sequence", "sentiment")
_NO_NUMBERS = (None,) * 6


def _has_huge_number(touchpoint: Touchpoint) -> bool:
    """Return whether a number needs more than 64 bits, which would fail in arithmetic far from here.

    It looks at the members that may hold numbers, not at the text: searching the text would take half of the time of
    decoding.
    """
    numbers = _numbers(touchpoint)
    if numbers != _NO_NUMBERS and _holds_huge(numbers):
        return True
    if touchpoint.score is not None and _holds_huge((touchpoint.score.value, touchpoint.score.scale)):
        return True
    if touchpoint.value is not None and _holds_huge(touchpoint.value.amount):
        return True
    return bool(touchpoint.attributes) and _holds_huge(touchpoint.attributes)


def _holds_huge(node: Any) -> bool:
    if isinstance(node, str):
        return False
    if isinstance(node, int | float):
        return not -(2**63) <= node < 2**63
    if isinstance(node, dict):
        return any(map(_holds_huge, node.values()))
    return isinstance(node, list | tuple) and any(map(_holds_huge, node))


_NAMES = msgspec.json.Decoder(_Names)


def _names(value: bytes) -> _Names:
    """Return the source and the id, if they can be read from what is no touchpoint."""
    try:
        return _NAMES.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _NAMELESS
