"""Settles one connected part of the ledger: from all that is read of it to all that is to be written.

Pure, and the same for any order and repetition of the facts. Settling again what was written changes nothing.
"""

from collections.abc import Callable, Mapping
from uuid import UUID

import msgspec

from services.journey.domain.identity.constraints import ConstraintPolicy
from services.journey.domain.identity.facts import ConnectedPart, IdentifierKey, IdentitySighting
from services.journey.domain.identity.holding import HeldSpan, TouchpointOwnership, Whose, ownership
from services.journey.domain.identity.partition import IdentityPartition, partition
from services.journey.domain.identity.succession import CustomerSuccession, IdentitySuccession, succeed
from services.journey.domain.names import CustomerId


class IdentitySettlement(msgspec.Struct, frozen=True, kw_only=True):
    """What to write about a part.

    `partition` has the components and the ties that are refused, with their reasons; `succession` has the customer of
    each component. `ownership` says whose any touchpoint of the part is.
    """

    partition: IdentityPartition
    ownership: TouchpointOwnership
    succession: IdentitySuccession

    def customer(self, key: IdentifierKey) -> CustomerSuccession:
        """Return the customer of an identifier of the part."""
        return self.succession.customers[self.partition.component_of[key]]

    def owners(self) -> Mapping[IdentifierKey, CustomerId | None]:
        """Return what each identifier points to."""
        return {key: self.customer(key).id for key in self.partition.component_of}

    def customer_of(self, sighting: IdentitySighting) -> CustomerId | None:
        """Return the customer of a touchpoint; None if it carries no identifier."""
        return self._id(self.ownership.of(sighting))

    def _id(self, whose: Whose | None) -> CustomerId | None:
        return self.succession.customers[whose].id if isinstance(whose, int) else whose

    def holders(self) -> Mapping[IdentifierKey, tuple[HeldSpan, ...]]:
        """Return who has each identifier between customers or shared, and when; nobody at other times."""
        return {key: history.spans() for key, history in self.ownership.holders.items()}


def settle(part: ConnectedPart, policy: ConstraintPolicy, new_id: Callable[[], UUID]) -> IdentitySettlement:
    """Decide who is who in a part; `new_id` is asked once for each new customer, in the order of the components."""
    return conclude(part, partition(part, policy), policy, new_id)


def conclude(
    part: ConnectedPart, decided: IdentityPartition, policy: ConstraintPolicy, new_id: Callable[[], UUID]
) -> IdentitySettlement:
    """Decide the same where the links are decided already, since these say which sightings must be read."""
    whose = ownership(part, decided, policy)
    return IdentitySettlement(partition=decided, ownership=whose, succession=succeed(part, whose, new_id))
