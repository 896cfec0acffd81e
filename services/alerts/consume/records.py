"""Records of a topic as they came from Kafka, and what every intake does with them: read all, bury what cannot be read.

Pure. What the values mean is left to the intakes.
"""

import base64
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from services.alerts.consume.dead_letters import RecordDeadLetter
from services.alerts.issues.contract import UnreadableRecordError
from services.runtime.log.batch import Run
from services.runtime.log.identity import fingerprint
from services.runtime.log.progress import Advance

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumedRecord:
    """A record as it came from Kafka; `timestamp` is in milliseconds since 1970."""

    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


def as_consumed(record: Any) -> ConsumedRecord:
    """Return a record of the Kafka client as one of ours."""
    return ConsumedRecord(
        partition=record.partition,
        offset=record.offset,
        timestamp=record.timestamp,
        key=record.key,
        value=record.value,
        headers=tuple(record.headers or ()),
    )


def read_all(
    records: Iterable[ConsumedRecord], read: Callable[[ConsumedRecord], Value], *, bury: bool
) -> tuple[list[Value], list[RecordDeadLetter]]:
    """Return what `read` makes of the records in their order, and a dead letter for each record that it refuses."""
    values: list[Value] = []
    letters: list[RecordDeadLetter] = []
    for record in records:
        try:
            if bury:
                raise UnreadableRecordError("unstorable", message="PostgreSQL refuses a value in it.")
            values.append(read(record))
        except UnreadableRecordError as why:
            letters.append(_letter(record, why))
    return values, letters


def _letter(record: ConsumedRecord, why: UnreadableRecordError) -> RecordDeadLetter:
    return RecordDeadLetter(
        partition=record.partition,
        offset=record.offset,
        code=why.code,
        at=why.at,
        message=why.message,
        key=record.key,
        value=record.value,
        headers=[(name, base64.b64encode(value or b"").decode()) for name, value in record.headers],
    )


def buried(records: Iterable[ConsumedRecord], letters: Iterable[RecordDeadLetter]) -> list[bool]:
    """Return for each record whether it is among the dead letters, in the order of the records."""
    places = {(letter.partition, letter.offset) for letter in letters}
    return [(record.partition, record.offset) in places for record in records]


def advance(run: Run[ConsumedRecord]) -> Advance:
    """Return the progress of a partition behind `run`."""
    last = run.items[-1]
    return Advance(
        partition=run.claim.partition,
        epoch=run.claim.epoch,
        was=run.first,
        next_offset=run.end,
        last_hash=fingerprint(last),
    )
