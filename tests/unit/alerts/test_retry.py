"""What answers mean, the ladder, and how endpoints fall and rise."""

from datetime import timedelta

import pytest

from services.alerts.deliver.retry import (
    LADDER,
    Answer,
    Failure,
    Health,
    NextTry,
    Outcome,
    Turn,
    Verdict,
    after,
    breaker_pause,
    judge,
    next_try,
)
from tests.unit.alerts.builders import NOW

FAILED = Verdict(outcome=Outcome.RETRY, failure=Failure.SERVER_ERROR)
DELIVERED = Verdict(outcome=Outcome.DELIVERED, failure=Failure.NONE)
MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("answer", "outcome", "failure"),
    [
        (Answer(status=200), Outcome.DELIVERED, Failure.NONE),
        (Answer(status=204), Outcome.DELIVERED, Failure.NONE),
        (Answer(status=299), Outcome.DELIVERED, Failure.NONE),
        (Answer(status=101), Outcome.RETRY, Failure.ODD_STATUS),
        (Answer(status=300), Outcome.RETRY, Failure.REDIRECT),
        (Answer(status=301), Outcome.RETRY, Failure.REDIRECT),
        (Answer(status=307), Outcome.RETRY, Failure.REDIRECT),
        (Answer(status=400), Outcome.RETRY, Failure.CLIENT_ERROR),
        (Answer(status=404), Outcome.RETRY, Failure.CLIENT_ERROR),
        (Answer(status=410), Outcome.GONE, Failure.GONE),
        (Answer(status=429), Outcome.RETRY, Failure.THROTTLED),
        (Answer(status=429, retry_after=MINUTE), Outcome.PAUSE, Failure.THROTTLED),
        (Answer(status=500), Outcome.RETRY, Failure.SERVER_ERROR),
        (Answer(status=500, retry_after=MINUTE), Outcome.RETRY, Failure.SERVER_ERROR),
        (Answer(status=503, retry_after=MINUTE), Outcome.PAUSE, Failure.SERVER_ERROR),
        (Answer(failure=Failure.TIMEOUT), Outcome.RETRY, Failure.TIMEOUT),
        (Answer(failure=Failure.FORBIDDEN_TARGET), Outcome.RETRY, Failure.FORBIDDEN_TARGET),
    ],
)
def test_an_answer_has_one_meaning(answer: Answer, outcome: Outcome, failure: Failure) -> None:
    verdict = judge(answer)

    assert (verdict.outcome, verdict.failure) == (outcome, failure)


def test_a_receiver_may_ask_for_an_hour_at_most() -> None:
    assert judge(Answer(status=429, retry_after=timedelta(days=1))).pause == timedelta(hours=1)


def test_the_ladder_spans_three_days() -> None:
    assert [int(step.total_seconds()) for step in LADDER] == [
        *(0, 5, 30, 120, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
    ]
    assert sum(LADDER, timedelta()) == timedelta(hours=75, minutes=37, seconds=35)


@pytest.mark.parametrize("step", range(len(LADDER) - 1))
@pytest.mark.parametrize("jitter", [0.0, 0.5, 1.0])
def test_each_failure_goes_one_step_down(step: int, jitter: float) -> None:
    tried = next_try(step, FAILED, age=timedelta(), now=NOW, jitter=jitter)

    assert tried == NextTry(step=step + 1, at=NOW + LADDER[step + 1] * (1 + 0.2 * jitter))


def test_the_last_failure_exhausts_it() -> None:
    exhausted = next_try(len(LADDER) - 1, FAILED, age=timedelta(), now=NOW, jitter=0)

    assert exhausted == NextTry(step=len(LADDER), at=None)


def test_a_pause_takes_no_step_until_the_delivery_is_older_than_the_ladder() -> None:
    pause = Verdict(outcome=Outcome.PAUSE, failure=Failure.THROTTLED, pause=MINUTE)

    young = next_try(3, pause, age=timedelta(hours=70), now=NOW, jitter=0)
    old = next_try(3, pause, age=timedelta(hours=76), now=NOW, jitter=0)

    just = next_try(3, pause, age=sum(LADDER, timedelta()), now=NOW, jitter=0)

    assert (young, old.step, just.step) == (NextTry(step=3, at=NOW + MINUTE), 4, 4)


def test_a_pause_is_lengthened_at_random_and_never_shortened() -> None:
    pause = Verdict(outcome=Outcome.PAUSE, failure=Failure.THROTTLED, pause=MINUTE)

    assert next_try(3, pause, age=timedelta(), now=NOW, jitter=1.0).at == NOW + timedelta(seconds=72)


def test_five_failures_in_a_row_open_the_breaker() -> None:
    health, turns = Health(), []
    for _ in range(6):
        health, turn = after(health, FAILED, now=NOW)
        turns.append(turn)

    assert turns == [Turn.UNCHANGED] * 4 + [Turn.BREAKER_OPENED] * 2
    assert health.paused_until == NOW + timedelta(seconds=60)


def test_the_breaker_stays_open_longer_each_time_up_to_a_quarter_of_an_hour() -> None:
    pauses = [breaker_pause(failures) for failures in range(4, 13)]

    assert pauses == [None] + [timedelta(seconds=s) for s in (30, 60, 120, 240, 480, 900, 900, 900)]


def test_one_success_heals() -> None:
    sick = Health(consecutive_failures=7, failing_since=NOW, paused_until=NOW)

    assert after(sick, DELIVERED, now=NOW) == (Health(), Turn.RECOVERED)


@pytest.mark.parametrize(("failures", "turn"), [(0, Turn.UNCHANGED), (4, Turn.UNCHANGED), (5, Turn.RECOVERED)])
def test_only_who_was_left_alone_recovers(failures: int, turn: Turn) -> None:
    assert after(Health(consecutive_failures=failures), DELIVERED, now=NOW) == (Health(), turn)


def test_the_first_failure_of_a_row_is_remembered() -> None:
    once, _ = after(Health(), FAILED, now=NOW)
    twice, _ = after(once, FAILED, now=NOW + MINUTE)

    assert (once.failing_since, twice.failing_since) == (NOW, NOW)


def test_five_days_of_failures_disable() -> None:
    sick = Health(consecutive_failures=40, failing_since=NOW - timedelta(days=5))

    _, turn = after(sick, FAILED, now=NOW)
    _, earlier = after(sick, FAILED, now=NOW - timedelta(seconds=1))

    assert (turn, earlier) == (Turn.DISABLED_FAILING, Turn.BREAKER_OPENED)


def test_gone_disables_at_once() -> None:
    gone = Verdict(outcome=Outcome.GONE, failure=Failure.GONE)

    assert after(Health(), gone, now=NOW)[1] is Turn.DISABLED_GONE


def test_a_pause_is_not_a_failure() -> None:
    pause = Verdict(outcome=Outcome.PAUSE, failure=Failure.THROTTLED, pause=MINUTE)

    health, turn = after(Health(), pause, now=NOW)

    assert (health, turn) == (Health(failing_since=NOW, paused_until=NOW + MINUTE), Turn.PAUSED)
