"""Escalation: who is told next while nobody acknowledges an issue, step by step, and round by round.

Pure. The steps are a snapshot, taken when people are first told: a later version of the policy changes no escalation
under way. A step whose people do not exist any more is skipped at once; outside its hours a step is held.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from services.alerts.policy.hours import NamedHours


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalationStep:
    """People who are told after a time without an acknowledgement."""

    after: timedelta
    endpoints: tuple[UUID, ...] = ()
    teams: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalation:
    """Steps in their order, repeated so many times after the first round; `hours` hold them while they are closed."""

    name: str
    steps: tuple[EscalationStep, ...]
    repeat: int = 0
    hours: NamedHours | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalationProgress:
    """How far an escalation has come: the step that is due next, in which round, and when."""

    issue_id: UUID
    route_id: UUID
    policy: Escalation
    step: int
    round: int
    due_at: datetime
    started_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalationMove:
    """What is done about a step that is due: who is told, and what comes then (None: it was the last)."""

    endpoints: tuple[UUID, ...]
    after: EscalationProgress | None


def begin_escalation(issue_id: UUID, route_id: UUID, policy: Escalation, now: datetime) -> EscalationProgress:
    """Return an escalation that begins at `now`."""
    return EscalationProgress(
        issue_id=issue_id,
        route_id=route_id,
        policy=policy,
        step=0,
        round=0,
        due_at=now + policy.steps[0].after,
        started_at=now,
    )


def _next(progress: EscalationProgress, now: datetime) -> EscalationProgress | None:
    last = progress.step + 1 == len(progress.policy.steps)
    if last and progress.round >= progress.policy.repeat:
        return None
    step, turn = (0, progress.round + 1) if last else (progress.step + 1, progress.round)
    return replace(progress, step=step, round=turn, due_at=now + progress.policy.steps[step].after)


def move_escalation(
    progress: EscalationProgress,
    people: Callable[[EscalationStep], tuple[UUID, ...]],
    opens_at: Callable[[NamedHours], datetime | None],
    *,
    critical: bool,
    now: datetime,
) -> EscalationMove:
    """Return what is done about a step that is due; `people` gives the endpoints of a step that exist.

    Steps without people are skipped without waiting for their time, at most one whole round of them.
    """
    hours = progress.policy.hours
    if hours is not None and not critical and not hours.contains(now):
        until = opens_at(hours)
        return EscalationMove(endpoints=(), after=None if until is None else replace(progress, due_at=until))
    current: EscalationProgress | None = progress
    for _ in progress.policy.steps:
        if current is None:
            break
        endpoints = people(current.policy.steps[current.step])
        following = _next(current, now)
        if endpoints:
            return EscalationMove(endpoints=endpoints, after=following)
        current = following
    return EscalationMove(endpoints=(), after=None)
