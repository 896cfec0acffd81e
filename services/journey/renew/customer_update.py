"""What is new about customers, and what became of it: the values between resolving, renewing and writing."""

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
    """A touchpoint not stored yet."""

    content: ReadableRecord
    appended_at: datetime
    late: bool

    @property
    def recorded(self) -> RecordedTouchpoint:
        """As the domain wants it."""
        return RecordedTouchpoint(touchpoint=self.content.touchpoint, appended_at=self.appended_at, late=self.late)


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerUpdate:
    """What is new about a customer: touchpoints, customers absorbed, how many identifiers; nothing, for a timer.

    `trace` is the W3C context of the latest record among them.
    """

    fresh: Sequence[NewTouchpoint] = ()
    absorbed: Sequence[UUID] = ()
    new_identifiers: int = 0
    trace: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerComparison:
    """One customer: what its touchpoints say now, and what is different from what is stored."""

    customer_id: CustomerId
    news: CustomerUpdate
    projection: Projection
    changes: CustomerChanges
