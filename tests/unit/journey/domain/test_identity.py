"""Who is who: by content alone, whatever the order, up to the caps."""

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.journey import policies
from services.journey.domain.identity.facts import LinkKey
from services.journey.domain.identity.planning import (
    IdentityPolicy,
    QuarantineReason,
    components,
    counted_links,
    usable,
)
from services.journey.domain.touchpoint import Identifier, Touchpoint
from tests.unit.journey.domain.making import seen
from tests.unit.journey.domain.registry import Registry

STRENGTH = {"customer_id": 10, "email": 40, "phone": 50, "cookie": 710}


def policy(**members: Any) -> IdentityPolicy:
    return IdentityPolicy(blocked=lambda type_, value: value == "null", strength=STRENGTH, **members)


POLICY = policy()


def who(id_: str, minutes: float = 0, *, verified: Iterable[str] = (), **identifiers: str) -> Touchpoint:
    given_ = {type_: Identifier(value=value, verified=type_ in verified) for type_, value in identifiers.items()}
    return seen(id_, minutes, customer=given_).touchpoint


def registered(identity: IdentityPolicy = POLICY, retracted: frozenset[LinkKey] = frozenset()) -> Registry:
    return Registry(identity, retracted)


@pytest.mark.parametrize(
    ("touchpoint", "identity", "expected"),
    [
        pytest.param(
            who("t", phone="1", email="a", customer_id="C"), POLICY, "customer_id email phone", id="strongest"
        ),
        pytest.param(who("t", zebra="1", cookie="2"), POLICY, "zebra cookie", id="an unknown type before devices"),
        pytest.param(who("t", phone="null", cookie="2"), POLICY, "cookie", id="blocked values are not there"),
        pytest.param(who("t", phone="null"), POLICY, "", id="nothing but a blocked value"),
        pytest.param(
            who("t", phone="1", cookie="2"),
            policy(shared_types=frozenset({"cookie"})),
            "phone",
            id="shared types are left out",
        ),
        pytest.param(
            who("t", cookie="2", kiosk="3"),
            policy(shared_types=frozenset({"cookie", "kiosk"})),
            "kiosk",
            id="unless there is nothing else, then the strongest",
        ),
        pytest.param(
            who("t", phone="1", email="a", verified=["email"]),
            policy(verified_types=frozenset({"phone", "email"})),
            "email",
            id="only verified",
        ),
    ],
)
def test_which_identifiers_say_whose_it_is(touchpoint: Touchpoint, identity: IdentityPolicy, expected: str) -> None:
    assert [type_ for type_, _ in usable(touchpoint, identity)] == expected.split()


def test_the_strongest_identifier_is_linked_with_each_other_one() -> None:
    planned = registered().take(who("t", phone="1", email="a", customer_id="C", verified=["phone", "customer_id"]))
    assert [(link.left[0], link.right[0], link.verified) for link in planned.links] == [
        ("customer_id", "email", False),
        ("customer_id", "phone", True),
    ]


def test_a_pair_that_is_proved_later_in_the_same_batch_is_a_verified_link_of_the_first_evidence() -> None:
    said = who("a", phone="1", customer_id="C", verified=["customer_id"])
    proved = who("b", 1, phone="1", customer_id="C", verified=["phone", "customer_id"])
    (link,) = registered().take(said, said, proved, said).links
    assert (link.verified, link.evidence.id) == (True, "a")


def test_a_link_names_the_smaller_identifier_first() -> None:
    assert counted_links((("phone", "1"), ("cookie", "9"))) == ((("cookie", "9"), ("phone", "1")),)


def test_a_value_may_stand_for_nobody_in_one_type_alone() -> None:
    nobody = IdentityPolicy(blocked=lambda type_, value: (type_, value) == ("phone", "0"), strength=STRENGTH)
    assert usable(who("t", phone="0", email="0"), nobody) == (("email", "0"),)


def test_a_new_customer_gets_all_identifiers_of_the_touchpoint() -> None:
    planned = registered().take(who("t", phone="1", cookie="2"))
    (customer,) = planned.created
    assert dict(planned.attached) == {("phone", "1"): customer, ("cookie", "2"): customer}
    assert planned.customers == {("test", "t"): customer}


def test_the_oldest_customer_survives_a_merge() -> None:
    registry = registered()
    (older,) = registry.take(who("a", phone="1")).created
    (younger,) = registry.take(who("b", email="a")).created
    planned = registry.take(who("c", phone="1", email="a"))
    assert [(merge.absorbed, merge.survivor) for merge in planned.merges] == [(younger, older)]
    (merge,) = planned.merges
    assert (merge.link.key, merge.link.evidence.id) == ((("email", "a"), ("phone", "1")), "c")
    assert planned.customers == {("test", "c"): older}
    assert planned.created == ()


def test_a_stored_customer_survives_one_that_is_made_in_the_batch() -> None:
    registry = registered()
    for number in range(3):
        registry.take(who(f"o{number}", cookie=f"other {number}"))
    (stored,) = registry.take(who("a", email="a")).created
    planned = registry.take(who("b", phone="1"), who("c", phone="1", email="a"))
    assert (planned.created, planned.merges) == ((), ())
    assert set(planned.customers.values()) == {stored}


def test_a_chain_of_merges_in_one_batch_leads_to_one_survivor() -> None:
    registry = registered()
    customers = [registry.take(who(name, cookie=name)).created[0] for name in "abc"]
    planned = registry.take(*(who(f"x{name}", cookie=name, phone="1") for name in "bca"))
    assert {(merge.absorbed, merge.survivor) for merge in planned.merges} == {
        (customers[1], customers[0]),
        (customers[2], customers[0]),
    }
    assert set(planned.customers.values()) == {customers[0]}


def test_a_chain_of_four_customers_made_in_one_batch_is_one_customer() -> None:
    registry = registered()
    chain = ["AA", "BB", "CC", "DD", "DC", "CB", "BA"]
    registry.take(*(who(f"{at}{pair}", at, cookie=pair[0], email=pair[1]) for at, pair in enumerate(chain)))
    assert len(registry.partition()) == 1
    assert set(registry.owners.values()) == set(registry.customers)


def test_touchpoints_of_one_batch_meet_before_a_customer_is_made_twice() -> None:
    planned = registered().take(who("a", cookie="1"), who("b", phone="2"), who("c", cookie="1", phone="2"))
    assert len(planned.created) == 1
    assert planned.merges == ()
    assert len(set(planned.customers.values())) == 1


def test_a_touchpoint_without_usable_identifiers_is_nobodys() -> None:
    planned = registered().take(who("a", phone="null"))
    assert (planned.nobody, planned.created, planned.customers) == ((("test", "a"),), (), {})


def test_a_shared_device_does_not_join_two_people() -> None:
    registry = registered(policy(shared_types=frozenset({"kiosk"})))
    registry.take(who("a", phone="1", kiosk="k"), who("b", phone="2", kiosk="k"), who("c", kiosk="k"))
    assert registry.partition() == {
        frozenset({("phone", "1")}),
        frozenset({("phone", "2")}),
        frozenset({("kiosk", "k")}),
    }


def test_a_link_beyond_the_most_identifiers_is_quarantined_and_the_touchpoint_still_finds_its_customer() -> None:
    registry = registered(policy(most_identifiers=2))
    (customer,) = registry.take(who("a", phone="1", cookie="1")).created
    planned = registry.take(who("b", phone="1", cookie="2"))
    assert [one.reason for one in planned.quarantined] == [QuarantineReason.TOO_MANY_IDENTIFIERS]
    assert planned.customers == {("test", "b"): customer}
    assert planned.attached == ()


def test_every_link_beyond_the_most_identifiers_is_reported() -> None:
    email = ("email", "1")
    planned = registered(policy(most_identifiers=2)).take(who("a", phone="1", cookie="1", email="1", zebra="1"))
    assert [one.link.key for one in planned.quarantined] == [(email, ("zebra", "1")), (("cookie", "1"), email)]
    assert {one.reason for one in planned.quarantined} == {QuarantineReason.TOO_MANY_IDENTIFIERS}


def test_what_was_known_of_a_customer_is_not_counted_again() -> None:
    same = who("a", phone="1", cookie="1")
    planned = registered(policy(most_identifiers=3)).take(same, same, who("b", phone="1", cookie="1", email="1"))
    assert (planned.quarantined, len(planned.attached)) == ((), 3)


@pytest.mark.parametrize(("most", "joined"), [(4, True), (3, False)])
def test_two_customers_become_one_up_to_the_most_identifiers_of_both(most: int, joined: bool) -> None:
    registry = registered(policy(most_identifiers=most))
    registry.take(who("a", phone="1", cookie="1"), who("b", email="1", zebra="1"))
    planned = registry.take(who("c", phone="1", email="1"))
    assert [one.reason for one in planned.quarantined] == [QuarantineReason.TOO_MANY_IDENTIFIERS] * (not joined)
    assert len(registry.partition()) == (1 if joined else 2)


@pytest.mark.parametrize(("most", "joined"), [(5, True), (4, False)])
def test_what_a_merge_brought_counts_for_the_next_link_of_the_same_batch(most: int, joined: bool) -> None:
    registry = registered(policy(most_identifiers=most))
    registry.take(who("a", phone="1", cookie="1"), who("b", email="1", zebra="1"))
    planned = registry.take(who("c", phone="1", email="1"), who("d", phone="1", cookie="2"))
    assert (planned.quarantined == ()) is joined


@pytest.mark.parametrize(("most", "joined"), [(3, True), (2, False)])
def test_a_merge_brings_the_merges_of_both(most: int, joined: bool) -> None:
    registry = registered(policy(most_merges=most))
    for name in "abcd":
        registry.take(who(name, cookie=name))
    registry.take(who("ab1", cookie="a", phone="1"), who("ab2", cookie="b", phone="1"))
    registry.take(who("cd1", cookie="c", phone="2"), who("cd2", cookie="d", phone="2"))
    planned = registry.take(who("x", cookie="a", email="1"), who("y", cookie="c", email="1"))
    assert [one.reason for one in planned.quarantined] == [QuarantineReason.TOO_MANY_MERGES] * (not joined)
    assert len(registry.partition()) == (1 if joined else 2)


def test_a_merge_beyond_the_most_merges_is_quarantined() -> None:
    registry = registered(policy(most_merges=1))
    first, second, third = (registry.take(who(name, cookie=name)).created[0] for name in "abc")
    assert registry.take(who("x", cookie="a", phone="1"), who("y", cookie="b", phone="1")).merges
    planned = registry.take(who("z", cookie="c", phone="1"))
    assert [one.reason for one in planned.quarantined] == [QuarantineReason.TOO_MANY_MERGES]
    assert planned.customers == {("test", "z"): first}
    assert {second, third, first} >= set(registry.owners.values())


def test_a_retracted_link_is_not_followed_again() -> None:
    cut = (("cookie", "1"), ("phone", "1"))
    registry = registered(retracted=frozenset({cut}))
    planned = registry.take(who("a", phone="1", cookie="1"), who("b", cookie="1"))
    assert (planned.links, planned.quarantined) == ((), ())
    assert len(planned.created) == 2


def test_what_an_unmerge_leaves() -> None:
    a, b, c = ("cookie", "a"), ("email", "b"), ("phone", "c")
    assert components([a, b, c], [(a, b), (b, c)]) == (frozenset({a, b, c}),)
    assert components([a, b, c], [(a, b)]) == (frozenset({a, b}), frozenset({c}))
    assert components([a, b], [(a, c)]) == (frozenset({a}), frozenset({b}))
    d, e = ("phone", "d"), ("phone", "e")
    assert components([a, b, c, d, e], [(a, d), (c, e)]) == (frozenset({a, d}), frozenset({b}), frozenset({c, e}))


def test_the_catalogue_says_that_a_customer_number_is_stronger_than_a_cookie() -> None:
    keys = usable(who("t", cookie="1", customer_id="C", newfangled="x"), policies.identity())
    assert [type_ for type_, _ in keys] == ["customer_id", "newfangled", "cookie"]


@st.composite
def crowds(draw: st.DrawFn) -> list[Touchpoint]:
    """Touchpoints of few people with few identifiers, so that they meet; a kiosk is shared."""
    types = st.sampled_from(["customer_id", "email", "phone", "cookie", "kiosk"])
    few = st.dictionaries(types, st.sampled_from("123"), min_size=1, max_size=3)
    return [who(f"t{number}", number, **draw(few)) for number in range(draw(st.integers(0, 12)))]


SHARED = policy(shared_types=frozenset({"kiosk"}))


def _links_of(crowd: list[Touchpoint]) -> set[LinkKey]:
    return {link for one in crowd for link in counted_links(usable(one, SHARED))}


@given(crowds(), st.randoms(use_true_random=False))
def test_people_are_the_components_of_the_links_however_they_arrive(crowd: list[Touchpoint], random: Any) -> None:
    identifiers = {key for one in crowd for key in usable(one, SHARED)}
    expected = components(identifiers, _links_of(crowd))
    arriving = [*crowd, *(one for one in crowd if random.random() < 0.3)]
    random.shuffle(arriving)
    registry = registered(SHARED)
    while arriving:
        size = random.randint(1, 5)
        registry.take(*arriving[:size])
        del arriving[:size]
    assert registry.partition() == set(expected)
    assert registry.links.keys() == _links_of(crowd)
    assert set(registry.owners.values()) == set(registry.customers)
