"""Walks over the connected parts of a copy, and decides under the policy to whom touchpoints and identifiers belong.

A part is found from any of its customers, and is decided when it is found from the one with the lowest id. Like the
worker, a part goes no further at an identifier that many people share.
"""

from collections.abc import Iterable, Mapping, Sequence
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
)
from services.journey.domain.identity.holding import TouchpointOwnership
from services.journey.domain.identity.partition import IdentityPartition, partition, shared_among, ties_of
from services.journey.domain.identity.planning import counted_links
from services.journey.rehearsal.touchpoint_copy import CopiedStanding, CopiedTouchpoint, TouchpointCopy
from services.journey.settle.part_reading import MOST_IN_PART

REMEMBERED = 100_000
"""Identifiers of which it is kept whether they are shared: the shop's telephone is met by each of its customers."""

FEW = 20
"""Touchpoints that are looked at again rather than remembered."""


@dataclass(slots=True)
class _Part:
    """What is found of a part so far."""

    customers: set[UUID] = field(default_factory=set)
    keys: set[IdentifierKey] = field(default_factory=set)
    shared: set[IdentifierKey] = field(default_factory=set)
    declared: set[IdentifierKey] = field(default_factory=set)
    points: dict[int, CopiedTouchpoint] = field(default_factory=dict)

    def take(self, points: Iterable[CopiedTouchpoint]) -> tuple[set[IdentifierKey], set[UUID]]:
        """Add touchpoints, and return the identifiers and customers that are new."""
        fresh = [one for one in points if one.number not in self.points]
        self.points.update((one.number, one) for one in fresh)
        keys = {key for one in fresh for key in one.sighting.usable} - self.keys
        customers = {one.customer for one in fresh} - self.customers
        self.keys |= keys
        self.customers |= customers
        return keys, customers


class PartWalk:
    """Decides the parts of a copy. `too_large` counts customers who are connected to more than is settled at once."""

    def __init__(self, copy: TouchpointCopy, policy: ConstraintPolicy, words: Sequence[OperatorFact]) -> None:
        """Prepare to decide under `policy`, with what operators said of identifiers as it spells them."""
        self._copy = copy
        self._policy = policy
        self._words: dict[IdentifierKey, list[OperatorFact]] = {}
        for word in words:
            for end in word.key:
                self._words.setdefault(end, []).append(word)
        self._shared: dict[IdentifierKey, bool] = {}
        self._proof: dict[IdentifierKey, bool] = {}
        self._labels = 0
        self.too_large = 0

    def decide(self, customer: UUID) -> None:
        """Decide the part of a customer, if it has the lowest id in it."""
        part = self._gather(customer)
        if part is None:
            return
        if len(part.keys) > MOST_IN_PART:
            self.too_large += len(part.customers)
            return
        self._conclude(part)

    def _gather(self, customer: UUID) -> _Part | None:
        """Return everything that is connected to a customer, None if somebody in it has a lower id."""
        part = _Part(customers={customer})
        keys, customers = part.take(self._copy.of_customer(customer))
        while (keys or customers) and len(part.keys) <= MOST_IN_PART:
            if any(one < customer for one in customers):
                return None
            found: list[CopiedTouchpoint] = []
            joined: set[IdentifierKey] = set()
            for one in customers:
                found += self._copy.of_customer(one)
            for key in keys:
                joined |= {
                    end for word in self._words.get(key, ()) if word.word is OperatorWord.MERGE for end in word.key
                }
                if self._policy.of(key).shared:
                    part.declared.add(key)
                elif self._is_shared(key):
                    part.shared.add(key)
                else:
                    found += self._copy.carrying(key)
            joined -= part.keys
            part.keys |= joined
            keys, customers = part.take(found)
            keys |= joined
        return part

    def _is_shared(self, key: IdentifierKey) -> bool:
        """Return whether many people share an identifier, as all touchpoints with it say."""
        most = self._policy.of(key).shared_after
        if most is None:
            return False
        known = self._shared.get(key)
        if known is not None:
            return known
        points = self._copy.carrying(key)
        links = {link: fact for link, fact in _facts(points).items() if key in link}
        is_shared = False
        if len(links) > most:
            ends = {end for link in links for end in link}
            said = [word for end in ends for word in self._words.get(end, ())]
            ties = ties_of(ConnectedPart(links=list(links.values()), said=_retractions(said)), self._policy)
            is_shared = key in shared_among(ends, ties, self._proved(ends), self._policy)
        if len(points) > FEW and len(self._shared) < REMEMBERED:
            self._shared[key] = is_shared
        return is_shared

    def _proved(self, keys: Iterable[IdentifierKey]) -> set[IdentifierKey]:
        """Return those personal identifiers that a source ever proved; of others it is never asked."""
        return {key for key in keys if self._policy.of(key).personal and self._is_proved(key)}

    def _is_proved(self, key: IdentifierKey) -> bool:
        known = self._proof.get(key)
        if known is None:
            points = self._copy.carrying(key)
            known = any(key in one.verified for one in points)
            if len(points) > FEW and len(self._proof) < REMEMBERED:
                self._proof[key] = known
        return known

    def _conclude(self, part: _Part) -> None:
        points = list(part.points.values())
        said = {word for key in part.keys for word in self._words.get(key, ())}
        facts = _facts(points)
        proved = {key for one in points for key in one.verified} | self._proved(part.shared)
        decided = partition(
            ConnectedPart(
                alone=frozenset(part.keys),
                links=list(facts.values()),
                said=list(said),
                proved=frozenset(proved),
                shared=frozenset(part.shared),
            ),
            self._policy,
        )
        whose = TouchpointOwnership(partition=decided, policy=self._policy, abroad={})
        owned = {one.number: whose.strongest_owned(one.sighting) for one in points if one.sighting.usable}
        components = {decided.component_of[key] for key in owned.values() if key is not None}
        if len(part.customers) == len(components) == 1 and _is_plain(decided, points):
            return
        first, self._labels = self._labels, self._labels + len(decided.components)
        self._copy.stand(
            {
                key: CopiedStanding(first + number, whose.is_owned(key), key in decided.recognised)
                for key, number in decided.component_of.items()
            }
        )
        self._copy.label(
            (part.points[number], first + decided.component_of[key]) for number, key in owned.items() if key is not None
        )
        self._copy.float(part.points[number] for number, key in owned.items() if key is None)


def _is_plain(decided: IdentityPartition, points: Iterable[CopiedTouchpoint]) -> bool:
    return not (decided.shared or decided.between or any(one.sighting.others for one in points))


def _facts(points: Iterable[CopiedTouchpoint]) -> Mapping[LinkKey, LinkFact]:
    """Return the links that touchpoints make, each with its earliest place."""
    facts: dict[LinkKey, LinkFact] = {}
    for one in points:
        for link in counted_links(one.sighting.usable):
            verified = all(end in one.verified for end in link)
            fact = LinkFact(key=link, first=one.sighting.order, verified=verified)
            facts[link] = fact.joined(facts.get(link))
    return facts


def _retractions(said: Iterable[OperatorFact]) -> list[OperatorFact]:
    return [word for word in said if word.word is OperatorWord.RETRACT]
