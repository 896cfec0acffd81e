"""The tree of routes, walked as Alertmanager walks its own.

Pure. Routes are evaluated depth first and from left to right. The first child that matches ends the search among its
siblings, unless it `continues`; if no child of a matching route matches, the route itself takes the issue. A route
inherits the endpoints, the teams and the options of its parent, except the hours: those are its own alone. The root
matches everything; what it takes is the way of the issues that no route matches.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from datetime import timedelta
from enum import StrEnum
from fnmatch import fnmatchcase
from uuid import UUID

from services.alerts.issues.model import AlertSeverity, Issue
from services.alerts.policy.matchers import Labels, Matcher, all_match

EACH_ISSUE = "..."
"""In `group_by`: every label, so that each issue stands alone."""

LABELS = ("rule", "severity", "service_level", "channel", "reason", "customer", "journey")
"""The labels that every issue has; a reference has `ref_` before its name."""

REF_PREFIX = "ref_"


class RouteMatch(StrEnum):
    """Why a route matched an issue or not."""

    MATCHED = "matched"
    DISABLED = "disabled"
    RULE = "rule_differs"
    SEVERITY = "severity_too_low"
    SERVICE_LEVEL = "service_level_differs"
    CHANNEL = "channel_differs"
    REASON = "reason_differs"
    MATCHER = "matcher_differs"
    NOT_ASKED = "not_asked"
    """An earlier route matched and does not continue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingFacts:
    """The facts of an issue that routes look at; `more` are labels beside those that every issue has."""

    rules: tuple[str, ...]
    severity: AlertSeverity
    service_level: str | None = None
    channel: str | None = None
    reason: str | None = None
    customer: str | None = None
    journey: str | None = None
    more: tuple[tuple[str, str], ...] = ()

    @property
    def labels(self) -> dict[str, tuple[str, ...]]:
        """The labels that matchers look at; what is missing has no label."""
        single = {name: getattr(self, name) for name in LABELS[1:]} | dict(self.more)
        labels = {name: (str(value),) for name, value in single.items() if value}
        return labels | ({"rule": tuple(sorted(self.rules))} if self.rules else {})


def routing_facts(issue: Issue) -> RoutingFacts:
    """Return the facts of an issue; the severity of its loud frictions counts if it has any."""
    return RoutingFacts(
        rules=issue.rules,
        severity=issue.loud_severity or issue.severity,
        service_level=issue.service_level,
        channel=issue.channel,
        reason=issue.reason,
        customer=issue.customer_id,
        journey=issue.journey_id,
        more=tuple((REF_PREFIX + name, value) for name, value in sorted(issue.refs.items())),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteOptions:
    """How a route notifies; what is None is inherited, except the hours, which belong to the route alone.

    Without `group_by`, each issue is a message of its own that goes at once. `repeat_interval` names the pauses between
    repeats, the last of them for ever; an empty one repeats nothing.
    """

    group_by: tuple[str, ...] | None = None
    group_wait: timedelta | None = None
    group_interval: timedelta | None = None
    repeat_interval: tuple[timedelta, ...] | None = None
    critical_waits: bool | None = None
    """Whether a critical issue waits too, in a group and for the hours."""
    escalation: str | None = None
    """The name of the escalation that begins when people are told; empty for none."""
    active_time_intervals: tuple[str, ...] = ()
    mute_time_intervals: tuple[str, ...] = ()

    def inherit(self, parent: "RouteOptions") -> "RouteOptions":
        """Return these options with those of the parent where they say nothing."""
        named = {member.name: getattr(self, member.name) for member in fields(self)}
        return RouteOptions(
            **{name: getattr(parent, name) if value is None else value for name, value in named.items()}
        )

    @property
    def grouped(self) -> bool:
        """Whether issues share messages."""
        return self.group_by is not None and EACH_ISSUE not in self.group_by


DEFAULT_OPTIONS = RouteOptions(
    group_wait=timedelta(0), group_interval=timedelta(minutes=5), repeat_interval=(), critical_waits=False
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One route of the tree. An empty criterion matches everything; rules may contain `*`."""

    id: UUID
    name: str
    rules: tuple[str, ...] = ()
    min_severity: AlertSeverity = AlertSeverity.LOW
    service_levels: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    matchers: tuple[Matcher, ...] = ()
    endpoints: tuple[UUID, ...] = ()
    teams: tuple[UUID, ...] = ()
    continues: bool = False
    enabled: bool = True
    tells_nobody: bool = False
    """Its issues are only shown; it names neither endpoints nor teams."""
    options: RouteOptions = field(default_factory=RouteOptions)
    routes: tuple["Route", ...] = ()

    @property
    def names_people(self) -> bool:
        """Whether it says itself who is notified, or that nobody is."""
        return bool(self.endpoints or self.teams or self.tells_nobody)


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteCheck:
    """A route and whether it matched; `depth` is 0 for the children of the root."""

    route: Route
    match: RouteMatch
    depth: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteHit:
    """A route that takes an issue, with its inherited options, and the route that names its people."""

    route: Route
    options: RouteOptions
    people: Route
    """The route itself or its nearest ancestor that names people; the root has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteWalk:
    """What a walk found: the routes that take the issue in order, none if it stays at the root, and every check."""

    hits: tuple[RouteHit, ...]
    path: tuple[RouteCheck, ...]


def walk(about: RoutingFacts, routes: Sequence[Route], root: RouteOptions = DEFAULT_OPTIONS) -> RouteWalk:
    """Walk the tree whose root has these routes and options."""
    path: list[RouteCheck] = []
    hits = _walk_children(about, about.labels, routes, _Parent(options=root, people=None, depth=0), path)
    return RouteWalk(hits=tuple(hits), path=tuple(path))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parent:
    """What children inherit, and how deep they are."""

    options: RouteOptions
    people: Route | None
    depth: int


def _walk_children(
    about: RoutingFacts, labels: Labels, routes: Sequence[Route], parent: _Parent, path: list[RouteCheck]
) -> list[RouteHit]:
    hits: list[RouteHit] = []
    ended = False
    for route in routes:
        match = RouteMatch.NOT_ASKED if ended else match_route(about, route, labels)
        path.append(RouteCheck(route=route, match=match, depth=parent.depth))
        if match is not RouteMatch.MATCHED:
            continue
        options = route.options.inherit(parent.options)
        people = route if route.names_people or parent.people is None else parent.people
        inner = _Parent(options=options, people=people, depth=parent.depth + 1)
        found = _walk_children(about, labels, route.routes, inner, path)
        hits += found or [RouteHit(route=route, options=options, people=people)]
        ended = not route.continues
    return hits


def match_route(about: RoutingFacts, candidate: Route, labels: Labels | None = None) -> RouteMatch:
    """Return whether a route matches these facts, or the first criterion that does not."""
    if not candidate.enabled:
        return RouteMatch.DISABLED
    if candidate.rules and not any(fnmatchcase(rule, pattern) for rule in about.rules for pattern in candidate.rules):
        return RouteMatch.RULE
    if about.severity.rank < candidate.min_severity.rank:
        return RouteMatch.SEVERITY
    if (differs := _match_words(about, candidate)) is not RouteMatch.MATCHED:
        return differs
    fulfilled = not candidate.matchers or all_match(candidate.matchers, about.labels if labels is None else labels)
    return RouteMatch.MATCHED if fulfilled else RouteMatch.MATCHER


def _match_words(about: RoutingFacts, candidate: Route) -> RouteMatch:
    if candidate.service_levels and about.service_level not in candidate.service_levels:
        return RouteMatch.SERVICE_LEVEL
    if candidate.channels and about.channel not in candidate.channels:
        return RouteMatch.CHANNEL
    if candidate.reasons and about.reason not in candidate.reasons:
        return RouteMatch.REASON
    return RouteMatch.MATCHED


def inherited_routes(
    routes: Sequence[Route], options: RouteOptions = DEFAULT_OPTIONS, people: Route | None = None
) -> Iterator[RouteHit]:
    """Yield every route that is enabled, with its ancestors, as it would take an issue."""
    for route in routes:
        if route.enabled:
            inherited = route.options.inherit(options)
            named = route if route.names_people or people is None else people
            yield RouteHit(route=route, options=inherited, people=named)
            yield from inherited_routes(route.routes, inherited, named)


def all_routes(routes: Sequence[Route]) -> Iterator[Route]:
    """Yield every route of the tree, parents before their children."""
    for route in routes:
        yield route
        yield from all_routes(route.routes)
