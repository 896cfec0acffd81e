"""Groups under edges that come and nodes that leave are the connected components, counted anew each time."""

import random
from collections import Counter

import pytest

from services.journey.domain.identity.groups import NodeGroups

RUNS = 200


def _components(edges: dict[int, tuple[int, int]], size: int) -> set[frozenset[int]]:
    group = {node: frozenset({node}) for node in range(size)}
    for one, other in edges.values():
        joined = group[one] | group[other]
        group.update(dict.fromkeys(joined, joined))
    return set(group.values())


def _kept(groups: NodeGroups, size: int) -> dict[int, set[int]]:
    kept: dict[int, set[int]] = {}
    for node in range(size):
        kept.setdefault(groups.group[node], set()).add(node)
    return kept


@pytest.mark.parametrize("density", [1, 2, 4])
def test_groups_are_components_with_their_counts_and_marks(density: int) -> None:
    for seed in range(RUNS):
        luck = random.Random(seed)
        size = luck.randrange(2, 60)
        kinds = [luck.choice((("a",), ("b",), ("a", "b"), ())) for _ in range(size)]
        marked = set(luck.sample(range(size), luck.randrange(size)))
        groups, edges = NodeGroups(kinds, marked), dict[int, tuple[int, int]]()
        for edge in range(size * density):
            if luck.random() < 0.2:
                leaving = luck.randrange(size)
                gone = {number for number, ends in edges.items() if leaving in ends}
                assert set(groups.remove(leaving)) == gone, seed
                edges = {number: ends for number, ends in edges.items() if number not in gone}
            else:
                one, other = luck.sample(range(size), 2)
                groups.add(edge, one, other)
                edges[edge] = (one, other)
        kept = _kept(groups, size)
        assert {frozenset(members) for members in kept.values()} == _components(edges, size), seed
        for number, members in kept.items():
            counted = Counter(kind for node in members for kind in kinds[node])
            assert groups.size(number) == len(members), seed
            assert Counter(groups.counts(number)) == counted, seed
            assert set(groups.marked(number)) == members & marked, seed


def test_the_first_edge_of_those_that_are_left_is_known() -> None:
    groups = NodeGroups([()] * 4, ())
    assert groups.first_edge(0) is None
    groups.add(5, 0, 1)
    groups.add(6, 0, 2)
    assert groups.first_edge(0) == 5
    assert groups.remove(1) == [5]
    assert groups.first_edge(0) == 6


def test_a_node_that_leaves_the_middle_of_a_long_ring_leaves_one_group() -> None:
    size = 10_000
    groups = NodeGroups([()] * size, ())
    for node in range(size):
        groups.add(node, node, (node + 1) % size)
    groups.remove(17)
    assert len(set(groups.group)) == 2
    groups.remove(5_000)
    assert len(set(groups.group)) == 4
