"""Says what the journey of an open issue looks like now, and closes the issue where its rules say so.

Pure. An issue is about now: what happened after its last friction, how hard the journey is by now, what is at stake. It
closes by itself when every friction on it is settled: each rule names what settles its frictions (`closes_when`), and
such a touchpoint came after the anchor. Placing frictions is left to `placement`, reading journeys to `consume`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from services.alerts.issues.model import (
    SYSTEM,
    ClosingStep,
    Issue,
    IssueChange,
    IssueEvent,
    IssueEventKind,
    IssueState,
    JourneyNow,
    JourneySituation,
    LatestStep,
    ReportedFriction,
)

SINCE_SHOWN = 10


def follow(
    issue: Issue, journey: JourneyNow | None, standing: Sequence[ReportedFriction], *, now: datetime
) -> tuple[Issue, IssueEvent | None]:
    """Return an unresolved issue as its journey is now, and the event if that closes it.

    `standing` are the frictions on it that stand. Without a journey the issue stays as it is.
    """
    if journey is None:
        return issue, None
    followed = replace(
        issue,
        journey=_situation(journey, after=issue.last_at),
        service_level=journey.service_level or issue.service_level,
    )
    settled = _settled_by(standing, journey, after=issue.kept_open_at)
    if settled is None:
        return followed, None
    resolution = settled.kind.replace(".", "_")
    event = IssueEvent(
        kind=IssueEventKind.RESOLVED,
        actor=SYSTEM,
        detail={"resolution": resolution, "settled_by": settled.kind, "settled_at": settled.occurred_at.isoformat()},
    )
    closed = replace(
        followed,
        state=IssueState.RESOLVED,
        resolved_at=now,
        resolved_by=SYSTEM,
        resolution=resolution,
        snoozed_until=None,
    )
    return closed, event


def journey_change(
    issue: Issue, journey: JourneyNow | None, standing: Sequence[ReportedFriction], *, now: datetime
) -> IssueChange | None:
    """Return the change of an unresolved issue that follows from its journey; None if nothing that it says changes."""
    after, event = follow(issue, journey, standing, now=now)
    if after == issue:
        return None
    events = () if event is None else (event,)
    return IssueChange(before=issue, after=replace(after, version=issue.version + 1, updated_at=now), events=events)


def _situation(journey: JourneyNow, *, after: datetime) -> JourneySituation:
    return JourneySituation(
        state=journey.state,
        last_at=journey.last_at,
        effort=journey.effort,
        contact_count=journey.contact_count,
        outcome=journey.outcome,
        value=journey.value,
        since=tuple(step for step in journey.latest if step.occurred_at > after)[-SINCE_SHOWN:],
    )


def _settled_by(
    standing: Sequence[ReportedFriction], journey: JourneyNow, *, after: datetime | None
) -> LatestStep | None:
    """Return the step that settled the last friction; None unless every one is settled, or a person keeps it open."""
    steps = [_settling_step(friction, journey.latest) for friction in standing]
    if not steps or any(step is None for step in steps):
        return None
    last = max((step for step in steps if step is not None), key=lambda step: step.occurred_at)
    return None if after is not None and last.occurred_at <= after else last


def _settling_step(friction: ReportedFriction, latest: Iterable[LatestStep]) -> LatestStep | None:
    """Return the first step behind the anchor that settles the friction."""
    return next(
        (
            step
            for step in latest
            if step.occurred_at > friction.occurred_at and any(_fits(step, one) for one in friction.closes_when)
        ),
        None,
    )


def _fits(step: LatestStep, closing: ClosingStep) -> bool:
    return (
        step.kind in closing.kind
        and (closing.direction is None or step.direction == closing.direction)
        and (not closing.outcome or step.outcome in closing.outcome)
        and (not closing.channel or step.channel in closing.channel)
    )
