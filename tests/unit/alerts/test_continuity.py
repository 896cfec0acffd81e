"""What to do with what a log delivers."""

import pytest

from services.alerts.consume.continuity import Asked, Delivery, receive


@pytest.mark.parametrize(
    ("first", "asked", "delivery"),
    [
        pytest.param(5, Asked.NOTHING, Delivery.TAKE, id="what comes next"),
        pytest.param(3, Asked.NOTHING, Delivery.TRIM, id="what was applied before"),
        pytest.param(7, Asked.NOTHING, Delivery.SEEK_BACK, id="a hole"),
        pytest.param(7, Asked.AGAIN, Delivery.EXAMINE, id="a hole that stays: is it still the log"),
        pytest.param(7, Asked.EXAMINED, Delivery.TAKE, id="a hole in a log that is the same: a mark, no record"),
        pytest.param(5, Asked.AGAIN, Delivery.TAKE, id="a hole that was filled"),
    ],
)
def test_a_hole_is_asked_for_once_more_and_then_examined(first: int, asked: Asked, delivery: Delivery) -> None:
    assert receive(first, expected=5, asked=asked) is delivery
