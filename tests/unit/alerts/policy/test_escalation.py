"""Escalation: steps, rounds, steps without people, and hours."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from services.alerts.policy.escalation import (
    Escalation,
    EscalationProgress,
    EscalationStep,
    begin_escalation,
    move_escalation,
)
from services.alerts.policy.hours import HourSpan, NamedHours, next_opening

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LEAD, HEAD = UUID(int=1), UUID(int=2)
EVENING = NamedHours(name="evening", spans=(HourSpan(times=((18 * 60, 22 * 60),)),))


def an_escalation(*steps: EscalationStep, repeat: int = 0, hours: NamedHours | None = None) -> EscalationProgress:
    policy = Escalation(name="e", steps=steps, repeat=repeat, hours=hours)
    return begin_escalation(UUID(int=7), UUID(int=8), policy, NOW)


def told(
    progress: EscalationProgress | None, known: set[UUID], *, critical: bool = False
) -> list[tuple[timedelta, list[int]]]:
    """Play an escalation to its end: when somebody is told, and who."""
    seen = []
    while progress is not None:
        now = progress.due_at
        move = move_escalation(
            progress,
            lambda step: tuple(endpoint for endpoint in step.endpoints if endpoint in known),
            lambda hours, at=now: next_opening([hours], [], at),  # type: ignore[misc]  # the time of this turn
            critical=critical,
            now=now,
        )
        if move.endpoints:
            seen.append((now - NOW, [endpoint.int for endpoint in move.endpoints]))
        progress = move.after
    return seen


FIRST = EscalationStep(after=15 * MINUTE, endpoints=(LEAD,))
SECOND = EscalationStep(after=30 * MINUTE, endpoints=(HEAD,))


def test_each_step_waits_for_its_time_since_the_one_before() -> None:
    assert told(an_escalation(FIRST, SECOND), {LEAD, HEAD}) == [(15 * MINUTE, [1]), (45 * MINUTE, [2])]


def test_rounds_begin_again_so_many_times() -> None:
    found = told(an_escalation(FIRST, SECOND, repeat=1), {LEAD, HEAD})

    assert found == [(15 * MINUTE, [1]), (45 * MINUTE, [2]), (60 * MINUTE, [1]), (90 * MINUTE, [2])]


def test_a_step_without_people_is_skipped_at_once_and_an_escalation_of_such_steps_ends() -> None:
    assert told(an_escalation(FIRST, SECOND), {HEAD}) == [(15 * MINUTE, [2])]
    assert told(an_escalation(FIRST, SECOND, repeat=9), set()) == []


def test_a_step_waits_for_its_hours_unless_the_issue_is_critical() -> None:
    progress = an_escalation(FIRST, SECOND, hours=EVENING)

    assert told(progress, {LEAD, HEAD})[0] == (timedelta(hours=6), [1])
    assert told(progress, {LEAD, HEAD}, critical=True)[0] == (15 * MINUTE, [1])
