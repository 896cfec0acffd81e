"""What a batch says of identity is sorted: what joins plainly, and what only a settlement can decide."""

from uuid import UUID

import pytest

from services.journey.domain.identity.facts import IdentifierKey
from services.journey.domain.identity.planning import IdentityEvidence, counted_links
from services.journey.domain.identity.screening import (
    EvidenceGroup,
    KnownLink,
    TouchedLedger,
    is_plain,
    screen,
)
from services.journey.domain.names import CustomerId
from services.journey.domain.touchpoint import Identifier
from tests.unit.journey.domain.identity_facts import POLICY, key, policy
from tests.unit.journey.domain.making import at, seen

ANN, BOB = CustomerId(UUID(int=1)), CustomerId(UUID(int=2))


def evidence(id_: str, minutes: float, *words: str) -> IdentityEvidence:
    keys = sorted((key(word) for word in words), key=POLICY.rank)
    proved = {key(word) for word in words if word.endswith("!")}
    customer = {type_: Identifier(value=value, verified=(type_, value) in proved) for type_, value in keys}
    return IdentityEvidence(seen(id_, minutes, customer=customer).touchpoint, tuple(keys))


def known(*groups: tuple[CustomerId, str]) -> TouchedLedger:
    """Customers whose identifiers are linked with the first of them since minute 5."""
    owners: dict[IdentifierKey, CustomerId] = {}
    links = {}
    for customer, words in groups:
        keys = sorted(map(key, words.split()), key=POLICY.rank)
        owners.update(dict.fromkeys(keys, customer))
        links.update({link: KnownLink((at(5), 0, "test", "t"), False) for link in counted_links(keys)})
    return TouchedLedger(owners=owners, links=links)


def groups(evidence_: list[IdentityEvidence], ledger: TouchedLedger) -> list[EvidenceGroup]:
    return screen(evidence_, ledger, POLICY).groups


def test_what_is_known_is_not_looked_at_again() -> None:
    one = evidence("1", 9, "c=A", "e=1")
    found = screen([one, evidence("2", 9, "c=A")], known((ANN, "c=A e=1")), POLICY)
    assert ([each.touchpoint.id for each in found.known], found.groups) == (["1", "2"], [])


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(evidence("1", 4, "c=A", "e=1"), id="earlier evidence"),
        pytest.param(evidence("1", 9, "c=A!", "e=1!"), id="the first proof of both"),
        pytest.param(evidence("1", 9, "c=A", "e=2"), id="a new link"),
    ],
)
def test_what_is_new_names_its_customers(said: IdentityEvidence) -> None:
    ledger = known((ANN, "c=A e=1"))
    (group,) = groups([said], ledger)
    assert (group.evidence, group.customers, group.contested) == ([said], {ANN}, False)


def test_new_identifiers_and_customers_that_meet_are_one_group() -> None:
    ledger = known((ANN, "c=A e=1"), (BOB, "p=1 k=1"))
    said = [evidence("1", 9, "e=1", "k=9"), evidence("2", 9, "p=1", "k=9"), evidence("3", 9, "c=Z", "e=9")]
    found = groups(said, ledger)
    assert [(one.customers, len(one.evidence)) for one in found] == [({ANN, BOB}, 2), (set(), 1)]


def test_what_is_around_a_conflict_is_contested_with_everything_that_it_meets() -> None:
    plain = known((ANN, "c=A e=1"), (BOB, "p=1 k=1"))
    ledger = TouchedLedger(owners=plain.owners, links=plain.links, contested={BOB})
    said = [evidence("1", 9, "e=1", "k=9"), evidence("2", 9, "p=1", "k=9")]
    assert [one.contested for one in groups(said, ledger)] == [True]
    unsettled = TouchedLedger(owners={}, unsettled={key("k=1")})
    assert [one.contested for one in groups([evidence("1", 9, "k=1")], unsettled)] == [True]


@pytest.mark.parametrize(
    ("words", "plain"),
    [
        ("c=A e=1 e=2 p=1 k=1 k=2", True),
        ("c=A c=B", False),
        ("e=1! e=2!", False),
        ("e=1! e=2 p=1!", True),
        ("z=1 c=A", False),
    ],
)
def test_identifiers_that_touch_no_constraint_are_plain(words: str, plain: bool) -> None:
    said = words.split()
    proved = {key(word) for word in said if word.endswith("!")}
    assert is_plain({key(word) for word in said}, proved, POLICY) is plain


def test_too_many_identifiers_are_not_plain() -> None:
    keys = [key(f"k={number}") for number in range(3)]
    assert is_plain(keys, (), policy(most_identifiers=3))
    assert not is_plain(keys, (), policy(most_identifiers=2))
