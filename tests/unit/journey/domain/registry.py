"""What the worker would have stored about who is who, kept by doing exactly what plans say."""

from collections import Counter
from collections.abc import Sequence
from itertools import count
from uuid import UUID

from services.journey.domain.identity.facts import IdentifierKey, LinkKey
from services.journey.domain.identity.planning import (
    IdentityPlan,
    IdentityPolicy,
    KnownCustomer,
    KnownIdentity,
    identity_evidence,
    plan,
)
from services.journey.domain.names import CustomerId
from services.journey.domain.touchpoint import Touchpoint, TouchpointKey


class Registry:
    """Customers, identifiers, links and touchpoints."""

    def __init__(self, identity: IdentityPolicy, retracted: frozenset[LinkKey] = frozenset()) -> None:
        self.policy = identity
        self.retracted = retracted
        self.owners: dict[IdentifierKey, CustomerId] = {}
        self.customers: dict[CustomerId, KnownCustomer] = {}
        self.links: dict[LinkKey, bool] = {}
        self.quarantined: set[LinkKey] = set()
        self.touchpoints: dict[TouchpointKey, CustomerId] = {}
        self._sequences = count()
        self._ids = count(10_000, -1)  # falling, so that an older customer does not have the smaller id

    def take(self, *touchpoints: Touchpoint) -> IdentityPlan:
        """Plan a batch and store what the plan says; a link keeps whether it was ever verified."""
        known = KnownIdentity(owners=self.owners, customers=self.customers, not_followed=self.retracted)
        evidence = [identity_evidence(one, self.policy) for one in touchpoints]
        planned = plan(evidence, known, self.policy, lambda: UUID(int=next(self._ids)))
        merged = {merge.absorbed: merge.survivor for merge in planned.merges}
        owners = self.owners | dict(planned.attached)
        self.owners = {key: merged.get(owner, owner) for key, owner in owners.items()}
        whose = self.touchpoints | planned.customers
        self.touchpoints = {key: merged.get(owner, owner) for key, owner in whose.items()}
        for link in planned.links:
            self.links[link.key] = self.links.get(link.key, False) or link.verified
        self.quarantined |= {one.link.key for one in planned.quarantined}
        self.quarantined -= self.links.keys()
        self._count(planned.created, merged)
        return planned

    def _count(self, created: Sequence[CustomerId], merged: dict[CustomerId, CustomerId]) -> None:
        merges = {id_: one.merges for id_, one in self.customers.items()}
        for absorbed, survivor in merged.items():
            merges[survivor] += merges.pop(absorbed) + 1
        sequences = {id_: one.sequence for id_, one in self.customers.items()}
        sequences.update((id_, next(self._sequences)) for id_ in created)
        sizes = Counter(self.owners.values())
        self.customers = {
            id_: KnownCustomer(id=id_, sequence=sequences[id_], identifiers=sizes[id_], merges=merges.get(id_, 0))
            for id_ in [*merges, *created]
        }

    def partition(self) -> set[frozenset[IdentifierKey]]:
        """Identifiers by customer."""
        groups: dict[CustomerId, set[IdentifierKey]] = {}
        for key, owner in self.owners.items():
            groups.setdefault(owner, set()).add(key)
        return {frozenset(group) for group in groups.values()}
