"""Decides which stored customer each component goes on as, after facts have joined customers or split them."""

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

import msgspec

from services.journey.domain.identity.facts import ConnectedPart, IdentifierKey
from services.journey.domain.identity.holding import TouchpointOwnership, Whose
from services.journey.domain.names import CustomerId

_NEVER = datetime.max.replace(tzinfo=UTC)


class CustomerSuccession(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The customer that a component is.

    `id` is None for an identifier between customers, or shared, to which no touchpoint belongs: nobody need be stored
    for it. `absorbed` stored customers go on in this one, the oldest first. A customer that `is_new` names in
    `split_from` the oldest stored customer that had one of its identifiers, or one of its touchpoints.
    """

    id: CustomerId | None
    is_new: bool = False
    absorbed: tuple[CustomerId, ...] = ()
    split_from: CustomerId | None = None


class IdentitySuccession(msgspec.Struct, frozen=True, kw_only=True):
    """The customer of each component, in their order; `emptied` stored customers have no identifier left."""

    customers: tuple[CustomerSuccession, ...]
    emptied: tuple[CustomerId, ...] = ()


def succeed(part: ConnectedPart, whose: TouchpointOwnership, new_id: Callable[[], UUID]) -> IdentitySuccession:
    """Give each component a customer.

    A stored customer goes on where its strongest identifier is: of those that belong to one customer, if it has any,
    and of equally strong ones where the one is that was known first. Where several meet, the oldest gives the id.
    """
    lines, emptied = _lines(part, whose)
    age: dict[CustomerId | None, int] = {one.id: one.sequence for one in part.customers}
    came_from = _came_from(part, whose)
    customers: list[CustomerSuccession] = []
    for number, members in enumerate(whose.partition.components):
        line = lines.get(number)
        if line is not None:
            customers.append(CustomerSuccession(id=line[0], absorbed=tuple(line[1:])))
        elif number in came_from or any(map(whose.partition.is_owned, members)):
            before = came_from.get(number, set()).union(map(part.owners.get, members))
            split_from = min(before & age.keys(), key=age.__getitem__, default=None)
            customers.append(CustomerSuccession(id=CustomerId(new_id()), is_new=True, split_from=split_from))
        else:
            customers.append(CustomerSuccession(id=None))
    return IdentitySuccession(customers=tuple(customers), emptied=emptied)


def _lines(
    part: ConnectedPart, whose: TouchpointOwnership
) -> tuple[dict[int, list[CustomerId]], tuple[CustomerId, ...]]:
    """Return the stored customers that go on in each component, the oldest first, and those that go on in none."""

    def weight(key: IdentifierKey) -> tuple[bool, int, datetime, IdentifierKey]:
        owned = whose.partition.is_owned(key)
        return not owned, whose.policy.of(key).strength, part.first_seen.get(key, _NEVER), key

    strongest: dict[CustomerId, IdentifierKey] = {}
    for key, owner in part.owners.items():
        strongest[owner] = min(strongest.get(owner, key), key, key=weight)
    lines: dict[int, list[CustomerId]] = {}
    emptied: list[CustomerId] = []
    for one in sorted({one.id: one for one in part.customers}.values(), key=lambda one: one.sequence):
        if one.id in strongest:
            lines.setdefault(whose.partition.component_of[strongest[one.id]], []).append(one.id)
        else:
            emptied.append(one.id)
    return lines, tuple(emptied)


def _came_from(part: ConnectedPart, whose: TouchpointOwnership) -> dict[Whose | None, set[CustomerId | None]]:
    """Return for each component that touchpoints without an owned identifier belong to, whose these were before."""
    came_from: dict[Whose | None, set[CustomerId | None]] = {}
    for sighting in part.sightings:
        if not any(map(whose.is_owned, sighting.usable)):
            came_from.setdefault(whose.of(sighting), set()).add(part.belonged.get(sighting.key))
    return came_from
