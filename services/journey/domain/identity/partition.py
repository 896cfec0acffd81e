"""Decides which links are followed, and so which identifiers are one customer.

Ties are taken in their order. What is decided once stays decided, but for one thing: an identifier that a refused tie
leaves between two customers loses the ties by which it belonged to one of them. The result depends on the set of facts
and the policy alone.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import NamedTuple

import msgspec

from services.journey.domain.identity.constraints import ConstraintPolicy
from services.journey.domain.identity.facts import (
    ConnectedPart,
    IdentifierKey,
    LinkFact,
    LinkKey,
    OperatorFact,
    OperatorWord,
    link_key,
)
from services.journey.domain.identity.groups import NodeGroups
from services.journey.domain.touchpoint import TouchpointKey


class LinkTrust(IntEnum):
    """How much a link is worth, the best first."""

    OPERATOR = 0
    VERIFIED = 1
    ASSERTED = 2
    DEVICE = 3


class IdentityTie(NamedTuple):
    """A reason to take two identifiers for one customer: a link, or the word of an operator.

    The members stand in the order by which ties are sorted: ties are decided in their natural order. `evidence` is
    the key of the earliest touchpoint, two empty strings for the word of an operator. `judge` is the version of the
    policy that decides it.
    """

    trust: LinkTrust
    seen_at: datetime
    evidence: TouchpointKey
    key: LinkKey
    judge: int = 1


class RefusalReason(StrEnum):
    """Why a tie is not followed. The first that applies is said, in this order."""

    SHARED = "shared"
    """Many people use one of the identifiers."""

    HELD = "held"
    """One of the identifiers is between customers."""

    SEPARATED = "separated"
    """An operator separated two identifiers that it would put into one customer."""

    UNIQUE = "unique"
    """It would put two values of a unique type into one customer; by a device alone, two proved personal values."""

    LIMIT = "limit"
    """A customer would have more values of a type than it may have."""

    TOO_MANY_IDENTIFIERS = "too_many_identifiers"
    """A customer would have more identifiers than it may have."""


class IdentityPartition(msgspec.Struct, frozen=True, kw_only=True):
    """What the ties of a part make of its identifiers.

    `components` are sorted by their smallest member; `component_of` gives their numbers. `followed` is in order.
    `between` says of each identifier between customers which refused tie left it there. `shared` are the identifiers
    that the first version declares shared and those that are `recognised` as such.
    """

    components: tuple[frozenset[IdentifierKey], ...]
    component_of: Mapping[IdentifierKey, int]
    followed: tuple[IdentityTie, ...]
    refused: Mapping[IdentityTie, RefusalReason]
    between: Mapping[IdentifierKey, IdentityTie]
    shared: frozenset[IdentifierKey]
    recognised: frozenset[IdentifierKey]

    def is_owned(self, key: IdentifierKey) -> bool:
        """Return whether an identifier belongs to one customer: it is neither between customers nor shared."""
        return key not in self.between and key not in self.shared

    def floats(self, key: IdentifierKey) -> bool:
        """Return whether the links leave an identifier to several customers, whatever is declared of its type."""
        return key in self.between or key in self.recognised


_PROVED = "proved "
"""Begins the name by which proved values of a personal type are counted."""


def ties_of(part: ConnectedPart, policy: ConstraintPolicy) -> list[IdentityTie]:
    """Return the ties of a part in the order in which they are decided, each once."""
    retracted = {link_key(*fact.key) for fact in part.said if fact.word is OperatorWord.RETRACT}
    facts: dict[LinkKey, LinkFact] = {}
    for link in part.links:
        key = link_key(*link.key)
        if key not in retracted:
            facts[key] = link.joined(facts.get(key))
    types = {type_ for key in facts for type_, _ in key}
    devices = [{type_ for type_ in types if one.of_type(type_).device} for one in policy.versions]
    ties = []
    for key, fact in facts.items():
        (left, _), (right, _) = key
        seen_at, _, source, id_ = fact.first
        its = devices[min(fact.judge, len(devices)) - 1]
        trust = LinkTrust.DEVICE if left in its or right in its else LinkTrust.ASSERTED
        trust = LinkTrust.VERIFIED if fact.verified else trust
        ties.append(IdentityTie(trust, seen_at, (source, id_), key, fact.judge))
    merges = {
        IdentityTie(LinkTrust.OPERATOR, fact.said_at, ("", ""), link_key(*fact.key))
        for fact in part.said
        if fact.word is OperatorWord.MERGE
    }
    return sorted([*merges, *ties])


def shared_among(
    keys: Collection[IdentifierKey],
    ties: Sequence[IdentityTie],
    proved: Collection[IdentifierKey],
    policy: ConstraintPolicy,
) -> frozenset[IdentifierKey]:
    """Return the identifiers that are recognised as shared: linked with too many values that tell people apart.

    Only an identifier's links of the best trust are counted: what many only assert takes nothing from who proved it.
    Values of unique types tell people apart if they are stronger than the identifier, and so do proved personal values
    if no link of the identifier is itself verified. Each link counts as its judge has it, and many is what is more than
    the lowest number that one of the judges allows: what was shared stays so, whatever comes.
    """
    names = {type_ for type_, _ in keys}
    versions = [{type_: one.of_type(type_) for type_ in names} for one in policy.versions]
    best: dict[IdentifierKey, LinkTrust] = {}
    apart: dict[IdentifierKey, int] = {}
    most: dict[IdentifierKey, int | None] = {}
    for tie in ties:  # the best trust first, and each pair of identifiers once
        if tie.trust is LinkTrust.OPERATOR:
            continue
        types = versions[min(tie.judge, len(versions)) - 1]
        for key, other in (tie.key, tie.key[::-1]):
            its, others = types[key[0]], types[other[0]]
            most[key] = _lower(most.get(key), its.shared_after)
            if best.setdefault(key, tie.trust) is tie.trust:
                unique = others.unique and others.strength < its.strength
                personal = others.personal and other in proved and tie.trust is not LinkTrust.VERIFIED
                apart[key] = apart.get(key, 0) + (unique or personal)
    return frozenset(key for key, values in apart.items() if _is_many(values, most[key]))


def _is_many(values: int, most: int | None) -> bool:
    return most is not None and values > most


def _lower(one: int | None, other: int | None) -> int | None:
    return min((number for number in (one, other) if number is not None), default=None)


def partition(part: ConnectedPart, policy: ConstraintPolicy) -> IdentityPartition:
    """Return which ties of a part are followed, why the others are not, and which identifiers belong together."""
    ties = ties_of(part, policy)
    known = sorted(part.identifiers())
    shown = {key for sighting in part.sightings for key in sighting.others}
    shared = shared_among(shown.union(known), ties, part.proved, policy).union(part.shared)
    declared = {key for key in shown.union(known) if policy.of(key).shared}
    deciding = _Deciding(known, shared, part, policy)
    for tie in ties:
        deciding.take(tie)
    return deciding.result(declared)


class _Judge:
    """What one version of the policy says of the types of a part. Proved personal values are counted by other names."""

    def __init__(self, policy: ConstraintPolicy, names: Collection[str]) -> None:
        types = {type_: policy.of_type(type_) for type_ in names}
        self.shared = {type_ for type_, one in types.items() if one.shared}
        self.unique = {type_ for type_, one in types.items() if one.unique}
        self.limit = {type_: one.limit for type_, one in types.items() if one.limit is not None}
        self.personal_types = {type_ for type_, one in types.items() if one.personal and not one.unique}
        self.personal = {f"{_PROVED}{type_}" for type_ in self.personal_types}
        self.most_identifiers = policy.most_identifiers
        self.strength = {type_: one.strength for type_, one in types.items()}


class _Deciding:
    """Takes ties one by one. Identifiers are numbered in their order, ties in theirs."""

    def __init__(
        self,
        known: Sequence[IdentifierKey],
        shared: frozenset[IdentifierKey],
        part: ConnectedPart,
        policy: ConstraintPolicy,
    ) -> None:
        self._known = known
        self._shared = shared
        self._number = {key: number for number, key in enumerate(known)}
        self._shared_numbers = {number for key, number in self._number.items() if key in shared}
        self._ties: list[IdentityTie] = []
        self._between: dict[int, IdentityTie] = {}
        self._refused: dict[int, RefusalReason] = {}
        self._separated = self._separations(part.said)
        names = {type_ for type_, _ in known}
        self._judges = [_Judge(one, names) for one in policy.versions]
        counts = {type_ for judge in self._judges for type_ in (*judge.unique, *judge.limit)}
        counted = {type_: (type_,) if type_ in counts else () for type_ in names}
        personal = {type_ for judge in self._judges for type_ in judge.personal_types}
        proved = {type_: (*counted[type_], f"{_PROVED}{type_}") for type_ in personal}
        kinds = [proved[key[0]] if key[0] in proved and key in part.proved else counted[key[0]] for key in known]
        self._groups = NodeGroups(kinds, self._separated)

    def _separations(self, said: Iterable[OperatorFact]) -> dict[int, dict[int, datetime]]:
        """Return for each separated identifier those it was separated from, with the time of the last such word."""
        separated: dict[int, dict[int, datetime]] = {}
        for fact in said:
            if fact.word is not OperatorWord.SEPARATE:
                continue
            left, right = (self._number.get(end) for end in fact.key)
            if left is not None and right is not None:
                for one, other in ((left, right), (right, left)):
                    words = separated.setdefault(one, {})
                    words[other] = max(words.get(other, fact.said_at), fact.said_at)
        return separated

    def take(self, tie: IdentityTie) -> None:
        """Follow the next tie, or refuse it."""
        edge = len(self._ties)
        self._ties.append(tie)
        left, right = tie.key
        one, other = self._number[left], self._number[right]
        if tie.trust is LinkTrust.OPERATOR:
            reason = self._separation(one, other, since=tie.seen_at)
        else:
            reason = self._reason(tie, one, other)
        if reason is None:
            self._groups.add(edge, one, other)
            return
        self._refused[edge] = reason
        if reason is RefusalReason.UNIQUE:
            self._displace(tie, one, other)

    def _judge(self, number: int) -> _Judge:
        return self._judges[min(number, len(self._judges)) - 1]

    def _reason(self, tie: IdentityTie, one: int, other: int) -> RefusalReason | None:
        judge = self._judge(tie.judge)
        if one in self._shared_numbers or other in self._shared_numbers:
            return RefusalReason.SHARED
        if judge.shared and not judge.shared.isdisjoint(type_ for type_, _ in tie.key):
            return RefusalReason.SHARED
        if one in self._between or other in self._between:
            return RefusalReason.HELD
        first, second = self._groups.group[one], self._groups.group[other]
        if first == second:
            return None
        reason = self._separation(one, other) if self._separated else None
        return reason or self._excess(first, second, tie.trust, judge)

    def _separation(self, one: int, other: int, since: datetime | None = None) -> RefusalReason | None:
        """Return the reason if an operator separated members of two groups, at `since` or later if it is given."""
        near, far = self._groups.group[one], self._groups.group[other]
        if near == far:
            return None
        if len(self._groups.marked(near)) > len(self._groups.marked(far)):
            near, far = far, near
        for member in self._groups.marked(near):
            for apart, said_at in self._separated[member].items():
                if self._groups.group[apart] == far and (since is None or said_at >= since):
                    return RefusalReason.SEPARATED
        return None

    def _excess(self, first: int, second: int, trust: LinkTrust, judge: _Judge) -> RefusalReason | None:
        ours, theirs = self._groups.counts(first), self._groups.counts(second)
        if ours and theirs:
            both = [kind for kind, number in ours.items() if number and theirs.get(kind)]
            if not judge.unique.isdisjoint(both):
                return RefusalReason.UNIQUE
            if trust is LinkTrust.DEVICE and not judge.personal.isdisjoint(both):
                return RefusalReason.UNIQUE
            if any(kind in judge.limit and ours[kind] + theirs[kind] > judge.limit[kind] for kind in both):
                return RefusalReason.LIMIT
        if self._groups.size(first) + self._groups.size(second) > judge.most_identifiers:
            return RefusalReason.TOO_MANY_IDENTIFIERS
        return None

    def _displace(self, tie: IdentityTie, one: int, other: int) -> None:
        """Leave the weaker end of a refused tie between customers, unless better ties hold it where it is.

        So do ties whose own judge would have followed the refused one: what an older version joined is not taken apart.
        """
        first, second = (self._judge(tie.judge).strength[type_] for type_, _ in tie.key)
        if first == second:
            return
        weaker = one if first > second else other
        held_by = self._groups.first_edge(weaker)  # the best, because ties are taken best first
        if held_by is None or self._ties[held_by].trust is not tie.trust:
            return
        ours, theirs = self._groups.group[one], self._groups.group[other]
        judges = {self._ties[edge].judge for edge in self._groups.edges(weaker)} - {tie.judge}
        if any(self._excess(ours, theirs, tie.trust, self._judge(one)) is not RefusalReason.UNIQUE for one in judges):
            return
        self._between[weaker] = tie
        self._refused.update((edge, RefusalReason.HELD) for edge in self._groups.remove(weaker))

    def result(self, declared: Collection[IdentifierKey]) -> IdentityPartition:
        """Return what was decided about all ties.

        What is `declared` shared belongs to one customer nevertheless where evidence of another version gave it to one.
        """
        ties = self._ties
        given = {
            end
            for edge, tie in enumerate(ties)
            if edge not in self._refused and tie.trust is not LinkTrust.OPERATOR
            for end in tie.key
        }
        members: dict[int, list[IdentifierKey]] = {}
        for number, key in enumerate(self._known):
            members.setdefault(self._groups.group[number], []).append(key)
        return IdentityPartition(
            components=tuple(frozenset(keys) for keys in members.values()),
            component_of={key: number for number, keys in enumerate(members.values()) for key in keys},
            followed=tuple(tie for edge, tie in enumerate(ties) if edge not in self._refused),
            refused={ties[edge]: self._refused[edge] for edge in sorted(self._refused)},
            between={self._known[number]: tie for number, tie in sorted(self._between.items())},
            shared=self._shared.union(key for key in declared if key not in given),
            recognised=self._shared,
        )
