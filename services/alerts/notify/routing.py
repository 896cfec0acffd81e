"""Decides which endpoints are notified of an issue, and records why each route did or did not match.

Pure. `policy` walks the tree of routes; each route that takes the issue is a lane to its endpoints. If no working
endpoint was found, because no route matched or all named endpoints are deleted, disabled or silent, the `catch_all`
endpoints are added. Only a route that `tells_nobody` keeps an issue silent. Storing routes is left to
`directory_store`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from uuid import UUID

from services.alerts.deliver.retry import EndpointHealth
from services.alerts.hold.waits import ROOT_ID
from services.alerts.issues.model import Issue, IssueState
from services.alerts.issues.sharing import TeamsFound, taken_teams
from services.alerts.policy.alert_policy import AlertPolicy
from services.alerts.policy.escalation import Escalation, EscalationStep
from services.alerts.policy.hours import NamedHours
from services.alerts.policy.inhibition import InhibitRule
from services.alerts.policy.ownership import Ownership, find_owners
from services.alerts.policy.service_levels import DEFAULT_LEVELS, ServiceLevels
from services.alerts.policy.silences import Silence
from services.alerts.policy.tree import DEFAULT_OPTIONS, Route, RouteCheck, RouteOptions, RoutingFacts, inherited_routes


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutedEndpoint:
    """An endpoint as routing sees it. A disabled or silent one still gets deliveries, which wait."""

    id: UUID
    team_id: UUID | None
    catch_all: bool
    name: str = ""
    enabled: bool = True
    disabled_reason: str | None = None
    disabled_at: datetime | None = None
    health: EndpointHealth = field(default_factory=EndpointHealth)

    def alive(self, now: datetime) -> bool:
        """Return whether the endpoint works, as far as is known."""
        return self.enabled and self.health.silent_since(now) is None


@dataclass(frozen=True, kw_only=True)
class RoutingDirectory:
    """The policy in force with its silences and version, the endpoints that are not deleted, and the names of teams."""

    routes: tuple[Route, ...]
    endpoints: Mapping[UUID, RoutedEndpoint]
    teams: Mapping[UUID, str]
    version: int | None = None
    root: RouteOptions = DEFAULT_OPTIONS
    inhibit_rules: tuple[InhibitRule, ...] = ()
    hours: tuple[NamedHours, ...] = ()
    silences: tuple[Silence, ...] = ()
    escalations: tuple[Escalation, ...] = ()
    levels: ServiceLevels = DEFAULT_LEVELS
    ownerships: tuple[Ownership, ...] = ()

    @cached_property
    def policy(self) -> AlertPolicy:
        """The policy as one value."""
        return AlertPolicy(
            routes=self.routes,
            root=self.root,
            inhibit_rules=self.inhibit_rules,
            hours=self.hours,
            escalations=self.escalations,
            levels=self.levels,
            ownerships=self.ownerships,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """A way that an issue takes to some endpoints, and how it goes there; without a route, to catch-all endpoints.

    `teams` are those that its route names. A team that was assigned the issue has a lane of its own, whose route is
    made for it and has the id of the team.
    """

    route: Route | None
    options: RouteOptions
    endpoints: tuple[UUID, ...]
    teams: tuple[UUID, ...] = ()
    assigned: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingResult:
    """The endpoints to notify, in a stable order, and how they were found."""

    endpoints: tuple[UUID, ...]
    path: tuple[RouteCheck, ...]
    lanes: tuple[Lane, ...]
    caught: bool
    """No endpoint of a route works: the catch-all endpoints are among `endpoints`."""
    muted: bool
    """Only routes that notify nobody matched."""
    heard: bool
    """One of `endpoints` works."""
    team: str | None
    """The name of the first team that has the issue."""
    teams: TeamsFound
    """The teams that have it: those that routes name, else that of the first endpoint; those assigned; the owners."""


def evaluate_routes(
    about: RoutingFacts, directory: RoutingDirectory, *, now: datetime, assigned: Sequence[UUID] = ()
) -> RoutingResult:
    """Walk the tree and collect the endpoints of the routes that take the issue; add catch-all ones if none works.

    The teams that people assigned it to, and those that own it, are told whatever the routes say.
    """
    endpoints = directory.endpoints
    walked = directory.policy.walk(about)
    owners = find_owners(about, directory.ownerships)
    lanes = [
        Lane(
            route=hit.route,
            options=hit.options,
            endpoints=tuple(route_targets(hit.people, endpoints)),
            teams=tuple(team for team in hit.people.teams if team in directory.teams),
        )
        for hit in walked.hits
    ]
    having = [team for team in dict.fromkeys((*assigned, *owners.teams)) if team in directory.teams]
    routed = {team for lane in lanes for team in lane.teams}
    lanes += [_lane_of_team(team, directory) for team in having if team not in routed]
    muted = bool(walked.hits) and not having and all(hit.people.tells_nobody for hit in walked.hits)
    caught = not muted and not any_alive([e for lane in lanes for e in lane.endpoints], directory, now)
    if caught:
        catching = tuple(e.id for e in endpoints.values() if e.catch_all)
        options = DEFAULT_OPTIONS if lanes else directory.policy.root_options
        lanes.append(Lane(route=None, options=options, endpoints=catching))
    found = tuple(dict.fromkeys(endpoint for lane in lanes for endpoint in lane.endpoints))
    teams = TeamsFound(
        routed=_teams_of_routes(lanes, directory), assigned=having, names=directory.teams, owner=owners.person
    )
    return RoutingResult(
        endpoints=found,
        path=walked.path,
        lanes=tuple(lanes),
        caught=caught,
        muted=muted,
        heard=any_alive(found, directory, now),
        team=next((directory.teams[team] for team in (*teams.routed, *having)), None),
        teams=teams,
    )


def _lane_of_team(team: UUID, directory: RoutingDirectory) -> Lane:
    """Return the way to a team that was assigned an issue: at once, with the repeats and the escalation of the root."""
    route = Route(id=team, name=f"assigned: {directory.teams[team]}", teams=(team,))
    options = replace(directory.policy.root_options, group_by=None)
    targets = tuple(route_targets(route, directory.endpoints))
    return Lane(route=route, options=options, endpoints=targets, teams=(team,), assigned=True)


def _teams_of_routes(lanes: Sequence[Lane], directory: RoutingDirectory) -> tuple[UUID, ...]:
    """Return the teams that routes name; if they name none, the team of the first endpoint that has one.

    Catch-all endpoints stand in: they count only where nobody else has the issue.
    """
    named = tuple(dict.fromkeys(team for lane in lanes if not lane.assigned for team in lane.teams))
    if named:
        return named
    nobody_else = all(lane.route is None or not lane.endpoints for lane in lanes)
    told = [e for lane in lanes if not lane.assigned and (lane.route or nobody_else) for e in lane.endpoints]
    of_endpoints = (directory.endpoints[endpoint].team_id for endpoint in told)
    return tuple(team for team in of_endpoints if team is not None and team in directory.teams)[:1]


def still_wanting(issue: Issue, lane: Lane, directory: RoutingDirectory) -> tuple[UUID, ...]:
    """Return the endpoints of a lane whose people have yet to take the issue: who is reminded and escalated for."""
    if issue.state is not IssueState.OPEN:
        return ()
    taken = taken_teams(issue)
    if lane.teams and taken.issuperset(lane.teams):
        return ()
    known = directory.endpoints
    return tuple(e for e in lane.endpoints if e not in known or known[e].team_id not in taken)


def step_targets(step: EscalationStep, endpoints: Mapping[UUID, RoutedEndpoint]) -> tuple[UUID, ...]:
    """Return the endpoints of a step that exist, directly named or by team."""
    named = [endpoint for endpoint in step.endpoints if endpoint in endpoints]
    of_teams = [e.id for e in endpoints.values() if e.team_id is not None and e.team_id in step.teams]
    return tuple(dict.fromkeys([*named, *of_teams]))


def find_lane(route_id: UUID, directory: RoutingDirectory) -> Lane | None:
    """Return the lane of a route that is enabled, or of the root; None if there is no such route."""
    endpoints, root = directory.endpoints, directory.policy.root_options
    if route_id == ROOT_ID:
        return Lane(route=None, options=root, endpoints=tuple(e.id for e in endpoints.values() if e.catch_all))
    for hit in inherited_routes(directory.routes, root):
        if hit.route.id == route_id:
            teams = tuple(team for team in hit.people.teams if team in directory.teams)
            targets = tuple(route_targets(hit.people, endpoints))
            return Lane(route=hit.route, options=hit.options, endpoints=targets, teams=teams)
    return None


def any_alive(endpoint_ids: Iterable[UUID], directory: RoutingDirectory, now: datetime) -> bool:
    """Return whether one of these endpoints exists and works."""
    return any(e in directory.endpoints and directory.endpoints[e].alive(now) for e in endpoint_ids)


def route_targets(candidate: Route, endpoints: Mapping[UUID, RoutedEndpoint]) -> list[UUID]:
    """Return the endpoints that a route names, directly or by team; none if it notifies nobody."""
    if candidate.tells_nobody:
        return []
    named = [endpoint_id for endpoint_id in candidate.endpoints if endpoint_id in endpoints]
    return named + [e.id for e in endpoints.values() if e.team_id is not None and e.team_id in candidate.teams]
