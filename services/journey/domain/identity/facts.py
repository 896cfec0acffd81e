"""What the ledger says of one connected part of the identifiers, and what operators said of it.

A part holds all identifiers that links or merges of operators connect, followed or not. Facts are a set: their order
says nothing, and a fact that stands there twice stands there once.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from enum import StrEnum

import msgspec

from services.journey.domain.names import CustomerId
from services.journey.domain.touchpoint import OrderKey, TouchpointKey

IdentifierKey = tuple[str, str]
"""`(type, value)`."""

LinkKey = tuple[IdentifierKey, IdentifierKey]
"""Two identifiers, the smaller first: `left < right`."""


class LinkFact(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Two identifiers that a touchpoint carried together.

    `first` is the place of the earliest such touchpoint in event order. `verified` says that some such touchpoint had
    proved both. `judge` is the version of the policy that was in force when the first of them was appended to the log.
    """

    key: LinkKey
    first: OrderKey
    verified: bool = False
    judge: int = 1

    def joined(self, other: "LinkFact | None") -> "LinkFact":
        """Return what two facts of one link say together."""
        if other is None:
            return self
        return LinkFact(
            key=self.key,
            first=min(self.first, other.first),
            verified=self.verified or other.verified,
            judge=min(self.judge, other.judge),
        )


class OperatorWord(StrEnum):
    """What an operator may say of two identifiers."""

    MERGE = "merge"
    """They are one customer, whatever the constraints say, unless a later word separates them."""

    SEPARATE = "separate"
    """They are never one customer by evidence, nor by a merge of the same moment or before."""

    RETRACT = "retract"
    """The link between them is as if it had never been seen, however often it is seen again."""


class OperatorFact(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What an operator said of two identifiers, and when."""

    word: OperatorWord
    key: LinkKey
    said_at: datetime


class IdentitySighting(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A touchpoint as identity sees it: its place in event order and the identifiers it carries, in any order.

    `usable` are those that may link, or the strongest one if none may. `others` are the rest, without blocked values:
    they may tell who has the touchpoint, and never link. `judge` is the version of the policy in force when it was
    appended to the log.
    """

    order: OrderKey
    usable: tuple[IdentifierKey, ...]
    others: tuple[IdentifierKey, ...] = ()
    judge: int = 1

    @property
    def occurred_at(self) -> datetime:
        """The time at which it happened."""
        return self.order[0]

    @property
    def key(self) -> TouchpointKey:
        """The key of the touchpoint."""
        return self.order[2], self.order[3]

    @property
    def carried(self) -> tuple[IdentifierKey, ...]:
        """All identifiers that the touchpoint carries."""
        return self.usable + self.others


class StoredIdentity(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A stored customer that is not merged away. The one with the lowest `sequence` is the oldest."""

    id: CustomerId
    sequence: int


class ConnectedPart(msgspec.Struct, frozen=True, kw_only=True):
    """All that is read of one connected part.

    `alone` may name identifiers that nothing connects. `owners` says which stored customer each known identifier
    points to, `first_seen` since when each is known; `proved` are those that a source has verified. `shared` are known
    to be shared by links outside the part, which goes no further there. `sightings` are the touchpoints that carry an
    identifier which is between customers or shared; more of them change nothing. `belonged` says which stored customer
    a sighting is with, so that what leaves a customer can name it. `abroad` has identifiers of sightings that are in
    another part, with the customer there; None for those that are between customers or shared there.
    """

    alone: Collection[IdentifierKey] = frozenset()
    links: Sequence[LinkFact] = ()
    said: Sequence[OperatorFact] = ()
    customers: Sequence[StoredIdentity] = ()
    owners: Mapping[IdentifierKey, CustomerId] = {}
    first_seen: Mapping[IdentifierKey, datetime] = {}
    proved: Collection[IdentifierKey] = frozenset()
    shared: Collection[IdentifierKey] = frozenset()
    sightings: Sequence[IdentitySighting] = ()
    belonged: Mapping[TouchpointKey, CustomerId] = {}
    abroad: Mapping[IdentifierKey, CustomerId | None] = {}

    def identifiers(self) -> set[IdentifierKey]:
        """Return every identifier of the part; a separation alone makes none part of it."""
        found = {end for link in self.links for end in link.key}
        found.update(end for fact in self.said if fact.word is OperatorWord.MERGE for end in fact.key)
        found.update(self.alone, self.owners)
        found.update(key for one in self.sightings for key in one.usable)
        return found.difference(self.abroad)


def link_key(one: IdentifierKey, other: IdentifierKey) -> LinkKey:
    """Return the key of the link between two identifiers."""
    return (one, other) if one < other else (other, one)
