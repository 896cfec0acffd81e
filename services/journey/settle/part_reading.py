"""Reads one connected part of the ledger: everything that links or operators connect to some identifiers.

A part goes no further at an identifier that is shared, so a shop's telephone does not make one part of all its
customers. It is read under the locks of its identifiers, so nobody changes it meanwhile.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from services.journey.domain.identity.constraints import ConstraintPolicy
from services.journey.domain.identity.facts import (
    ConnectedPart,
    IdentifierKey,
    LinkFact,
    LinkKey,
    OperatorFact,
    OperatorWord,
    StoredIdentity,
)
from services.journey.domain.names import CustomerId
from services.journey.store import customers, identifiers, identity_ledger
from services.journey.store.customers import SurvivingCustomer
from services.journey.store.identity_ledger import IdentifierRecord, LinkRecord
from services.runtime.postgres.pools import Connection

MOST_IN_PART = 5_000
"""Identifiers that are settled as a whole, beside `MORE_FOR_EACH` for each identifier that a batch names."""

MORE_FOR_EACH = 20


class PartTooLargeError(Exception):
    """More identifiers are connected than are settled at once."""


@dataclass(slots=True, kw_only=True)
class StoredPart:
    """What is stored of a part: identifiers, the links at them in whatever state, and the customers, by their ids.

    `stops` are shared identifiers at which the part ends; their other links are not here.
    """

    keys: set[IdentifierKey] = field(default_factory=set)
    identifiers: dict[IdentifierKey, IdentifierRecord] = field(default_factory=dict)
    links: dict[LinkKey, LinkRecord] = field(default_factory=dict)
    words: set[OperatorFact] = field(default_factory=set)
    customers: dict[UUID, SurvivingCustomer] = field(default_factory=dict)
    stops: set[IdentifierKey] = field(default_factory=set)

    def connected(self, news: Mapping[LinkKey, LinkFact]) -> ConnectedPart:
        """Return the part as the domain sees it, with links that a batch adds, or of which it says more.

        Links that an operator retracted are left out: they connect nothing, not even to another part.
        """
        retracted = {key for key, one in self.links.items() if one.state == "retracted"}
        known = {
            key: LinkFact(key=key, first=one.first, verified=one.verified, judge=one.judge)
            for key, one in self.links.items()
        }
        known |= {key: fact.joined(known.get(key)) for key, fact in news.items()}
        return ConnectedPart(
            alone=frozenset(self.keys),
            links=[fact for key, fact in known.items() if key not in retracted],
            said=list(self.words),
            customers=[
                StoredIdentity(id=CustomerId(one.customer_id), sequence=one.seq) for one in self.customers.values()
            ],
            owners={key: CustomerId(one.root) for key, one in self.identifiers.items() if one.root is not None},
            first_seen={key: one.first_seen for key, one in self.identifiers.items()},
            proved=frozenset(key for key, one in self.identifiers.items() if one.verified),
            shared=frozenset(self.stops),
        )


async def read_part(
    connection: Connection,
    seeds: Collection[IdentifierKey],
    news: Mapping[LinkKey, LinkFact],
    policy: ConstraintPolicy,
    also_opened: Collection[IdentifierKey] = (),
) -> StoredPart:
    """Return what is stored of everything that is connected to `seeds`, also by links that are `news`.

    The part goes on at identifiers in `also_opened` even where they are recognised as shared, and where a later version
    does not declare their type shared any more.

    Raises:
        PartTooLargeError: more is connected than is settled at once.
    """
    part = StoredPart()
    opened = (await _reopened(connection, news, policy)).union(also_opened)
    waiting = set(seeds)
    most = MOST_IN_PART + MORE_FOR_EACH * len(waiting)
    while waiting:
        part.keys |= waiting
        if len(part.keys) > most:
            raise PartTooLargeError
        found = await identity_ledger.identifiers(connection, waiting)
        part.identifiers |= found
        shared = {key for key, one in found.items() if one.standing == "shared"} - opened
        stops = shared.union(key for key in waiting if policy.of(key).shared)
        stops.difference_update([key for key in stops if policy.ceases_to_share(key[0])])
        part.stops |= {key for key in stops if not policy.of(key).shared}
        waiting = await _neighbours(connection, part, waiting, waiting - stops, found, news) - part.keys
    return part


async def _reopened(
    connection: Connection, news: Mapping[LinkKey, LinkFact], policy: ConstraintPolicy
) -> set[IdentifierKey]:
    """Return the identifiers that the news may make shared no longer.

    That is done by a first verified link, and by a link that an older version of the policy saw before the one that is
    known to have.
    """
    proved = {end for key, fact in news.items() if fact.verified for end in key}
    found = proved - await identity_ledger.with_verified_links(connection, proved) if proved else set()
    if policy.later and news:
        known = await identifiers.links(connection, news)
        found |= {end for key, one in known.items() if news[key].judge < one.judge for end in key}
    return found


async def _neighbours(
    connection: Connection,
    part: StoredPart,
    looked_at: Collection[IdentifierKey],
    opened: Collection[IdentifierKey],
    found: Mapping[IdentifierKey, IdentifierRecord],
    news: Mapping[LinkKey, LinkFact],
) -> set[IdentifierKey]:
    """Return what is connected to identifiers at which the part goes on, and add it to the part."""
    links = await identity_ledger.links_at(connection, opened)
    words = await identity_ledger.words_at(connection, looked_at)  # what an operator said goes on at what is shared
    part.links |= links
    part.words |= words
    ends = {end for key, one in links.items() if one.state != "retracted" for end in key}
    ends |= {end for one in words if one.word is OperatorWord.MERGE for end in one.key}
    ends |= {end for key in news if key[0] in opened or key[1] in opened for end in key}
    pointed = {one.pointed for one in found.values() if one.pointed is not None}
    survivors = await customers.survivors(connection, pointed) if pointed else {}
    fresh = {one.customer_id: one for one in survivors.values() if one.customer_id not in part.customers}
    if fresh:
        part.customers |= fresh
        ends |= (await identity_ledger.identifiers_of(connection, list(fresh))).keys()
    return ends
