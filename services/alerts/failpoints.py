"""Failpoints of the alert service: the places where a test can stop, freeze or fail it."""

from enum import StrEnum
from typing import TypeAlias

from services.runtime import failpoints


class AlertsFailpoint(StrEnum):
    """The places, in the order in which a friction passes them."""

    FRICTIONS_READ = "frictions_read"
    FRICTIONS_APPLIED = "frictions_applied"
    """The transaction is committed; the consumer has not been told yet."""

    JOURNEYS_APPLIED = "journeys_applied"
    """The transaction with newer journeys is committed; the consumer has not been told yet."""

    DELIVERIES_LEASED = "deliveries_leased"
    """The deliveries are leased; nothing is sent yet."""

    WEBHOOK_ANSWERED = "webhook_answered"
    """The receiver has answered; the result is not written yet."""

    RESULTS_WRITTEN = "results_written"
    ISSUES_PUBLISHED = "issues_published"
    """Kafka has acknowledged the records; they are not marked as published yet."""


AlertsFailpoints: TypeAlias = failpoints.Failpoints[AlertsFailpoint]
