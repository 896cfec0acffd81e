"""Decides about improvements: proposed with an estimate, accepted or declined with a reason, done, measured. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from services.alerts.loop.impact import DAY, ImpactScope, MeasuredChange

ESTIMATED_DAYS = 28
"""An estimate is made of the counts of so many days, and what came of it is measured over as many."""


class ImprovementState(StrEnum):
    """How far an improvement is."""

    PROPOSED = "proposed"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    DONE = "done"
    MEASURED = "measured"


class WrongStepError(Exception):
    """An improvement cannot take this step in its state; the text says what can be done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CauseCounts:
    """What the cause did in the last `days` days: frictions, issues, customers, recontacts, and value at stake."""

    days: int
    frictions: int
    issues: int
    customers: int
    recontacts: int
    value: float = 0.0
    currency: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImprovementEstimate:
    """What an improvement would bring in `counts.days` days if the share `reduction` of the frictions stayed away."""

    counts: CauseCounts
    reduction: float
    frictions: float
    customers: float
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ImprovementStep:
    """One entry of the history of an improvement."""

    at: datetime
    actor: str
    state: ImprovementState
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Improvement:
    """A proposal to remove a cause of friction; `in_force_at` is when it was done, `changes` what it brought."""

    id: UUID
    title: str
    scope: ImpactScope
    state: ImprovementState
    estimate: ImprovementEstimate
    history: tuple[ImprovementStep, ...]
    in_force_at: datetime | None = None
    measure_at: datetime | None = None
    changes: tuple[MeasuredChange, ...] = ()

    @property
    def proposed_at(self) -> datetime:
        """When it was proposed."""
        return self.history[0].at


def estimate_value(counts: CauseCounts, reduction: float) -> ImprovementEstimate:
    """Return what would be saved if the share `reduction` (0 to 1) of the frictions stayed away."""
    return ImprovementEstimate(
        counts=counts,
        reduction=reduction,
        frictions=counts.frictions * reduction,
        customers=counts.customers * reduction,
        value=counts.value * reduction,
    )


def propose(
    new_id: UUID, proposal: ImprovementStep, *, title: str, scope: ImpactScope, estimate: ImprovementEstimate
) -> Improvement:
    """Return a new improvement, whose history begins with `proposal`."""
    return Improvement(
        id=new_id, title=title, scope=scope, state=proposal.state, estimate=estimate, history=(proposal,)
    )


def decide(improvement: Improvement, *, accept: bool, reason: str, actor: str, now: datetime) -> Improvement:
    """Accept or decline an improvement that is not done yet; a decision can be changed.

    Raises:
        WrongStepError: it is done already.
    """
    if improvement.in_force_at is not None:
        raise WrongStepError("It is done already; nothing is left to decide.")
    state = ImprovementState.ACCEPTED if accept else ImprovementState.DECLINED
    return _step(improvement, state, reason, actor, now)


def complete(
    improvement: Improvement, *, in_force_at: datetime, watched: timedelta, reason: str, actor: str, now: datetime
) -> Improvement:
    """Say since when an accepted improvement is in force; it is measured when the last watch of the time after is over.

    Raises:
        WrongStepError: it was not accepted, or is measured; or the time is in the future.
    """
    if improvement.state not in {ImprovementState.ACCEPTED, ImprovementState.DONE}:
        raise WrongStepError("Only an accepted improvement can be done; decide first.")
    if in_force_at > now:
        raise WrongStepError("It is done when it is in force; give a time that has passed.")
    measure_at = in_force_at + ESTIMATED_DAYS * DAY + watched
    done = replace(improvement, in_force_at=in_force_at, measure_at=measure_at)
    return _step(done, ImprovementState.DONE, reason, actor, now)


def record_changes(
    improvement: Improvement, changes: tuple[MeasuredChange, ...], *, actor: str, now: datetime
) -> Improvement:
    """Return the improvement with what it brought, for good."""
    return _step(replace(improvement, changes=changes), ImprovementState.MEASURED, "", actor, now)


def _step(improvement: Improvement, state: ImprovementState, reason: str, actor: str, now: datetime) -> Improvement:
    step = ImprovementStep(at=now, actor=actor, state=state, reason=reason)
    return replace(improvement, state=state, history=(*improvement.history, step))
