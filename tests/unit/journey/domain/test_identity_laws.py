"""The laws of identity, for parts at random: a pure function of a set of facts that holds every constraint."""

import random
from collections import Counter
from collections.abc import Sequence
from itertools import count
from typing import NamedTuple
from uuid import UUID

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from services.journey.domain.identity.constraints import ConstraintPolicy, TypeConstraints
from services.journey.domain.identity.evidence_path import explain
from services.journey.domain.identity.facts import ConnectedPart, IdentifierKey, OperatorWord, StoredIdentity
from services.journey.domain.identity.partition import IdentityPartition, LinkTrust, RefusalReason, partition, ties_of
from services.journey.domain.identity.planning import components
from services.journey.domain.identity.settlement import IdentitySettlement, settle
from services.journey.domain.names import CustomerId
from tests.unit.journey.domain.identity_facts import key as identifier
from tests.unit.journey.domain.identity_facts import part, policy, shuffled

RULES = policy(
    shared_after=2,
    most_identifiers=6,
    email=TypeConstraints(strength=40, limit=2),
    account_id=TypeConstraints(strength=20, unique=True),
)
LETTERS = "ceakpdxz"


class Told(NamedTuple):
    """Touchpoints and words of operators."""

    touchpoints: list[str]
    said: list[str]

    def part(self, upto: int | None = None) -> ConnectedPart:
        return part(*self.touchpoints[:upto], said=self.said, rules=RULES, shared_link=True)


@st.composite
def _touchpoint(draw: st.DrawFn, suffix: str) -> str:
    letters = draw(st.lists(st.sampled_from(LETTERS), min_size=1, max_size=4, unique=True))
    words = [
        f"{letter}={draw(st.integers(1, 4))}{suffix}{'!' if draw(st.integers(0, 3)) == 0 else ''}" for letter in letters
    ]
    return f"{draw(st.integers(0, 12)) * 400}: {' '.join(words)}"


@st.composite
def _word(draw: st.DrawFn, suffix: str, words: Sequence[str]) -> str:
    one, other = (f"{draw(st.sampled_from('ceakp'))}={draw(st.integers(1, 4))}{suffix}" for _ in range(2))
    other = other if other != one else f"x=1{suffix}"
    return f"{draw(st.integers(0, 9))}: {draw(st.sampled_from(words))} {one} {other}"


def _told(
    suffix: str = "", words: Sequence[str] = ("merge", "separate", "retract"), most_said: int = 4
) -> st.SearchStrategy[Told]:
    return st.builds(
        Told,
        st.lists(_touchpoint(suffix), min_size=1, max_size=18),
        st.lists(_word(suffix, words), max_size=most_said),
    )


def _settled(given_: ConnectedPart, first_id: int = 1) -> IdentitySettlement:
    ids = count(first_id)
    return settle(given_, RULES, lambda: UUID(int=next(ids)))


def _written(told: ConnectedPart, result: IdentitySettlement) -> ConnectedPart:
    """The part as it is read after everything was written."""
    ages: dict[CustomerId, int] = {one.id: one.sequence for one in told.customers}
    stored: list[StoredIdentity] = []
    next_age = max(ages.values(), default=0) + 1
    for offset, one in enumerate(result.succession.customers):
        if one.id is not None:
            sequence = ages.get(one.id, next_age + offset)
            stored.append(StoredIdentity(id=one.id, sequence=sequence))
    owners = {key: owner for key, owner in result.owners().items() if owner is not None}
    return msgspec.structs.replace(told, customers=stored, owners=owners)


@given(_told(), st.randoms(use_true_random=False))
def test_the_result_is_a_function_of_the_set_of_facts(told: Told, luck: random.Random) -> None:
    assert _settled(shuffled(told.part(), luck)) == _settled(told.part())


@given(_told())
def test_every_tie_is_followed_or_refused_and_components_are_what_is_followed(told: Told) -> None:
    whole = told.part()
    found = partition(whole, RULES)
    assert sorted([*found.followed, *found.refused]) == ties_of(whole, RULES)
    followed = [tie.key for tie in found.followed]
    assert set(found.components) == set(components(whole.identifiers(), followed))
    assert found.component_of == {key: number for number, keys in enumerate(found.components) for key in keys}
    assert [min(keys) for keys in found.components] == sorted(map(min, found.components))


def _violations(found: IdentityPartition, rules: ConstraintPolicy) -> list[str]:
    broken = []
    for keys in found.components:
        sizes = Counter(type_ for type_, _ in keys)
        broken += [
            f"{type_} is unique" for type_, number in sizes.items() if rules.of_type(type_).unique and number > 1
        ]
        limits = {type_: rules.of_type(type_).limit for type_ in sizes}
        broken += [f"{type_} over the limit" for type_, most in limits.items() if most and sizes[type_] > most]
        broken += ["too many"] * (len(keys) > rules.most_identifiers)
        broken += ["not alone"] * (len(keys) > 1 and not all(map(found.is_owned, keys)))
    return broken


@given(_told(words=("separate", "retract")))
def test_every_constraint_holds_in_every_component(told: Told) -> None:
    whole = told.part()
    found = partition(whole, RULES)
    assert _violations(found, RULES) == []
    separated = [fact.key for fact in whole.said if fact.word is OperatorWord.SEPARATE]
    numbers = [(found.component_of.get(one), found.component_of.get(other)) for one, other in separated]
    assert all(one != other for one, other in numbers if one is not None and other is not None)


@given(_told())
def test_who_is_between_was_left_there_by_a_refusal_and_is_alone(told: Told) -> None:
    found = partition(told.part(), RULES)
    for key, tie in found.between.items():
        assert key in tie.key
        assert found.refused[tie] is RefusalReason.UNIQUE
        assert found.components[found.component_of[key]] == {key}
        assert all(key not in other.key for other in found.followed)


@given(_told(), _told("-far"))
def test_facts_of_one_part_change_no_other(told: Told, far: Told) -> None:
    one, other = told.part(), far.part()
    both = partition(part(*told.touchpoints, *far.touchpoints, said=[*told.said, *far.said], rules=RULES), RULES)
    here = partition(part(*told.touchpoints, said=told.said, rules=RULES), RULES)
    there = partition(part(*far.touchpoints, said=far.said, rules=RULES), RULES)
    assert set(both.components) == {*here.components, *there.components}
    assert both.shared == here.shared | there.shared
    assert both.between.keys() == here.between.keys() | there.between.keys()
    assert one.identifiers().isdisjoint(other.identifiers())


@given(_told())
def test_settling_again_what_was_written_changes_nothing(told: Told) -> None:
    whole = told.part()
    first = _settled(whole)
    again = _settled(_written(whole, first), first_id=10_000)
    assert [one.id for one in again.succession.customers] == [one.id for one in first.succession.customers]
    assert not any(one.is_new or one.absorbed or one.split_from for one in again.succession.customers)
    assert again.succession.emptied == ()
    assert again.partition == first.partition
    assert again.ownership == first.ownership


@settings(max_examples=60)
@given(_told(), st.randoms(use_true_random=False))
def test_no_cut_changes_who_is_who_and_no_id_gets_lost(told: Told, luck: random.Random) -> None:
    order = list(range(len(told.touchpoints)))
    luck.shuffle(order)
    everything = told.part()
    known = ConnectedPart()
    for cut in (*sorted(luck.choices(range(1, len(order) + 1), k=3)), len(order)):
        ids = {everything.sightings[place].order for place in order[:cut]}
        proved = {word for place in order[:cut] for word in told.touchpoints[place].split() if word.endswith("!")}
        seen = ConnectedPart(
            links=[link for link in everything.links if link.first in ids],
            said=everything.said,
            sightings=[one for one in everything.sightings if one.order in ids],
            customers=known.customers,
            owners=known.owners,
            proved=frozenset(map(identifier, proved)),
        )
        result = _settled(seen, first_id=cut * 1_000)
        given_, kept = result.succession.customers, {one.id for one in seen.customers}
        gone = [*result.succession.emptied, *(absorbed for one in given_ for absorbed in one.absorbed)]
        assert Counter(gone) + Counter(one.id for one in given_ if one.id in kept) == Counter(kept)
        known = _written(seen, result)
    assert result.partition == partition(everything, RULES)


@given(_told())
def test_a_path_leads_over_followed_ties_from_end_to_end(told: Told) -> None:
    found = partition(told.part(), RULES)
    for keys in found.components:
        ends: list[IdentifierKey] = [min(keys), max(keys)]
        path = explain(found, *ends).path
        assert path is not None
        here = ends[0]
        for tie in path:
            assert tie in found.followed
            here = tie.key[1] if tie.key[0] == here else tie.key[0]
        assert here == ends[1]
        assert len(path) < len(keys)


@given(_told(words=("merge",)))
def test_merges_of_operators_are_followed(told: Told) -> None:
    found = partition(told.part(), RULES)
    assert all(tie.trust is not LinkTrust.OPERATOR for tie in found.refused)
