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
from services.alerts.notify.routing import Directory, Reachable, Route, any_alive, targets


class Reached(StrEnum):
    """Who hears of what a way takes; worst last. A metric label."""

    MUTED = "muted"
    """Nobody, on purpose."""
    HEARD = "heard"
    CAUGHT = "caught"
    """No living endpoint of its own; a living catch-all endpoint hears in their place."""
    UNHEARD = "unheard"


class Dead(StrEnum):
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
class Waiting:
    """What is not delivered to one endpoint: how much waits and since when, and how much is tried no more."""

    count: int = 0
    since: datetime | None = None
    given_up: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Unheard:
    """Open issues that wait for an endpoint that they could go to, and since when."""

    count: int = 0
    since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """Everything that the answers rest on, as it stood at one moment."""

    directory: Directory
    waiting: Mapping[UUID, Waiting]
    unheard: Unheard
    begun: bool = True
    """There was an endpoint once, even if it is deleted by now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Silent:
    """An endpoint where nobody hears, why, since when, and what waits for it."""

    endpoint: Reachable
    why: Dead
    since: datetime | None
    waiting: Waiting


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way, and who hears; `route` None: what no route takes."""

    route: Route | None
    reached: Reached


@dataclass(frozen=True, slots=True, kw_only=True)
class Hearing:
    """The answers at one moment."""

    silent: tuple[Silent, ...]
    ways: tuple[Way, ...]
    living: int
    """Endpoints that are alive."""
    catching: int
    """Those of them that are catch-all."""
    waiting: Waiting
    """Over all endpoints."""
    unheard: Unheard
    endpoints: int
    begun: bool

    @property
    def well(self) -> bool:
        """Whether nothing that people should know of goes unheard, nor to an endpoint that only seems to be there."""
        failing = any(one.why is not Dead.BY_HAND for one in self.silent)
        return not (failing or self.unheard.count or self.ways_that(Reached.UNHEARD))

    @property
    def dead_since(self) -> datetime | None:
        """Since when the enabled endpoint that has been silent longest takes nothing."""
        return min((one.since for one in self.silent if one.endpoint.enabled and one.since is not None), default=None)

    def ways_that(self, reached: Reached) -> tuple[Way, ...]:
        """Return the ways of one fate."""
        return tuple(way for way in self.ways if way.reached is reached)


def hear(survey: Survey, *, now: datetime) -> Hearing:
    """Answer who would hear what."""
    directory = survey.directory
    living = [endpoint for endpoint in directory.endpoints.values() if endpoint.alive(now)]
    return Hearing(
        silent=tuple(_silent(survey, now)),
        ways=tuple(_ways(directory, now)),
        living=len(living),
        catching=sum(endpoint.catch_all for endpoint in living),
        waiting=_all_of(survey.waiting),
        unheard=survey.unheard,
        endpoints=len(directory.endpoints),
        begun=survey.begun,
    )


def _all_of(waiting: Mapping[UUID, Waiting]) -> Waiting:
    return Waiting(
        count=sum(one.count for one in waiting.values()),
        since=min((one.since for one in waiting.values() if one.since is not None), default=None),
        given_up=sum(one.given_up for one in waiting.values()),
    )


def _silent(survey: Survey, now: datetime) -> Iterator[Silent]:
    for endpoint in survey.directory.endpoints.values():
        if (why := why_dead(endpoint, now)) is not None:
            since = endpoint.health.failing_since if endpoint.enabled else endpoint.disabled_at
            waiting = survey.waiting.get(endpoint.id, Waiting())
            yield Silent(endpoint=endpoint, why=why, since=since, waiting=waiting)


def why_dead(endpoint: Reachable, now: datetime) -> Dead | None:
    """Return why nobody hears what is sent there; None where it is alive."""
    if not endpoint.enabled:
        return Dead(endpoint.disabled_reason or Dead.BY_HAND)
    if endpoint.alive(now):
        return None
    return Dead.UNREACHABLE if endpoint.health.breaker_open else Dead.HOLDING


def _ways(directory: Directory, now: datetime) -> Iterator[Way]:
    catching = any(e.catch_all and e.alive(now) for e in directory.endpoints.values())
    covered = False
    for route in directory.routes:
        if route.enabled:
            yield Way(route=route, reached=_reached(route, directory, catching=catching, now=now))
            covered = covered or (takes_everything(route) and not route.continues)
    if not covered:
        yield Way(route=None, reached=Reached.HEARD if catching else Reached.UNHEARD)


def _reached(route: Route, directory: Directory, *, catching: bool, now: datetime) -> Reached:
    if route.tells_nobody:
        return Reached.MUTED
    if any_alive(targets(route, directory.endpoints), directory, now):
        return Reached.HEARD
    return Reached.CAUGHT if catching else Reached.UNHEARD


def takes_everything(route: Route) -> bool:
    """Return whether no issue passes this route by."""
    narrow = (route.rules and "*" not in route.rules) or route.service_levels or route.channels or route.reasons
    return not narrow and route.min_severity is AlertSeverity.LOW


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """What a change of one endpoint leaves without it: ways that nobody would hear, ways that catch-alls would."""

    unheard: tuple[Way, ...]
    caught: tuple[Way, ...]


def loss(directory: Directory, endpoint_id: UUID, after: Reachable | None, *, now: datetime) -> Loss:
    """Return which ways of an endpoint nobody of their own hears once it is as `after` (None: deleted).

    A way that it goes on to serve is not lost, however it is doing.
    """
    left = {key: value for key, value in directory.endpoints.items() if key != endpoint_id}
    then = replace(directory, endpoints=left if after is None else {**left, endpoint_id: after})
    kept = _served(then, endpoint_id) if after is not None and after.enabled else set()
    given_up = _served(directory, endpoint_id) - kept
    before = {_name(way): way.reached for way in _ways(directory, now)}
    ways = [way for way in _ways(then, now) if _name(way) in given_up]
    return Loss(
        unheard=tuple(way for way in ways if way.reached is Reached.UNHEARD),
        caught=tuple(way for way in ways if way.reached is Reached.CAUGHT and before[_name(way)] is Reached.HEARD),
    )


def _name(way: Way) -> UUID | None:
    return way.route.id if way.route else None


def _served(directory: Directory, endpoint_id: UUID) -> set[UUID | None]:
    """The ways that an endpoint is there for: routes that name it or its team; all, where it is catch-all."""
    catch_all = directory.endpoints[endpoint_id].catch_all
    telling = (route for route in directory.routes if route.enabled and not route.tells_nobody)
    served: set[UUID | None] = {None} if catch_all else set()
    return served | {r.id for r in telling if catch_all or endpoint_id in targets(r, directory.endpoints)}
