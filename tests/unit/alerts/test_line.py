"""Whether a log is the one that was read before, and what to do with what it delivers."""

import pytest

from services.alerts.domain.line import Delivery, LogVerdict, examine, receive


@pytest.mark.parametrize(
    ("next_offset", "beginning", "end", "verdict"),
    [
        pytest.param(0, 0, 0, LogVerdict.SAME, id="an empty log, never read"),
        pytest.param(10, 0, 10, LogVerdict.SAME, id="read to the end"),
        pytest.param(5, 5, 10, LogVerdict.SAME, id="only what was read is gone"),
        pytest.param(11, 0, 10, LogVerdict.SHORTER, id="the log was made anew, or cut"),
        pytest.param(4, 5, 10, LogVerdict.UNREAD_GONE, id="a record was deleted before it was read"),
    ],
)
def test_a_log_is_the_same_or_is_refused(next_offset: int, beginning: int, end: int, verdict: LogVerdict) -> None:
    assert examine(next_offset, beginning=beginning, end=end) is verdict


@pytest.mark.parametrize(
    ("first", "asked_again", "delivery"),
    [
        pytest.param(5, False, Delivery.TAKE, id="what comes next"),
        pytest.param(3, False, Delivery.TRIM, id="what was applied before"),
        pytest.param(7, False, Delivery.SEEK_BACK, id="a hole"),
        pytest.param(7, True, Delivery.TAKE, id="a hole that is really there"),
    ],
)
def test_a_hole_is_asked_for_once_more(first: int, asked_again: bool, delivery: Delivery) -> None:
    assert receive(first, expected=5, asked_again=asked_again) is delivery
