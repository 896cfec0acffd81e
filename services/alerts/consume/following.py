"""Whether the log is followed: which partitions wait to be taken up, and for which Kafka answers no more.

A consumer whose broker is gone goes on turning and gets nothing, which looks like a quiet topic. What tells them apart
is the client's stamp of the last answer, which moves on several times a second while Kafka is there. Moments are
seconds of a monotonic clock, given by the caller.
"""

from collections.abc import Iterable

STALLED_AFTER_S = 30.0


class Following:
    """What is known of the partitions of one consumer."""

    def __init__(self) -> None:
        self._waiting: dict[int, float] = {}
        self._answered: dict[int, tuple[int | None, float]] = {}

    def wait(self, partition: int, now: float) -> None:
        """A partition is ours and not taken up; one that waits already has waited since then."""
        self._answered.pop(partition, None)
        self._waiting.setdefault(partition, now)

    def take_up(self, partition: int, now: float) -> None:
        """A partition is read from now on."""
        self._waiting.pop(partition, None)
        self._answered[partition] = (None, now)

    def leave(self, partition: int) -> None:
        """A partition is ours no more."""
        self._waiting.pop(partition, None)
        self._answered.pop(partition, None)

    def clear(self) -> None:
        """None is ours any more."""
        self._waiting.clear()
        self._answered.clear()

    def note(self, partition: int, stamp: int | None, now: float) -> None:
        """Take down the stamp of the last answer for a partition that is read."""
        if self._answered[partition][0] != stamp:
            self._answered[partition] = (stamp, now)

    def trouble(self, now: float) -> str:
        """What keeps us from following, named for `/readyz`; empty where nothing does."""
        if stuck := _old(self._waiting.items(), now):
            return f"partitions not taken up: {stuck}"
        silent = _old(((partition, at) for partition, (_, at) in self._answered.items()), now)
        return f"Kafka does not answer for partitions: {silent}" if silent else ""


def _old(moments: Iterable[tuple[int, float]], now: float) -> str:
    return ", ".join(str(partition) for partition, at in sorted(moments) if now - at >= STALLED_AFTER_S)
