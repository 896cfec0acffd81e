"""The watchdog: ends a worker that has work and does not do it, so that its supervisor starts a fresh one.

Kafka clients are known to stall for good after a broker's restart or a rebalance, alive and silent. Lag alone is no
reason (the database may be away), nor is standing still (there may be nothing to do): it takes both, for long, while
the database answers. A thread of its own watches the event loop, which cannot watch itself.
"""

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import NoReturn

from services.runtime.clock import Clock
from services.runtime.telemetry.logs import get_logger

_log = get_logger(__name__)


class ExitCode(IntEnum):
    """Why the process ended itself; in the log by name, and the container's last state by number."""

    HOLE = 71
    STUCK = 75
    LOOP_BLOCKED = 76


class StuckReason(StrEnum):
    """What the watchdog found."""

    IDLE = "idle"
    WAITING = "waiting"
    STUCK = "stuck"


TURNS = 5
"""How many times longer a partition may stand still while the worker moves and has records in hand: the batches of all
the others may come before its own, and where the disk is slow each takes its time. One that is ended in the middle has
to begin again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressWatch:
    """Since when each partition has had work and not moved (monotonic seconds), when anything did, and where all stood.

    `steps` are parts of batches that were done.
    """

    since: Mapping[int, float] = field(default_factory=dict)
    applied: Mapping[int, int] = field(default_factory=dict)
    moved_at: float | None = None
    steps: int = 0

    def observe(
        self,
        applied: Mapping[int, int],
        ends: Mapping[int, int],
        now: float,
        stuck_after_s: float,
        *,
        busy: bool,
        steps: int = 0,
    ) -> tuple["ProgressWatch", StuckReason, list[int]]:
        """Return the next watch, what was found, and the partitions that stand still with work left.

        `applied` and `ends` cover the partitions this worker answers for. A partition seen for the first time starts
        its time now. `busy`: records are in the worker's hands, so a partition may only be waiting for its turn.
        """
        moves = self.moved_at is None or applied != self.applied or steps != self.steps
        moved_at = now if moves or self.moved_at is None else self.moved_at
        in_turn = busy and now - moved_at < stuck_after_s
        patience_s = stuck_after_s * TURNS if in_turn else stuck_after_s
        since = {}
        for partition, position in applied.items():
            if position < ends.get(partition, 0):
                moved = self.applied.get(partition) != position
                since[partition] = now if moved else self.since.get(partition, now)
        still = [partition for partition, start in since.items() if now - start >= patience_s]
        reason = StuckReason.STUCK if still else StuckReason.WAITING if since else StuckReason.IDLE
        return ProgressWatch(since=since, applied=dict(applied), moved_at=moved_at, steps=steps), reason, still


def end_process(code: ExitCode, **details: object) -> NoReturn:
    """End at once: nothing is lost, because nothing is acknowledged outside the database."""
    _log.critical("worker ends itself", reason=code.name.lower(), **details)
    os._exit(code)


class LoopWatch:
    """Watches from a thread whether the event loop turns: `beat` says so, at least once in `blocked_after_s`."""

    def __init__(
        self, clock: Clock, *, blocked_after_s: float, end: Callable[[ExitCode], object] = end_process
    ) -> None:
        self._clock = clock
        self._blocked_after_s = blocked_after_s
        self._end = end
        self._last = clock.monotonic()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="loop-watch", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._last = self._clock.monotonic()
        self._thread.start()

    def beat(self) -> None:
        """The loop turns."""
        self._last = self._clock.monotonic()

    def stop(self) -> None:
        """Watch no longer."""
        self._stopped.set()

    def _watch(self) -> None:
        while not self._stopped.wait(self._blocked_after_s / 10):
            if self._clock.monotonic() - self._last > self._blocked_after_s:
                self._end(ExitCode.LOOP_BLOCKED)
                return
