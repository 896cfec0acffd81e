"""Identity: which customer stands behind a touchpoint, decided from links between identifiers.

Whether a link counts depends on its own content alone (types, trust, what is blocked), never on what came before, so
the components, and with them the customers, are the same for any order, duplication and partition of the touchpoints,
within the caps. Reading and locking what is known, and writing the plan, are the worker's.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from enum import StrEnum
from uuid import UUID

import msgspec

from services.journey.domain.names import CustomerId
from services.journey.domain.touchpoint import Touchpoint, TouchpointKey

MOST_IDENTIFIERS = 1_000
"""Identifiers of one customer (reference: Segment's limit of mappings per profile)."""

MOST_MERGES = 100
"""Customers absorbed by one customer (reference: Segment's limit of merges per profile)."""

IdentifierKey = tuple[str, str]
"""`(type, value)`."""

LinkKey = tuple[IdentifierKey, IdentifierKey]
"""Two identifiers, the smaller first: `left < right`."""


class IdentityPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """What may link.

    `blocked` says whether a (type, value) stands for nobody ("null", "anonymous"). Values of `shared_types` are used by
    many people and never link. Types in `verified_types` link only where the source has proved them. `strength` gives
    types their rank, the lowest being the strongest, `unknown_strength` that of all others; ties go by name.
    """

    blocked: Callable[[str, str], bool]
    shared_types: frozenset[str] = frozenset()
    verified_types: frozenset[str] = frozenset()
    strength: Mapping[str, int] = {}
    unknown_strength: int = 500
    most_identifiers: int = MOST_IDENTIFIERS
    most_merges: int = MOST_MERGES


class KnownCustomer(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A customer as stored, read under its lock: the lowest `sequence` is the oldest and survives a merge."""

    id: CustomerId
    sequence: int
    identifiers: int
    merges: int


class Link(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Two identifiers that one touchpoint carried together: the evidence, to be kept for ever."""

    left: IdentifierKey
    right: IdentifierKey
    verified: bool
    evidence: Touchpoint

    @property
    def key(self) -> LinkKey:
        """What it is known by."""
        return self.left, self.right


class QuarantineReason(StrEnum):
    """Why a link that counts was not followed."""

    TOO_MANY_IDENTIFIERS = "too_many_identifiers"
    TOO_MANY_MERGES = "too_many_merges"
    RETRACTED = "retracted"


class Quarantined(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A link that was seen and not followed; it is reported, and the touchpoint still finds its customer."""

    link: Link
    reason: QuarantineReason


class Merge(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Two stored customers found to be one, by `link`; `survivor` is the final one."""

    absorbed: CustomerId
    survivor: CustomerId
    link: Link


class IdentityPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What to write. `customers` says whose each touchpoint is, after the merges.

    `created` are customers to insert, in this order; `attached` are identifiers that were not known, with their
    customer. A touchpoint without any usable identifier stands in `nobody`.
    """

    customers: dict[TouchpointKey, CustomerId]
    created: tuple[CustomerId, ...] = ()
    attached: tuple[tuple[IdentifierKey, CustomerId], ...] = ()
    merges: tuple[Merge, ...] = ()
    links: tuple[Link, ...] = ()
    quarantined: tuple[Quarantined, ...] = ()
    nobody: tuple[TouchpointKey, ...] = ()


class KnownIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored, read under lock: the customer (root) of each known identifier, and retracted links."""

    owners: Mapping[IdentifierKey, CustomerId]
    customers: Mapping[CustomerId, KnownCustomer]
    retracted: Collection[LinkKey] = ()


def usable(touchpoint: Touchpoint, policy: IdentityPolicy) -> tuple[IdentifierKey, ...]:
    """The identifiers that say whose it is, strongest first: those that may link, or else one that may not."""
    raise NotImplementedError


def counted_links(touchpoint: Touchpoint, policy: IdentityPolicy) -> tuple[Link, ...]:
    """The links that it is evidence of: from its strongest usable identifier to each other."""
    raise NotImplementedError


def plan(
    touchpoints: Sequence[Touchpoint], known: KnownIdentity, policy: IdentityPolicy, new_id: Callable[[], UUID]
) -> IdentityPlan:
    """Customers, merges and links for a batch of `touchpoints` in event order."""
    raise NotImplementedError


def components(
    identifiers: Collection[IdentifierKey], links: Collection[LinkKey]
) -> tuple[frozenset[IdentifierKey], ...]:
    """The groups that `links` make of `identifiers`, sorted by their smallest member: what an unmerge leaves."""
    raise NotImplementedError
