"""The words in which the oracle of identity speaks: touchpoints, what operators said, ties, and what comes of them.

Part of the oracle: it imports nothing of Waymark, on purpose.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from tests.oracle.facts import DAY, MINUTE, Key
from tests.oracle.identity import STRENGTH, UNKNOWN_STRENGTH, Identifier

Link: TypeAlias = tuple[Identifier, Identifier]
"""Two identifiers, the smaller first."""

Component: TypeAlias = frozenset[Identifier]
Trust: TypeAlias = Literal["operator", "verified", "asserted", "device"]

Policy: TypeAlias = Mapping[str, Mapping[str, Any]]
"""Settings by type: `strength`, `unique`, `personal`, `limit`, `shared`, `verified_only`, `device`, `hold`
(microseconds) and `shared_after`. What is not said is as `setting` has it."""

Stored: TypeAlias = Mapping[str, Mapping[str, Any]]
"""Customers as they stand, by id: their `sequence`, and their `identifiers`, or the keys of their `touchpoints`."""

DEVICES: Final = frozenset({"device_id", "advertising_id", "push_token", "anonymous_id", "cookie", "session_id"})
TRUSTS: Final[tuple[Trust, ...]] = ("operator", "verified", "asserted", "device")
MOST_IDENTIFIERS: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A touchpoint, as identity sees it. Times are microseconds; `customer` says by type: value, verified."""

    source: str
    id: str
    occurred_at: int
    customer: Mapping[str, tuple[str, bool]]
    sequence: int = 0
    judge: int = 1
    """Which version of the policy was in force when it was appended."""

    @property
    def key(self) -> Key:
        """By what it is known."""
        return self.source, self.id

    @property
    def order(self) -> tuple[int, int, str, str]:
        """Where it stands among all."""
        return self.occurred_at, self.sequence, self.source, self.id

    @property
    def carried(self) -> list[Identifier]:
        """Its identifiers, usable or not."""
        return [(name, value) for name, (value, _) in self.customer.items()]


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorFact:
    """What an operator said of two identifiers, and when."""

    kind: Literal["merge", "separate", "retract"]
    one: Identifier
    other: Identifier
    at: int = 0

    @property
    def ends(self) -> Link:
        """The two, the smaller first."""
        return pair(self.one, self.other)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tie:
    """What may be followed: an operator's merge, or a link with the time and the key of its earliest evidence."""

    ends: Link
    trust: Trust
    at: int
    key: Key = ("", "")
    judge: int = 1

    @property
    def order(self) -> tuple[int, int, Key, Link]:
        """When its turn comes."""
        return TRUSTS.index(self.trust), self.at, self.key, self.ends


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Who is who. A customer is a component that touchpoints belong to."""

    components: frozenset[Component]
    owners: Mapping[Key, Component]
    refused: Mapping[Link, str]
    refused_merges: Mapping[tuple[Link, int], str]
    between: frozenset[Identifier]
    shared: frozenset[Identifier]
    kept: Mapping[Component, str] = field(default_factory=dict)
    absorbed: Mapping[str, str] = field(default_factory=dict)
    split_from: Mapping[Component, str] = field(default_factory=dict)

    def component(self, identifier: Identifier) -> Component:
        """The component of an identifier."""
        return next(found for found in self.components if identifier in found)


def judged(policies: Sequence[Policy], judge: int) -> Policy:
    """The policy of a version, of all that there are."""
    return policies[judge - 1]


def pair(one: Identifier, other: Identifier) -> Link:
    """A link is not directed."""
    return min(one, other), max(one, other)


def setting(policy: Policy, type_: str, name: str) -> Any:
    """What the policy says of a type, or what holds where it says nothing."""
    said = policy.get(type_, {})
    if name in said:
        return said[name]
    device = said.get("device", type_ in DEVICES)
    if name == "hold":
        return 30 * MINUTE if said.get("shared", False) else 30 * DAY if device else 90 * DAY
    return {
        "strength": STRENGTH.get(type_, UNKNOWN_STRENGTH),
        "unique": type_ == "customer_id",
        "personal": type_ in ("email", "phone"),
        "limit": None,
        "shared": False,
        "verified_only": False,
        "device": device,
        "shared_after": 5,
    }[name]


def ranked(identifiers: Iterable[Identifier], policy: Policy) -> list[Identifier]:
    """The strongest first; ties go by type, then value."""
    return sorted(identifiers, key=lambda one: (setting(policy, one[0], "strength"), one))


def usable(sighting: Sighting, policy: Policy) -> list[Identifier]:
    """The identifiers that may link, the strongest first; the single strongest one, if none may."""
    every = ranked(sighting.carried, policy)
    linking = [
        (name, value)
        for name, value in every
        if not setting(policy, name, "shared")
        and (not setting(policy, name, "verified_only") or sighting.customer[name][1])
    ]
    return linking or every[:1]


def in_order(sightings: Iterable[Sighting]) -> list[Sighting]:
    """Each touchpoint once, in event order."""
    found: dict[Key, Sighting] = {}
    for one in sightings:
        if found.setdefault(one.key, one) != one:
            raise ValueError(f"two touchpoints have the key {one.key}")
    return sorted(found.values(), key=lambda one: one.order)
