"""What resolving customers writes: mentions of identifiers, links for the ledger, and where identifiers point."""

from uuid import UUID

from services.journey.apply.resolution import link_rows, mentions_in, new_owners
from services.journey.domain.identity.planning import (
    CustomerMerge,
    IdentifierLink,
    IdentityEvidence,
    IdentityPlan,
    QuarantinedLink,
    QuarantineReason,
)
from services.journey.domain.names import CustomerId
from services.journey.domain.touchpoint import Identifier
from tests.unit.journey.domain.making import at, seen

PHONE, EMAIL, COOKIE = ("phone", "+821012345678"), ("email", "a@b.example"), ("cookie", "c-1")
ANN, BOB, CAT = (CustomerId(UUID(int=number)) for number in (1, 2, 3))


def evidence(id_: str, minutes: float, *keys: tuple[str, str], verified: bool = False) -> IdentityEvidence:
    customer = {type_: Identifier(value=value, verified=verified) for type_, value in keys}
    return IdentityEvidence(seen(id_, minutes, customer=customer).touchpoint, keys)


def link(id_: str, minutes: float = 0, *, verified: bool = False) -> IdentifierLink:
    return IdentifierLink(left=EMAIL, right=PHONE, verified=verified, evidence=seen(id_, minutes).touchpoint)


def merge(absorbed: CustomerId, survivor: CustomerId) -> CustomerMerge:
    return CustomerMerge(absorbed=absorbed, survivor=survivor, link=link("t"))


def test_an_identifier_is_mentioned_from_its_first_touchpoint_to_its_last() -> None:
    found = mentions_in([evidence("1", 0, PHONE, EMAIL), evidence("2", 5, PHONE), evidence("3", 9, PHONE)])

    assert {key: (one.first_seen, one.last_seen) for key, one in found.items()} == {
        PHONE: (at(0), at(9)),
        EMAIL: (at(0), at(0)),
    }


def test_an_identifier_that_was_verified_once_is_verified() -> None:
    found = mentions_in([evidence("1", 0, PHONE), evidence("2", 1, PHONE, verified=True), evidence("3", 2, PHONE)])

    assert found[PHONE].verified
    assert not mentions_in([evidence("1", 0, PHONE)])[PHONE].verified


def test_a_link_is_kept_with_the_touchpoint_that_shows_it() -> None:
    (row,) = link_rows(IdentityPlan(customers={}, links=(link("call-1", 7, verified=True),)))

    assert (row.key, row.state, row.reason, row.verified) == ((EMAIL, PHONE), "active", "counted", True)
    assert row.first == (at(7), 0, "test", "call-1")


def test_a_link_in_quarantine_is_kept_once_with_its_reason() -> None:
    reason = next(iter(QuarantineReason))
    planned = IdentityPlan(
        customers={}, links=(link("1"),), quarantined=(QuarantinedLink(link=link("2"), reason=reason),)
    )

    assert [(row.state, row.reason, row.first[3]) for row in link_rows(planned)] == [("quarantined", reason, "2")]


def test_an_identifier_that_points_to_the_right_customer_is_not_written() -> None:
    assert new_owners(IdentityPlan(customers={}), {PHONE: (ANN, ANN)}) == {}


def test_an_identifier_of_a_customer_who_was_merged_earlier_points_to_the_root() -> None:
    assert new_owners(IdentityPlan(customers={}), {PHONE: (BOB, ANN), EMAIL: (ANN, ANN)}) == {PHONE: ANN}


def test_identifiers_follow_a_merge_of_their_root_and_new_ones_join_them() -> None:
    planned = IdentityPlan(customers={}, merges=(merge(ANN, CAT),), attached=((COOKIE, CAT),))

    owners = new_owners(planned, {PHONE: (BOB, ANN), EMAIL: (CAT, CAT)})

    assert owners == {PHONE: CAT, COOKIE: CAT}
