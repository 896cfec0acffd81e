"""Is this still the log whose offsets we keep? Judged the same way by every consumer that keeps its own.

Offsets mean something only within one *line*: one life of a log. A topic that was deleted and made again, a log that
lost its tail, or retention that ate what was not read yet would each make us skip or repeat records in silence. So
each is refused, loudly, until an operator decides (docs/operations).

The judgement is made of the log's bounds and of the last applied record, read once more. How it is read is left to the
consumer, which hands in a `Reader`; what to do with a verdict, too.
"""

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class LogVerdict(StrEnum):
    """Whether a partition's log continues where the applied records end."""

    SAME = "same"
    EXPIRED = "expired"  # retention removed records that were never applied
    TRUNCATED = "truncated"  # the log ends before what was applied
    RECREATED = "recreated"  # another record stands where the last applied one stood
    UNPROVEN = "unproven"  # the broker returned nothing in time: ask again, take nothing until then

    @property
    def refused(self) -> bool:
        """Whether it is another log for certain, so that only an operator can say how to go on."""
        return self in _EXPLANATIONS


_EXPLANATIONS = {
    LogVerdict.EXPIRED: "records were removed by retention before they were applied",
    LogVerdict.TRUNCATED: "the log ends before the last applied record: data was lost, or the topic was recreated",
    LogVerdict.RECREATED: "the last applied record is not in the log any more: the topic was recreated",
}

HINT = (
    "To go on with what the log holds now, give it a new line (WAYMARK_KAFKA_LINE): everything still there is read "
    "again from the start, what was seen is skipped, and frictions that were published are published again."
)


class LoggedRecord(Protocol):
    """What a record is known by. `timestamp` is in milliseconds since 1970."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where a partition stands: `next_offset` is the first unapplied, `last_hash` that of the record before it.

    `log_start` is the first offset that the log still holds, `log_end` the one after its last record.
    """

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


Reader = Callable[[Mapping[int, int]], Awaitable[Mapping[int, LoggedRecord]]]
"""Given an offset for each partition, returns the first record that each log delivers from there on. One that starts
later delivers its first, one that ends before as well; a partition of which nothing came in time is left out."""


class LogRefusedError(Exception):
    """The log is not the one whose offsets we keep; an operator must decide."""

    def __init__(self, verdict: LogVerdict, position: Position) -> None:
        super().__init__(f"partition {position.partition}: {explain(verdict)}")
        self.verdict = verdict
        self.position = position


async def examine(positions: Sequence[Position], read: Reader) -> dict[int, LogVerdict]:
    """Return the verdict on each partition; reads only those that have a record to compare."""
    verdicts = {position.partition: judge_bounds(position) for position in positions}
    probed = {
        position.partition: position
        for position in positions
        if position.probe is not None and verdicts[position.partition] is LogVerdict.SAME
    }
    if probed:
        found = await read({partition: position.next_offset - 1 for partition, position in probed.items()})
        verdicts |= {p: judge_probe(position, found.get(p)) for p, position in probed.items()}
    return verdicts


def judge_bounds(position: Position) -> LogVerdict:
    """Compare the first unapplied offset with the bounds of the log.

    A record that can be compared tells more than the end does (the embedded broker reports an end that is too low by
    up to one batch), so the end counts only where there is none.
    """
    if position.next_offset < position.log_start:
        return LogVerdict.EXPIRED
    if position.probe is None and position.next_offset > position.log_end:
        return LogVerdict.TRUNCATED
    return LogVerdict.SAME


def judge_probe(position: Position, found: LoggedRecord | None) -> LogVerdict:
    """Compare the record `found` at the probe (None: nothing came in time) with the applied one."""
    if found is None:
        return LogVerdict.TRUNCATED if position.log_end < position.next_offset else LogVerdict.UNPROVEN
    if found.offset != position.probe:
        return _judge_another_place(position, found.offset)
    return LogVerdict.SAME if fingerprint(found) == position.last_hash else LogVerdict.RECREATED


def _judge_another_place(position: Position, offset: int) -> LogVerdict:
    """Another offset came: the log begins there now, or it ended before and was read from its start."""
    if offset < position.next_offset:
        return LogVerdict.TRUNCATED
    return LogVerdict.SAME if offset == position.next_offset else LogVerdict.EXPIRED


def explain(verdict: LogVerdict) -> str:
    """Return what a refusal means and the way out, for a person; empty where nothing is refused."""
    return f"{_EXPLANATIONS[verdict]}. {HINT}" if verdict.refused else ""


def fingerprint(record: LoggedRecord) -> bytes:
    """Return 16 bytes that tell this record from another at the same offset: its time, key and value."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update(record.timestamp.to_bytes(8, "big", signed=True))
    for part in (record.key, record.value):
        digest.update(b"\x00" if part is None else b"\x01" + len(part).to_bytes(4, "big") + part)
    return digest.digest()
