"""Decides from links between identifiers which customer stands behind a touchpoint.

Whether a link counts depends on its own content alone (types, trust, blocked values), never on what came before.
Within the caps, the components, and so the customers, are therefore the same for any order, duplication and partition
of the touchpoints. Reading and locking what is known, and writing the plan, are left to
`services.journey.apply.resolution`.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from enum import StrEnum
from uuid import UUID

import msgspec

from services.journey.domain.identity.facts import IdentifierKey, IdentitySighting, LinkKey
from services.journey.domain.names import CustomerId
from services.journey.domain.touchpoint import Identifier, OrderKey, Touchpoint, TouchpointKey

MOST_IDENTIFIERS = 1_000
"""Identifiers of one customer (reference: Segment's limit of mappings per profile)."""

MOST_MERGES = 100
"""Customers absorbed by one customer (reference: Segment's limit of merges per profile)."""


class IdentityPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Which identifiers may link.

    `blocked` says whether a (type, value) stands for nobody ("null", "anonymous"). Many people share values of
    `shared_types`, so these never link. Types in `verified_types` link only if the source has proved the value.
    `strength` ranks the types, the lowest number being the strongest; `unknown_strength` is the rank of all others.
    Names break ties. `spelt` gives the one spelling of a value, by its type.
    """

    blocked: Callable[[str, str], bool]
    spelt: Callable[[str, str], str] | None = None
    shared_types: frozenset[str] = frozenset()
    verified_types: frozenset[str] = frozenset()
    strength: Mapping[str, int] = {}
    unknown_strength: int = 500
    most_identifiers: int = MOST_IDENTIFIERS
    most_merges: int = MOST_MERGES


class KnownCustomer(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A stored customer, read under its lock. The one with the lowest `sequence` is the oldest and survives a merge."""

    id: CustomerId
    sequence: int
    identifiers: int
    merges: int


class IdentifierLink(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Two identifiers that one touchpoint carried together. The touchpoint is the evidence, which is kept for ever."""

    left: IdentifierKey
    right: IdentifierKey
    verified: bool
    evidence: Touchpoint
    judge: int = 1

    @property
    def key(self) -> LinkKey:
        """The key that identifies the link."""
        return self.left, self.right


class QuarantineReason(StrEnum):
    """Why a link that counts was put into quarantine."""

    TOO_MANY_IDENTIFIERS = "too_many_identifiers"
    TOO_MANY_MERGES = "too_many_merges"


class QuarantinedLink(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A link that was seen and not followed. It is reported, and the touchpoint still finds its customer."""

    link: IdentifierLink
    reason: QuarantineReason


class CustomerMerge(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Two stored customers that `link` shows to be one; `survivor` is the final one."""

    absorbed: CustomerId
    survivor: CustomerId
    link: IdentifierLink


class IdentityPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What to write. `customers` maps each touchpoint to its customer after the merges.

    `created` are customers to insert, in this order; `attached` are identifiers that were unknown, with their customer.
    `nobody` lists the touchpoints without any usable identifier.
    """

    customers: dict[TouchpointKey, CustomerId]
    created: tuple[CustomerId, ...] = ()
    attached: tuple[tuple[IdentifierKey, CustomerId], ...] = ()
    merges: tuple[CustomerMerge, ...] = ()
    links: tuple[IdentifierLink, ...] = ()
    quarantined: tuple[QuarantinedLink, ...] = ()
    nobody: tuple[TouchpointKey, ...] = ()


class KnownIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored, read under lock: the root customer of each known identifier, and links that are not followed."""

    owners: Mapping[IdentifierKey, CustomerId]
    customers: Mapping[CustomerId, KnownCustomer]
    not_followed: Collection[LinkKey] = ()


def usable(touchpoint: Touchpoint, policy: IdentityPolicy) -> tuple[IdentifierKey, ...]:
    """Return the identifiers that name the customer, strongest first: those that may link, or else one that may not."""
    return usable_among(touchpoint.customer, policy)


def usable_among(customer: Mapping[str, Identifier], policy: IdentityPolicy) -> tuple[IdentifierKey, ...]:
    """Return the same for the identifiers that a touchpoint carries, by type."""
    present = [
        (policy.strength.get(type_, policy.unknown_strength), type_, value, _may_link(type_, identifier, policy))
        for type_, identifier in customer.items()
        if (value := _spelt(type_, identifier, policy)) is not None
    ]
    present.sort()
    linking = tuple((type_, value) for _, type_, value, may_link in present if may_link)
    return linking or tuple((type_, value) for _, type_, value, _ in present[:1])


def _spelt(type_: str, identifier: Identifier, policy: IdentityPolicy) -> str | None:
    """Return the value in its one spelling; None if it is blocked, as it was written or as it is spelt."""
    value = identifier.value
    if policy.blocked(type_, value):
        return None
    if policy.spelt is None:
        return value
    spelt = policy.spelt(type_, value)
    return None if spelt != value and policy.blocked(type_, spelt) else spelt


def _may_link(type_: str, identifier: Identifier, policy: IdentityPolicy) -> bool:
    return type_ not in policy.shared_types and (identifier.verified or type_ not in policy.verified_types)


class IdentityEvidence(msgspec.Struct, frozen=True, gc=False):
    """A touchpoint with the identifiers that name its customer, strongest first, and `others` that may not link.

    `judge` is the version of the policy by which these were told apart.
    """

    touchpoint: Touchpoint
    keys: tuple[IdentifierKey, ...]
    others: tuple[IdentifierKey, ...] = ()
    judge: int = 1


def identity_evidence(touchpoint: Touchpoint, policy: IdentityPolicy, judge: int = 1) -> IdentityEvidence:
    """Return the evidence that a touchpoint gives under the version `judge`, whose `policy` it is."""
    keys = usable_among(touchpoint.customer, policy)
    if len(keys) == len(touchpoint.customer):
        return IdentityEvidence(touchpoint, keys, (), judge)
    return IdentityEvidence(touchpoint, keys, _others(touchpoint.customer, keys, policy), judge)


def _others(
    customer: Mapping[str, Identifier], keys: tuple[IdentifierKey, ...], policy: IdentityPolicy
) -> tuple[IdentifierKey, ...]:
    spelt = [(type_, _spelt(type_, one, policy)) for type_, one in customer.items()]
    carried = [(type_, value) for type_, value in spelt if value is not None]
    return tuple(key for key in carried if key not in keys)


def sighting_among(
    order: OrderKey, customer: Mapping[str, Identifier], policy: IdentityPolicy, judge: int = 1
) -> IdentitySighting:
    """Return a touchpoint as identity sees it, from its place in event order and the identifiers that it carries."""
    keys = usable_among(customer, policy)
    others = () if len(keys) == len(customer) else _others(customer, keys, policy)
    return IdentitySighting(order=order, usable=keys, others=others, judge=judge)


def counted_links(keys: Sequence[IdentifierKey]) -> tuple[LinkKey, ...]:
    """Return the links that the identifiers of one touchpoint make: from the strongest to each other one."""
    return tuple((min(keys[0], other), max(keys[0], other)) for other in keys[1:])


def _link(link: LinkKey, one: IdentityEvidence) -> IdentifierLink:
    left, right = link
    customer = one.touchpoint.customer
    verified = customer[left[0]].verified and customer[right[0]].verified
    return IdentifierLink(left=left, right=right, verified=verified, evidence=one.touchpoint, judge=one.judge)


def plan(
    evidence: Sequence[IdentityEvidence], known: KnownIdentity, policy: IdentityPolicy, new_id: Callable[[], UUID]
) -> IdentityPlan:
    """Plan customers, merges and links for a batch of `evidence` in event order."""
    planning = _Planning(known, policy, new_id)
    for one in evidence:
        planning.take(one)
    return planning.result()


class _Planning:
    """Follows links one by one; a customer is found by its root, as merges within the batch make it."""

    def __init__(self, known: KnownIdentity, policy: IdentityPolicy, new_id: Callable[[], UUID]) -> None:
        self._known = known
        self._policy = policy
        self._new_id = new_id
        self._parent: dict[CustomerId, CustomerId] = {}
        self._owners: dict[IdentifierKey, CustomerId] = {}
        self._created: dict[CustomerId, int] = {}
        self._identifiers: dict[CustomerId, int] = {}
        self._merges: dict[CustomerId, int] = {}
        self._absorbed: dict[CustomerId, IdentifierLink] = {}
        self._links: dict[LinkKey, IdentifierLink] = {}
        self._quarantined: dict[LinkKey, QuarantinedLink] = {}
        self._strongest: dict[TouchpointKey, IdentifierKey] = {}
        self._nobody: list[TouchpointKey] = []
        self._settled: set[tuple[tuple[IdentifierKey, ...], tuple[bool, ...], int]] = set()

    def take(self, one: IdentityEvidence) -> None:
        """Take the next touchpoint in event order."""
        touchpoint, keys = one.touchpoint, one.keys
        if not keys:
            self._nobody.append(touchpoint.key)
            return
        self._strongest[touchpoint.key] = keys[0]
        # A link is verified where both its ends are, and one end is the strongest: only then do the flags matter.
        customer = touchpoint.customer
        verified = tuple(customer[type_].verified for type_, _ in keys) if customer[keys[0][0]].verified else ()
        said = keys, verified, one.judge
        if said in self._settled:
            return
        followed = [self._follow(link, one, keys[0]) for link in counted_links(keys)]
        if self._owner(keys[0]) is None:
            self._attach(keys[0], self._create())
        if all(followed):
            self._settled.add(said)

    def _follow(self, link_key: LinkKey, evidence: IdentityEvidence, strongest: IdentifierKey) -> bool:
        """Return whether the link is settled, however often it is seen again."""
        if link_key in self._known.not_followed:
            return True
        link = _link(link_key, evidence)
        reason = self._join(link, strongest, link.left if link.right == strongest else link.right)
        if reason is None:
            kept = self._links.setdefault(link_key, link)
            if (link.verified and not kept.verified) or link.judge < kept.judge:  # the first evidence stays
                self._links[link_key] = msgspec.structs.replace(
                    kept, verified=kept.verified or link.verified, judge=min(kept.judge, link.judge)
                )
        else:  # for good: what a cap forbids it forbids ever after, since customers only grow
            self._quarantined.setdefault(link_key, QuarantinedLink(link=link, reason=reason))
        return reason is None

    def _join(self, link: IdentifierLink, one: IdentifierKey, other: IdentifierKey) -> QuarantineReason | None:
        """Merge the owners of both; return why not, if a cap forbids it."""
        first, second = self._owner(one), self._owner(other)
        if first is not None and second is not None:
            return None if first == second else self._merge(link, first, second)
        owner = first or second or self._create()
        missing = [key for key, its in ((one, first), (other, second)) if its is None]
        if self._identifiers[owner] + len(missing) > self._policy.most_identifiers:
            return QuarantineReason.TOO_MANY_IDENTIFIERS
        for key in missing:
            self._attach(key, owner)
        return None

    def _merge(self, link: IdentifierLink, first: CustomerId, second: CustomerId) -> QuarantineReason | None:
        survivor, absorbed = sorted((first, second), key=self._age)
        if self._identifiers[survivor] + self._identifiers[absorbed] > self._policy.most_identifiers:
            return QuarantineReason.TOO_MANY_IDENTIFIERS
        stored = absorbed not in self._created
        merges = self._merges[survivor] + self._merges[absorbed] + stored
        if merges > self._policy.most_merges:
            return QuarantineReason.TOO_MANY_MERGES
        self._parent[absorbed] = survivor
        self._identifiers[survivor] += self._identifiers[absorbed]
        self._merges[survivor] = merges
        if stored:
            self._absorbed[absorbed] = link
        return None

    def _age(self, customer: CustomerId) -> tuple[bool, int]:
        """Return the sort key of age: stored customers are older than those of this batch."""
        made = self._created.get(customer)
        return (False, self._known.customers[customer].sequence) if made is None else (True, made)

    def _owner(self, key: IdentifierKey) -> CustomerId | None:
        customer = self._owners.get(key)
        if customer is None:
            customer = self._known.owners.get(key)
            if customer is None:
                return None
            self._owners[key] = customer
        if customer not in self._parent:
            stored = self._known.customers[customer]
            self._parent[customer] = customer
            self._identifiers[customer] = stored.identifiers
            self._merges[customer] = stored.merges
        return self._root(customer)

    def _root(self, customer: CustomerId) -> CustomerId:
        root = customer
        while self._parent[root] != root:
            root = self._parent[root]
        while customer != root:  # every customer on the way now points straight at the root
            above = self._parent[customer]
            self._parent[customer] = root
            customer = above
        return root

    def _create(self) -> CustomerId:
        customer = CustomerId(self._new_id())
        self._created[customer] = len(self._created)
        self._parent[customer] = customer
        self._identifiers[customer] = self._merges[customer] = 0
        return customer

    def _attach(self, key: IdentifierKey, customer: CustomerId) -> None:
        self._owners[key] = customer
        self._identifiers[customer] += 1

    def result(self) -> IdentityPlan:
        """Return the plan, with everything at its final customer."""
        new = [key for key in self._owners if key not in self._known.owners]
        return IdentityPlan(
            customers={key: self._root(self._owners[strongest]) for key, strongest in self._strongest.items()},
            created=tuple(customer for customer in self._created if self._parent[customer] == customer),
            attached=tuple((key, self._root(self._owners[key])) for key in new),
            merges=tuple(
                CustomerMerge(absorbed=absorbed, survivor=self._root(absorbed), link=link)
                for absorbed, link in self._absorbed.items()
            ),
            links=tuple(self._links.values()),
            quarantined=tuple(self._quarantined.values()),
            nobody=tuple(self._nobody),
        )


def components(
    identifiers: Collection[IdentifierKey], links: Collection[LinkKey]
) -> tuple[frozenset[IdentifierKey], ...]:
    """Return the groups that `links` make of `identifiers`, sorted by their smallest member: what an unmerge leaves."""
    neighbours: dict[IdentifierKey, list[IdentifierKey]] = {key: [] for key in identifiers}
    for left, right in links:
        if left in neighbours and right in neighbours:
            neighbours[left].append(right)
            neighbours[right].append(left)
    groups: list[frozenset[IdentifierKey]] = []
    seen: set[IdentifierKey] = set()
    for start in sorted(neighbours):
        if start in seen:
            continue
        group = {start}
        waiting = [start]
        while waiting:
            fresh = [key for key in neighbours[waiting.pop()] if key not in group]
            group.update(fresh)
            waiting.extend(fresh)
        seen |= group
        groups.append(frozenset(group))
    return tuple(groups)
