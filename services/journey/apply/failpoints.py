"""Named places where a test may hurt the worker: kill it, freeze it, cut its connection. Nothing happens by default.

A failpoint is an object handed to the composition root, never read from the environment, so production cannot reach it.
"""

from enum import StrEnum
from typing import Protocol


class Failpoint(StrEnum):
    """The places."""

    AFTER_FETCH = "after_fetch"
    BEFORE_TRANSACTION = "before_transaction"
    MID_TRANSACTION = "mid_transaction"
    BEFORE_COMMIT = "before_commit"
    AFTER_COMMIT = "after_commit"
    AFTER_PUBLISH = "after_publish"
    TIMERS_FIRED = "timers_fired"


class Failpoints(Protocol):
    """What is told where the worker is."""

    async def reached(self, point: Failpoint) -> None:
        """Return, and the worker goes on; whatever else happens here is the test's."""


class NoFailpoints:
    """Goes on, always."""

    async def reached(self, point: Failpoint) -> None:
        """Do nothing."""


NO_FAILPOINTS = NoFailpoints()
