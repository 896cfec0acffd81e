"""Who would hear what: which endpoints are alive, since when not, what waits, and which issues nobody would hear of.

A *way* is how issues find their people: a route, or the way of what no route takes. It is heard by a
living endpoint of its own, caught by a living catch-all endpoint in their place, or unheard. Leaves reading all of it
to `reachability_store`, and one issue's way to `routing`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from services.alerts.issues.model import AlertSeverity
from services.alerts.notify.routing import Route, RoutedEndpoint, RoutingDirectory, any_alive, route_targets


class Reachability(StrEnum):
    """Who hears of what a way takes; worst last. A metric label."""

    MUTED = "muted"
    """Nobody, on purpose."""
    HEARD = "heard"
    CAUGHT = "caught"
    """No living endpoint of its own; a living catch-all endpoint hears in their place."""
    UNHEARD = "unheard"


class SilenceReason(StrEnum):
    """Why nobody hears what is sent to an endpoint; a metric label."""

    BY_HAND = "by_hand"
    """A person disabled it."""
    GONE = "gone"
    """It answered 410 and was disabled."""
    FAILING = "failing"
    """It failed for days and was disabled."""
    UNREACHABLE = "unreachable"
    """It failed so often in a row that it is asked rarely."""
    HOLDING = "holding"
    """It has taken nothing for a while, though it was asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryBacklog:
    """What is not delivered to one endpoint: how much waits and since when, and how much is tried no more."""

    count: int = 0
    since: datetime | None = None
    given_up: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class UnheardIssues:
    """Open issues that wait for an endpoint that they could go to, and since when."""

    count: int = 0
    since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReachabilitySurvey:
    """Everything that the answers rest on, as it stood at one moment."""

    directory: RoutingDirectory
    waiting: Mapping[UUID, DeliveryBacklog]
    unheard: UnheardIssues
    begun: bool = True
    """There was an endpoint once, even if it is deleted by now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SilentEndpoint:
    """An endpoint where nobody hears, why, since when, and what waits for it."""

    endpoint: RoutedEndpoint
    why: SilenceReason
    since: datetime | None
    waiting: DeliveryBacklog


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way, and who hears; `route` None: what no route takes."""

    route: Route | None
    reached: Reachability


@dataclass(frozen=True, slots=True, kw_only=True)
class ReachabilityReport:
    """The answers at one moment."""

    silent: tuple[SilentEndpoint, ...]
    ways: tuple[Way, ...]
    living: int
    """Endpoints that are alive."""
    catching: int
    """Those of them that are catch-all."""
    waiting: DeliveryBacklog
    """Over all endpoints."""
    unheard: UnheardIssues
    endpoints: int
    begun: bool

    @property
    def well(self) -> bool:
        """Whether nothing that people should know of goes unheard, nor to an endpoint that only seems to be there."""
        failing = any(one.why is not SilenceReason.BY_HAND for one in self.silent)
        return not (failing or self.unheard.count or self.ways_that(Reachability.UNHEARD))

    @property
    def dead_since(self) -> datetime | None:
        """Since when the enabled endpoint that has been silent longest takes nothing."""
        return min((one.since for one in self.silent if one.endpoint.enabled and one.since is not None), default=None)

    def ways_that(self, reached: Reachability) -> tuple[Way, ...]:
        """Return the ways of one fate."""
        return tuple(way for way in self.ways if way.reached is reached)


def report_reachability(survey: ReachabilitySurvey, *, now: datetime) -> ReachabilityReport:
    """Answer who would hear what."""
    directory = survey.directory
    living = [endpoint for endpoint in directory.endpoints.values() if endpoint.alive(now)]
    return ReachabilityReport(
        silent=tuple(_silent(survey, now)),
        ways=tuple(_ways(directory, now)),
        living=len(living),
        catching=sum(endpoint.catch_all for endpoint in living),
        waiting=_all_of(survey.waiting),
        unheard=survey.unheard,
        endpoints=len(directory.endpoints),
        begun=survey.begun,
    )


def _all_of(waiting: Mapping[UUID, DeliveryBacklog]) -> DeliveryBacklog:
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
    """Return why nobody hears what is sent there; None where it is alive."""
    if not endpoint.enabled:
        return SilenceReason(endpoint.disabled_reason or SilenceReason.BY_HAND)
    if endpoint.alive(now):
        return None
    return SilenceReason.UNREACHABLE if endpoint.health.breaker_open else SilenceReason.HOLDING


def _ways(directory: RoutingDirectory, now: datetime) -> Iterator[Way]:
    catching = any(e.catch_all and e.alive(now) for e in directory.endpoints.values())
    covered = False
    for route in directory.routes:
        if route.enabled:
            yield Way(route=route, reached=_reached(route, directory, catching=catching, now=now))
            covered = covered or (takes_everything(route) and not route.continues)
    if not covered:
        yield Way(route=None, reached=Reachability.HEARD if catching else Reachability.UNHEARD)


def _reached(route: Route, directory: RoutingDirectory, *, catching: bool, now: datetime) -> Reachability:
    if route.tells_nobody:
        return Reachability.MUTED
    if any_alive(route_targets(route, directory.endpoints), directory, now):
        return Reachability.HEARD
    return Reachability.CAUGHT if catching else Reachability.UNHEARD


def takes_everything(route: Route) -> bool:
    """Return whether no issue passes this route by."""
    narrow = (route.rules and "*" not in route.rules) or route.service_levels or route.channels or route.reasons
    return not narrow and route.min_severity is AlertSeverity.LOW


@dataclass(frozen=True, slots=True, kw_only=True)
class ReachabilityLoss:
    """What a change of one endpoint leaves without it: ways that nobody would hear, ways that catch-alls would."""

    unheard: tuple[Way, ...]
    caught: tuple[Way, ...]


def reachability_loss(
    directory: RoutingDirectory, endpoint_id: UUID, after: RoutedEndpoint | None, *, now: datetime
) -> ReachabilityLoss:
    """Return which ways of an endpoint nobody of their own hears once it is as `after` (None: deleted).

    A way that it goes on to serve is not lost, however it is doing.
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
    """The ways that an endpoint is there for: routes that name it or its team; all, where it is catch-all."""
    catch_all = directory.endpoints[endpoint_id].catch_all
    telling = (route for route in directory.routes if route.enabled and not route.tells_nobody)
    served: set[UUID | None] = {None} if catch_all else set()
    return served | {r.id for r in telling if catch_all or endpoint_id in route_targets(r, directory.endpoints)}
