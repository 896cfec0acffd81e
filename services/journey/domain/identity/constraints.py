"""The policy of identity: how strong each type of identifier is, and how many of its values one customer may have."""

from collections.abc import Mapping
from datetime import timedelta

import msgspec

from services.journey.domain.identity.facts import IdentifierKey

SHARED_AFTER = 5
"""Values that tell people apart to which a value may be linked before it counts as shared by many people."""

MOST_TOGETHER = 1_000
"""Identifiers of one customer."""

HOLD = timedelta(days=90)
HOLD_OF_DEVICE = timedelta(days=30)
HOLD_OF_SHARED = timedelta(minutes=30)


class TypeConstraints(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for one type. The lowest `strength` is the strongest.

    A customer has at most one value of a `unique` type, and at most `limit` of any (None: no limit). Proved values of a
    `personal` type are of different people where nothing but a device joins them. Values of a `shared` type never link.
    Values of a `verified_only` type link only where the source proved them. `hold` says how long whoever was last known
    on a value between customers still has it; None is the usual time of such a type. A value that is linked with more
    than `shared_after` values that tell people apart is shared, too (None: never).
    """

    strength: int = 500
    unique: bool = False
    personal: bool = False
    limit: int | None = None
    shared: bool = False
    verified_only: bool = False
    device: bool = False
    hold: timedelta | None = None
    shared_after: int | None = SHARED_AFTER

    def held_for(self, *, shared: bool) -> timedelta:
        """Return how long a value is held: 30 minutes where many share it, 30 days for a device, else 90 days."""
        if self.hold is not None:
            return self.hold
        if shared or self.shared:
            return HOLD_OF_SHARED
        return HOLD_OF_DEVICE if self.device else HOLD


class ConstraintPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """The constraints of all types, and of whole customers. `others` holds for types that are not listed.

    `later` are those of the versions after the first. Which version judges a link or a touchpoint is its `judge`: 1 for
    the first.
    """

    types: Mapping[str, TypeConstraints] = {}
    others: TypeConstraints = TypeConstraints()
    most_identifiers: int = MOST_TOGETHER
    later: tuple["ConstraintPolicy", ...] = ()

    @property
    def versions(self) -> tuple["ConstraintPolicy", ...]:
        """The constraints of every version, the first one first."""
        return (self, *self.later)

    def judging(self, judge: int) -> "ConstraintPolicy":
        """Return the constraints of a version."""
        return self if judge <= 1 or not self.later else self.later[min(judge - 2, len(self.later) - 1)]

    def declares_shared(self, type_: str) -> bool:
        """Return whether any version declares a type shared."""
        return any(one.of_type(type_).shared for one in self.versions)

    def ceases_to_share(self, type_: str) -> bool:
        """Return whether the first version declares a type shared, and a later one does not."""
        return self.of_type(type_).shared and not all(one.of_type(type_).shared for one in self.later)

    def longest_hold(self, type_: str, *, shared: bool) -> timedelta:
        """Return the longest time for which any version lets a value between customers be held."""
        return max(one.of_type(type_).held_for(shared=shared) for one in self.versions)

    def of_type(self, name: str) -> TypeConstraints:
        """Return the constraints of a type."""
        return self.types.get(name, self.others)

    def of(self, key: IdentifierKey) -> TypeConstraints:
        """Return the constraints of an identifier's type."""
        return self.types.get(key[0], self.others)

    def rank(self, key: IdentifierKey) -> tuple[int, str, str]:
        """Return the sort key of identifiers, strongest first; equal ones go by type, then value."""
        return self.of(key).strength, *key
