"""How far the stream has come: the slowest partition decides, an unknown one blocks."""

from datetime import UTC, datetime, timedelta

import pytest

from services.journey.consume.progress import PartitionMark
from services.journey.timers.horizon import stream_horizon

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
QUIET = timedelta(minutes=1)
GRACE = timedelta(minutes=5)


def minute(number: float | None) -> datetime | None:
    return None if number is None else NOON + timedelta(minutes=number)


def mark(
    partition: int, applied: float | None = None, caught_up: float | None = None, replay: float | None = None
) -> PartitionMark:
    return PartitionMark(
        partition=partition,
        next_offset=1,
        applied_append_time=minute(applied),
        caught_up_at=minute(caught_up),
        replay_append_time=minute(replay),
    )


@pytest.mark.parametrize(
    ("marks", "passed"),
    [
        pytest.param([mark(0, applied=5), mark(1, applied=3)], 3, id="the slowest partition"),
        pytest.param([mark(0, applied=5), mark(1, applied=1, caught_up=9)], 5, id="an idle partition read to its end"),
        pytest.param([mark(0, applied=9, caught_up=4), mark(1, applied=9)], 9, id="records after it was caught up"),
        pytest.param([mark(0, applied=5)], None, id="a partition never claimed"),
        pytest.param([mark(0, applied=5), mark(1)], None, id="a partition claimed, of which nothing is known"),
        pytest.param([], None, id="nothing known at all"),
    ],
)
def test_the_horizon_is_where_every_partition_has_been(marks: list[PartitionMark], passed: float | None) -> None:
    assert stream_horizon(marks, range(2), QUIET).passed == minute(passed)


def test_the_partitions_that_block_are_named() -> None:
    assert list(stream_horizon([mark(0, applied=5), mark(1)], range(3), QUIET).blocked) == [1, 2]


def test_a_topic_whose_partitions_are_unknown_lets_nothing_fire() -> None:
    assert stream_horizon([mark(0, applied=5)], (), QUIET).reach(GRACE) is None


def test_timers_may_fire_up_to_the_grace_before_the_horizon() -> None:
    reach = stream_horizon([mark(0, applied=30), mark(1, applied=20)], range(2), QUIET).reach(GRACE)
    assert reach is not None
    assert (reach.passed, reach.replayed) == (minute(15), minute(15))


@pytest.mark.parametrize(("passed", "held"), [(10.9, True), (11, False)])
def test_an_import_holds_its_timers_until_it_has_been_quiet_on_every_partition(passed: float, held: bool) -> None:
    marks = [mark(0, applied=40, replay=10), mark(1, caught_up=passed, replay=2)]
    found = stream_horizon(marks, range(2), QUIET)
    reach = found.reach(GRACE)
    assert found.importing is held
    assert reach is not None
    assert (reach.replayed is None) is held
