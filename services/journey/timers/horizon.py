"""Computes how far the stream has come, so that an absence is judged by what was read and not by the clock.

After an outage the follow-ups still wait in the log, and timers that went by the clock would raise a storm of false
alerts. Pure: marks in, a horizon with its reason out.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.journey.consume.progress import PartitionMark
from services.journey.store.timer_rows import TimerReach


@dataclass(frozen=True, slots=True, kw_only=True)
class Horizon:
    """Everything appended before `passed` is applied on every partition; None while unknown partitions block it.

    `import_until` is when the latest import counts as finished: the append time of its last record plus the quiet time.
    """

    passed: datetime | None
    blocked: Sequence[int] = ()
    import_until: datetime | None = None

    @property
    def importing(self) -> bool:
        """Whether an import may still be running."""
        if self.import_until is None:
            return False
        return self.passed is None or self.passed < self.import_until

    def reach(self, late_grace: timedelta) -> TimerReach | None:
        """Return which timers may fire; None where none may."""
        if self.passed is None:
            return None
        reached = self.passed - late_grace
        return TimerReach(passed=reached, replayed=None if self.importing else reached)


def stream_horizon(marks: Iterable[PartitionMark], partitions: Iterable[int], replay_quiet: timedelta) -> Horizon:
    """Return the horizon of a topic with these `partitions`.

    A partition has come as far as its latest applied record, or as the last moment at which all of it was applied. A
    partition blocks the horizon if it was never claimed, or never read nor seen empty: nothing is known about it.
    """
    known = {mark.partition: mark for mark in marks}
    passed: list[datetime] = []
    blocked: list[int] = []
    for partition in sorted(partitions):
        moment = _passed(known.get(partition))
        if moment is None:
            blocked.append(partition)
        else:
            passed.append(moment)
    replayed = [mark.replay_append_time for mark in known.values() if mark.replay_append_time is not None]
    return Horizon(
        passed=min(passed) if passed and not blocked else None,
        blocked=blocked,
        import_until=max(replayed) + replay_quiet if replayed else None,
    )


def _passed(mark: PartitionMark | None) -> datetime | None:
    if mark is None:
        return None
    return max((at for at in (mark.applied_append_time, mark.caught_up_at) if at is not None), default=None)
