"""Which differences between the ledger of links and what is stored are told, and which are none."""

from uuid import UUID

import pytest

from services.journey.domain.identity.facts import IdentifierKey, LinkKey
from services.journey.repair.differences import (
    IdentityGraph,
    customers_without_links,
    links_across_customers,
    strongest_known,
)

A, B, C, D = (("cookie", "a"), ("email", "b"), ("phone", "c"), ("phone", "d"))
ONE, OTHER, THIRD = (UUID(int=number) for number in (1, 2, 3))


def standing(
    mine: dict[IdentifierKey, UUID], links: dict[LinkKey, bool], others: dict[IdentifierKey, UUID] | None = None
) -> IdentityGraph:
    """What one page of customers shows; `others` are identifiers of customers on other pages."""
    return IdentityGraph(mine=mine, owners=mine | (others or {}), links=links)


@pytest.mark.parametrize(
    ("mine", "links", "others", "expected"),
    [
        pytest.param({A: ONE, B: ONE}, {(A, B): True}, {}, [], id="within a customer"),
        pytest.param({A: ONE, B: OTHER}, {(A, B): True}, {}, [(A, B)], id="across two"),
        pytest.param({A: ONE}, {(A, B): True}, {B: OTHER}, [(A, B)], id="across to a customer of another page"),
        pytest.param({A: ONE, B: OTHER}, {(A, B): False}, {}, [], id="waiting in quarantine"),
        pytest.param({A: ONE}, {(A, B): True}, {}, [], id="to an identifier that nobody has"),
        pytest.param({B: ONE}, {(A, B): True}, {}, [], id="from an identifier that nobody has"),
        pytest.param(
            {A: ONE, B: OTHER, C: THIRD}, {(B, C): True, (A, B): True}, {}, [(A, B), (B, C)], id="several, in order"
        ),
    ],
)
def test_links_across_customers(
    mine: dict[IdentifierKey, UUID],
    links: dict[LinkKey, bool],
    others: dict[IdentifierKey, UUID],
    expected: list[LinkKey],
) -> None:
    assert links_across_customers(standing(mine, links, others)) == expected


@pytest.mark.parametrize(
    ("mine", "links", "others", "expected"),
    [
        pytest.param({A: ONE}, {}, {}, [], id="one identifier needs no link"),
        pytest.param({A: ONE, B: ONE}, {(A, B): True}, {}, [], id="held by a link"),
        pytest.param({A: ONE, B: ONE}, {}, {}, [ONE], id="held by none"),
        pytest.param({A: ONE, B: ONE}, {(A, B): False}, {}, [], id="a link in quarantine holds within a customer"),
        pytest.param({A: ONE, B: ONE, C: ONE}, {(A, B): True, (B, C): True}, {}, [], id="a chain holds"),
        pytest.param({A: ONE, B: ONE, C: ONE}, {(A, B): True}, {}, [ONE], id="one hangs loose"),
        pytest.param(
            {A: ONE, B: ONE, C: ONE, D: ONE, ("x", "e"): ONE},
            {(A, B): True, (B, C): True, (A, C): True, (D, ("x", "e")): True},
            {},
            [ONE],
            id="links enough, and yet two parts",
        ),
        pytest.param(
            {A: ONE, B: ONE},
            {(A, C): True},
            {C: OTHER},
            [],
            id="a link to another customer: to be seen when they are one",
        ),
        pytest.param(
            {A: ONE, B: ONE}, {(A, C): False}, {C: OTHER}, [ONE], id="a link to another customer in quarantine is none"
        ),
        pytest.param(
            {B: ONE, C: ONE}, {(A, B): False}, {A: OTHER}, [ONE], id="nor one from a customer of another page"
        ),
        pytest.param({A: OTHER, B: OTHER, C: ONE, D: ONE}, {}, {}, [ONE, OTHER], id="several, in order"),
        pytest.param(
            {A: ONE, B: ONE, C: OTHER, D: OTHER}, {(C, D): True}, {}, [ONE], id="each customer by its own links"
        ),
        pytest.param({A: ONE, B: ONE}, {(B, C): True}, {}, [ONE], id="a link to nobody holds nothing"),
    ],
)
def test_customers_that_no_links_hold_together(
    mine: dict[IdentifierKey, UUID],
    links: dict[LinkKey, bool],
    others: dict[IdentifierKey, UUID],
    expected: list[UUID],
) -> None:
    assert customers_without_links(standing(mine, links, others)) == expected


def test_a_touchpoint_is_looked_for_at_the_first_of_its_identifiers_that_is_known() -> None:
    assert strongest_known([A, B, C], {B: ONE, C: OTHER}) == B
    assert strongest_known([A], {B: ONE}) is None
