"""What answers mean, the ladder, and how endpoints fall and rise."""

from datetime import timedelta

import pytest

from services.alerts.deliver.retry import (
    RETRY_SCHEDULE,
    AttemptFailure,
    AttemptOutcome,
    AttemptVerdict,
    EndpointHealth,
    HealthChange,
    NextAttempt,
    ReceiverAnswer,
    breaker_pause,
    health_after,
    judge_answer,
    next_attempt,
)
from tests.unit.alerts.builders import NOW

FAILED = AttemptVerdict(outcome=AttemptOutcome.RETRY, failure=AttemptFailure.SERVER_ERROR)
DELIVERED = AttemptVerdict(outcome=AttemptOutcome.DELIVERED, failure=AttemptFailure.NONE)
MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("answer", "outcome", "failure"),
    [
        (ReceiverAnswer(status=200), AttemptOutcome.DELIVERED, AttemptFailure.NONE),
        (ReceiverAnswer(status=204), AttemptOutcome.DELIVERED, AttemptFailure.NONE),
        (ReceiverAnswer(status=299), AttemptOutcome.DELIVERED, AttemptFailure.NONE),
        (ReceiverAnswer(status=101), AttemptOutcome.RETRY, AttemptFailure.ODD_STATUS),
        (ReceiverAnswer(status=300), AttemptOutcome.RETRY, AttemptFailure.REDIRECT),
        (ReceiverAnswer(status=301), AttemptOutcome.RETRY, AttemptFailure.REDIRECT),
        (ReceiverAnswer(status=307), AttemptOutcome.RETRY, AttemptFailure.REDIRECT),
        (ReceiverAnswer(status=400), AttemptOutcome.RETRY, AttemptFailure.CLIENT_ERROR),
        (ReceiverAnswer(status=404), AttemptOutcome.RETRY, AttemptFailure.CLIENT_ERROR),
        (ReceiverAnswer(status=410), AttemptOutcome.GONE, AttemptFailure.GONE),
        (ReceiverAnswer(status=429), AttemptOutcome.RETRY, AttemptFailure.THROTTLED),
        (ReceiverAnswer(status=429, retry_after=MINUTE), AttemptOutcome.PAUSE, AttemptFailure.THROTTLED),
        (ReceiverAnswer(status=500), AttemptOutcome.RETRY, AttemptFailure.SERVER_ERROR),
        (ReceiverAnswer(status=500, retry_after=MINUTE), AttemptOutcome.RETRY, AttemptFailure.SERVER_ERROR),
        (ReceiverAnswer(status=503, retry_after=MINUTE), AttemptOutcome.PAUSE, AttemptFailure.SERVER_ERROR),
        (ReceiverAnswer(failure=AttemptFailure.TIMEOUT), AttemptOutcome.RETRY, AttemptFailure.TIMEOUT),
        (
            ReceiverAnswer(failure=AttemptFailure.FORBIDDEN_TARGET),
            AttemptOutcome.RETRY,
            AttemptFailure.FORBIDDEN_TARGET,
        ),
    ],
)
def test_an_answer_has_one_meaning(answer: ReceiverAnswer, outcome: AttemptOutcome, failure: AttemptFailure) -> None:
    verdict = judge_answer(answer)

    assert (verdict.outcome, verdict.failure) == (outcome, failure)


def test_a_receiver_may_ask_for_an_hour_at_most() -> None:
    assert judge_answer(ReceiverAnswer(status=429, retry_after=timedelta(days=1))).pause == timedelta(hours=1)


def test_the_ladder_spans_three_days() -> None:
    assert [int(step.total_seconds()) for step in RETRY_SCHEDULE] == [
        *(0, 5, 30, 120, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
    ]
    assert sum(RETRY_SCHEDULE, timedelta()) == timedelta(hours=75, minutes=37, seconds=35)


@pytest.mark.parametrize("step", range(len(RETRY_SCHEDULE) - 1))
@pytest.mark.parametrize("jitter", [0.0, 0.5, 1.0])
def test_each_failure_goes_one_step_down(step: int, jitter: float) -> None:
    tried = next_attempt(step, FAILED, age=timedelta(), now=NOW, jitter=jitter)

    assert tried == NextAttempt(step=step + 1, at=NOW + RETRY_SCHEDULE[step + 1] * (1 + 0.2 * jitter))


def test_the_last_failure_exhausts_it() -> None:
    exhausted = next_attempt(len(RETRY_SCHEDULE) - 1, FAILED, age=timedelta(), now=NOW, jitter=0)

    assert exhausted == NextAttempt(step=len(RETRY_SCHEDULE), at=None)


def test_a_pause_takes_no_step_until_the_delivery_is_older_than_the_ladder() -> None:
    pause = AttemptVerdict(outcome=AttemptOutcome.PAUSE, failure=AttemptFailure.THROTTLED, pause=MINUTE)

    young = next_attempt(3, pause, age=timedelta(hours=70), now=NOW, jitter=0)
    old = next_attempt(3, pause, age=timedelta(hours=76), now=NOW, jitter=0)

    just = next_attempt(3, pause, age=sum(RETRY_SCHEDULE, timedelta()), now=NOW, jitter=0)

    assert (young, old.step, just.step) == (NextAttempt(step=3, at=NOW + MINUTE), 4, 4)


def test_a_pause_is_lengthened_at_random_and_never_shortened() -> None:
    pause = AttemptVerdict(outcome=AttemptOutcome.PAUSE, failure=AttemptFailure.THROTTLED, pause=MINUTE)

    assert next_attempt(3, pause, age=timedelta(), now=NOW, jitter=1.0).at == NOW + timedelta(seconds=72)


def test_five_failures_in_a_row_open_the_breaker() -> None:
    health, turns = EndpointHealth(), []
    for _ in range(6):
        health, turn = health_after(health, FAILED, now=NOW)
        turns.append(turn)

    assert turns == [HealthChange.UNCHANGED] * 4 + [HealthChange.BREAKER_OPENED] * 2
    assert health.paused_until == NOW + timedelta(seconds=60)


def test_the_breaker_stays_open_longer_each_time_up_to_a_quarter_of_an_hour() -> None:
    pauses = [breaker_pause(failures) for failures in range(4, 13)]

    assert pauses == [None] + [timedelta(seconds=s) for s in (30, 60, 120, 240, 480, 900, 900, 900)]


def test_one_success_heals() -> None:
    sick = EndpointHealth(consecutive_failures=7, failing_since=NOW, paused_until=NOW)

    assert health_after(sick, DELIVERED, now=NOW) == (EndpointHealth(), HealthChange.RECOVERED)


@pytest.mark.parametrize(
    ("failures", "turn"), [(0, HealthChange.UNCHANGED), (4, HealthChange.UNCHANGED), (5, HealthChange.RECOVERED)]
)
def test_only_who_was_left_alone_recovers(failures: int, turn: HealthChange) -> None:
    assert health_after(EndpointHealth(consecutive_failures=failures), DELIVERED, now=NOW) == (EndpointHealth(), turn)


def test_the_first_failure_of_a_row_is_remembered() -> None:
    once, _ = health_after(EndpointHealth(), FAILED, now=NOW)
    twice, _ = health_after(once, FAILED, now=NOW + MINUTE)

    assert (once.failing_since, twice.failing_since) == (NOW, NOW)


def test_five_days_of_failures_disable() -> None:
    sick = EndpointHealth(consecutive_failures=40, failing_since=NOW - timedelta(days=5))

    _, turn = health_after(sick, FAILED, now=NOW)
    _, earlier = health_after(sick, FAILED, now=NOW - timedelta(seconds=1))

    assert (turn, earlier) == (HealthChange.DISABLED_FAILING, HealthChange.BREAKER_OPENED)


def test_gone_disables_at_once() -> None:
    gone = AttemptVerdict(outcome=AttemptOutcome.GONE, failure=AttemptFailure.GONE)

    assert health_after(EndpointHealth(), gone, now=NOW)[1] is HealthChange.DISABLED_GONE


def test_a_pause_is_not_a_failure() -> None:
    pause = AttemptVerdict(outcome=AttemptOutcome.PAUSE, failure=AttemptFailure.THROTTLED, pause=MINUTE)

    health, turn = health_after(EndpointHealth(), pause, now=NOW)

    assert (health, turn) == (EndpointHealth(failing_since=NOW, paused_until=NOW + MINUTE), HealthChange.PAUSED)
