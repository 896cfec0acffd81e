"""Decides which endpoints are notified of an issue, and records why each route did or did not match.

Pure. Routes are evaluated in order; the first match ends the search unless that route `continues`. If no working
endpoint was found, because no route matched or all named endpoints are deleted, disabled or silent, the `catch_all`
endpoints are added. Only a route that `tells_nobody` keeps an issue silent. Storing routes is left to
`directory_store`.
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
    """Why a route matched an issue or not."""

    MATCHED = "matched"
    DISABLED = "disabled"
    RULE = "rule_differs"
    SEVERITY = "severity_too_low"
    SERVICE_LEVEL = "service_level_differs"
    CHANNEL = "channel_differs"
    REASON = "reason_differs"
    NOT_ASKED = "not_asked"
    """An earlier route matched and does not continue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingFacts:
    """The facts of an issue that routes look at."""

    rules: tuple[str, ...]
    severity: AlertSeverity
    service_level: str | None
    channel: str | None
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One entry of the list of routes. An empty criterion matches everything; rules may contain `*`."""

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
    """Its issues are only shown; it names neither endpoints nor teams."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingDirectory:
    """The routes in their order and their version, the endpoints that are not deleted, and the names of teams."""

    routes: tuple[Route, ...]
    endpoints: Mapping[UUID, RoutedEndpoint]
    teams: Mapping[UUID, str]
    version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteCheck:
    """A route and whether it matched."""

    route: Route
    match: RouteMatch


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingResult:
    """The endpoints to notify, in a stable order, and how they were found."""

    endpoints: tuple[UUID, ...]
    path: tuple[RouteCheck, ...]
    caught: bool
    """No endpoint of a route works: the catch-all endpoints are among `endpoints`."""
    muted: bool
    """Only routes that notify nobody matched."""
    heard: bool
    """One of `endpoints` works."""
    team: str | None
    """The team of the first matching route that names one, else of the first endpoint that has one."""


def routing_facts(issue: Issue) -> RoutingFacts:
    """Return the facts of an issue; the severity of its loud frictions counts if it has any."""
    return RoutingFacts(
        rules=issue.rules,
        severity=issue.loud_severity or issue.severity,
        service_level=issue.service_level,
        channel=issue.channel,
        reason=issue.reason,
    )


def evaluate_routes(about: RoutingFacts, directory: RoutingDirectory, *, now: datetime) -> RoutingResult:
    """Evaluate the routes in order and collect the endpoints of those that match; add catch-all ones if none works."""
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
    """Return whether one of these endpoints exists and works."""
    return any(e in directory.endpoints and directory.endpoints[e].alive(now) for e in endpoint_ids)


def _team(path: Sequence[RouteCheck], found: Sequence[UUID], directory: RoutingDirectory) -> str | None:
    taken = (team for asked in path if asked.match is RouteMatch.MATCHED for team in asked.route.teams)
    owners = (directory.endpoints[endpoint_id].team_id for endpoint_id in found)
    named = (directory.teams[team] for team in (*taken, *owners) if team is not None and team in directory.teams)
    return next(named, None)


def match_route(about: RoutingFacts, candidate: Route) -> RouteMatch:
    """Return whether a route matches these facts, or the first criterion that does not."""
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
    """Return the endpoints that a route names, directly or by team; none if it notifies nobody."""
    if candidate.tells_nobody:
        return []
    named = [endpoint_id for endpoint_id in candidate.endpoints if endpoint_id in endpoints]
    return named + [e.id for e in endpoints.values() if e.team_id is not None and e.team_id in candidate.teams]
