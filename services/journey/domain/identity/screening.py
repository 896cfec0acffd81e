"""Sorts what a batch says of identity: what joins customers plainly, and what only a settlement can decide.

Where no constraint is touched, the customers are what is connected, whatever the order of the links: then nothing but
the identifiers at hand must be read. Everything else is decided together with all that is connected to it.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from services.journey.domain.identity.constraints import ConstraintPolicy
from services.journey.domain.identity.facts import IdentifierKey, LinkKey
from services.journey.domain.identity.planning import IdentityEvidence, counted_links
from services.journey.domain.names import CustomerId
from services.journey.domain.touchpoint import OrderKey


class KnownLink(msgspec.Struct, frozen=True, gc=False):
    """A link in the ledger: the place of its earliest evidence, and whether it is verified."""

    first: OrderKey
    verified: bool
    judge: int = 1


class TouchedLedger(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored of the identifiers and links of a batch.

    `owners` are the customers of identifiers that have one. `fresh` identifiers were unknown, `unsettled` ones belong
    to nobody, are between customers, or shared. `newly_proved` were verified for the first time. `contested` are
    customers around whom links are not followed.
    """

    owners: Mapping[IdentifierKey, CustomerId]
    fresh: Collection[IdentifierKey] = frozenset()
    unsettled: Collection[IdentifierKey] = frozenset()
    newly_proved: Collection[IdentifierKey] = frozenset()
    contested: Collection[CustomerId] = frozenset()
    links: Mapping[LinkKey, KnownLink] = {}


class EvidenceGroup(msgspec.Struct, kw_only=True):
    """Evidence that says something new about the same customers, or about the same new identifiers."""

    evidence: list[IdentityEvidence] = []
    identifiers: set[IdentifierKey] = set()
    customers: set[CustomerId] = set()
    contested: bool = False


class ScreenedEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """Evidence that says nothing new, and groups of what does."""

    known: list[IdentityEvidence]
    groups: list[EvidenceGroup]


def screen(evidence: Sequence[IdentityEvidence], ledger: TouchedLedger, policy: ConstraintPolicy) -> ScreenedEvidence:
    """Sort the evidence of a batch."""
    screening = _Screening(ledger, policy)
    known = [one for one in evidence if not screening.is_taken(one)]
    return ScreenedEvidence(known=known, groups=screening.groups())


_Token = IdentifierKey | CustomerId


class _Screening:
    def __init__(self, ledger: TouchedLedger, policy: ConstraintPolicy) -> None:
        self._ledger = ledger
        self._policy = policy
        self._parent: dict[_Token, _Token] = {}
        self._taken: list[tuple[IdentityEvidence, bool, tuple[_Token, ...]]] = []
        self._seen: dict[
            tuple[tuple[IdentifierKey, ...], tuple[bool, ...], int], tuple[bool, bool, OrderKey | None]
        ] = {}

    def is_taken(self, one: IdentityEvidence) -> bool:
        """Return whether `one` says something new, and keep it if it does."""
        keys = one.keys
        if not keys:
            return False
        customer = one.touchpoint.customer
        verified = tuple(customer[type_].verified for type_, _ in keys) if customer[keys[0][0]].verified else ()
        said = keys, verified, one.judge
        looked = self._seen.get(said)
        if looked is None:
            looked = self._seen[said] = self._look(keys, verified, one.judge)
        is_new, unsettled, latest = looked
        unsettled = unsettled or bool(one.others)
        is_new = is_new or (latest is not None and one.touchpoint.order < latest)
        if not (is_new or unsettled):
            return False
        owners = self._ledger.owners
        tokens: list[_Token] = [key for key in keys if key not in self._ledger.unsettled]
        tokens += [owners[key] for key in keys if key in owners and key not in self._ledger.unsettled]
        contested = unsettled or any(owners.get(key) in self._ledger.contested for key in keys)
        self._taken.append((one, contested, tuple(tokens)))
        for token in tokens:
            self._join(tokens[0], token)
        return True

    def _look(
        self, keys: tuple[IdentifierKey, ...], verified: tuple[bool, ...], judge: int
    ) -> tuple[bool, bool, OrderKey | None]:
        """Return whether the identifiers say something new, whether one is unsettled, and how old news must be."""
        ledger, policy = self._ledger, self._policy.judging(judge)
        unsettled = any(key in ledger.unsettled or policy.of(key).shared for key in keys)
        is_new = any(key in ledger.fresh for key in keys)
        is_new = is_new or any(key in ledger.newly_proved and policy.of(key).personal for key in keys)
        latest: OrderKey | None = None
        for place, link in enumerate(counted_links(keys), start=1):
            known = ledger.links.get(link)
            if known is None or (verified and verified[place] and not known.verified) or known.judge > judge:
                is_new = True
            elif latest is None or known.first > latest:
                latest = known.first
        return is_new, unsettled, latest

    def _root(self, token: _Token) -> _Token:
        root = token
        while self._parent.setdefault(root, root) != root:
            root = self._parent[root]
        while token != root:
            above = self._parent[token]
            self._parent[token] = root
            token = above
        return root

    def _join(self, one: _Token, other: _Token) -> None:
        self._parent[self._root(one)] = self._root(other)

    def groups(self) -> list[EvidenceGroup]:
        """Return the groups in the order of their first evidence."""
        found: dict[_Token | None, EvidenceGroup] = {}
        for one, contested, tokens in self._taken:
            group = found.setdefault(self._root(tokens[0]) if tokens else None, EvidenceGroup())
            group.evidence.append(one)
            group.identifiers.update(one.keys)
            group.customers.update(self._ledger.owners[key] for key in one.keys if key in self._ledger.owners)
            group.contested = group.contested or contested
        return list(found.values())


def is_plain(
    identifiers: Collection[IdentifierKey], proved: Collection[IdentifierKey], policy: ConstraintPolicy
) -> bool:
    """Return whether no constraint of any version is touched if all of these identifiers are one customer."""
    return all(_is_plain(identifiers, proved, one) for one in policy.versions)


def _is_plain(
    identifiers: Collection[IdentifierKey], proved: Collection[IdentifierKey], policy: ConstraintPolicy
) -> bool:
    if len(identifiers) > policy.most_identifiers:
        return False
    numbers: dict[str, int] = {}
    apart = 0
    for key in identifiers:
        numbers[key[0]] = numbers.get(key[0], 0) + 1
        apart += policy.of(key).unique or (policy.of(key).personal and key in proved)
    types = {type_: policy.of_type(type_) for type_ in numbers}
    few = min((one.shared_after for one in types.values() if one.shared_after is not None), default=apart)
    return (
        apart <= few
        and not any(
            (one.unique and numbers[type_] > 1) or (one.limit is not None and numbers[type_] > one.limit) or one.shared
            for type_, one in types.items()
        )
        and _are_one_person(key for key in identifiers if key in proved and policy.of(key).personal)
    )


def _are_one_person(proved: Iterable[IdentifierKey]) -> bool:
    types = [type_ for type_, _ in proved]
    return len(types) == len(set(types))
