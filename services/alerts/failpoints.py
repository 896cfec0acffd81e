"""The places where a test may hurt the alert service."""

from enum import StrEnum
from typing import TypeAlias

from services.runtime import failpoints


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


Failpoints: TypeAlias = failpoints.Failpoints[Failpoint]
