"""All versions of the policy of identity: which one judges what the broker appended when."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from operator import attrgetter

import msgspec

from services.journey.domain.identity.constraints import ConstraintPolicy
from services.journey.domain.identity.facts import IdentifierKey, IdentitySighting
from services.journey.domain.identity.planning import (
    IdentityEvidence,
    IdentityPolicy,
    identity_evidence,
    sighting_among,
    usable_among,
)
from services.journey.domain.touchpoint import Identifier, OrderKey, Touchpoint

SINCE_EVER = datetime(1, 1, 1, tzinfo=UTC)


class IdentityVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One version, in force from a moment on until the next version is."""

    in_force_from: datetime
    policy: IdentityPolicy
    constraints: ConstraintPolicy


class IdentityBook:
    """The versions of the policy, oldest first; their numbers, the judges, begin with 1.

    A touchpoint is judged by the version in force when the broker appended it, and a link by the first version under
    which a touchpoint showed it. So a new version changes nothing that is known, whoever reads it when.
    """

    def __init__(self, versions: Sequence[IdentityVersion]) -> None:
        """Prepare at least one version; what was appended before the first is judged by the first."""
        first, *later = versions
        self.versions = tuple(versions)
        self.constraints = msgspec.structs.replace(first.constraints, later=tuple(one.constraints for one in later))

    @classmethod
    def of(cls, policy: IdentityPolicy, constraints: ConstraintPolicy) -> "IdentityBook":
        """Return a book of one version, in force since ever."""
        return cls([IdentityVersion(in_force_from=SINCE_EVER, policy=policy, constraints=constraints)])

    @property
    def latest(self) -> IdentityVersion:
        """The version in force for what comes now."""
        return self.versions[-1]

    def judge_at(self, appended_at: datetime) -> int:
        """Return the number of the version that judges what the broker appended at a moment."""
        if len(self.versions) == 1:
            return 1
        return max(1, bisect_right(self.versions, appended_at, key=attrgetter("in_force_from")))

    def evidence(self, touchpoint: Touchpoint, appended_at: datetime) -> IdentityEvidence:
        """Return what a touchpoint says of identity."""
        judge = self.judge_at(appended_at)
        return identity_evidence(touchpoint, self.versions[judge - 1].policy, judge)

    def sighting(self, order: OrderKey, customer: Mapping[str, Identifier], appended_at: datetime) -> IdentitySighting:
        """Return a stored touchpoint as identity sees it."""
        judge = self.judge_at(appended_at)
        return sighting_among(order, customer, self.versions[judge - 1].policy, judge)

    def usable(self, customer: Mapping[str, Identifier], appended_at: datetime) -> tuple[IdentifierKey, ...]:
        """Return the identifiers of a touchpoint that name its customer, strongest first."""
        return usable_among(customer, self.versions[self.judge_at(appended_at) - 1].policy)

    def spellings(self, type_: str, values: Iterable[str]) -> tuple[str, ...]:
        """Return these values as the versions spell them, as they are first; each once."""
        found = dict.fromkeys(values)
        for one in self.versions:
            if one.policy.spelt is not None:
                found.update(dict.fromkeys(one.policy.spelt(type_, value) for value in list(found)))
        return tuple(found)

    async def identity(self, _: object) -> "IdentityBook":
        """Return this book: it is a source of itself for whoever has read what is in force already."""
        return self
