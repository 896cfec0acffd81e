"""How many dead letters are too many: a limit that stops a bad deploy from draining the topic into them.

Judges only; the transaction that would go over the limit is rolled back and the worker stops. Conflicting ids do not
count: one careless producer must not stop everybody.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

WINDOW = 1_000
"""How many of the latest records the ratio is taken over, and the fewest it says anything about: a tenth of them."""


class LimitReason(StrEnum):
    """Which limit was reached."""

    RUN = "run"
    RATIO = "ratio"


class DeadLetterLimitError(Exception):
    """Too many records in a row, or of the latest thousand, are dead letters: the reader is broken, not the records."""

    def __init__(self, reason: LimitReason, dead: int, seen: int) -> None:
        super().__init__(f"{dead} of {seen} records are dead letters ({reason})")
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterLimit:
    """What was seen lately: one flag a record, True for a dead letter."""

    ratio: float
    run: int
    recent: tuple[bool, ...] = ()
    running: int = 0

    def after(self, dead: Sequence[bool]) -> "DeadLetterLimit":
        """Return the limit after these records.

        Raises:
            DeadLetterLimitError: they are too many.
        """
        running = self.running
        for flag in dead:
            running = running + 1 if flag else 0
            if running >= self.run:
                raise DeadLetterLimitError(LimitReason.RUN, running, running)
        recent = (*self.recent, *dead)[-WINDOW:]
        bad = sum(recent)
        if len(recent) >= WINDOW // 10 and bad > self.ratio * len(recent):
            raise DeadLetterLimitError(LimitReason.RATIO, bad, len(recent))
        return replace(self, recent=recent, running=running)
