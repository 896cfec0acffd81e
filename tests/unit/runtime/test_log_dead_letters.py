"""The dead-letter limit: a run, or a share of what was seen lately."""

import pytest

from services.runtime.log.dead_letters import (
    WINDOW,
    DeadLetterGuard,
    DeadLetterLimit,
    DeadLetterLimitError,
    LimitReason,
)


def limit(ratio: float = 0.5, run: int = 5) -> DeadLetterLimit:
    return DeadLetterLimit(ratio=ratio, run=run)


def test_a_run_without_a_break_is_too_many_even_across_batches() -> None:
    seen = limit(ratio=1.0).after([True] * 3)
    with pytest.raises(DeadLetterLimitError) as reached:
        seen.after([True] * 2)
    assert reached.value.reason is LimitReason.RUN


def test_one_good_record_breaks_the_run() -> None:
    limit(ratio=1.0).after([True] * 4).after([False]).after([True] * 4)


def test_too_large_a_share_is_too_many() -> None:
    with pytest.raises(DeadLetterLimitError) as reached:
        limit(run=WINDOW).after([True, True, False] * 100)
    assert reached.value.reason is LimitReason.RATIO


def test_a_handful_says_nothing_about_the_share() -> None:
    limit(run=WINDOW).after([True] * 20)


def test_what_was_long_ago_does_not_count() -> None:
    seen = limit(run=WINDOW * 2, ratio=0.9).after([False] * WINDOW).after([True] * 800)
    assert len(seen.recent) == WINDOW
    assert sum(seen.recent) == 800


def test_only_what_was_committed_counts() -> None:
    guard = DeadLetterGuard(limit(ratio=1.0))
    for _ in range(10):
        guard.admit([True] * 4)
    guard.committed([True] * 4)
    with pytest.raises(DeadLetterLimitError):
        guard.admit([True])


def test_a_row_that_an_earlier_life_left_counts() -> None:
    guard = DeadLetterGuard(limit(ratio=1.0))
    guard.remember(4)
    with pytest.raises(DeadLetterLimitError):
        guard.admit([True])
