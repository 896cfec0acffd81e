"""Decodes records of the log into touchpoints of the domain, or into the reason why a record is none."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from operator import attrgetter
from typing import Any

import msgspec

from schemas.codec import UndecodableError, holds_nul
from schemas.documents import touchpoint as touchpoint_v1
from services.journey.consume.dead_letters import RecordFault
from services.journey.consume.intake import ConsumedRecord
from services.journey.domain.touchpoint import Touchpoint, fingerprint

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


class PoisonRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A record that is no touchpoint, with its source and id if they could be read."""

    code: PoisonCode
    faults: tuple[RecordFault, ...] = ()
    source: str | None = None
    touchpoint_id: str | None = None


class ReadableRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A record that is a touchpoint: the value, its fingerprint, and the JSON as it was read."""

    touchpoint: Touchpoint
    fingerprint: bytes
    payload: str


def appended_at(record: ConsumedRecord) -> datetime:
    """Return the broker's time of the record; a record without a time counts as appended in 1970."""
    return _EPOCH + timedelta(milliseconds=max(record.timestamp, 0))


def decode_record(record: ConsumedRecord) -> ReadableRecord | PoisonRecord:
    """Return the touchpoint in `record`, or why there is none. It never raises, whatever the log holds."""
    value = record.value
    if not value:
        return PoisonRecord(code=PoisonCode.EMPTY)
    if len(value) > MOST_BYTES:
        return PoisonRecord(code=PoisonCode.TOO_LARGE)
    try:
        payload = value.decode()
        touchpoint = _decode(value)
    except UnicodeDecodeError:
        return PoisonRecord(code=PoisonCode.NOT_UTF8)
    except UndecodableError as error:
        fault = RecordFault(path=error.path, message=error.message)
        return PoisonRecord(code=PoisonCode.NOT_A_TOUCHPOINT, faults=(fault,), **_names(value))
    refused = _refuse(touchpoint, value)
    if refused is not None:
        return refused
    return ReadableRecord(touchpoint=touchpoint, fingerprint=fingerprint(touchpoint), payload=payload)


def _decode(value: bytes) -> Touchpoint:
    checked = touchpoint_v1.decode(value)
    try:
        return _DECODER.decode(value)
    except msgspec.ValidationError:  # `2.0` for the whole number 2, which the contract allows
        return _DECODER.decode(touchpoint_v1.encode(checked))


def _refuse(touchpoint: Touchpoint, value: bytes) -> PoisonRecord | None:
    code: PoisonCode | None = None
    where = ""
    if not touchpoint.source or not touchpoint.id:
        code, where = PoisonCode.NAMELESS, "id" if touchpoint.source else "source"
    elif b"\\u0000" in value and holds_nul(msgspec.to_builtins(touchpoint)):
        code = PoisonCode.NUL
    elif _has_huge_number(touchpoint):
        code = PoisonCode.NUMBER_OUT_OF_RANGE
    else:
        where = _odd_time(touchpoint)
        code = PoisonCode.TIME_OUT_OF_RANGE if where else None
    if code is None:
        return None
    fault = RecordFault(path=where, message=_MESSAGES[code])
    return PoisonRecord(code=code, faults=(fault,), source=touchpoint.source, touchpoint_id=touchpoint.id)


_MESSAGES = {
    PoisonCode.NAMELESS: "Give the touchpoint a source and an id.",
    PoisonCode.NUL: "Leave out the character U+0000, which cannot be stored.",
    PoisonCode.TIME_OUT_OF_RANGE: "Give a time between the years 2000 and 2100.",
    PoisonCode.NUMBER_OUT_OF_RANGE: "Send numbers of more than 64 bits as text.",
}


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


class _Names(msgspec.Struct):
    source: str | None = None
    id: str | None = None


_NAMES = msgspec.json.Decoder(_Names)


def _names(value: bytes) -> dict[str, str | None]:
    try:
        names = _NAMES.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}
    return {"source": names.source, "touchpoint_id": names.id}
