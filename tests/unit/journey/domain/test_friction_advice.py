"""What a friction carries beside its texts: what to do, what settles it, what it implies, and what it is about."""

import pytest

from tests.unit.journey.domain.making import SHIPPED, Shelf, call, seen, step

FIRST = call("a", 0, reason="billing")


def test_a_friction_carries_what_its_rule_says_to_do_and_what_settles_it() -> None:
    anchor = call("b", 10, reason="billing", queue="billing-ko", attributes={"product": "fibre 500"})
    (change, *_) = step(Shelf(), FIRST, anchor, rules=SHIPPED).frictions
    said = change.friction
    assert (said.rule, said.implies) == ("repeat_contact_24h", ("repeat_contact_7d",))
    assert (said.queue, said.product) == ("billing-ko", "fibre 500")
    assert said.playbook is not None
    declined = [seen(f"d{number}", number, "payment_declined") for number in range(2)]
    (change,) = step(Shelf(), *declined, rules=SHIPPED).frictions
    assert [one.kind for one in change.friction.closes_when] == [("order_placed", "payment_succeeded")]


@pytest.mark.parametrize("product", ["", "a\x00b", "sealed:v1:abc", 7])
def test_what_is_no_name_of_a_product_is_left_out(product: object) -> None:
    anchor = call("b", 10, reason="billing", attributes={"product": product})
    (change,) = step(Shelf(), FIRST, anchor).frictions[:1]
    assert change.friction.product is None
