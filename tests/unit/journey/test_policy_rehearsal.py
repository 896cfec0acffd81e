"""A policy rehearsed on touchpoints gives the customers that the oracle makes of them under that policy alone."""

import os
from collections.abc import Mapping
from random import Random
from typing import Any
from uuid import UUID

import pytest

from services.journey.domain.identity.facts import OperatorFact, OperatorWord, link_key
from services.journey.domain.touchpoint import Identifier
from services.journey.rehearsal.holder_walk import HolderWalk
from services.journey.rehearsal.part_walk import PartWalk
from services.journey.rehearsal.touchpoint_copy import TouchpointCopy
from tests.fixtures.settled_parts import by_owner, constraints, moment, spelt, usable_types
from tests.oracle.constrained_identity import resolve
from tests.oracle.identity_terms import Policy
from tests.oracle.random_identity import Part, make, with_versions

FIRST = int(os.environ.get("IDENTITY_SEED", "0"))
PARTS = int(os.environ.get("IDENTITY_PARTS", "60"))


def another_policy(part: Part) -> Policy:
    """A policy of which nobody thought when the part came in."""
    return with_versions(make(part.seed + 7)).later[0]


def filled(copy: TouchpointCopy, part: Part, stored: Mapping[Any, UUID]) -> None:
    """Copy a part whose touchpoints are stored with these customers."""
    points = {one.key: one for one in part.arrivals}
    copy.add(
        (
            stored[one.key],
            (moment(one.occurred_at), one.sequence, one.source, one.id),
            {
                type_: Identifier(value=spelt((type_, value))[1], verified=sure)
                for type_, (value, sure) in one.customer.items()
            },
        )
        for one in Random(part.seed).sample(list(points.values()), len(points))
    )


def said_in(part: Part) -> list[OperatorFact]:
    """What operators said, as the ledger has it."""
    return [
        OperatorFact(
            word=OperatorWord(one.kind), key=link_key(spelt(one.one), spelt(one.other)), said_at=moment(one.at)
        )
        for one in part.facts
        if one.one != one.other
    ]


def rehearsed(part: Part, policy: Policy, stored: Mapping[Any, UUID]) -> set[frozenset[tuple[str, str]]]:
    """Touchpoints by the customer that they would have."""
    with TouchpointCopy(usable_types(part, policy)) as copy:
        filled(copy, part, stored)
        copy.complete()
        terms = constraints(part, policy)
        walk = PartWalk(copy, terms, said_in(part))
        for customer in copy.customers():
            walk.decide(customer)
        holders = HolderWalk(copy, terms)
        for point in copy.floating():
            label = holders.label_of(point)
            assert label is not None
            copy.label([(point, label)])
        found: dict[Any, set[tuple[str, str]]] = {}
        for customer, label, source, id_ in copy.execute("SELECT customer, label, source, id FROM seen"):
            found.setdefault(customer if label is None else label, set()).add((source, id_))
        assert not walk.too_large
        return set(map(frozenset, found.values()))


@pytest.mark.parametrize("seed", range(FIRST, FIRST + PARTS))
def test_a_rehearsal_says_who_would_be_who(seed: int) -> None:
    part = make(seed)
    today = resolve(part.arrivals, part.facts, part.policy, most=part.most)
    ids = {owner: UUID(int=Random(f"{seed} {sorted(owner)}").getrandbits(128)) for owner in today.owners.values()}
    stored = {key: ids[owner] for key, owner in today.owners.items()}
    policy = another_policy(part)
    expected = resolve(part.arrivals, part.facts, policy, most=part.most)
    assert rehearsed(part, policy, stored) == by_owner(expected)
    assert rehearsed(part, part.policy, stored) == by_owner(today)
