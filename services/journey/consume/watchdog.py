"""Ends a worker that has work and makes no progress, so that its supervisor starts a new one.

Kafka clients are known to stall for good after a restart of a broker or a rebalance. Lag alone is no reason to end the
worker, because the database may be away; a lack of progress alone is none, because there may be nothing to do. It takes
both, for long, while the database answers. A separate thread watches the event loop, which cannot watch itself.
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
    """Why the process ended itself: by name in the log, by number in the last state of the container."""

    HOLE = 71
    STUCK = 75
    LOOP_BLOCKED = 76


class StuckReason(StrEnum):
    """What the watchdog found out about progress."""

    IDLE = "idle"
    WAITING = "waiting"
    STUCK = "stuck"


TURNS = 5
"""How many times longer a partition may stand still while the worker makes progress and has records in hand. The
batches of all other partitions may come first, and each is slow on a slow disk. A worker that is ended meanwhile would
have to begin again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressWatch:
    """What was observed last: since when each partition has had work without progress, and where each one stood.

    `moved_at` is when any partition made progress. `steps` counts finished parts of batches. Times are monotonic.
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
        """Return the next watch, what was found, and the partitions that have work and make no progress.

        `applied` and `ends` cover the partitions of this worker. The time of a partition seen for the first time starts
        now. `busy` says that the worker holds records, so a partition may only be waiting for its turn.
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
    """End the process at once. Nothing is lost, because nothing is acknowledged outside the database."""
    _log.critical("worker ends itself", reason=code.name.lower(), **details)
    os._exit(code)


class LoopWatch:
    """Watches from a thread whether the event loop runs: the loop calls `beat` at least once in `blocked_after_s`."""

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
        """Start the thread that watches."""
        self._last = self._clock.monotonic()
        self._thread.start()

    def beat(self) -> None:
        """Note that the event loop runs."""
        self._last = self._clock.monotonic()

    def stop(self) -> None:
        """Stop the thread that watches."""
        self._stopped.set()

    def _watch(self) -> None:
        while not self._stopped.wait(self._blocked_after_s / 10):
            if self._clock.monotonic() - self._last > self._blocked_after_s:
                self._end(ExitCode.LOOP_BLOCKED)
                return
