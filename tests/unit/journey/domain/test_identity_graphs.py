"""Customers are the components of the links, whatever shape the links have: paths, rings, stars, trees, cliques.

Twenty thousand graphs from seeds, held to `components` and to a naive fixpoint that shares no code with it. One that
fails is printed with its seed: `make(seed)` makes it again.
"""

from datetime import timedelta

import pytest

from services.journey.domain.identity.planning import IdentityPolicy, components
from services.journey.domain.touchpoint import Identifier, Touchpoint
from tests.identity_graphs import PLAIN, STRENGTH, Carried, Case, Traits, make, people
from tests.unit.journey.domain.making import DAY
from tests.unit.journey.domain.registry import Registry

GRAPHS = 20_000
PARTS = 10
RESTRICTED = Traits(shared=frozenset({"kiosk"}), proved=frozenset({"claimed", "phone"}))


def policy(traits: Traits) -> IdentityPolicy:
    return IdentityPolicy(
        blocked=lambda type_, value: False,
        strength=STRENGTH,
        shared_types=traits.shared,
        verified_types=traits.proved,
    )


POLICIES = {traits: policy(traits) for traits in (PLAIN, RESTRICTED)}


def touchpoint(number: int, carried: Carried) -> Touchpoint:
    at = DAY + timedelta(minutes=number // 3)  # every three at one time
    return Touchpoint(
        source="test",
        id=str(number),
        occurred_at=at,
        received_at=at,
        channel="web",
        kind="page_viewed",
        customer={node[0]: Identifier(value=node[1], verified=node in carried.verified) for node in carried.nodes},
    )


def registered(case: Case) -> Registry:
    registry = Registry(POLICIES[case.traits], case.retracted)
    number = 0
    for batch in case.batches:
        registry.take(*(touchpoint(number + place, carried) for place, carried in enumerate(batch)))
        number += len(batch)
    return registry


def faults(case: Case) -> list[str]:
    """In what the customers of a case are not what they must be."""
    registry = registered(case)
    links, known = case.links(), registry.owners.keys()
    strongest = {("test", str(number)): case.traits.usable(one)[0] for number, one in enumerate(case.carried)}
    verified = dict.fromkeys(links, False)
    for one in case.carried:
        proved = (link for link in case.traits.links(one) if one.verified.issuperset(link))
        verified.update((link, True) for link in proved if link in links)
    right = case.people()
    wrong = {
        "customers are not the components": registry.partition() != right,
        "the product's components are not the fixpoint's": set(components(known, links)) != right,
        "a customer has no identifier": set(registry.owners.values()) != set(registry.customers),
        "links are missing or too many": registry.links.keys() != links,
        "a link does not say whether it was ever verified": registry.links != verified,
        "a touchpoint is not its strongest identifier's": registry.touchpoints
        != {key: registry.owners.get(node) for key, node in strongest.items()},
        "something is in quarantine": bool(registry.quarantined),
    }
    return [what for what, is_so in wrong.items() if is_so]


@pytest.mark.parametrize("part", range(PARTS))
def test_customers_are_the_components_of_any_graph(part: int) -> None:
    for seed in range(part, GRAPHS, PARTS):
        case = make(seed, traits=RESTRICTED if seed % 7 == 0 else PLAIN)
        found = faults(case)
        assert not found, f"seed {seed}: {'; '.join(found)}\n{case}"


def test_every_shape_size_and_mixture_is_made() -> None:
    cases = [make(seed) for seed in range(500)]
    assert {shape for case in cases for shape in case.shapes} == {"path", "ring", "star", "tree", "clique"}
    assert max(len(group) for case in cases for group in case.people()) >= 38
    assert any(len(case.shapes) > 1 and len(case.people()) == 1 for case in cases)
    assert any(len(case.batches) == 1 for case in cases)
    assert any(len(case.batches) > 5 for case in cases)
    assert sum(bool(case.retracted) for case in cases) > 20
    carried = [one.nodes for case in cases for one in case.carried]
    assert any(len({value for _, value in nodes}) == 1 for nodes in carried if len(nodes) > 1)


def test_the_fixpoint_finds_who_is_who_in_a_graph_drawn_by_hand() -> None:
    a, b, c, d = (("cookie", name) for name in "abcd")
    assert people([a, b, c, d], [(a, b), (c, d)]) == {frozenset({a, b}), frozenset({c, d})}
    assert people([a, b, c, d], [(c, d), (b, c), (a, b)]) == {frozenset({a, b, c, d})}
