"""Named places where a test may hurt the alert service: kill it, freeze it, cut its connections. By default: nowhere.

A failpoint is an object handed to the composition root, never read from the environment, so production cannot reach it.
"""

from enum import StrEnum
from typing import Protocol


class Failpoint(StrEnum):
    """The places."""

    FRICTIONS_READ = "frictions_read"
    FRICTIONS_APPLIED = "frictions_applied"
    """Committed, and nobody knows yet."""

    DELIVERIES_CLAIMED = "deliveries_claimed"
    """Leased, and nothing sent yet."""

    WEBHOOK_ANSWERED = "webhook_answered"
    """The receiver has it, the result is not written."""

    RESULTS_WRITTEN = "results_written"
    ISSUES_PUBLISHED = "issues_published"
    """Acknowledged by Kafka, not marked."""


class Failpoints(Protocol):
    """What is told where the service is."""

    async def reached(self, point: Failpoint) -> None:
        """Return, and the service goes on; whatever else happens here is the test's."""


class NoFailpoints:
    """Goes on, always."""

    async def reached(self, point: Failpoint) -> None:
        """Do nothing."""


NO_FAILPOINTS = NoFailpoints()
