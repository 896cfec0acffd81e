"""What a worker remembers of customers with a long history, so that it need not read and decode all of it again.

What is remembered is used only under the customer's lock, and only if nobody has changed the customer since: the
version is the one that was written with it. It is kept once the transaction has committed. So a customer who is not
remembered, or who was changed elsewhere, is read again, and nothing else depends on what is here.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import takewhile
from uuid import UUID

from services.journey.domain.comparison.changes import StoredCustomer
from services.journey.domain.comparison.memory import history_bytes, stored_bytes
from services.journey.domain.projection import SegmentedHistory
from services.journey.domain.touchpoint import RecordedTouchpoint, in_order
from services.journey.renew.customer_update import CustomerUpdate
from services.journey.store.customers import CustomerStanding

WORTH_KEEPING = 100
"""Touchpoints below which a customer is read again: that costs less than remembering."""

FOR_AT_MOST = timedelta(hours=1)
"""Time after which a customer is read again: months of touchpoints may have been dropped from the database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptCustomer:
    """What is stored of a customer as of `version`: touchpoints in order, and what was made of those since `since`.

    `since` is None for all; `read_at` is when it was read from the database. `history_bytes` is about what the
    touchpoints take in memory. `segmented` is the same history with its journeys, for whoever takes this to extend.
    """

    version: int
    recorded: Sequence[RecordedTouchpoint]
    stored: StoredCustomer
    since: datetime | None
    read_at: datetime
    history_bytes: int
    segmented: SegmentedHistory = field(compare=False)

    @property
    def bytes(self) -> int:
        """About how many bytes of memory all of this takes."""
        return self.history_bytes + stored_bytes(self.stored)

    def bytes_after(self, fresh: Iterable[RecordedTouchpoint], history: Sequence[RecordedTouchpoint]) -> int:
        """Return about what the touchpoints of `history` take, which is these and `fresh` ones without the oldest."""
        first = history[0].touchpoint.order
        gone = takewhile(lambda one: one.touchpoint.order < first, self.recorded)
        came = (one for one in fresh if one.touchpoint.order >= first)
        return self.history_bytes + history_bytes(came) - history_bytes(gone)

    def is_enough_for(self, update: CustomerUpdate) -> bool:
        """Return whether nothing else need be known: the update is plain, and nothing comes before a cut."""
        if not (update.is_plain and self.stored.truncated):
            return update.is_plain
        first = self.recorded[0].touchpoint.order
        return all(one.late or one.touchpoint.order > first for one in update.fresh)

    def is_of(self, standing: CustomerStanding, now: datetime) -> bool:
        """Return whether this still is what is stored of the customer."""
        return (
            self.version == standing.version
            and len(self.stored.frictions) == standing.frictions
            and now - self.read_at <= FOR_AT_MOST
        )


class KeptCustomers:
    """Remembers customers in at most `most` bytes, about; those are forgotten that came least."""

    def __init__(self, most: int, *, worth: int = WORTH_KEEPING) -> None:
        """Remember nothing yet; with `most` 0, nothing ever."""
        self._most = most
        self._worth = worth
        self._customers: OrderedDict[UUID, tuple[KeptCustomer, int]] = OrderedDict()
        self.bytes = 0

    def has(self, customer: UUID) -> bool:
        """Return whether anything is remembered of the customer."""
        return customer in self._customers

    def take(self, customer: UUID) -> KeptCustomer | None:
        """Return what is remembered of the customer, and forget it: who takes it may be about to change it."""
        found = self._customers.pop(customer, None)
        if found is None:
            return None
        self.bytes -= found[1]
        return found[0]

    def is_worth(self, touchpoints: int) -> bool:
        """Return whether a customer with so many touchpoints is remembered."""
        return self._worth <= touchpoints and self._most > 0

    def put(self, customers: Mapping[UUID, KeptCustomer]) -> None:
        """Remember these customers as they are committed, but for one that does not fit even alone."""
        for customer, kept in customers.items():
            self.take(customer)
            size = kept.bytes
            if size <= self._most:
                self._customers[customer] = kept, size
                self.bytes += size
        while self.bytes > self._most:
            self.bytes -= self._customers.popitem(last=False)[1][1]


def continued(before: Sequence[RecordedTouchpoint], fresh: Iterable[RecordedTouchpoint]) -> list[RecordedTouchpoint]:
    """Return the ordered history `before` with what is `fresh`, in order; what comes last has nothing sorted."""
    added = sorted(fresh, key=in_order)
    if before and added and in_order(added[0]) < in_order(before[-1]):
        return sorted([*before, *added], key=in_order)
    return [*before, *added]
