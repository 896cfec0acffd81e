"""Says whether the log is being read: which partitions wait to be claimed, and for which Kafka has stopped answering.

Pure. A consumer whose broker is gone keeps running and gets nothing, which looks like a quiet topic. The client's stamp
of the last answer tells the two apart: it changes several times a second while Kafka answers. Times are seconds of a
monotonic clock and given by the caller.
"""

from collections.abc import Iterable

STALLED_AFTER_S = 30.0


class LogHealth:
    """The health of the partitions of one consumer."""

    def __init__(self) -> None:
        self._waiting: dict[int, float] = {}
        self._answered: dict[int, tuple[int | None, float]] = {}

    def wait(self, partition: int, now: float) -> None:
        """Record that a partition is ours and waits to be claimed, unless it waits already."""
        self._answered.pop(partition, None)
        self._waiting.setdefault(partition, now)

    def take_up(self, partition: int, now: float) -> None:
        """Record that a partition is read from now on."""
        self._waiting.pop(partition, None)
        self._answered[partition] = (None, now)

    def leave(self, partition: int) -> None:
        """Record that a partition is no longer ours."""
        self._waiting.pop(partition, None)
        self._answered.pop(partition, None)

    def clear(self) -> None:
        """Record that no partition is ours any more."""
        self._waiting.clear()
        self._answered.clear()

    def note(self, partition: int, stamp: int | None, now: float) -> None:
        """Record the stamp of the last answer for a partition that is read."""
        if self._answered[partition][0] != stamp:
            self._answered[partition] = (stamp, now)

    def trouble(self, now: float) -> str:
        """Return what keeps us from reading the log, worded for `/readyz`; empty if nothing does."""
        if stuck := _stalled(self._waiting.items(), now):
            return f"partitions not taken up: {stuck}"
        silent = _stalled(((partition, at) for partition, (_, at) in self._answered.items()), now)
        return f"Kafka does not answer for partitions: {silent}" if silent else ""


def _stalled(moments: Iterable[tuple[int, float]], now: float) -> str:
    return ", ".join(str(partition) for partition, at in sorted(moments) if now - at >= STALLED_AFTER_S)
