"""What every `Clock` does: the one that tests move by hand, and the machine's."""

from datetime import UTC, datetime, timedelta

import pytest

from services.runtime.clock import Clock, SystemClock
from tests.fixtures.clock import SteppingClock


@pytest.fixture(params=["stepping", "system"])
def any_clock(request: pytest.FixtureRequest) -> Clock:
    """The fake, and the real one."""
    return SteppingClock(datetime(2026, 11, 22, tzinfo=UTC)) if request.param == "stepping" else SystemClock()


def test_now_is_in_utc(any_clock: Clock) -> None:
    assert any_clock.now().utcoffset() == timedelta(0)
    assert any_clock.now().tzinfo is UTC


def test_monotonic_time_never_runs_back(any_clock: Clock) -> None:
    read = [any_clock.monotonic() for _ in range(100)]

    assert read == sorted(read)


def test_the_hand_moves_both_times_and_only_now_runs_back(clock: SteppingClock) -> None:
    start, elapsed = clock.now(), clock.monotonic()
    clock.advance(seconds=5)
    clock.set(start)

    assert (clock.now(), clock.monotonic()) == (start, elapsed + 5)
