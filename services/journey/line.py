"""Is this still the log whose offsets we keep? Decides, from what the broker and the database say; does nothing.

Offsets mean something only within one *line*: one life of a log. A topic that was deleted and made again, a log that
lost its tail, or retention that ate what was not read yet would each make us skip or repeat records in silence. So
each is refused, loudly, until an operator decides (docs/operations).
"""

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from services.journey.intake import Record


class LogVerdict(StrEnum):
    """Whether a partition's log continues where the applied records end."""

    SAME = "same"
    EXPIRED = "expired"  # retention removed records that were never applied
    TRUNCATED = "truncated"  # the log ends before what was applied
    RECREATED = "recreated"  # another record stands where the last applied one stood


_EXPLANATIONS = {
    LogVerdict.SAME: "",
    LogVerdict.EXPIRED: "records were removed by retention before they were applied",
    LogVerdict.TRUNCATED: "the log ends before the last applied record: data was lost, or the topic was recreated",
    LogVerdict.RECREATED: "the last applied record is not in the log any more: the topic was recreated",
}

HINT = (
    "To go on with what the log holds now, give it a new line (WAYMARK_KAFKA_LINE): everything still there is read "
    "again from the start, what was seen is skipped, and frictions that were published are published again."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where a partition stands: `next_offset` is the first unapplied, `last_hash` that of the record before it."""

    partition: int
    next_offset: int
    last_hash: bytes | None
    log_start: int
    log_end: int

    @property
    def probe(self) -> int | None:
        """The offset of the last applied record, where it can still be read and compared."""
        last = self.next_offset - 1
        return last if self.last_hash is not None and last >= self.log_start else None


class LogRefusedError(Exception):
    """The log is not the one whose offsets we keep; an operator must decide."""

    def __init__(self, verdict: LogVerdict, position: Position) -> None:
        super().__init__(f"partition {position.partition}: {_EXPLANATIONS[verdict]}. {HINT}")
        self.verdict = verdict
        self.position = position


def judge_bounds(position: Position) -> LogVerdict:
    """Compare the first unapplied offset with where the log starts; its end is judged by `judge_probe`."""
    return LogVerdict.EXPIRED if position.next_offset < position.log_start else LogVerdict.SAME


def judge_probe(position: Position, found: Record | None) -> LogVerdict:
    """Compare the record `found` at the probe (None: the broker returned nothing there) with the applied one.

    The embedded broker reports an end that is too low by up to one batch, so the end alone proves nothing.
    """
    if found is None:
        return LogVerdict.TRUNCATED if position.log_end < position.next_offset else LogVerdict.SAME
    if found.offset != position.probe:
        return LogVerdict.EXPIRED if found.offset >= position.next_offset else LogVerdict.TRUNCATED
    return LogVerdict.SAME if fingerprint(found) == position.last_hash else LogVerdict.RECREATED


def fingerprint(record: Record) -> bytes:
    """Return 16 bytes that tell this record from another at the same offset: its time, key and value."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update(record.timestamp.to_bytes(8, "big", signed=True))
    for part in (record.key, record.value):
        digest.update(b"\x00" if part is None else b"\x01" + len(part).to_bytes(4, "big") + part)
    return digest.digest()
