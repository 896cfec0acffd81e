"""Is it the same log? Tables of what the broker and the database may say."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from services.runtime.log.identity import (
    LogRefusedError,
    LogVerdict,
    Position,
    examine,
    explain,
    fingerprint,
    judge_bounds,
    judge_probe,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A record as a log keeps it."""

    offset: int
    timestamp: int = 1_700_000_000_000
    key: bytes | None = b"k"
    value: bytes | None = b"v"


LAST = Kept(offset=41, value=b"last")


def position(
    *, next_offset: int = 42, start: int = 0, end: int = 100, known: bool = True, partition: int = 0
) -> Position:
    return Position(
        partition=partition,
        next_offset=next_offset,
        last_hash=fingerprint(LAST) if known else None,
        log_start=start,
        log_end=end,
    )


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        pytest.param(position(next_offset=0, known=False, end=0), LogVerdict.SAME, id="an empty log, never read"),
        pytest.param(position(next_offset=42, end=42), LogVerdict.SAME, id="read to the end"),
        pytest.param(position(start=42), LogVerdict.SAME, id="only what was read is gone"),
        pytest.param(position(start=43), LogVerdict.EXPIRED, id="a record was deleted before it was read"),
        pytest.param(position(known=False, end=10), LogVerdict.TRUNCATED, id="never read, and its end lies before"),
        pytest.param(position(end=30), LogVerdict.SAME, id="an end reported too low: the last record will tell"),
    ],
)
def test_bounds_tell_what_retention_took_and_what_cannot_be_compared(place: Position, expected: LogVerdict) -> None:
    assert judge_bounds(place) is expected


@pytest.mark.parametrize(
    ("found", "end", "expected"),
    [
        pytest.param(LAST, 100, LogVerdict.SAME, id="the same record"),
        pytest.param(LAST, 30, LogVerdict.SAME, id="the same record, beyond an end reported too low"),
        pytest.param(Kept(offset=41, value=b"other"), 100, LogVerdict.RECREATED, id="another record"),
        pytest.param(Kept(offset=41, value=b"last", timestamp=1), 100, LogVerdict.RECREATED, id="another time"),
        pytest.param(Kept(offset=41, key=None, value=b"last"), 100, LogVerdict.RECREATED, id="another key"),
        pytest.param(Kept(offset=0), 100, LogVerdict.TRUNCATED, id="thrown back to the start of a shorter log"),
        pytest.param(Kept(offset=60), 100, LogVerdict.EXPIRED, id="the start moved on meanwhile"),
        pytest.param(Kept(offset=42), 100, LogVerdict.SAME, id="the start moved on, up to what is read next"),
        pytest.param(None, 10, LogVerdict.TRUNCATED, id="nothing there, and the log ends before"),
        pytest.param(None, 100, LogVerdict.UNPROVEN, id="nothing in time: the broker is slow, which proves nothing"),
    ],
)
def test_the_last_applied_record_is_compared(found: Kept | None, end: int, expected: LogVerdict) -> None:
    assert judge_probe(position(end=end), found) is expected


def test_nothing_is_compared_where_nothing_was_applied_or_it_is_gone() -> None:
    assert position(known=False).probe is None
    assert position(start=42).probe is None
    assert position(start=41).probe == 41


def test_an_absent_value_is_not_an_empty_one() -> None:
    assert fingerprint(Kept(offset=0, value=None)) != fingerprint(Kept(offset=0, value=b""))


@dataclass(slots=True)
class Reading:
    """Hands out records by partition, and remembers where it was asked to read."""

    records: Mapping[int, Kept]
    asked: list[Mapping[int, int]] = field(default_factory=list)

    async def __call__(self, offsets: Mapping[int, int]) -> Mapping[int, Kept]:
        self.asked.append(offsets)
        return {p: self.records[p] for p in offsets if p in self.records}


async def test_only_partitions_with_a_record_to_compare_are_read() -> None:
    read = Reading({1: LAST, 2: Kept(offset=41, value=b"other")})
    verdicts = await examine(
        [
            position(partition=0, start=43),
            position(partition=1),
            position(partition=2),
            position(partition=3, next_offset=0, known=False),
            position(partition=4),
        ],
        read,
    )
    assert verdicts == {
        0: LogVerdict.EXPIRED,
        1: LogVerdict.SAME,
        2: LogVerdict.RECREATED,
        3: LogVerdict.SAME,
        4: LogVerdict.UNPROVEN,
    }
    assert read.asked == [{1: 41, 2: 41, 4: 41}]


async def test_nothing_is_read_where_there_is_nothing_to_compare() -> None:
    read = Reading({})
    assert await examine([position(next_offset=0, known=False)], read) == {0: LogVerdict.SAME}
    assert read.asked == []


@pytest.mark.parametrize("verdict", list(LogVerdict))
def test_a_refusal_says_what_it_means_and_the_way_out(verdict: LogVerdict) -> None:
    assert bool(explain(verdict)) is verdict.refused
    assert ("WAYMARK_KAFKA_LINE" in str(LogRefusedError(verdict, position()))) is verdict.refused
