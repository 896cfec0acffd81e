"""Explains why two identifiers are one customer, or why they are not."""

from collections import deque
from collections.abc import Mapping

import msgspec

from services.journey.domain.identity.facts import IdentifierKey
from services.journey.domain.identity.partition import IdentityPartition, IdentityTie, RefusalReason


class RefusedTie(msgspec.Struct, frozen=True, gc=False):
    """A tie that is not followed, with the reason."""

    tie: IdentityTie
    reason: RefusalReason


class IdentityExplanation(msgspec.Struct, frozen=True, kw_only=True):
    """What connects two identifiers, and what was not followed around them.

    `path` leads from the one to the other over followed ties: the shortest, and of several the one with the oldest
    evidence first. It is None if they are not one customer, and empty from an identifier to itself. `refused` are the
    ties at identifiers of both their customers, in the order in which they were decided.
    """

    path: tuple[IdentityTie, ...] | None
    refused: tuple[RefusedTie, ...]


def explain(partition: IdentityPartition, one: IdentifierKey, other: IdentifierKey) -> IdentityExplanation:
    """Explain what two identifiers of a part have to do with each other.

    Raises:
        KeyError: an identifier is not in the part.
    """
    involved = {partition.component_of[one], partition.component_of[other]}
    return IdentityExplanation(
        path=_path(partition, one, other) if len(involved) == 1 else None,
        refused=tuple(
            RefusedTie(tie, reason)
            for tie, reason in partition.refused.items()
            if any(partition.component_of[end] in involved for end in tie.key)
        ),
    )


def _path(partition: IdentityPartition, one: IdentifierKey, other: IdentifierKey) -> tuple[IdentityTie, ...]:
    start, goal = min(one, other), max(one, other)
    came_by = _shortest_ways(partition, start)
    path: list[IdentityTie] = []
    while goal != start:
        tie = came_by[goal]
        path.append(tie)
        goal = _far_end(tie, goal)
    return tuple(path if one > other else reversed(path))


def _shortest_ways(partition: IdentityPartition, start: IdentifierKey) -> Mapping[IdentifierKey, IdentityTie]:
    """Return for each identifier of one component the last tie of the shortest way to it."""
    component = partition.component_of[start]
    ties: dict[IdentifierKey, list[IdentityTie]] = {}
    oldest_first = sorted(partition.followed, key=lambda tie: (tie.seen_at, tie))
    for tie in oldest_first:
        if partition.component_of[tie.key[0]] == component:
            for end in tie.key:
                ties.setdefault(end, []).append(tie)
    came_by: dict[IdentifierKey, IdentityTie] = {}
    waiting = deque([start])
    while waiting:
        here = waiting.popleft()
        for tie in ties.get(here, ()):
            there = _far_end(tie, here)
            if there != start and there not in came_by:
                came_by[there] = tie
                waiting.append(there)
    return came_by


def _far_end(tie: IdentityTie, end: IdentifierKey) -> IdentifierKey:
    return tie.key[1] if tie.key[0] == end else tie.key[0]
