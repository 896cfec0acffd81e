"""Ids stay with the oldest part of a customer, whatever joins it or leaves it."""

from collections.abc import Sequence
from itertools import count
from uuid import UUID

import msgspec

from services.journey.domain.identity.facts import (
    ConnectedPart,
    IdentifierKey,
    IdentitySighting,
    StoredIdentity,
)
from services.journey.domain.identity.settlement import IdentitySettlement, settle
from services.journey.domain.names import CustomerId
from tests.unit.journey.domain.identity_facts import POLICY, groups, key, part, settled, sighting


def customer(number: int) -> CustomerId:
    return CustomerId(UUID(int=number))


def stored(number: int, sequence: int | None = None) -> StoredIdentity:
    return StoredIdentity(id=customer(number), sequence=number if sequence is None else sequence)


def whole(
    *touchpoints: str, customers: Sequence[StoredIdentity], owners: dict[str, int], said: Sequence[str] = ()
) -> ConnectedPart:
    seen = part(*touchpoints, said=said)
    return ConnectedPart(
        links=seen.links,
        said=seen.said,
        sightings=seen.sightings,
        first_seen=seen.first_seen,
        proved=seen.proved,
        customers=customers,
        owners={key(word): customer(number) for word, number in owners.items()},
    )


def number_of(result: IdentitySettlement, word: str) -> int:
    found = result.customer(key(word)).id
    assert found is not None
    return found.int


def test_new_customers_are_numbered_in_the_order_of_their_smallest_identifiers() -> None:
    result = settled(part("0: c=B e=1", "1: c=A k=1"))
    assert groups(result.partition) == "c=A k=1 | c=B e=1"
    assert (number_of(result, "k=1"), number_of(result, "e=1")) == (1000, 1001)
    assert result.owners()[key("e=1")] == customer(1001)
    assert result.customer_of(sighting("5: e=1")) == customer(1001)
    assert result.customer_of(sighting("5:")) is None


def test_nothing_new_changes_nothing() -> None:
    result = settled(whole("0: c=A e=1", customers=[stored(7)], owners={"c=A": 7, "e=1": 7}))
    (only,) = result.succession.customers
    assert (only.id, only.is_new, only.absorbed, only.split_from) == (customer(7), False, (), None)


def test_the_oldest_survives_a_merge_and_the_others_go_on_in_it() -> None:
    customers = [stored(3), stored(2), stored(5)]
    owners = {"e=1": 3, "k=1": 3, "c=A": 2, "p=1": 2, "x=1": 5}
    result = settled(
        whole("1: x=1", "5: e=1 k=1", "9: c=A p=1", "11: c=A e=1", "12: c=A x=1", customers=customers, owners=owners)
    )
    (only,) = result.succession.customers
    assert (only.id, only.absorbed) == (customer(2), (customer(3), customer(5)))


def test_the_id_stays_with_the_strongest_identifier_that_was_known_first() -> None:
    owners = {"c=A": 1, "c=B": 1, "k=1": 1}
    result = settled(whole("0: c=B k=1", "9: c=A k=1", customers=[stored(1)], owners=owners))
    assert number_of(result, "c=B") == 1
    new = result.customer(key("c=A"))
    assert (new.is_new, new.split_from, new.id) == (True, customer(1), customer(1000))


def test_an_identifier_that_belongs_to_nobody_keeps_an_id_only_where_there_is_no_other() -> None:
    seen = ("0: k=1", "5: c=B k=1", "9: c=A k=1")
    result = settled(whole(*seen, customers=[stored(1)], owners={"k=1": 1, "c=B": 1}))
    assert (number_of(result, "c=B"), number_of(result, "c=A")) == (1, 1000)
    assert result.customer(key("c=A")).split_from is None
    alone = settled(whole(*seen, customers=[stored(1)], owners={"k=1": 1}))
    assert (number_of(alone, "k=1"), alone.customer(key("c=B")).is_new) == (1, True)


def test_an_identifier_between_customers_is_a_customer_only_if_touchpoints_are_its_own() -> None:
    nobody = settled(part("0: c=A p=1", "1: c=B p=1", "2: p=1"))
    assert nobody.customer(key("p=1")).id is None
    assert nobody.owners()[key("p=1")] is None
    alone = settled(part("0: c=A p=1", "1: c=B p=1", "200000: p=1"))
    assert alone.customer(key("p=1")).is_new


def test_a_touchpoint_that_nobody_holds_any_more_leaves_the_customer_it_was_with() -> None:
    seen = whole("0: c=A p=1", "2: p=1", customers=[stored(1)], owners={"c=A": 1, "p=1": 1})
    gone = sighting("200000: p=1", 7)
    later = msgspec.structs.replace(
        part("0: c=A p=1", "1: c=B p=1"),
        customers=seen.customers,
        owners={key("c=A"): customer(1)},
        sightings=[*part("0: c=A p=1", "1: c=B p=1").sightings, gone],
        belonged={gone.key: customer(1)},
    )
    alone = settled(later).customer(key("p=1"))
    assert (alone.is_new, alone.split_from) == (True, customer(1))


def test_two_parts_of_one_customer_go_to_two_older_ones() -> None:
    """The younger customer falls apart: its oldest part joins one, and the other part joins another."""
    customers = [stored(1), stored(2), stored(9)]
    owners = {"c=A": 1, "p=1": 1, "c=B": 2, "e=2": 2, "e=1": 9, "k=1": 9}
    given = whole(
        *("0: c=A p=1", "1: c=B e=2", "4: e=1 k=1", "20: c=A e=1", "30: c=B k=1"), customers=customers, owners=owners
    )
    result = settled(given)
    assert groups(result.partition) == "c=A e=1 p=1 | c=B e=2 | k=1"
    assert result.customer(key("e=1")).absorbed == (customer(9),)
    assert (number_of(result, "c=A"), number_of(result, "c=B")) == (1, 2)


def test_a_separation_gives_the_younger_part_a_new_customer_and_a_merge_again_takes_it_back() -> None:
    owners = {"c=A": 1, "k=1": 1}
    first = stored(1)
    apart = settled(
        whole("0: c=A k=1", "3: k=1", customers=[first], owners=owners, said=["5: separate c=A k=1"]), first_id=2
    )
    assert (number_of(apart, "c=A"), number_of(apart, "k=1")) == (1, 2)
    again = settled(
        whole(
            *("0: c=A k=1", "3: k=1"),
            customers=[first, stored(2)],
            owners={"c=A": 1, "k=1": 2},
            said=["5: separate c=A k=1", "6: merge c=A k=1"],
        )
    )
    (only,) = again.succession.customers
    assert (only.id, only.absorbed) == (customer(1), (customer(2),))


def test_a_customer_without_touchpoints_stays_where_its_strongest_identifier_is() -> None:
    result = settled(whole("1: c=B k=1", customers=[stored(1), stored(4)], owners={"c=A": 1, "k=1": 1}), first_id=8)
    assert (number_of(result, "c=A"), number_of(result, "k=1")) == (1, 8)
    assert result.succession.emptied == (customer(4),)


def test_the_oldest_is_the_one_with_the_lowest_sequence_and_not_the_lowest_id() -> None:
    customers = [stored(1, sequence=20), stored(2, sequence=10)]
    result = settled(whole("0: c=A", "1: k=1", "2: c=A k=1", customers=customers, owners={"c=A": 1, "k=1": 2}))
    (only,) = result.succession.customers
    assert (only.id, only.absorbed) == (customer(2), (customer(1),))


def test_holders_are_told_as_spans() -> None:
    seen = part("0: c=A p=1", "10: c=B p=1", "10: c=A p=1", "20: c=A p=1", "300000: c=B p=1")
    ids = count(1)
    result = settle(seen, POLICY, lambda: UUID(int=next(ids)))
    one, other = (result.partition.component_of[key(word)] for word in ("c=A", "c=B"))
    spans = [
        ((span.since - sighting("0:").occurred_at).total_seconds() / 60, span.holder)
        for span in result.holders()[key("p=1")]
    ]
    ninety_days = 90 * 24 * 60
    assert spans == [(-ninety_days, one), (300_000 - ninety_days, other)]
    first, last = result.holders()[key("p=1")]
    assert (first.until, last.until) == (sighting("129620:").occurred_at, sighting("429600:").occurred_at)


def test_sightings_without_identifiers_say_nothing() -> None:
    empty: tuple[IdentifierKey, ...] = ()
    nothing = IdentitySighting(order=sighting("0:").order, usable=empty)
    assert settled(ConnectedPart(sightings=[nothing])).partition.components == ()
