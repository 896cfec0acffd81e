"""What the results of attempts do to their endpoint, several at once, and what is written about a delivery."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from services.alerts.deliver.carrier import CarriedMessage
from services.alerts.deliver.delivery_results import FinishedAttempt, result_of
from services.alerts.deliver.delivery_store import LeasedDelivery
from services.alerts.deliver.endpoint_health import apply_verdicts
from services.alerts.deliver.endpoint_store import Endpoint
from services.alerts.deliver.http.sender import SendResult
from services.alerts.deliver.retry import (
    BREAKER_OPENS_AFTER,
    DISABLE_AFTER,
    RETRY_SCHEDULE,
    AttemptFailure,
    AttemptOutcome,
    EndpointHealth,
    HealthChange,
    ReceiverAnswer,
    judge_answer,
)
from tests.unit.alerts.builders import NOW

DELIVERED = judge_answer(ReceiverAnswer(status=204))
FAILED = judge_answer(ReceiverAnswer(status=500))
GONE = judge_answer(ReceiverAnswer(status=410))


def an_endpoint(**members: Any) -> Endpoint:
    given: dict[str, Any] = {
        "id": UUID(int=1),
        "team_id": None,
        "name": "support",
        "kind": "standard_webhook",
        "url": "https://example.com/hook",
        "catch_all": True,
        "enabled": True,
        "disabled_reason": None,
        "disabled_at": None,
        "max_in_flight": 4,
        "health": EndpointHealth(),
        "last_success_at": None,
        "created_at": NOW,
        "updated_at": NOW,
    }
    return Endpoint(**given | members)


def finished(answer: ReceiverAnswer, *, step: int = 0, age: timedelta = timedelta(), **sent: Any) -> FinishedAttempt:
    delivery = LeasedDelivery(
        id="msg_1",
        endpoint_id=UUID(int=1),
        issue_id=None,
        url="https://example.com/hook",
        kind="standard_webhook",
        attempt=3,
        step=step,
        body=b"{}",
        type="issue.opened",
        created_at=NOW - age,
        revised_at=None,
        lease_until=NOW,
    )
    result = SendResult(answer=answer, seconds=0.5, **sent)
    carried = CarriedMessage(sent=result, verdict=judge_answer(answer))
    return FinishedAttempt(delivery=delivery, carried=carried, at=NOW)


# --- the endpoint ------------------------------------------------------------------------------------------------


def test_a_success_is_noted_with_its_time_and_changes_nothing_else() -> None:
    after, (step,) = apply_verdicts(an_endpoint(), [DELIVERED], NOW)

    assert after == an_endpoint(last_success_at=NOW)
    assert step.change is HealthChange.UNCHANGED


def test_verdicts_count_in_their_order() -> None:
    failing, steps = apply_verdicts(an_endpoint(), [FAILED] * BREAKER_OPENS_AFTER, NOW)

    assert [step.failures for step in steps] == [1, 2, 3, 4, 5]
    assert [step.change for step in steps] == [HealthChange.UNCHANGED] * 4 + [HealthChange.BREAKER_OPENED]
    assert failing.enabled
    assert failing.last_success_at is None

    recovered, (last,) = apply_verdicts(failing, [DELIVERED], NOW)
    assert (last.change, last.failures) == (HealthChange.RECOVERED, 0)
    assert recovered.health == EndpointHealth()


def test_an_endpoint_that_wants_nothing_more_is_disabled_at_once() -> None:
    after, (step,) = apply_verdicts(an_endpoint(), [GONE], NOW)

    assert (after.enabled, after.disabled_reason, after.disabled_at) == (False, HealthChange.DISABLED_GONE, NOW)
    assert (step.change, step.reason) == (HealthChange.DISABLED_GONE, AttemptFailure.GONE)


def test_what_comes_after_the_end_does_not_change_its_reason() -> None:
    earlier = NOW - timedelta(hours=1)
    disabled = an_endpoint(enabled=False, disabled_reason="by_hand", disabled_at=earlier)

    after, _ = apply_verdicts(disabled, [GONE], NOW)

    assert (after.disabled_reason, after.disabled_at) == ("by_hand", earlier)


def test_an_endpoint_that_fails_for_days_is_disabled() -> None:
    health = EndpointHealth(consecutive_failures=90, failing_since=NOW - DISABLE_AFTER)

    after, (step,) = apply_verdicts(an_endpoint(health=health), [FAILED], NOW)

    assert (after.enabled, after.disabled_reason) == (False, HealthChange.DISABLED_FAILING)
    assert step.failures == 91


# --- the delivery ------------------------------------------------------------------------------------------------


def test_a_delivery_that_was_accepted_is_over() -> None:
    result = result_of(finished(ReceiverAnswer(status=200), step=2, body=b"ok"), jitter=0.0)

    assert (result.state, result.step, result.next_at) == ("delivered", 2, NOW)
    assert (result.attempt, result.status, result.excerpt, result.seconds) == (3, 200, "ok", 0.5)


def test_a_delivery_that_failed_waits_for_the_next_step() -> None:
    result = result_of(finished(ReceiverAnswer(status=500), step=1), jitter=1.0)

    assert (result.state, result.step, result.reason) == ("pending", 2, AttemptFailure.SERVER_ERROR)
    assert result.next_at == NOW + RETRY_SCHEDULE[2] * 1.2


def test_a_receiver_that_asks_for_time_does_not_use_up_a_step() -> None:
    answer = ReceiverAnswer(status=429, retry_after=timedelta(minutes=3))

    result = result_of(finished(answer, step=4), jitter=0.0)

    assert (result.state, result.step, result.next_at) == ("pending", 4, NOW + timedelta(minutes=3))


def test_a_delivery_is_exhausted_after_the_last_step() -> None:
    result = result_of(finished(ReceiverAnswer(status=500), step=len(RETRY_SCHEDULE) - 1), jitter=0.0)

    assert (result.state, result.next_at) == ("exhausted", NOW)


def test_a_delivery_to_an_endpoint_that_is_gone_is_kept_for_the_day_it_is_enabled() -> None:
    result = result_of(finished(ReceiverAnswer(status=410), step=5), jitter=0.0)

    assert (result.state, result.step, result.outcome) == ("pending", 5, AttemptOutcome.GONE)


@pytest.mark.parametrize(
    ("refusal", "reason"), [(None, "ssrf"), ("a private address", "a private address")], ids=["failure", "refusal"]
)
def test_the_refusal_of_a_target_is_the_reason_that_people_see(refusal: str | None, reason: str) -> None:
    answer = ReceiverAnswer(failure=AttemptFailure.FORBIDDEN_TARGET)

    assert result_of(finished(answer, refusal=refusal), jitter=0.0).reason == reason
