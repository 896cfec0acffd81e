"""Which touchpoints of a customer share a reference or an interaction, and so belong to one journey."""

from collections.abc import Sequence

from services.journey.domain.contacts.contact import CountedUnit


def reference_groups(
    units: Sequence[CountedUnit], ignored: Sequence[frozenset[str]]
) -> tuple[dict[int, list[int]], set[int]]:
    """Return groups that share a reference or an interaction, by first position, and which groups have a reference."""
    parent = list(range(len(units)))
    first_with: dict[tuple[str, ...], int] = {}
    with_reference = []
    for position, unit in enumerate(units):
        touchpoint = unit.at
        if not touchpoint.refs and touchpoint.interaction_id is None:  # most of them: clicks
            continue
        keys: list[tuple[str, ...]] = [ref for ref in touchpoint.refs.items() if ref[0] not in ignored[position]]
        if keys:
            with_reference.append(position)
        if touchpoint.interaction_id is not None:
            keys.append(("interaction", touchpoint.source, touchpoint.interaction_id))
        for key in keys:
            _join(parent, first_with.setdefault(key, position), position)
    groups: dict[int, list[int]] = {}
    for position, above in enumerate(parent):
        if above == position:  # as every first one, before any other of its group
            groups[position] = [position]
        else:
            groups[_root(parent, position)].append(position)
    return groups, {_root(parent, position) for position in with_reference}


def _root(parent: list[int], position: int) -> int:
    while parent[position] != position:
        parent[position] = parent[parent[position]]
        position = parent[position]
    return position


def _join(parent: list[int], one: int, other: int) -> None:
    """Join two groups; the earlier first position names the result."""
    one, other = _root(parent, one), _root(parent, other)
    parent[max(one, other)] = min(one, other)
