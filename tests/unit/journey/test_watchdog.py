"""The watchdog: lag and standstill together, for long, and nothing else."""

import threading

import pytest

from services.journey.consume.watchdog import ExitCode, LoopWatch, ProgressWatch, StuckReason
from services.runtime.clock import SystemClock

AFTER_S = 60.0


def reasons(*looks: tuple[float, dict[int, int], dict[int, int]]) -> list[StuckReason]:
    watch, found = ProgressWatch(), []
    for now, applied, ends in looks:
        watch, reason, _ = watch.observe(applied, ends, now, AFTER_S, busy=False)
        found.append(reason)
    return found


@pytest.mark.parametrize(
    ("looks", "last"),
    [
        pytest.param([(0, {0: 5}, {0: 9}), (60, {0: 5}, {0: 12})], StuckReason.STUCK, id="lag and no progress"),
        pytest.param([(0, {0: 5}, {0: 9}), (59, {0: 5}, {0: 12})], StuckReason.WAITING, id="not long enough"),
        pytest.param([(0, {0: 5}, {0: 9}), (60, {0: 6}, {0: 99})], StuckReason.WAITING, id="slow is not stuck"),
        pytest.param([(0, {0: 9}, {0: 9}), (600, {0: 9}, {0: 9})], StuckReason.IDLE, id="nothing to do"),
        pytest.param(
            [(0, {0: 9}, {0: 9}), (600, {0: 9}, {0: 10}), (630, {0: 9}, {0: 10})],
            StuckReason.WAITING,
            id="time without work does not count",
        ),
        pytest.param([(600, {0: 5}, {0: 9})], StuckReason.WAITING, id="a partition seen for the first time"),
        pytest.param(
            [(0, {0: 5, 1: 5}, {0: 9, 1: 9}), (60, {0: 5, 1: 7}, {0: 9, 1: 9})],
            StuckReason.STUCK,
            id="one partition stands while another moves",
        ),
    ],
)
def test_a_worker_is_stuck_only_with_work_and_without_movement(
    looks: list[tuple[float, dict[int, int], dict[int, int]]], last: StuckReason
) -> None:
    assert reasons(*looks)[-1] is last


def test_the_partitions_that_stand_still_are_named() -> None:
    watch, _, _ = ProgressWatch().observe({0: 5, 1: 5}, {0: 9, 1: 9}, 0.0, AFTER_S, busy=False)
    _, _, still = watch.observe({0: 5, 1: 6}, {0: 9, 1: 9}, AFTER_S, AFTER_S, busy=False)
    assert still == [0]


def test_a_long_batch_that_takes_its_steps_is_not_stuck_and_one_that_takes_none_is() -> None:
    lively = still = ProgressWatch()
    for look in range(4):
        at = look * 25.0
        lively, of_lively, _ = lively.observe({0: 5}, {0: 9}, at, AFTER_S, busy=True, steps=look)
        still, of_still, _ = still.observe({0: 5}, {0: 9}, at, AFTER_S, busy=True, steps=0)
    assert (of_lively, of_still) == (StuckReason.WAITING, StuckReason.STUCK)


def test_a_partition_that_waits_for_its_turn_is_not_stuck_while_the_worker_moves() -> None:
    watch = ProgressWatch()
    found = []
    for turn in range(20):
        watch, reason, still = watch.observe({0: 5, 1: turn}, {0: 9, 1: 99}, turn * 30.0, AFTER_S, busy=True)
        found.append((reason, still))
    assert found[9] == (StuckReason.WAITING, [])  # 270 s, and partition 1 moved all the while
    assert found[-1] == (StuckReason.STUCK, [0])  # no turn takes that long


def test_a_worker_that_has_records_in_hand_and_applies_none_is_stuck() -> None:
    watch, _, _ = ProgressWatch().observe({0: 5, 1: 5}, {0: 9, 1: 9}, 0.0, AFTER_S, busy=True)
    _, reason, still = watch.observe({0: 5, 1: 5}, {0: 9, 1: 9}, AFTER_S, AFTER_S, busy=True)
    assert (reason, still) == (StuckReason.STUCK, [0, 1])


def test_a_loop_that_does_not_turn_ends_the_process() -> None:
    ended: list[ExitCode] = []
    called = threading.Event()

    def end(code: ExitCode) -> None:
        ended.append(code)
        called.set()

    watch = LoopWatch(SystemClock(), blocked_after_s=0.05, end=end)
    watch.start()
    assert called.wait(5.0)
    assert ended == [ExitCode.LOOP_BLOCKED]
