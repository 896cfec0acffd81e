"""Decides which endpoints are notified of an issue, and records why each route did or did not match.

Pure. `policy` walks the tree of routes; each route that takes the issue is a lane to its endpoints. If no working
endpoint was found, because no route matched or all named endpoints are deleted, disabled or silent, the `catch_all`
endpoints are added. Only a route that `tells_nobody` keeps an issue silent. Storing routes is left to
`directory_store`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from uuid import UUID

from services.alerts.deliver.retry import EndpointHealth
from services.alerts.hold.waits import ROOT_ID
from services.alerts.policy.alert_policy import AlertPolicy
from services.alerts.policy.escalation import Escalation, EscalationStep
from services.alerts.policy.hours import NamedHours
from services.alerts.policy.inhibition import InhibitRule
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
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """A way that an issue takes to some endpoints, and how it goes there; without a route, to catch-all endpoints."""

    route: Route | None
    options: RouteOptions
    endpoints: tuple[UUID, ...]


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
    """The team of the first matching route that names one, else of the first endpoint that has one."""


def evaluate_routes(about: RoutingFacts, directory: RoutingDirectory, *, now: datetime) -> RoutingResult:
    """Walk the tree and collect the endpoints of the routes that take the issue; add catch-all ones if none works."""
    endpoints = directory.endpoints
    walked = directory.policy.walk(about)
    lanes = [
        Lane(route=hit.route, options=hit.options, endpoints=tuple(route_targets(hit.people, endpoints)))
        for hit in walked.hits
    ]
    muted = bool(walked.hits) and all(hit.people.tells_nobody for hit in walked.hits)
    caught = not muted and not any_alive([e for lane in lanes for e in lane.endpoints], directory, now)
    if caught:
        catching = tuple(e.id for e in endpoints.values() if e.catch_all)
        options = DEFAULT_OPTIONS if lanes else directory.policy.root_options
        lanes.append(Lane(route=None, options=options, endpoints=catching))
    found = tuple(dict.fromkeys(endpoint for lane in lanes for endpoint in lane.endpoints))
    owners = [team for hit in walked.hits for team in hit.people.teams]
    return RoutingResult(
        endpoints=found,
        path=walked.path,
        lanes=tuple(lanes),
        caught=caught,
        muted=muted,
        heard=any_alive(found, directory, now),
        team=_team(owners, found, directory),
    )


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
            return Lane(route=hit.route, options=hit.options, endpoints=tuple(route_targets(hit.people, endpoints)))
    return None


def any_alive(endpoint_ids: Iterable[UUID], directory: RoutingDirectory, now: datetime) -> bool:
    """Return whether one of these endpoints exists and works."""
    return any(e in directory.endpoints and directory.endpoints[e].alive(now) for e in endpoint_ids)


def _team(taken: Iterable[UUID], found: Iterable[UUID], directory: RoutingDirectory) -> str | None:
    owners = (directory.endpoints[endpoint_id].team_id for endpoint_id in found)
    named = (directory.teams[team] for team in (*taken, *owners) if team is not None and team in directory.teams)
    return next(named, None)


def route_targets(candidate: Route, endpoints: Mapping[UUID, RoutedEndpoint]) -> list[UUID]:
    """Return the endpoints that a route names, directly or by team; none if it notifies nobody."""
    if candidate.tells_nobody:
        return []
    named = [endpoint_id for endpoint_id in candidate.endpoints if endpoint_id in endpoints]
    return named + [e.id for e in endpoints.values() if e.team_id is not None and e.team_id in candidate.teams]
