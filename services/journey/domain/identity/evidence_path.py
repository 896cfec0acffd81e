"""Explains why two identifiers are one customer, or why they are not."""

from collections import deque
from collections.abc import Mapping
from enum import StrEnum

import msgspec

from services.journey.domain.identity.facts import IdentifierKey
from services.journey.domain.identity.partition import IdentityPartition, IdentityTie, RefusalReason


class RefusedTie(msgspec.Struct, frozen=True, gc=False):
    """A tie that is not followed, with the reason."""

    tie: IdentityTie
    reason: RefusalReason


class IdentityVerdict(StrEnum):
    """What is to be said of one identifier, or of two, in one word."""

    JOINED = "joined"
    """Evidence that is followed makes them one customer."""

    ALONE = "alone"
    """It is all that is known of its customer: nothing else was ever followed from it."""

    SHARED = "shared"
    """Many people use it, so it makes nobody one customer."""

    BETWEEN = "between"
    """Evidence of equal worth gives it to several customers, so it belongs to none of them."""

    APART = "apart"
    """Something was seen that would join them, and is not followed."""

    MEET_ONLY = "meet_only"
    """They have nothing in common but identifiers that several customers use."""

    UNCONNECTED = "unconnected"
    """Nothing was ever seen that has to do with both."""


class IdentityExplanation(msgspec.Struct, frozen=True, kw_only=True):
    """What connects two identifiers, and what was not followed around them.

    `path` leads from the one to the other over followed ties: the shortest, and of several the one with the oldest
    evidence first. It is None if they are not one customer, and empty from an identifier to itself. `refused` are the
    ties at identifiers of both their customers, in the order in which they were decided. `met_in` are the identifiers
    of several customers with which both were seen, where they have nothing else in common.
    """

    path: tuple[IdentityTie, ...] | None
    refused: tuple[RefusedTie, ...]
    verdict: IdentityVerdict
    met_in: tuple[IdentifierKey, ...] = ()


def explain(partition: IdentityPartition, one: IdentifierKey, other: IdentifierKey) -> IdentityExplanation:
    """Explain what two identifiers of a part have to do with each other.

    Raises:
        KeyError: an identifier is not in the part.
    """
    involved = {partition.component_of[one], partition.component_of[other]}
    verdict, met_in = _verdict(partition, one, other)
    return IdentityExplanation(
        path=_path(partition, one, other) if len(involved) == 1 else None,
        refused=tuple(
            RefusedTie(tie, reason)
            for tie, reason in partition.refused.items()
            if any(partition.component_of[end] in involved for end in tie.key)
        ),
        verdict=verdict,
        met_in=met_in,
    )


def _verdict(
    partition: IdentityPartition, one: IdentifierKey, other: IdentifierKey
) -> tuple[IdentityVerdict, tuple[IdentifierKey, ...]]:
    first, second = partition.component_of[one], partition.component_of[other]
    if first == second:
        if one in partition.shared:
            return IdentityVerdict.SHARED, ()
        if one in partition.between:
            return IdentityVerdict.BETWEEN, ()
        is_alone = len(partition.components[first]) == 1
        return (IdentityVerdict.ALONE if is_alone else IdentityVerdict.JOINED), ()
    met: dict[int, set[IdentifierKey]] = {first: set(), second: set()}
    for tie in partition.refused:
        ends = {partition.component_of[end]: end for end in tie.key}
        if first in ends and second in ends:
            return IdentityVerdict.APART, ()
        for mine in ends.keys() & met.keys():
            met[mine].update(end for number, end in ends.items() if number != mine and not partition.is_owned(end))
    met_in = tuple(sorted(met[first] & met[second]))
    return (IdentityVerdict.MEET_ONLY if met_in else IdentityVerdict.UNCONNECTED), met_in


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
