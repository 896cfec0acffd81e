"""Says whose the touchpoints of a copy are that carry only what several customers use, by who was last known on it."""

from collections.abc import Iterable
from uuid import UUID

from services.journey.domain.identity.constraints import ConstraintPolicy
from services.journey.domain.identity.facts import ConnectedPart, IdentifierKey
from services.journey.domain.identity.holding import HolderHistory, TouchpointOwnership, ownership
from services.journey.domain.identity.partition import IdentityPartition
from services.journey.domain.names import CustomerId
from services.journey.rehearsal.touchpoint_copy import CopiedStanding, CopiedTouchpoint, TouchpointCopy

REMEMBERED = 64
"""Identifiers whose holders are in memory at one time."""


class HolderWalk:
    """Labels touchpoints after all parts are decided."""

    def __init__(self, copy: TouchpointCopy, policy: ConstraintPolicy) -> None:
        """Prepare to ask a copy, under `policy`."""
        self._copy = copy
        self._policy = policy
        self._histories: dict[IdentifierKey, HolderHistory | None] = {}

    def label_of(self, point: CopiedTouchpoint) -> int | None:
        """Return whose a touchpoint is; None if nothing that it carries could say so."""
        sighting = point.sighting
        standings = self._standings(sighting.carried)
        holders = {}
        for key, standing in standings.items():
            if not standing.owned and (history := self._history(key)) is not None:
                holders[key] = history
        whose = TouchpointOwnership(
            partition=_between_parts(standings),
            policy=self._policy,
            abroad=_abroad(sighting.carried, standings),
            holders=holders,
        )
        holder = whose.of(sighting)
        if isinstance(holder, UUID):
            return holder.int
        strongest = standings.get(min(sighting.usable, key=self._policy.rank))
        return None if strongest is None else strongest.label

    def _standings(self, keys: Iterable[IdentifierKey]) -> dict[IdentifierKey, CopiedStanding]:
        found = {key: self._copy.standing(key) for key in keys}
        return {key: one for key, one in found.items() if one is not None}

    def _history(self, key: IdentifierKey) -> HolderHistory | None:
        """Return who was known on an identifier, and when."""
        if key not in self._histories:
            if len(self._histories) >= REMEMBERED:
                self._histories.pop(next(iter(self._histories)))
            points = self._copy.carrying(key, also_unusable=True)
            carried = {one for point in points for one in point.sighting.carried}
            standings = self._standings(carried)
            part = ConnectedPart(sightings=[point.sighting for point in points], abroad=_abroad(carried, standings))
            self._histories[key] = ownership(part, _between_parts(standings), self._policy).holders.get(key)
        return self._histories[key]


def _between_parts(standings: dict[IdentifierKey, CopiedStanding]) -> IdentityPartition:
    """Return a partition that decides nothing but which identifiers are known to be shared."""
    return IdentityPartition(
        components=(),
        component_of={},
        followed=(),
        refused={},
        between={},
        shared=frozenset(),
        recognised=frozenset(key for key, one in standings.items() if one.recognised),
    )


def _abroad(
    keys: Iterable[IdentifierKey], standings: dict[IdentifierKey, CopiedStanding]
) -> dict[IdentifierKey, CustomerId | None]:
    """Return the customer of each identifier that belongs to one, under its label."""
    return {
        key: CustomerId(UUID(int=standings[key].label)) if key in standings and standings[key].owned else None
        for key in keys
    }
