"""Which endpoints hear of an issue: an ordered list of routes, each asked in turn, and why each did or did not match.

The first route that matches ends the search unless it `continues`. What no living endpoint of a route would hear goes
to the endpoints that are `catch_all`, too: because no route took it, or because those named are deleted, disabled or do
not answer. Only a route that `tells_nobody` keeps an issue silent. Leaves where routes are kept to the store.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from fnmatch import fnmatchcase
from uuid import UUID

from services.alerts.deliver.retry import EndpointHealth
from services.alerts.issues.model import AlertSeverity, Issue


class RouteMatch(StrEnum):
    """Why a route took an issue or not."""

    MATCHED = "matched"
    DISABLED = "disabled"
    RULE = "rule_differs"
    SEVERITY = "severity_too_low"
    SERVICE_LEVEL = "service_level_differs"
    CHANNEL = "channel_differs"
    REASON = "reason_differs"
    NOT_ASKED = "not_asked"
    """An earlier route took it and did not continue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingFacts:
    """What routes look at."""

    rules: tuple[str, ...]
    severity: AlertSeverity
    service_level: str | None
    channel: str | None
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One line of the list. An empty list of words matches everything; rules may hold `*`."""

    id: UUID
    name: str
    rules: tuple[str, ...] = ()
    min_severity: AlertSeverity = AlertSeverity.LOW
    service_levels: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    endpoints: tuple[UUID, ...] = ()
    teams: tuple[UUID, ...] = ()
    continues: bool = False
    enabled: bool = True
    tells_nobody: bool = False
    """What it takes is shown only; it names neither endpoints nor teams."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutedEndpoint:
    """An endpoint as routing sees it; one that is disabled or does not answer still gets its deliveries, which wait."""

    id: UUID
    team_id: UUID | None
    catch_all: bool
    name: str = ""
    enabled: bool = True
    disabled_reason: str | None = None
    disabled_at: datetime | None = None
    health: EndpointHealth = field(default_factory=EndpointHealth)

    def alive(self, now: datetime) -> bool:
        """Whether somebody hears what is sent there, as far as is known."""
        return self.enabled and self.health.silent_since(now) is None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingDirectory:
    """Whom there is: routes in their order, endpoints that are not deleted, names of teams, version of the routes."""

    routes: tuple[Route, ...]
    endpoints: Mapping[UUID, RoutedEndpoint]
    teams: Mapping[UUID, str]
    version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteCheck:
    """One route and its answer."""

    route: Route
    match: RouteMatch


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingResult:
    """Who hears of it, in a stable order, and the way there."""

    endpoints: tuple[UUID, ...]
    path: tuple[RouteCheck, ...]
    caught: bool
    """No living endpoint of a route would hear: the catch-all ones are among `endpoints`."""
    muted: bool
    """Only routes that tell nobody took it."""
    heard: bool
    """One of `endpoints` is alive."""
    team: str | None
    """The team whose matter it is: of the first route that names one, else of the first endpoint that has one."""


def routing_facts(issue: Issue) -> RoutingFacts:
    """Return what routes look at; of an issue with loud frictions, their severity counts."""
    return RoutingFacts(
        rules=issue.rules,
        severity=issue.loud_severity or issue.severity,
        service_level=issue.service_level,
        channel=issue.channel,
        reason=issue.reason,
    )


def evaluate_routes(about: RoutingFacts, directory: RoutingDirectory, *, now: datetime) -> RoutingResult:
    """Ask the routes in their order and collect the endpoints of those that match; add the catch-alls if need be."""
    endpoints = directory.endpoints
    path: list[RouteCheck] = []
    found: dict[UUID, None] = {}
    ended = False
    for candidate in directory.routes:
        match = RouteMatch.NOT_ASKED if ended else match_route(about, candidate)
        path.append(RouteCheck(route=candidate, match=match))
        if match is RouteMatch.MATCHED:
            found.update(dict.fromkeys(route_targets(candidate, endpoints)))
            ended = not candidate.continues
    took = [asked.route for asked in path if asked.match is RouteMatch.MATCHED]
    muted = bool(took) and all(candidate.tells_nobody for candidate in took)
    caught = not muted and not any_alive(found, directory, now)
    if caught:
        found.update(dict.fromkeys(e.id for e in endpoints.values() if e.catch_all))
    return RoutingResult(
        endpoints=tuple(found),
        path=tuple(path),
        caught=caught,
        muted=muted,
        heard=any_alive(found, directory, now),
        team=_team(path, tuple(found), directory),
    )


def any_alive(endpoint_ids: Iterable[UUID], directory: RoutingDirectory, now: datetime) -> bool:
    """Return whether one of these endpoints is there and alive."""
    return any(e in directory.endpoints and directory.endpoints[e].alive(now) for e in endpoint_ids)


def _team(path: Sequence[RouteCheck], found: Sequence[UUID], directory: RoutingDirectory) -> str | None:
    taken = (team for asked in path if asked.match is RouteMatch.MATCHED for team in asked.route.teams)
    owners = (directory.endpoints[endpoint_id].team_id for endpoint_id in found)
    named = (directory.teams[team] for team in (*taken, *owners) if team is not None and team in directory.teams)
    return next(named, None)


def match_route(about: RoutingFacts, candidate: Route) -> RouteMatch:
    """Return whether one route takes these facts, and else the first thing that differs."""
    if not candidate.enabled:
        return RouteMatch.DISABLED
    if candidate.rules and not any(fnmatchcase(rule, pattern) for rule in about.rules for pattern in candidate.rules):
        return RouteMatch.RULE
    if about.severity.rank < candidate.min_severity.rank:
        return RouteMatch.SEVERITY
    return _match_words(about, candidate)


def _match_words(about: RoutingFacts, candidate: Route) -> RouteMatch:
    if candidate.service_levels and about.service_level not in candidate.service_levels:
        return RouteMatch.SERVICE_LEVEL
    if candidate.channels and about.channel not in candidate.channels:
        return RouteMatch.CHANNEL
    if candidate.reasons and about.reason not in candidate.reasons:
        return RouteMatch.REASON
    return RouteMatch.MATCHED


def route_targets(candidate: Route, endpoints: Mapping[UUID, RoutedEndpoint]) -> list[UUID]:
    """Return the endpoints that a route names, itself or by their team; none for one that tells nobody."""
    if candidate.tells_nobody:
        return []
    named = [endpoint_id for endpoint_id in candidate.endpoints if endpoint_id in endpoints]
    return named + [e.id for e in endpoints.values() if e.team_id is not None and e.team_id in candidate.teams]
