"""Groups of connected nodes under edges that are added one by one, and removed with a node that leaves.

Nodes and edges are numbers. Adding an edge costs the smaller of two groups. A node that leaves costs the pieces that
fall off, without the largest: all pieces are searched side by side, a few edges each, until one search is left.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain

_NOTHING: Mapping[str, int] = {}

_STEPS = 16
"""Edges that a search follows before the next search goes on; twice as many in each further round."""


class NodeGroups:
    """At the beginning each node is a group of its own.

    `kinds` says of each node of which kinds it is counted. `marked` are nodes that each group knows of.
    """

    def __init__(self, kinds: Sequence[Sequence[str]], marked: Iterable[int]) -> None:
        self._kinds = kinds
        self._edges: list[dict[int, int]] = [{} for _ in kinds]
        self._members: dict[int, set[int]] = {}  # of groups of two and more
        self._counts = {node: dict.fromkeys(its, 1) for node, its in enumerate(kinds) if its}
        self._watched = set(marked)
        self._marked = {node: {node} for node in self._watched}
        self._next = len(kinds)
        self.group = list(range(len(kinds)))
        """The number of each node's group. A number is never used for another group."""

    def size(self, group: int) -> int:
        """Return how many nodes are in a group."""
        members = self._members.get(group)
        return 1 if members is None else len(members)

    def counts(self, group: int) -> Mapping[str, int]:
        """Return how many nodes of each counted kind are in a group."""
        return self._counts.get(group, _NOTHING)

    def marked(self, group: int) -> Collection[int]:
        """Return the marked nodes of a group."""
        return self._marked.get(group, ())

    def first_edge(self, node: int) -> int | None:
        """Return the edge at a node that was added first, of those that are left."""
        return next(iter(self._edges[node]), None)

    def edges(self, node: int) -> Collection[int]:
        """Return the edges at a node."""
        return self._edges[node]

    def add(self, edge: int, one: int, other: int) -> None:
        """Connect two nodes by an edge."""
        self._edges[one][edge] = other
        self._edges[other][edge] = one
        small, large = self.group[one], self.group[other]
        if small == large:
            return
        if self.size(small) > self.size(large):
            small, large, one, other = large, small, other, one
        moved = self._members.pop(small, None) or {one}
        group = self.group
        for node in moved:
            group[node] = large
        self._members.setdefault(large, {other}).update(moved)
        if small in self._marked:
            self._marked.setdefault(large, set()).update(self._marked.pop(small))
        if small in self._counts:
            counts = self._counts.setdefault(large, {})
            for kind, number in self._counts.pop(small).items():
                counts[kind] = counts.get(kind, 0) + number

    def remove(self, node: int) -> list[int]:
        """Take a node out of its group, which may fall into pieces; return the edges that went with it."""
        gone = self._edges[node]
        self._edges[node] = {}
        for edge, other in gone.items():
            del self._edges[other][edge]
        if gone:
            self._split_off([node])
            neighbours = dict.fromkeys(gone.values())
            if len(neighbours) > 1:
                for piece in self._pieces(neighbours):
                    self._split_off(piece)
        return list(gone)

    def _split_off(self, piece: Sequence[int]) -> None:
        old, new = self.group[piece[0]], self._next
        self._next += 1
        self._members[old].difference_update(piece)
        self._members[new] = set(piece)
        group = self.group
        for node in piece:
            group[node] = new
        if old in self._marked and (marked := self._watched.intersection(piece)):
            self._marked[new] = marked
            self._marked[old] -= marked
        if before := self._counts.get(old):
            counts: dict[str, int] = {}
            for kind in chain.from_iterable(map(self._kinds.__getitem__, piece)):
                counts[kind] = counts.get(kind, 0) + 1
                before[kind] -= 1
            self._counts[new] = counts

    def _pieces(self, starts: Iterable[int]) -> list[list[int]]:
        """Return the connected pieces that hold `starts`, without the last to be found."""
        found: dict[int, _Search] = {}
        searches = [_Search(start, self._edges, found) for start in starts]
        complete: list[list[int]] = []
        alive, steps = len(searches), _STEPS
        while alive > 1:
            for search in searches:
                if alive == 1 or search.merged_into is not None:
                    continue
                if search.advance(steps):
                    alive -= 1
                elif not search.waiting:
                    complete.append(search.nodes)
                    alive -= 1
            searches = [search for search in searches if search.waiting and search.merged_into is None]
            steps *= 2
        return complete


class _Search:
    """A search through one piece; `waiting` are the edges that it has not followed yet, node by node."""

    __slots__ = ("_edges", "_found", "merged_into", "nodes", "waiting")

    def __init__(self, start: int, edges: Sequence[Mapping[int, int]], found: dict[int, "_Search"]) -> None:
        self._edges = edges
        self._found = found
        found[start] = self
        self.nodes = [start]
        self.waiting: list[Iterator[int]] = [iter(edges[start].values())]
        self.merged_into: _Search | None = None

    def advance(self, steps: int) -> bool:
        """Follow at most so many edges; return whether this search met another one, so that the two are one now."""
        edges, found, nodes, waiting = self._edges, self._found, self.nodes, self.waiting
        while waiting and steps > 0:
            for node in waiting[-1]:
                steps -= 1
                other = found.get(node)
                if other is None:
                    found[node] = self
                    nodes.append(node)
                    if len(edges[node]) > 1:  # more than the edge by which it was found
                        waiting.append(iter(edges[node].values()))
                        break
                elif other is not self and (root := other.root()) is not self:
                    self._merge(root)
                    return True
                if steps <= 0:
                    break
            else:
                waiting.pop()
        return False

    def root(self) -> "_Search":
        """Return the search as which this one goes on."""
        search = self
        while search.merged_into is not None:
            search = search.merged_into
        return search

    def _merge(self, other: "_Search") -> None:
        large, small = (self, other) if len(self.nodes) >= len(other.nodes) else (other, self)
        large.nodes += small.nodes
        large.waiting += small.waiting
        small.merged_into = large
