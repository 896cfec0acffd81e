"""Identity under constraints against the oracle: parts at random, decided by two programs from one definition."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random
from typing import Any
from uuid import UUID

import pytest

from services.journey.domain.identity.constraints import ConstraintPolicy, TypeConstraints
from services.journey.domain.identity.facts import (
    ConnectedPart,
    IdentitySighting,
    LinkFact,
    OperatorFact,
    OperatorWord,
    StoredIdentity,
    link_key,
)
from services.journey.domain.identity.partition import LinkTrust
from services.journey.domain.identity.planning import counted_links
from services.journey.domain.identity.settlement import IdentitySettlement, settle
from services.journey.domain.names import CustomerId
from services.journey.domain.touchpoint import OrderKey
from tests.oracle.constrained_identity import identifiers_of, remember, resolve
from tests.oracle.identity_terms import Picture, Policy, Sighting, Stored, setting, usable
from tests.oracle.random_identity import Part, make, shrink

FIRST = int(os.environ.get("IDENTITY_SEED", "1"))
PARTS = int(os.environ.get("IDENTITY_PARTS", "100"))

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SETTINGS = ("strength", "unique", "personal", "limit", "shared", "verified_only", "device", "shared_after")


def _at(moment: int) -> datetime:
    return _EPOCH + timedelta(microseconds=moment)


def _order(one: Sighting) -> OrderKey:
    return _at(one.occurred_at), one.sequence, one.source, one.id


def _constraints(part: Part) -> ConstraintPolicy:
    types = set(part.policy) | {type_ for one in part.arrivals for type_ in one.customer} | {"customer_id", "email"}
    said: dict[str, dict[str, Any]] = {
        type_: {name: setting(part.policy, type_, name) for name in _SETTINGS} for type_ in types
    }
    return ConstraintPolicy(
        types={type_: TypeConstraints(**settings, hold=_hold(part.policy, type_)) for type_, settings in said.items()},
        most_identifiers=part.most,
    )


def _hold(policy: Policy, type_: str) -> timedelta | None:
    said: int | None = policy.get(type_, {}).get("hold")
    return None if said is None else timedelta(microseconds=said)


def _seen(one: Sighting, policy: Policy) -> IdentitySighting:
    able = usable(one, policy)
    return IdentitySighting(
        order=_order(one), usable=tuple(able), others=tuple(key for key in one.carried if key not in able)
    )


def _links(one: Sighting, policy: Policy) -> list[LinkFact]:
    proved = {(type_, value) for type_, (value, sure) in one.customer.items() if sure}
    return [
        LinkFact(key=link, first=_order(one), verified=proved.issuperset(link))
        for link in counted_links(usable(one, policy))
    ]


def _customer(id_: str) -> CustomerId:
    return CustomerId(UUID(int=int(id_.removeprefix("c"))))


def _connected(part: Part, arrived: list[Sighting], stored: Stored) -> ConnectedPart:
    ordered = sorted(arrived, key=lambda one: one.order, reverse=True)
    had = {id_: identifiers_of(one, ordered, part.policy) for id_, one in stored.items()}
    return ConnectedPart(
        links=[link for one in arrived for link in _links(one, part.policy)],
        said=[
            OperatorFact(word=OperatorWord(one.kind), key=link_key(one.one, one.other), said_at=_at(one.at))
            for one in part.facts
        ],
        customers=[
            StoredIdentity(id=_customer(id_), sequence=one["sequence"]) for id_, one in stored.items() if had[id_]
        ],
        owners={key: _customer(id_) for id_, its in had.items() for key in its},
        first_seen={key: _at(one.occurred_at) for one in ordered for key in one.carried},
        proved=frozenset((name, value) for one in arrived for name, (value, sure) in one.customer.items() if sure),
        sightings=[_seen(one, part.policy) for one in arrived],
    )


def _differences(part: Part, arrived: list[Sighting], picture: Picture, result: IdentitySettlement) -> list[str]:
    """In what the product and the oracle do not agree."""
    found = result.partition
    links = {tie.key: str(why) for tie, why in found.refused.items() if tie.trust is not LinkTrust.OPERATOR}
    merges = {(tie.key, tie.seen_at): str(why) for tie, why in found.refused.items() if tie.trust is LinkTrust.OPERATOR}
    owners = {one.key: result.ownership.of(_seen(one, part.policy)) for one in arrived}
    theirs = {component: number for number, component in enumerate(found.components)}
    kept = {
        component: one.id
        for component, one in zip(found.components, result.succession.customers, strict=True)
        if one.id is not None and not one.is_new
    }
    absorbed = {gone: one.id for one in result.succession.customers if one.id is not None for gone in one.absorbed}
    carried = {key for one in arrived for key in one.carried}  # of what only operators named, the oracle says nothing
    agree = {
        "components": set(found.components) == picture.components,
        "links": links == picture.refused,
        "merges": merges == {(ends, _at(at)): why for (ends, at), why in picture.refused_merges.items()},
        "between": found.between.keys() == picture.between,
        "shared": {key for key in found.shared if key in carried} == picture.shared,
        "owners": owners == {key: theirs.get(component) for key, component in picture.owners.items()},
        "kept": kept == {component: _customer(id_) for component, id_ in picture.kept.items()},
        "absorbed": absorbed == {_customer(one): _customer(other) for one, other in picture.absorbed.items()},
    }
    return [what for what, same in agree.items() if not same]


def _disagreements(part: Part) -> list[str]:
    """The same for a part as it comes in, batch by batch, with what is stored in between."""
    stored: Mapping[str, Mapping[str, Any]] = {}
    arrived: list[Sighting] = []
    differences: list[str] = []
    ids = count(1_000_000)
    for number, batch in enumerate(part.batches):
        arrived = [*arrived, *batch]
        picture = resolve(arrived, part.facts, part.policy, stored, part.most)
        given = _connected(part, arrived, stored)
        Random(part.seed).shuffle(arrived)
        result = settle(given, _constraints(part), lambda: UUID(int=next(ids)))
        differences += [f"{number}: {one}" for one in _differences(part, arrived, picture, result)]
        stored = remember(picture, stored)
    return differences


def _is_decided_otherwise(part: Part) -> bool:
    try:
        return bool(_disagreements(part))
    except ValueError:  # one of two equal touchpoints was made smaller
        return False


@pytest.mark.parametrize("seed", range(FIRST, FIRST + PARTS, 25))
def test_parts_at_random_are_decided_as_the_oracle_decides_them(seed: int) -> None:
    for one in range(seed, min(seed + 25, FIRST + PARTS)):
        part = make(one)
        if _disagreements(part):
            small = shrink(part, _is_decided_otherwise)
            pytest.fail(f"seed {one}: {_disagreements(small)} in {small}")
