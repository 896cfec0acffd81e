"""Whether a log is still the one that was read before, and what to do with what it delivers next.

Offsets mean something only within one life of a log. A log that is shorter than our progress was made anew; one that
begins behind it has lost what was never read. Both are refused until an operator decides; guessing would lose frictions
in silence. Leaves asking Kafka to the consumer.
"""

from enum import StrEnum


class LogVerdict(StrEnum):
    """What a log's beginning and end say about our progress in it."""

    SAME = "same"
    SHORTER = "shorter_than_progress"
    UNREAD_GONE = "unread_records_gone"
    OTHER_RECORD = "another_record_at_our_place"


class Delivery(StrEnum):
    """What to do with records that start at some offset while another is expected."""

    TAKE = "take"
    TRIM = "trim"
    """The first ones were applied before."""
    SEEK_BACK = "seek_back"
    """Something is missing: ask for it once more; a second time it does not exist (a transaction's mark)."""


def examine(next_offset: int, *, beginning: int, end: int) -> LogVerdict:
    """Compare our progress with the offsets that the log has; `end` is the offset after its last record."""
    if next_offset > end:
        return LogVerdict.SHORTER
    if next_offset < beginning:
        return LogVerdict.UNREAD_GONE
    return LogVerdict.SAME


def receive(first: int, *, expected: int, asked_again: bool) -> Delivery:
    """Decide about records whose first offset is `first`."""
    if first < expected:
        return Delivery.TRIM
    if first > expected and not asked_again:
        return Delivery.SEEK_BACK
    return Delivery.TAKE
