"""What to do with records that a log delivers next: whether they continue what was applied.

Whether it still is the log that was read before is judged by `services.runtime.log`; asking Kafka is left to the
consumer.
"""

from enum import StrEnum


class Delivery(StrEnum):
    """What to do with records that start at some offset while another is expected."""

    TAKE = "take"
    TRIM = "trim"
    """The first ones were applied before."""
    SEEK_BACK = "seek_back"
    """Something is missing: ask for it once more."""
    EXAMINE = "examine"
    """Still missing: retention may have taken what was not read, so compare the log with what was applied again."""


class Asked(StrEnum):
    """What has been done about the hole before the expected record."""

    NOTHING = "nothing"
    AGAIN = "again"
    EXAMINED = "examined"
    """The log is the same and holds the place: what is missing is a transaction's mark, no record."""


def receive(first: int, *, expected: int, asked: Asked = Asked.NOTHING) -> Delivery:
    """Decide about records whose first offset is `first`."""
    if first < expected:
        return Delivery.TRIM
    if first == expected or asked is Asked.EXAMINED:
        return Delivery.TAKE
    return Delivery.SEEK_BACK if asked is Asked.NOTHING else Delivery.EXAMINE
