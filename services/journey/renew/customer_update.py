"""The values that pass between resolving, renewing and writing: what is new about a customer, and what it changes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec

from services.journey.consume.decoding import ReadableRecord
from services.journey.domain.comparison.changes import CustomerChanges
from services.journey.domain.names import CustomerId
from services.journey.domain.projection import Projection
from services.journey.domain.touchpoint import RecordedTouchpoint


class NewTouchpoint(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A touchpoint that is not stored yet."""

    content: ReadableRecord
    appended_at: datetime
    late: bool

    @property
    def recorded(self) -> RecordedTouchpoint:
        """The touchpoint in the form that the domain takes."""
        return RecordedTouchpoint(touchpoint=self.content.touchpoint, appended_at=self.appended_at, late=self.late)


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerUpdate:
    """What is new about a customer: touchpoints, absorbed customers, and a number of identifiers. Empty for a timer.

    `trace` is the W3C trace context of the latest record among them.
    """

    fresh: Sequence[NewTouchpoint] = ()
    absorbed: Sequence[UUID] = ()
    new_identifiers: int = 0
    trace: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerComparison:
    """One customer: the projection of its touchpoints, and its changes against what is stored."""

    customer_id: CustomerId
    update: CustomerUpdate
    projection: Projection
    changes: CustomerChanges
