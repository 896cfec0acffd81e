"""Improvements: which step may follow which, and what is estimated."""

from datetime import timedelta
from uuid import UUID

import pytest

from services.alerts.loop.impact import DAY, ImpactScope
from services.alerts.loop.improvements import (
    CauseCounts,
    Improvement,
    ImprovementState,
    ImprovementStep,
    WrongStepError,
    complete,
    decide,
    estimate_value,
    propose,
    record_changes,
)
from tests.unit.alerts.builders import NOW

COUNTS = CauseCounts(days=28, frictions=40, issues=30, customers=24, recontacts=6, value=800_000.0, currency="KRW")
WEEK = timedelta(days=7)


def a_proposal() -> Improvement:
    """A proposal of Kim's."""
    step = ImprovementStep(at=NOW, actor="kim", state=ImprovementState.PROPOSED, reason="staffed now")
    scope = ImpactScope(rule="callback_missed")
    return propose(UUID(int=1), step, title="Call by noon", scope=scope, estimate=estimate_value(COUNTS, 0.25))


def accepted() -> Improvement:
    """The proposal as it was accepted."""
    return decide(a_proposal(), accept=True, reason="cheap", actor="lee", now=NOW + DAY)


def test_an_estimate_is_a_share_of_the_counts() -> None:
    estimate = a_proposal().estimate
    assert (estimate.frictions, estimate.customers, estimate.value) == (10, 6, 200_000)


def test_every_step_stands_in_the_history_with_its_reason() -> None:
    done = complete(accepted(), in_force_at=NOW + DAY, watched=WEEK, reason="", actor="kim", now=NOW + 2 * DAY)
    measured = record_changes(done, (), actor="waymark", now=NOW + 40 * DAY)
    assert [(step.state, step.actor, step.reason) for step in measured.history] == [
        ("proposed", "kim", "staffed now"),
        ("accepted", "lee", "cheap"),
        ("done", "kim", ""),
        ("measured", "waymark", ""),
    ]
    assert done.measure_at == NOW + DAY + 28 * DAY + WEEK
    assert measured.proposed_at == NOW


def test_a_decision_can_be_changed_until_it_is_done() -> None:
    declined = decide(accepted(), accept=False, reason="no budget", actor="lee", now=NOW)
    assert declined.state is ImprovementState.DECLINED
    assert decide(declined, accept=True, reason="budget", actor="lee", now=NOW).state is ImprovementState.ACCEPTED
    done = complete(accepted(), in_force_at=NOW, watched=WEEK, reason="", actor="kim", now=NOW)
    with pytest.raises(WrongStepError, match="done already"):
        decide(done, accept=False, reason="late", actor="lee", now=NOW)


def test_only_what_was_accepted_and_is_in_force_is_done() -> None:
    for other in (a_proposal(), decide(a_proposal(), accept=False, reason="no", actor="lee", now=NOW)):
        with pytest.raises(WrongStepError, match="decide first"):
            complete(other, in_force_at=NOW, watched=WEEK, reason="", actor="kim", now=NOW)
    with pytest.raises(WrongStepError, match="has passed"):
        complete(accepted(), in_force_at=NOW + DAY, watched=WEEK, reason="", actor="kim", now=NOW)


def test_a_wrong_date_can_be_put_right_until_it_is_measured() -> None:
    done = complete(accepted(), in_force_at=NOW, watched=WEEK, reason="", actor="kim", now=NOW)
    again = complete(done, in_force_at=NOW - DAY, watched=WEEK, reason="was Monday", actor="kim", now=NOW)
    assert again.in_force_at == NOW - DAY
    with pytest.raises(WrongStepError):
        measured = record_changes(again, (), actor="waymark", now=NOW)
        complete(measured, in_force_at=NOW, watched=WEEK, reason="", actor="kim", now=NOW)
