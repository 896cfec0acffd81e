"""Why two identifiers are one customer, or why they are not."""

import pytest

from services.journey.domain.identity.evidence_path import IdentityVerdict, explain
from services.journey.domain.identity.partition import LinkTrust
from tests.unit.journey.domain.identity_facts import POLICY, key, part, settled, word_of


def told(one: str, other: str, *touchpoints: str, said: tuple[str, ...] = ()) -> tuple[list[str] | None, list[str]]:
    """The path and the refusals, in words."""
    found = explain(settled(part(*touchpoints, said=said)).partition, key(one), key(other))
    path = None if found.path is None else [" ".join(map(word_of, tie.key)) for tie in found.path]
    return path, [
        f"{' '.join(map(word_of, sorted(refused.tie.key, key=POLICY.rank)))} {refused.reason}"
        for refused in found.refused
    ]


def test_the_path_leads_from_the_one_to_the_other() -> None:
    chain = ("0: c=A e=1", "1: e=1 p=1", "2: p=1 k=1")
    assert told("c=A", "k=1", *chain) == (["c=A e=1", "e=1 p=1", "k=1 p=1"], [])
    assert told("k=1", "c=A", *chain) == (["k=1 p=1", "e=1 p=1", "c=A e=1"], [])
    assert told("e=1", "e=1", *chain) == ([], [])


def test_the_shortest_path_is_told() -> None:
    assert told("c=A", "k=1", "0: c=A e=1", "1: e=1 p=1", "2: p=1 k=1", "9: c=A k=1")[0] == ["k=1 c=A"]


def test_of_two_shortest_paths_the_older_evidence_is_told() -> None:
    ways = ("3: e=1 p=1", "1: e=1 k=1", "2: c=A p=1", "4: c=A k=1")
    assert told("c=A", "e=1", *ways) == (["c=A p=1", "e=1 p=1"], [])
    assert told("e=1", "c=A", *ways) == (["e=1 p=1", "c=A p=1"], [])


def test_the_word_of_an_operator_is_evidence_at_its_time() -> None:
    seen = part("0: c=A k=1", "1: c=B k=2", said=["5: merge c=A c=B"])
    found = explain(settled(seen).partition, key("k=1"), key("k=2"))
    assert found.path is not None
    assert [tie.trust for tie in found.path] == [LinkTrust.DEVICE, LinkTrust.OPERATOR, LinkTrust.DEVICE]


def test_what_keeps_two_apart_is_told_with_its_reason() -> None:
    apart = ("0: c=A k=1", "1: c=B k=1", "2: c=C e=1", "3: e=1 k=1", "4: x=1 y=1")
    assert told("c=A", "c=B", *apart) == (None, ["c=A k=1 held", "c=B k=1 unique"])
    assert told("c=C", "e=1", *apart) == (["c=C e=1"], ["e=1 k=1 held"])
    assert told("x=1", "y=1", *apart) == (["x=1 y=1"], [])


def test_a_link_between_members_that_is_not_followed_is_told() -> None:
    said = ("5: separate c=A c=B",)
    assert told("c=A", "c=B", "0: c=A k=1", "1: c=B k=2", "2: k=1 k=2", said=said)[1] == ["k=1 k=2 separated"]


def test_an_identifier_of_another_part_is_refused() -> None:
    with pytest.raises(KeyError):
        told("c=A", "c=B", "0: c=A k=1")


SHOP = tuple(f"{number}: c={letter} p=1" for number, letter in enumerate("ABCDEF"))
"""Six customers, known on one telephone: more than a telephone of one person has."""


@pytest.mark.parametrize(
    ("one", "other", "touchpoints", "verdict", "met_in"),
    [
        ("c=A", "e=1", ("0: c=A e=1",), IdentityVerdict.JOINED, ()),
        ("c=A", "c=A", ("0: c=A e=1",), IdentityVerdict.JOINED, ()),
        ("c=A", "c=A", ("0: c=A",), IdentityVerdict.ALONE, ()),
        ("p=1", "p=1", SHOP, IdentityVerdict.SHARED, ()),
        ("k=1", "k=1", ("0: c=A k=1", "1: c=B k=1"), IdentityVerdict.BETWEEN, ()),
        ("c=A", "c=B", ("0: c=A k=1", "1: c=B k=1"), IdentityVerdict.MEET_ONLY, ("k=1",)),
        ("c=A", "c=F", SHOP, IdentityVerdict.MEET_ONLY, ("p=1",)),
        ("c=A", "p=1", SHOP, IdentityVerdict.APART, ()),
        ("c=A", "c=B", ("0: c=A e=1", "1: c=B", "2: e=1 c=B"), IdentityVerdict.MEET_ONLY, ("e=1",)),
        ("c=A", "c=B", ("0: c=A", "1: c=B"), IdentityVerdict.UNCONNECTED, ()),
    ],
)
def test_the_verdict_says_it_in_one_word(
    one: str, other: str, touchpoints: tuple[str, ...], verdict: IdentityVerdict, met_in: tuple[str, ...]
) -> None:
    found = explain(settled(part(*touchpoints)).partition, key(one), key(other))
    assert (found.verdict, tuple(map(word_of, found.met_in))) == (verdict, met_in)


def test_what_an_operator_keeps_apart_is_said_to_be_apart() -> None:
    said = ("5: separate c=A c=B",)
    found = explain(
        settled(part("0: c=A k=1", "1: c=B k=2", "2: k=1 k=2", said=said)).partition, key("c=A"), key("c=B")
    )
    assert (found.verdict, found.met_in) == (IdentityVerdict.APART, ())
