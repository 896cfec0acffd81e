"""Decides whether a notification is held on its way to a route, why, and until when.

Pure. An outbreak first, then in the order of Alertmanager: inhibition, hours, silences. Nothing that is held is
dropped: a wait is looked at again when it is due, and as soon as the silence or the source that holds it ends.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from services.alerts.hold.grouping import repeat_pause
from services.alerts.policy.alert_policy import AlertPolicy
from services.alerts.policy.inhibition import Inhibitor
from services.alerts.policy.matchers import Labels
from services.alerts.policy.silences import Silence, find_silence
from services.alerts.policy.tree import RouteOptions

ROOT_ID = UUID(int=0)
"""Stands for the catch-all endpoints where a route is named."""

LOOK_AGAIN = timedelta(minutes=1)
"""What another issue holds is due this often even if nobody says that it has ended."""

NEVER_OPEN = timedelta(days=30)
"""Hours that do not open within a year are asked again after this time: the policy may have changed."""


class WaitKind(StrEnum):
    """What a notification waits for; a metric label."""

    HOURS = "hours"
    SILENCE = "silence"
    INHIBITION = "inhibition"
    OUTBREAK = "outbreak"
    """An outbreak holds the issue; what waits goes on when it is handed out."""
    REPEAT = "repeat"
    REROUTE = "reroute"
    """Its group was given up by a new policy; it finds its way again at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocker:
    """What holds a notification now, until when, and which silence or inhibition it is."""

    kind: WaitKind
    until: datetime
    blocker: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """A notification about an issue that is due later on one route; `reason` is why people will be notified."""

    issue_id: UUID
    route_id: UUID
    kind: WaitKind
    reason: str
    due_at: datetime
    since: datetime
    blocker: str | None = None
    repeats: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueInView:
    """What holding looks at of an issue: its labels, whether it is critical, what inhibits it, and its outbreak."""

    labels: Labels
    critical: bool
    inhibitor: Inhibitor | None = None
    outbreak: UUID | None = None


def find_blocker(
    view: IssueInView, options: RouteOptions, policy: AlertPolicy, silences: Sequence[Silence], now: datetime
) -> Blocker | None:
    """Return what holds a notification of an issue on a route with these options; None if nothing does."""
    if view.outbreak is not None:
        return Blocker(kind=WaitKind.OUTBREAK, until=now + LOOK_AGAIN, blocker=str(view.outbreak))
    if view.inhibitor is not None:
        return Blocker(kind=WaitKind.INHIBITION, until=now + LOOK_AGAIN, blocker=view.inhibitor.key)
    if (options.critical_waits or not view.critical) and not policy.is_open(options, now):
        return Blocker(kind=WaitKind.HOURS, until=policy.opens_at(options, now) or now + NEVER_OPEN)
    held = find_silence(view.labels, silences, policy.hours_by_name, now)
    if held is not None:
        return Blocker(kind=WaitKind.SILENCE, until=held.until, blocker=str(held.silence.id))
    return None


def held(issue_id: UUID, route_id: UUID, blocker: Blocker, reason: str, before: Wait | None, now: datetime) -> Wait:
    """Return the wait of a notification that is held; one that waited before keeps its reason and its time."""
    earlier = before if before is not None and before.kind is not WaitKind.REPEAT else None
    return Wait(
        issue_id=issue_id,
        route_id=route_id,
        kind=blocker.kind,
        reason=earlier.reason if earlier else reason,
        due_at=blocker.until,
        since=earlier.since if earlier else now,
        blocker=blocker.blocker,
        repeats=before.repeats if before else 0,
    )


def next_repeat(
    issue_id: UUID, route_id: UUID, options: RouteOptions, reason: str, repeats: int, now: datetime
) -> Wait | None:
    """Return the next repeat on a route after so many of them; None if it repeats nothing."""
    pause = repeat_pause(options.repeat_interval or (), repeats)
    if pause is None:
        return None
    return Wait(
        issue_id=issue_id,
        route_id=route_id,
        kind=WaitKind.REPEAT,
        reason=reason,
        due_at=now + pause,
        since=now,
        repeats=repeats + 1,
    )
