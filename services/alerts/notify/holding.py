"""Plans, lane by lane, what of a notification goes now, what waits, and which groups the issue joins.

Pure. A lane is a route's way to its endpoints (`routing`). Every lane decides for itself: one may notify at once while
another waits for its hours. A wait that is due is a reason to notify of its own, even if the issue has not changed.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from services.alerts.hold.groups import GroupJoin, is_critical, join_group, view_of
from services.alerts.hold.waits import LOOK_AGAIN, ROOT_ID, IssueInView, Wait, WaitKind, find_blocker, held, next_repeat
from services.alerts.issues.model import Issue
from services.alerts.issues.sharing import taken_teams
from services.alerts.notify.decision import NotificationDecision, NotificationReason, is_snoozed
from services.alerts.notify.routing import Lane, RoutingDirectory, step_targets, still_wanting
from services.alerts.policy.escalation import EscalationMove, EscalationProgress, begin_escalation, move_escalation
from services.alerts.policy.hours import next_opening
from services.alerts.policy.inhibition import Inhibitor
from services.alerts.policy.tree import RouteOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingFacts:
    """What is known of an issue beside itself: what waits, its groups by route and key, and what inhibits it."""

    waits: tuple[Wait, ...] = ()
    groups: Mapping[tuple[UUID, str], UUID] = field(default_factory=dict)
    inhibitor: Inhibitor | None = None


NOTHING_STANDS = StandingFacts()


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneMoment:
    """The policy, the time, the reasons to notify, and whether a person has snoozed the issue."""

    directory: RoutingDirectory
    now: datetime
    notify_on: Collection[NotificationReason]
    snoozed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldingPlan:
    """Who is notified now, and what is written for later."""

    endpoints: tuple[UUID, ...] = ()
    held_back: frozenset[UUID] = frozenset()
    """Endpoints that only lanes reach which wait."""
    waits: tuple[Wait, ...] = ()
    ended: tuple[UUID, ...] = ()
    """Routes on which nothing waits any more."""
    joins: tuple[GroupJoin, ...] = ()
    leaves: tuple[UUID, ...] = ()
    """Groups that the issue leaves."""
    escalations: tuple[EscalationProgress, ...] = ()
    """Escalations that begin, unless one is under way on their route."""
    taken: tuple[UUID, ...] = ()
    """Routes whose people have all taken the issue: their escalation is over."""
    grouped: bool = False
    due_reason: NotificationReason | None = None
    """A wait that is due is the reason to notify."""
    news: bool = False
    """Something waits that did not wait before."""


NOTHING_HELD = HoldingPlan()

_TOLD_BY_GROUPS = frozenset({NotificationReason.NOTHING_NEW, NotificationReason.SNOOZED})
"""Reasons for which an issue is not told of by itself, and yet by its group: now, or after the snooze."""

_NOTHING_AGAINST = frozenset({NotificationReason.NOTHING_NEW, NotificationReason.NOT_WANTED})
"""With any other reason not to notify, a wait that is due goes on."""


def route_id_of(lane: Lane) -> UUID:
    """Return the id of a lane's route."""
    return lane.route.id if lane.route is not None else ROOT_ID


def plan_holding(
    issue: Issue, lanes: Sequence[Lane], decision: NotificationDecision, standing: StandingFacts, moment: LaneMoment
) -> HoldingPlan:
    """Plan the lanes of an issue; a resolved one waits for nothing, and a flush tells its groups."""
    if not issue.unresolved:
        return HoldingPlan(ended=tuple(wait.route_id for wait in standing.waits))
    single = [lane for lane in lanes if lane.endpoints and not lane.options.grouped]
    planner = _LanePlanner(issue, standing, moment)
    for lane in single:
        planner.plan(lane, decision)
    planner.note_taken(lanes)
    planner.drop_lost({route_id_of(lane) for lane in single}, decision)
    telling = decision.notify or decision.reason in _TOLD_BY_GROUPS
    grouped = [lane for lane in lanes if lane.options.grouped] if telling else []
    joins, leaves = _groups(issue, grouped, standing, moment)
    joined = {join.route_id for join in joins}
    for lane in lanes:
        if lane.options.grouped and route_id_of(lane) in joined:
            planner.begin_escalation(lane)
    return planner.finish(joins, leaves, grouped=any(lane.options.grouped and lane.endpoints for lane in lanes))


class _LanePlanner:
    """Collects what each lane of one issue does."""

    def __init__(self, issue: Issue, standing: StandingFacts, moment: LaneMoment) -> None:
        self.issue = issue
        self.moment = moment
        self.view: IssueInView = view_of(issue, standing.inhibitor)
        self.waiting = {wait.route_id: wait for wait in standing.waits}
        self.open: dict[UUID, None] = {}
        self.held: set[UUID] = set()
        self.waits: list[Wait] = []
        self.ended: list[UUID] = []
        self.due_reason: NotificationReason | None = None
        self.escalations: list[EscalationProgress] = []
        self.taken: tuple[UUID, ...] = ()

    def wanting(self, lane: Lane) -> tuple[UUID, ...]:
        """Return the endpoints of a lane whose people have yet to take the issue."""
        return still_wanting(self.issue, lane, self.moment.directory)

    def note_taken(self, lanes: Sequence[Lane]) -> None:
        """Note the routes whose people have all taken the issue, while others have not."""
        if taken_teams(self.issue):
            self.taken = tuple(route_id_of(lane) for lane in lanes if lane.endpoints and not self.wanting(lane))

    def begin_escalation(self, lane: Lane) -> None:
        """Begin the escalation of a lane whose people are told, if it has one and nobody has taken the issue."""
        policy = self.moment.directory.policy.escalation(lane.options)
        if policy is not None and self.wanting(lane):
            self.escalations.append(begin_escalation(self.issue.id, route_id_of(lane), policy, self.moment.now))

    def plan(self, lane: Lane, decision: NotificationDecision) -> None:
        """Decide about one lane: whether it has something to tell, and whether that goes now."""
        route_id = route_id_of(lane)
        wait = self.waiting.get(route_id)
        concerned = decision.notify and (not decision.teams or route_id in decision.teams)
        reason = decision.reason if concerned else self._due(wait, lane, decision)
        if reason is None:
            return
        directory, now = self.moment.directory, self.moment.now
        blocker = find_blocker(self.view, lane.options, directory.policy, directory.silences, now)
        if blocker is not None:
            self.held.update(lane.endpoints)
            self.waits.append(held(self.issue.id, route_id, blocker, reason, wait, now))
            return
        repeated = reason is NotificationReason.REPEATED
        self.open.update(dict.fromkeys(self.wanting(lane) if repeated else lane.endpoints))
        if not decision.notify:
            self.due_reason = NotificationReason(reason)
        self._after_telling(lane, route_id, wait, repeated=repeated)
        self.begin_escalation(lane)

    def _due(self, wait: Wait | None, lane: Lane, decision: NotificationDecision) -> NotificationReason | None:
        """Return why a wait that is due notifies now; None if there is nothing to do."""
        now = self.moment.now
        if wait is None or wait.due_at > now:
            return None
        if self.moment.snoozed:
            self.waits.append(replace(wait, due_at=self.issue.snoozed_until or now))
            return None
        reason = NotificationReason(wait.reason)
        taken = reason is NotificationReason.REPEATED and not self.wanting(lane)
        if self.issue.quiet or taken or reason not in self.moment.notify_on:
            self.ended.append(wait.route_id)
            return None
        if decision.reason not in _NOTHING_AGAINST:
            self.waits.append(replace(wait, due_at=now + LOOK_AGAIN))
            return None
        return reason

    def _after_telling(self, lane: Lane, route_id: UUID, wait: Wait | None, *, repeated: bool) -> None:
        repeats = wait.repeats if wait is not None and repeated else 0
        again = None
        if self.wanting(lane):
            reason = NotificationReason.REPEATED
            again = next_repeat(self.issue.id, route_id, lane.options, reason, repeats, self.moment.now)
        if again is not None:
            self.waits.append(again)
        elif wait is not None:
            self.ended.append(route_id)

    def drop_lost(self, lanes: Collection[UUID], decision: NotificationDecision) -> None:
        """End the waits on routes that do not take the issue any more, once they are due or others are told."""
        for route_id, wait in self.waiting.items():
            if route_id not in lanes and (decision.notify or wait.due_at <= self.moment.now):
                self.ended.append(route_id)

    def finish(self, joins: tuple[GroupJoin, ...], leaves: tuple[UUID, ...], *, grouped: bool) -> HoldingPlan:
        """Return the plan of all lanes together."""
        fresh = any(
            wait.kind is not WaitKind.REPEAT
            and ((known := self.waiting.get(wait.route_id)) is None or known.kind is not wait.kind)
            for wait in self.waits
        )
        return HoldingPlan(
            endpoints=tuple(self.open),
            held_back=frozenset(self.held - set(self.open)),
            waits=tuple(self.waits),
            ended=tuple(self.ended),
            joins=joins,
            leaves=leaves,
            escalations=tuple(self.escalations),
            taken=self.taken,
            grouped=grouped,
            due_reason=self.due_reason,
            news=fresh or bool(joins),
        )


def _groups(
    issue: Issue, lanes: Sequence[Lane], standing: StandingFacts, moment: LaneMoment
) -> tuple[tuple[GroupJoin, ...], tuple[UUID, ...]]:
    """Return the groups that an issue joins and those that it leaves because its labels have changed."""
    if issue.quiet:
        return (), ()
    labels = view_of(issue, None).labels
    joins = [join_group(issue, labels, route_id_of(lane), lane.options, moment.now) for lane in lanes if lane.endpoints]
    keys = {(one.route_id, one.key) for one in joins}
    routes = {one.route_id for one in joins}
    leaves = [group for (route, key), group in standing.groups.items() if route in routes and (route, key) not in keys]
    wanted = [one for one in joins if (one.route_id, one.key) not in standing.groups or _raises(issue, one)]
    return tuple(wanted), tuple(leaves)


def _raises(issue: Issue, join: GroupJoin) -> bool:
    """Return whether a member has just become critical, which brings the next message forward."""
    return join.urgent and is_critical(issue) and (issue.told.severity is None)


def escalation_moves(
    issue: Issue,
    due: Sequence[EscalationProgress],
    directory: RoutingDirectory,
    inhibitor: Inhibitor | None,
    now: datetime,
) -> list[EscalationMove]:
    """Return what is done about each step that is due; what holds the issue itself holds its escalation, too."""
    blocker = find_blocker(view_of(issue, inhibitor), RouteOptions(), directory.policy, directory.silences, now)
    until = blocker.until if blocker is not None else issue.snoozed_until if is_snoozed(issue, now) else None
    if until is not None:
        return [EscalationMove(endpoints=(), after=replace(one, due_at=until)) for one in due]
    return [
        move_escalation(
            one,
            lambda step: step_targets(step, directory.endpoints),
            lambda hours: next_opening([hours], [], now),
            critical=is_critical(issue),
            now=now,
        )
        for one in due
    ]
