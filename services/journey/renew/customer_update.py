"""The values that pass between resolving, renewing and writing: what is new about a customer, and what it changes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from services.journey.consume.decoding import DecodedRecord
from services.journey.domain.comparison.changes import CustomerChanges, StoredCustomer
from services.journey.domain.names import CustomerId
from services.journey.domain.projection import Projection, SegmentedHistory
from services.journey.domain.touchpoint import TouchpointKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Relocation:
    """Touchpoints that moved between customers who go on. A friction goes where the one is that completed it."""

    touchpoints: Mapping[TouchpointKey, UUID] = field(default_factory=dict)


NOTHING_MOVED = Relocation()


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerUpdate:
    """What is new about a customer: touchpoints, absorbed customers, and a number of identifiers. Empty for a timer.

    `gained_from` are customers who go on, and of whose touchpoints some are this customer's now; `relocation` has all
    touchpoints that moved between customers in the transaction.
    """

    fresh: Sequence[DecodedRecord] = ()
    absorbed: Sequence[UUID] = ()
    gained_from: Sequence[UUID] = ()
    relocation: Relocation = NOTHING_MOVED
    new_identifiers: int = 0
    trace: str | None = None
    """The W3C trace context that goes on with what is published: that of the latest record."""

    @property
    def is_plain(self) -> bool:
        """Whether there are new touchpoints of the customer's own, and nothing else."""
        return bool(self.fresh) and not (self.absorbed or self.gained_from or self.relocation.touchpoints)


@dataclass(frozen=True, slots=True)
class CustomerComparison:
    """One customer: the projection of its touchpoints, and its changes against what is `stored`."""

    customer_id: CustomerId
    update: CustomerUpdate
    segmented: SegmentedHistory
    projection: Projection
    stored: StoredCustomer
    changes: CustomerChanges
