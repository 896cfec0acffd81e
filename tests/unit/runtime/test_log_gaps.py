"""Whether what a log delivers next continues what was delivered before."""

import pytest

from services.runtime.log.gaps import Hole, continue_at
from tests.unit.journey.records import records


@pytest.mark.parametrize(
    ("first", "count", "cursor", "expected"),
    [
        pytest.param(5, 3, 5, [5, 6, 7], id="what comes next is delivered"),
        pytest.param(3, 5, 5, [5, 6, 7], id="what was delivered before is cut off"),
        pytest.param(0, 5, 5, [], id="nothing but repeats"),
        pytest.param(0, 0, 5, [], id="nothing at all"),
    ],
)
def test_records_are_cut_at_the_cursor(first: int, count: int, cursor: int, expected: list[int]) -> None:
    fresh = continue_at(cursor, records(first, count))
    assert not isinstance(fresh, Hole)
    assert expected == [record.offset for record in fresh]


def test_a_gap_before_the_first_record_is_a_hole() -> None:
    assert continue_at(5, records(8, 2)) == Hole(cursor=5, first=8)
