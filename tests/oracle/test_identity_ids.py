"""The oracle of identity: which id a customer keeps, and the laws that hold of parts at random."""

from collections import Counter
from random import Random
from typing import Any

import pytest

from tests.oracle.constrained_identity import links, remember, resolve
from tests.oracle.facts import Key
from tests.oracle.identity import STRENGTH
from tests.oracle.identity_terms import Component, OperatorFact, Picture, Sighting, setting, usable
from tests.oracle.random_identity import STORIES, Part, make, shrink
from tests.oracle.told_identity import SOURCE, identifier, lines, told

SEEDS = range(400)

NO_CONSTRAINTS: dict[str, dict[str, Any]] = {
    type_: {"shared_after": None, "personal": False} for type_ in (*STRENGTH, "kiosk_id")
}


def _keys(*numbers: int) -> set[Key]:
    return {(SOURCE, f"t{number:02d}") for number in numbers}


def _stored(**customers: set[Key]) -> dict[str, dict[str, Any]]:
    """Customers by id, the oldest first."""
    return {id_: {"sequence": at, "touchpoints": keys} for at, (id_, keys) in enumerate(customers.items(), start=1)}


def _named(picture: Picture) -> dict[str, str]:
    """Ids by a value of the customer that has them; `<` is where a new one came from."""
    named = {**picture.kept, **{part: f"<{id_}" for part, id_ in picture.split_from.items()}}
    return {max(part)[1]: id_ for part, id_ in named.items()}


def test_the_oldest_survives() -> None:
    seen = told("1h email:old", "2h email:young", "3h email:old phone:p", "4h email:young phone:p")
    picture = resolve(seen, stored=_stored(second=_keys(2, 4), first=_keys(1, 3)))
    assert _named(picture) == {"p": "second"}
    assert picture.absorbed == {"first": "second"}


def test_an_id_stays_with_the_part_that_has_the_strongest_identifier() -> None:
    seen = told("1h phone:p", "2h customer_id:A phone:p", "3h customer_id:B phone:p", "4h phone:p")
    before = remember(resolve(seen[:2]), {})
    assert before == {
        "c1": {
            "sequence": 1,
            "touchpoints": _keys(1, 2),
            "identifiers": {identifier("phone:p"), identifier("customer_id:A")},
        }
    }
    after = resolve(seen, stored=before)
    assert _named(after) == {"A": "c1", "p": "<c1"}
    again = remember(after, before)
    assert {id_: one["touchpoints"] for id_, one in again.items()} == {"c1": _keys(1, 2), "c2": _keys(3, 4)}


def test_of_equally_strong_identifiers_the_first_one_keeps_the_id() -> None:
    seen = told("1h email:z", "2h email:a", "3h email:a phone:p", "4h email:z phone:p")
    before = remember(resolve(seen), {})
    apart = OperatorFact(kind="separate", one=("email", "a"), other=("email", "z"), at=0)
    assert _named(resolve(seen, [apart], stored=before)) == {"z": "c1", "p": "<c1"}


def test_a_younger_customer_whose_parts_join_others_is_absorbed_where_its_strongest_is() -> None:
    seen = told("1h email:a", "2h phone:b", "3h email:c phone:p", "3h email:a phone:p")
    stored = _stored(one=_keys(1), two=_keys(3, 2))
    picture = resolve(seen, stored=stored)
    assert _named(picture) == {"p": "one", "b": "<two"}
    assert picture.absorbed == {"two": "one"}


def test_a_customer_number_keeps_the_id_and_an_old_visit_is_a_new_customer() -> None:
    seen = told("0 cookie:c", "60d customer_id:A cookie:c", "61d customer_id:A", "90d customer_id:B cookie:c")
    before = remember(resolve(seen[:3]), {})
    after = resolve(seen, stored=before)
    assert _named(after) == {"A": "c1", "c": "<c1"}


def test_a_stored_customer_may_be_told_by_its_identifiers() -> None:
    stored = {"one": {"sequence": 1, "identifiers": [identifier("email:a"), identifier("phone:p")]}}
    picture = resolve(told("1h email:b", "2h email:a", "3h phone:p cookie:c"), stored=stored)
    assert _named(picture) == {"a": "one", "p": "<one"}


@pytest.mark.parametrize("seed", range(0, 400, 8))
def test_order_repetition_and_cuts_change_nothing(seed: int) -> None:
    for each in range(seed, seed + 8):
        part, rng = make(each), Random(each)
        first = resolve(part.arrivals, part.facts, part.policy, most=part.most)
        shuffled = rng.sample(part.arrivals * 2, k=2 * len(part.arrivals))
        facts = rng.sample(part.facts * 2, k=2 * len(part.facts))
        assert resolve(shuffled, facts, part.policy, most=part.most) == first


@pytest.mark.parametrize("seed", range(0, 400, 8))
def test_a_fact_of_one_part_changes_no_other_part(seed: int) -> None:
    for each in range(seed, seed + 8):
        part = make(each)
        alone = resolve(part.arrivals, part.facts, part.policy, most=part.most)
        beside = resolve(
            [*part.arrivals, *told("1h customer_id:X phone:x", "2h customer_id:Y phone:x", "3h cookie:x phone:x")],
            [*part.facts, OperatorFact(kind="merge", one=("email", "x"), other=("phone", "x"))],
            part.policy,
            most=part.most,
        )
        assert {key: owner for key, owner in beside.owners.items() if key in alone.owners} == alone.owners
        assert alone.components <= beside.components
        assert alone.refused.items() <= beside.refused.items()


def _parts_of(component: Component, name: str) -> int:
    return sum(type_ == name for type_, _ in component)


@pytest.mark.parametrize("seed", range(0, 400, 8))
def test_what_is_never_so(seed: int) -> None:
    for each in range(seed, seed + 8):
        part = make(each)
        picture = resolve(part.arrivals, part.facts, part.policy, most=part.most)
        merged = {end for fact in part.facts if fact.kind == "merge" for end in fact.ends}
        for component in picture.components:
            if component & merged:
                continue
            assert len(component) <= part.most
            assert all(_parts_of(component, name) == 1 for name, _ in component if setting(part.policy, name, "unique"))
            assert not component & (picture.between | picture.shared) or len(component) == 1
            for fact in part.facts:
                assert fact.kind != "separate" or not component.issuperset(fact.ends) or fact.one == fact.other
        assert set(picture.owners.values()) <= picture.components
        assert {one.key for one in part.arrivals} == set(picture.owners)


@pytest.mark.parametrize("seed", range(0, 400, 8))
def test_without_conflicts_customers_are_what_is_connected(seed: int) -> None:
    for each in range(seed, seed + 8):
        part = make(each)
        plain = [_without_customer_number(one) for one in part.arrivals]
        picture = resolve([one for one in plain if one.customer], policy=NO_CONSTRAINTS)
        assert not picture.refused
        for one in {one.key: one for one in plain if one.customer}.values():
            assert picture.owners[one.key].issuperset(usable(one, {}))


def _without_customer_number(sighting: Sighting) -> Sighting:
    kept = {name: said for name, said in sighting.customer.items() if name != "customer_id"}
    return Sighting(source=sighting.source, id=sighting.id, occurred_at=sighting.occurred_at, customer=kept)


@pytest.mark.parametrize("seed", range(0, 400, 8))
def test_ids_given_out_batch_by_batch_are_each_of_one_customer(seed: int) -> None:
    for each in range(seed, seed + 8):
        part = make(each)
        stored: dict[str, dict[str, Any]] = {}
        arrived: list[Sighting] = []
        for batch in part.batches:
            arrived += batch
            picture = resolve(arrived, part.facts, part.policy, stored, most=part.most)
            living = {id_ for id_, one in stored.items() if one["identifiers"]}
            assert set(picture.kept.values()) | set(picture.absorbed) == living
            assert set(picture.kept.values()).isdisjoint(picture.absorbed)
            assert set(picture.absorbed.values()) <= set(picture.kept.values())
            assert set(picture.split_from).isdisjoint(picture.kept)
            stored = remember(picture, stored)
        assert sum(len(one["touchpoints"]) for one in stored.values()) == len({one.key for one in arrived})


def test_a_part_shrinks_to_what_is_needed() -> None:
    def fails(part: Part) -> bool:
        return "unique" in resolve(part.arrivals, part.facts, part.policy, most=part.most).refused.values()

    small = shrink(next(part for part in map(make, SEEDS) if fails(part) and part.facts), fails)
    assert (len(small.arrivals), len(small.facts), small.policy, small.cuts) == (2, 0, {}, ())
    again = told(*lines(small.arrivals))
    assert [one.customer for one in again] == [
        one.customer for one in sorted(small.arrivals, key=lambda one: one.order)
    ]


def test_parts_at_random_have_everything_in_them() -> None:
    parts = [make(seed) for seed in SEEDS]
    pictures = [resolve(part.arrivals, part.facts, part.policy, most=part.most) for part in parts]
    reasons = Counter(why for picture in pictures for why in picture.refused.values())
    assert set(reasons) == {"shared", "held", "separated", "unique", "limit", "too_many_identifiers"}
    assert min(reasons.values()) >= 10, reasons
    assert {why for picture in pictures for why in picture.refused_merges.values()} == {"separated"}
    assert {name for part in parts for name in part.stories} == set(STORIES)
    assert sum(bool(picture.between) for picture in pictures) > 100
    assert sum(bool(picture.shared) for picture in pictures) > 40
    moments = [[one.occurred_at for one in {one.key: one for one in part.arrivals}.values()] for part in parts]
    assert sum(len(set(at)) < len(at) for at in moments) > 100
    assert any(len(part.arrivals) > len({one.key for one in part.arrivals}) for part in parts)
    assert any(tie.trust == "verified" for part in parts for tie in links(list(part.arrivals), (part.policy,)))
    assert make(7) == make(7)
