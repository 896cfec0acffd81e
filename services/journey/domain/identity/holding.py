"""Says who has an identifier that is between customers or shared, and so whose a touchpoint is.

At each moment it is whoever was last known on it: by a touchpoint that also carried a stronger identifier of one
customer. Customers of the part are meant by the numbers of their components, others by their ids.
"""

from bisect import bisect_right
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TypeAlias

import msgspec

from services.journey.domain.identity.constraints import ConstraintPolicy
from services.journey.domain.identity.facts import ConnectedPart, IdentifierKey, IdentitySighting
from services.journey.domain.identity.partition import IdentityPartition
from services.journey.domain.names import CustomerId
from services.journey.domain.touchpoint import OrderKey

Whose: TypeAlias = int | CustomerId
"""The number of a component of the part, or a customer of another part."""


class HeldSpan(msgspec.Struct, frozen=True, gc=False):
    """A customer has an identifier from `since` to `until`, both moments included.

    From a moment that ends one span and begins the next, the next one counts.
    """

    since: datetime
    until: datetime
    holder: Whose


class HolderHistory(msgspec.Struct, frozen=True, kw_only=True):
    """Who was known on one identifier, in event order: the times, and who it was at each of them."""

    hold: timedelta
    times: tuple[datetime, ...]
    holders: tuple[Whose, ...]

    def at(self, moment: datetime, hold: timedelta | None = None) -> Whose | None:
        """Return who has the identifier at a moment: the last one known, else the first one to be known afterwards.

        Each counts only if it is no longer ago, or no longer ahead, than `hold`; None if nobody does.
        """
        hold = self.hold if hold is None else hold
        after = bisect_right(self.times, moment)
        if after and moment - self.times[after - 1] <= hold:
            return self.holders[after - 1]
        if after < len(self.times) and self.times[after] - moment <= hold:
            return self.holders[after]
        return None

    def spans(self) -> tuple[HeldSpan, ...]:
        """Return the same as spans of time, in order; what follows at once with the same holder is one span."""
        spans: list[HeldSpan] = []
        for place, (known_at, holder) in enumerate(zip(self.times, self.holders, strict=True)):
            is_first = place == 0 or self.times[place - 1] != known_at  # in event order, at this moment
            following = self.times[place + 1] if place + 1 < len(self.times) else None
            until = known_at + self.hold if following is None else min(known_at + self.hold, following)
            since = known_at - self.hold if is_first else known_at
            if spans:
                since = min(known_at, max(since, spans[-1].until))
            if since == until and following == known_at:
                continue
            if spans and spans[-1].until == since and spans[-1].holder == holder:
                since = spans.pop().since
            spans.append(HeldSpan(since, until, holder))
        return tuple(spans)


class TouchpointOwnership(msgspec.Struct, frozen=True, kw_only=True):
    """Whose touchpoints are. `holders` has every identifier between customers or shared on which somebody was known."""

    partition: IdentityPartition
    policy: ConstraintPolicy
    abroad: Mapping[IdentifierKey, CustomerId | None]
    holders: Mapping[IdentifierKey, HolderHistory] = {}

    def of(self, sighting: IdentitySighting) -> Whose | None:
        """Return who has a touchpoint; None if it carries no identifier that this part knows of."""
        owned = self.strongest_owned(sighting)
        if owned is not None:
            return self.place(owned)
        policy = self.policy.judging(sighting.judge)
        for key in sorted(sighting.carried, key=policy.rank):
            if key not in self.holders:
                continue
            hold = policy.of(key).held_for(shared=key in self.partition.recognised)
            holder = self.holders[key].at(sighting.occurred_at, hold)
            if holder is not None:
                return holder
        strongest = min(sighting.usable, key=policy.rank, default=None)
        return None if strongest is None else self.place(strongest)

    def is_owned(self, key: IdentifierKey, judge: int = 1) -> bool:
        """Return whether an identifier belongs to one customer, here or in another part, as a version has it."""
        if self.policy.judging(judge).of(key).shared:
            return False
        return self.abroad[key] is not None if key in self.abroad else not self.partition.floats(key)

    def strongest_owned(self, sighting: IdentitySighting) -> IdentifierKey | None:
        """Return the strongest usable identifier of a touchpoint that belongs to one customer; None without any."""
        judge = sighting.judge
        owned = (key for key in sighting.usable if self.is_owned(key, judge))
        return min(owned, key=self.policy.judging(judge).rank, default=None)

    def place(self, key: IdentifierKey) -> Whose | None:
        """Return who an identifier belongs to by itself."""
        return self.abroad[key] if key in self.abroad else self.partition.component_of.get(key)

    def told_by(self, sighting: IdentitySighting) -> tuple[IdentifierKey, ...]:
        """Return the identifiers, between customers or shared, of which a touchpoint says who has them."""
        owned = self.strongest_owned(sighting)
        if owned is None:
            return ()
        policy, judge = self.policy.judging(sighting.judge), sighting.judge
        strength = policy.of(owned).strength
        return tuple(
            key for key in sighting.carried if not self.is_owned(key, judge) and policy.of(key).strength > strength
        )


def ownership(part: ConnectedPart, partition: IdentityPartition, policy: ConstraintPolicy) -> TouchpointOwnership:
    """Return whose touchpoints are, from those that carry an identifier between customers or shared."""
    whose = TouchpointOwnership(partition=partition, policy=policy, abroad=part.abroad)
    known: dict[IdentifierKey, dict[OrderKey, Whose]] = {}
    for sighting in part.sightings:
        told = whose.told_by(sighting)
        holder = whose.of(sighting) if told else None
        if holder is not None:
            for key in told:
                known.setdefault(key, {})[sighting.order] = holder
    holders = {
        key: _history(seen, policy.of(key).held_for(shared=key in partition.recognised))
        for key, seen in sorted(known.items())
    }
    return msgspec.structs.replace(whose, holders=holders)


def _history(seen: Mapping[OrderKey, Whose], hold: timedelta) -> HolderHistory:
    ordered = sorted(seen.items())
    return HolderHistory(
        hold=hold,
        times=tuple(order[0] for order, _ in ordered),
        holders=tuple(holder for _, holder in ordered),
    )
