"""Graphs of identifiers, from a seed, and who is who in them by the plainest means: for tests of identity.

Imports nothing of Waymark, so that what is made here, and what must come of it, cannot share a mistake with it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random
from typing import Final, TypeAlias

Node: TypeAlias = tuple[str, str]
"""An identifier: `(type, value)`."""

Link: TypeAlias = tuple[Node, Node]
"""Two identifiers, the smaller first."""

Edge: TypeAlias = tuple[int, int]

STRENGTH: Final = {"customer_id": 10, "email": 40, "phone": 50, "social": 70, "device_id": 600, "cookie": 710}
UNKNOWN_STRENGTH: Final = 500

MOST_NODES: Final = 40
"""Identifiers in one case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """What one touchpoint carries: identifiers of different types, and those of them that its source has proved."""

    nodes: tuple[Node, ...]
    verified: frozenset[Node] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What types may not do: `shared` ones never link, `proved` ones only where they are verified."""

    shared: frozenset[str] = frozenset()
    proved: frozenset[str] = frozenset()

    def usable(self, carried: Carried) -> list[Node]:
        """The identifiers that say whose a touchpoint is, the strongest first."""
        ranked = sorted(carried.nodes, key=lambda node: (STRENGTH.get(node[0], UNKNOWN_STRENGTH), node))
        linking = [
            node
            for node in ranked
            if node[0] not in self.shared and (node[0] not in self.proved or node in carried.verified)
        ]
        return linking or ranked[:1]

    def links(self, carried: Carried) -> list[Link]:
        """The links that a touchpoint makes: from the strongest to each other one."""
        strongest, *others = self.usable(carried)
        return [(min(strongest, other), max(strongest, other)) for other in others]


PLAIN: Final = Traits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Touchpoints in the order of their arrival, cut into batches, and links that were retracted before."""

    seed: int
    shapes: tuple[str, ...]
    batches: tuple[tuple[Carried, ...], ...]
    traits: Traits = PLAIN
    retracted: frozenset[Link] = frozenset()

    @property
    def carried(self) -> list[Carried]:
        """All touchpoints."""
        return [one for batch in self.batches for one in batch]

    def links(self) -> set[Link]:
        """Every link that counts."""
        return {link for one in self.carried for link in self.traits.links(one)} - self.retracted

    def people(self) -> set[frozenset[Node]]:
        """Who is who."""
        return people((node for one in self.carried for node in self._known(one)), self.links())

    def _known(self, one: Carried) -> Iterable[Node]:
        """Those that are stored: the strongest one, and whatever a link that stands has brought in."""
        strongest = self.traits.usable(one)[0]
        return {strongest, *(node for link in self.traits.links(one) if link not in self.retracted for node in link)}


def people(nodes: Iterable[Node], links: Iterable[Link]) -> set[frozenset[Node]]:
    """Connected components by a naive fixpoint: everybody wears the smallest name they can see, until none changes."""
    name = {node: node for node in nodes}
    standing = [link for link in links if link[0] in name and link[1] in name]
    changed = True
    while changed:
        changed = False
        for one, other in standing:
            smaller = min(name[one], name[other])
            if name[one] != smaller or name[other] != smaller:
                name[one] = name[other] = smaller
                changed = True
    groups: dict[Node, set[Node]] = {}
    for node, its in name.items():
        groups.setdefault(its, set()).add(node)
    return {frozenset(group) for group in groups.values()}


def path(rng: Random, nodes: Sequence[int]) -> list[Edge]:
    """One after the other."""
    return list(pairwise(nodes))


def ring(rng: Random, nodes: Sequence[int]) -> list[Edge]:
    """A path that comes back."""
    return [*path(rng, nodes), (nodes[-1], nodes[0])] if len(nodes) > 2 else path(rng, nodes)


def star(rng: Random, nodes: Sequence[int]) -> list[Edge]:
    """All around the first."""
    return [(nodes[0], other) for other in nodes[1:]]


def tree(rng: Random, nodes: Sequence[int]) -> list[Edge]:
    """Each hangs on one that was there before."""
    return [(nodes[rng.randrange(place)], nodes[place]) for place in range(1, len(nodes))]


def clique(rng: Random, nodes: Sequence[int]) -> list[Edge]:
    """Each with each."""
    return [(one, other) for place, one in enumerate(nodes) for other in nodes[:place]]


SHAPES: Final[dict[str, tuple[Callable[[Random, Sequence[int]], list[Edge]], int]]] = {
    "path": (path, MOST_NODES),
    "ring": (ring, MOST_NODES),
    "star": (star, MOST_NODES),
    "tree": (tree, MOST_NODES),
    "clique": (clique, 9),
}
"""How each shape is drawn, and of how many nodes at most."""


def make(seed: int, *, traits: Traits = PLAIN, retracting: bool = True) -> Case:
    """One case: a graph or several, perhaps joined, in any order, cut anywhere."""
    rng = Random(seed)
    drawing = _Drawing(rng)
    shapes = drawing.draw()
    named = drawing.name(traits)
    touchpoints = [*_alone(rng, named), *_together(rng, drawing.edges, named)]
    touchpoints += rng.choices(touchpoints, k=rng.randrange(1 + len(touchpoints) // 4))
    _arrange(rng, touchpoints)
    proved = [_prove(rng, one, traits) for one in touchpoints]
    links = sorted({link for one in proved for link in traits.links(one)})
    retracted = rng.sample(links, k=rng.randint(1, 3)) if retracting and len(links) > 3 and rng.random() < 0.2 else []
    return Case(seed=seed, shapes=shapes, batches=_cut(rng, proved), traits=traits, retracted=frozenset(retracted))


@dataclass(slots=True)
class _Drawing:
    rng: Random
    edges: list[Edge] = field(default_factory=list)
    size: int = 0

    def draw(self) -> tuple[str, ...]:
        """Draw one to four graphs; some of them join."""
        graphs = self.rng.choice((1, 1, 1, 2, 3, 4))
        room = MOST_NODES // graphs
        shapes = tuple(self.rng.choice(list(SHAPES)) for _ in range(graphs))
        parts = []
        for shape in shapes:
            edges, most = SHAPES[shape]
            most = min(room, most, self.rng.choice((6, 8, 12, MOST_NODES)))
            nodes = list(range(self.size, self.size + self.rng.randint(1, most)))
            self.size += len(nodes)
            parts.append(nodes)
            self.edges += edges(self.rng, nodes)
        for one, other in pairwise(parts):
            if self.rng.random() < 0.6:
                self.edges.append((self.rng.choice(one), self.rng.choice(other)))
        return shapes

    def name(self, traits: Traits) -> list[Node]:
        """Give every node a type that no neighbour has; values repeat from one type to the next."""
        palette = [*STRENGTH, *sorted(traits.shared | traits.proved)]
        self.rng.shuffle(palette)
        palette = palette[: self.rng.randint(2, len(palette))]
        neighbours: dict[int, set[int]] = {node: set() for node in range(self.size)}
        for one, other in self.edges:
            neighbours[one].add(other)
            neighbours[other].add(one)
        types: dict[int, str] = {}
        values: dict[str, int] = {}
        named: dict[int, Node] = {}
        for node in self.rng.sample(range(self.size), k=self.size):
            taken = {types[other] for other in neighbours[node] if other in types}
            free = [type_ for type_ in palette if type_ not in taken]
            if not free:
                palette.append(f"other_{len(palette)}")
                free = palette[-1:]
            types[node] = self.rng.choice(free)
            values[types[node]] = values.get(types[node], 0) + 1
            named[node] = types[node], f"v{values[types[node]]}"
        return [named[node] for node in range(self.size)]


def _alone(rng: Random, named: Sequence[Node]) -> list[tuple[Node, ...]]:
    """Touchpoints of one identifier, of all nodes, of some, or of those that nobody else would bring."""
    share = rng.choice((0.1, 0.5, 1.0))
    return [(node,) for node in named if rng.random() < share or len(named) == 1]


def _together(rng: Random, edges: Sequence[Edge], named: Sequence[Node]) -> list[tuple[Node, ...]]:
    """One touchpoint for each edge; some carry several neighbours at once."""
    touchpoints: list[tuple[Node, ...]] = []
    crowded = rng.choice((0.0, 0.0, 0.3))
    for one, other in edges:
        together = {named[one][0]: named[one], named[other][0]: named[other]}
        if rng.random() < crowded:
            for near, far in rng.choices(edges, k=3):
                if one in {near, far}:
                    joined = named[far if near == one else near]
                    together.setdefault(joined[0], joined)
        touchpoints.append(tuple(together.values()))
    return touchpoints


def _arrange(rng: Random, touchpoints: list[tuple[Node, ...]]) -> None:
    """The order of arrival: as drawn, backwards, every second first (a chain's pairs before what ties them), or any."""
    match rng.randrange(5):
        case 0:
            pass
        case 1:
            touchpoints.reverse()
        case 2:
            touchpoints[:] = [*touchpoints[::2], *touchpoints[1::2]]
        case _:
            rng.shuffle(touchpoints)


def _prove(rng: Random, nodes: tuple[Node, ...], traits: Traits) -> Carried:
    chance = 0.7 if traits.proved else 0.3
    return Carried(nodes=nodes, verified=frozenset(node for node in nodes if rng.random() < chance))


def _cut(rng: Random, touchpoints: Sequence[Carried]) -> tuple[tuple[Carried, ...], ...]:
    """Batches: all in one, small ones, or a small one first, so that stored and new customers meet."""
    most = rng.choice((len(touchpoints), 3, 12))
    batches: list[tuple[Carried, ...]] = []
    first = 0
    while first < len(touchpoints):
        size = rng.randint(max(1, most // 2), max(1, most))
        batches.append(tuple(touchpoints[first : first + size]))
        first += size
    return tuple(batches)
