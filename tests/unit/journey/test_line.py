"""Is it the same log? A table of what the broker and the database may say."""

import pytest

from services.journey.line import LogVerdict, Position, fingerprint, judge_bounds, judge_probe
from tests.unit.journey.records import FakeRecord

LAST = FakeRecord(offset=41, value=b"last")


def position(*, next_offset: int = 42, start: int = 0, end: int = 100, known: bool = True) -> Position:
    return Position(
        partition=0,
        next_offset=next_offset,
        last_hash=fingerprint(LAST) if known else None,
        log_start=start,
        log_end=end,
    )


def test_records_that_retention_took_unread_are_missed() -> None:
    assert judge_bounds(position(start=43)) is LogVerdict.EXPIRED
    assert judge_bounds(position(start=42)) is LogVerdict.SAME


@pytest.mark.parametrize(
    ("found", "end", "expected"),
    [
        pytest.param(LAST, 100, LogVerdict.SAME, id="the same record"),
        pytest.param(LAST, 30, LogVerdict.SAME, id="the same record, beyond an end reported too low"),
        pytest.param(FakeRecord(offset=41, value=b"other"), 100, LogVerdict.RECREATED, id="another record"),
        pytest.param(FakeRecord(offset=41, value=b"last", timestamp=1), 100, LogVerdict.RECREATED, id="another time"),
        pytest.param(FakeRecord(offset=41, key=None, value=b"last"), 100, LogVerdict.RECREATED, id="another key"),
        pytest.param(FakeRecord(offset=0), 100, LogVerdict.TRUNCATED, id="thrown back to the start of a shorter log"),
        pytest.param(FakeRecord(offset=60), 100, LogVerdict.EXPIRED, id="the start moved on meanwhile"),
        pytest.param(None, 10, LogVerdict.TRUNCATED, id="nothing there, and the log ends before"),
        pytest.param(None, 100, LogVerdict.SAME, id="nothing in time: the broker is slow, which proves nothing"),
    ],
)
def test_the_last_applied_record_is_compared(found: FakeRecord | None, end: int, expected: LogVerdict) -> None:
    assert judge_probe(position(end=end), found) is expected


def test_nothing_is_compared_where_nothing_was_applied_or_it_is_gone() -> None:
    assert position(known=False).probe is None
    assert position(start=42).probe is None
    assert position(start=41).probe == 41


def test_an_absent_value_is_not_an_empty_one() -> None:
    assert fingerprint(FakeRecord(offset=0, value=None)) != fingerprint(FakeRecord(offset=0, value=b""))
