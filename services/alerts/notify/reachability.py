"""Reports which endpoints are silent, what waits for them, and of which issues nobody would be notified.

Pure. A *way* is how issues reach people: a route, or the way of the issues that no route matches. A way is *heard* if
one of its own endpoints works, *caught* if a working catch-all endpoint stands in for them, and *unheard* otherwise.
Reading the data is left to `reachability_store`, and the routes of a single issue to `routing`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from services.alerts.issues.model import AlertSeverity
from services.alerts.notify.routing import RoutedEndpoint, RoutingDirectory, any_alive, route_targets
from services.alerts.policy.tree import Route, inherited_routes


class Reachability(StrEnum):
    """Who is notified over a way, the worst last; a metric label."""

    MUTED = "muted"
    """Nobody is, on purpose."""
    HEARD = "heard"
    CAUGHT = "caught"
    """None of its own endpoints works; a working catch-all endpoint stands in for them."""
    UNHEARD = "unheard"


class SilenceReason(StrEnum):
    """Why an endpoint is silent; a metric label."""

    BY_HAND = "by_hand"
    """A person disabled it."""
    GONE = "gone"
    """It answered 410 and was disabled."""
    FAILING = "failing"
    """It failed for days and was disabled."""
    UNREACHABLE = "unreachable"
    """It failed so often in a row that it is tried only rarely."""
    HOLDING = "holding"
    """It keeps asking for time and has accepted nothing for a while."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryBacklog:
    """Messages that are not delivered: how many wait, since when, and how many are given up."""

    count: int = 0
    since: datetime | None = None
    given_up: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class UnheardIssues:
    """Open issues without any endpoint to notify: how many, and since when."""

    count: int = 0
    since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReachabilitySurvey:
    """The data that a report is made from, at one moment."""

    directory: RoutingDirectory
    waiting: Mapping[UUID, DeliveryBacklog]
    unheard: UnheardIssues
    begun: bool = True
    """Whether there ever was an endpoint, deleted or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SilentEndpoint:
    """An endpoint that accepts nothing: why, since when, and what waits for it."""

    endpoint: RoutedEndpoint
    why: SilenceReason
    since: datetime | None
    waiting: DeliveryBacklog


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A way and who is notified over it; without a `route`, the way of issues that no route matches."""

    route: Route | None
    reached: Reachability


@dataclass(frozen=True, slots=True, kw_only=True)
class ReachabilityReport:
    """Who can be notified and who cannot, at one moment."""

    silent: tuple[SilentEndpoint, ...]
    ways: tuple[Way, ...]
    living: int
    """The number of working endpoints."""
    catching: int
    """The number of working catch-all endpoints."""
    waiting: DeliveryBacklog
    """The backlog of all endpoints together."""
    unheard: UnheardIssues
    endpoints: int
    begun: bool

    @property
    def all_heard(self) -> bool:
        """Whether no way and no issue is unheard, and no endpoint is silent except by a person's hand."""
        failing = any(one.why is not SilenceReason.BY_HAND for one in self.silent)
        return not (failing or self.unheard.count or self.ways_that(Reachability.UNHEARD))

    @property
    def dead_since(self) -> datetime | None:
        """Since when the longest silent of the enabled endpoints has been silent."""
        return min((one.since for one in self.silent if one.endpoint.enabled and one.since is not None), default=None)

    def ways_that(self, reached: Reachability) -> tuple[Way, ...]:
        """Return the ways with the given reachability."""
        return tuple(way for way in self.ways if way.reached is reached)


def report_reachability(survey: ReachabilitySurvey, *, now: datetime) -> ReachabilityReport:
    """Report who can be notified at `now`, and who cannot."""
    directory = survey.directory
    living = [endpoint for endpoint in directory.endpoints.values() if endpoint.alive(now)]
    return ReachabilityReport(
        silent=tuple(_silent(survey, now)),
        ways=tuple(_ways(directory, now)),
        living=len(living),
        catching=sum(endpoint.catch_all for endpoint in living),
        waiting=_total(survey.waiting),
        unheard=survey.unheard,
        endpoints=len(directory.endpoints),
        begun=survey.begun,
    )


def _total(waiting: Mapping[UUID, DeliveryBacklog]) -> DeliveryBacklog:
    return DeliveryBacklog(
        count=sum(one.count for one in waiting.values()),
        since=min((one.since for one in waiting.values() if one.since is not None), default=None),
        given_up=sum(one.given_up for one in waiting.values()),
    )


def _silent(survey: ReachabilitySurvey, now: datetime) -> Iterator[SilentEndpoint]:
    for endpoint in survey.directory.endpoints.values():
        if (why := silence_reason(endpoint, now)) is not None:
            since = endpoint.health.failing_since if endpoint.enabled else endpoint.disabled_at
            waiting = survey.waiting.get(endpoint.id, DeliveryBacklog())
            yield SilentEndpoint(endpoint=endpoint, why=why, since=since, waiting=waiting)


def silence_reason(endpoint: RoutedEndpoint, now: datetime) -> SilenceReason | None:
    """Return why an endpoint is silent, or None if it works."""
    if not endpoint.enabled:
        return SilenceReason(endpoint.disabled_reason or SilenceReason.BY_HAND)
    if endpoint.alive(now):
        return None
    return SilenceReason.UNREACHABLE if endpoint.health.breaker_open else SilenceReason.HOLDING


def _ways(directory: RoutingDirectory, now: datetime) -> Iterator[Way]:
    catching = any(e.catch_all and e.alive(now) for e in directory.endpoints.values())
    covered = False
    for one in inherited_routes(directory.routes):
        yield Way(route=one.route, reached=_reached(one.people, directory, catching=catching, now=now))
        takes_all = matches_everything(one.route) and not one.route.continues
        covered = covered or (takes_all and one.route in directory.routes)
    if not covered:
        yield Way(route=None, reached=Reachability.HEARD if catching else Reachability.UNHEARD)


def _reached(route: Route, directory: RoutingDirectory, *, catching: bool, now: datetime) -> Reachability:
    if route.tells_nobody:
        return Reachability.MUTED
    if any_alive(route_targets(route, directory.endpoints), directory, now):
        return Reachability.HEARD
    return Reachability.CAUGHT if catching else Reachability.UNHEARD


def matches_everything(route: Route) -> bool:
    """Return whether a route matches every issue."""
    narrow = (route.rules and "*" not in route.rules) or route.service_levels or route.channels or route.reasons
    return not narrow and not route.matchers and route.min_severity is AlertSeverity.LOW


@dataclass(frozen=True, slots=True, kw_only=True)
class ReachabilityLoss:
    """The ways that a change of one endpoint leaves unheard, and those that it leaves to catch-all endpoints."""

    unheard: tuple[Way, ...]
    caught: tuple[Way, ...]


def reachability_loss(
    directory: RoutingDirectory, endpoint_id: UUID, after: RoutedEndpoint | None, *, now: datetime
) -> ReachabilityLoss:
    """Return which ways lose their last working endpoint if an endpoint becomes `after` (None: it is deleted).

    A way that the endpoint goes on to serve is not lost, whatever its health.
    """
    left = {key: value for key, value in directory.endpoints.items() if key != endpoint_id}
    then = replace(directory, endpoints=left if after is None else {**left, endpoint_id: after})
    kept = _served(then, endpoint_id) if after is not None and after.enabled else set()
    given_up = _served(directory, endpoint_id) - kept
    before = {_name(way): way.reached for way in _ways(directory, now)}
    ways = [way for way in _ways(then, now) if _name(way) in given_up]
    return ReachabilityLoss(
        unheard=tuple(way for way in ways if way.reached is Reachability.UNHEARD),
        caught=tuple(
            way for way in ways if way.reached is Reachability.CAUGHT and before[_name(way)] is Reachability.HEARD
        ),
    )


def _name(way: Way) -> UUID | None:
    return way.route.id if way.route else None


def _served(directory: RoutingDirectory, endpoint_id: UUID) -> set[UUID | None]:
    """Return the ways that an endpoint serves: routes that name it or its team, or all if it is catch-all."""
    catch_all = directory.endpoints[endpoint_id].catch_all
    telling = (one for one in inherited_routes(directory.routes) if not one.people.tells_nobody)
    served: set[UUID | None] = {None} if catch_all else set()
    return served | {
        one.route.id for one in telling if catch_all or endpoint_id in route_targets(one.people, directory.endpoints)
    }
