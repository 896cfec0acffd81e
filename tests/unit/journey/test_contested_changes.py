"""Which of two customers holds a friction that both would publish."""

from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

import msgspec

from services.journey.domain.comparison.changes import diff
from services.journey.domain.comparison.revision import FrictionChange, FrictionEvent
from services.journey.domain.friction import Friction, FrictionState, encode
from services.journey.domain.names import CustomerId
from services.journey.renew.contested_changes import ContestedChange, one_change_per_friction, winning_changes
from services.journey.renew.customer_update import CustomerComparison
from services.journey.store.frictions import FrictionHolder
from tests.unit.journey.domain.making import SHIPPED, Shelf, at, call, told

ANN, BOB = CustomerId(UUID(int=1)), CustomerId(UUID(int=2))


@dataclass(frozen=True)
class Comparison:
    """Stands for a customer's comparison, of which the decision reads nothing."""

    customer_id: CustomerId


def friction(customer: CustomerId, minutes: float = 0, **members: Any) -> Friction:
    """A friction of the same rule and anchor, whoever the customer is; its last touchpoint is `customer`'s own."""
    own = msgspec.structs.replace(_shipped(), customer_id=customer, occurred_at=at(minutes))
    last = msgspec.structs.replace(own.touchpoints[-1], id=f"of-{customer.int}")
    return msgspec.structs.replace(own, touchpoints=(*own.touchpoints[:-1], last), **members)


def _shipped() -> Friction:
    """A friction as the shipped rules find one: somebody called twice about the same."""
    history = [call("a", 0, reason="billing"), call("b", 60, reason="billing")]
    shelf = Shelf()
    changes = diff(told(*history), shelf.stored(), SHIPPED, shelf.moment(at(60)))
    return changes.frictions[0].friction


def change(customer: CustomerId, minutes: float = 0) -> ContestedChange:
    said = FrictionChange(event=FrictionEvent.DETECTED, friction=friction(customer, minutes), digest=b"d")
    return cast(CustomerComparison, Comparison(customer)), said


def holder(customer: CustomerId, minutes: float = 0, state: FrictionState = FrictionState.DETECTED) -> FrictionHolder:
    return FrictionHolder(
        customer_id=customer, state=state, revision=4, payload=encode(friction(customer, minutes, revision=4))
    )


def of(*changes: ContestedChange) -> list[CustomerId]:
    return [said.friction.customer_id for _, said in changes]


def test_the_customer_whose_part_of_the_call_began_first_holds_the_friction() -> None:
    assert of(*one_change_per_friction([change(BOB, 1), change(ANN, 0)])) == [ANN]
    assert of(*one_change_per_friction([change(ANN, 0), change(BOB, 1)])) == [ANN]


def test_of_two_parts_that_began_together_always_the_same_one_wins() -> None:
    assert of(*one_change_per_friction([change(BOB), change(ANN)])) == [ANN]
    assert of(*one_change_per_friction([change(ANN), change(BOB)])) == [ANN]


def test_a_change_that_began_later_than_the_holders_is_not_published() -> None:
    lost = change(BOB, 1)

    assert winning_changes([lost], {lost[1].friction.id: holder(ANN, 0)}) == []


def test_a_change_that_began_earlier_takes_the_friction_over_as_its_next_revision() -> None:
    lost = change(BOB, 0)

    ((comparison, won),) = winning_changes([lost], {lost[1].friction.id: holder(ANN, 1)})

    assert comparison is lost[0]
    assert (won.friction.customer_id, won.friction.previous_customer_id, won.friction.revision) == (BOB, ANN, 5)


def test_a_friction_that_was_retracted_is_taken_over_by_whoever_finds_it_again() -> None:
    lost = change(BOB, 9)

    ((_, won),) = winning_changes([lost], {lost[1].friction.id: holder(ANN, 0, FrictionState.RETRACTED)})

    assert (won.friction.customer_id, won.friction.revision) == (BOB, 5)
