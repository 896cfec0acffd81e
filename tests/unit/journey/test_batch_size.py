"""Batches grow in a backlog and stay short in time."""

import pytest

from services.journey.consume.batch_size import BatchSize


def test_full_batches_that_are_quick_double_the_size_up_to_the_most() -> None:
    size = BatchSize(most=10_000, target_s=1.0, records=2_500)
    grown = []
    for _ in range(3):
        size.learn(size.records, 0.1)
        grown.append(size.records)
    assert grown == [5_000, 10_000, 10_000]


def test_the_size_settles_where_a_batch_takes_the_target() -> None:
    size = BatchSize(most=100_000, target_s=1.0, records=1_000)
    for _ in range(20):
        size.learn(size.records, size.records * 200e-6)
    assert size.records == pytest.approx(5_000, rel=0.01)


def test_a_slow_batch_shrinks_it_even_if_it_was_not_full() -> None:
    size = BatchSize(most=10_000, target_s=1.0, records=4_000)
    size.learn(100, 60.0)
    assert size.records == 2_000


def test_a_small_quick_batch_says_nothing_about_full_ones() -> None:
    size = BatchSize(most=10_000, target_s=1.0, records=4_000)
    size.learn(10, 0.001)
    assert size.records == 4_000


def test_it_never_leaves_its_bounds() -> None:
    size = BatchSize(most=8, target_s=1.0)
    assert size.records == 8
    for _ in range(5):
        size.learn(8, 100.0)
    assert size.records == 8
    wide = BatchSize(most=10_000, target_s=1.0)
    for _ in range(10):
        wide.learn(wide.records, 100.0)
    assert wide.records == wide.least == 500


def test_a_short_batch_is_followed_by_a_pause_and_a_long_one_is_not() -> None:
    size = BatchSize(most=10_000, target_s=1.0, every_s=0.05)
    assert size.pause_s(0.02) == pytest.approx(0.03)
    assert size.pause_s(0.4) == 0.0
