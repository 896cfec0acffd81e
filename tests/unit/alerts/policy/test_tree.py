"""The tree of routes: depth first, continuing, inheritance, and the root."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from services.alerts.issues.model import AlertSeverity
from services.alerts.policy.matchers import parse_matchers
from services.alerts.policy.tree import Route, RouteMatch, RouteOptions, RoutingFacts, walk

FACTS = RoutingFacts(rules=("long_wait",), severity=AlertSeverity.HIGH, reason="billing", channel="phone")
DESK, NIGHT = UUID(int=1), UUID(int=2)
MINUTE = timedelta(minutes=1)


def a_route(name: str, *routes: Route, matchers: str = "", **members: Any) -> Route:
    number = UUID(int=sum(map(ord, name)))
    return replace(Route(id=number, name=name, matchers=parse_matchers(matchers), routes=routes), **members)


def names(*routes: Route) -> list[str]:
    return [hit.route.name for hit in walk(FACTS, routes).hits]


def test_the_deepest_route_that_matches_takes_the_issue() -> None:
    inner = a_route("inner", a_route("phone", matchers="channel=phone"), a_route("web", matchers="channel=web"))

    assert names(a_route("billing", inner, matchers="reason=billing"), a_route("rest")) == ["phone"]


def test_a_route_takes_what_none_of_its_children_takes() -> None:
    assert names(a_route("billing", a_route("web", matchers="channel=web"))) == ["billing"]


def test_continuing_goes_on_among_siblings_and_does_not_leave_the_parent() -> None:
    children = a_route("a", continues=True), a_route("b"), a_route("c")

    assert names(a_route("parent", *children), a_route("other")) == ["a", "b"]
    assert names(a_route("parent", *children, continues=True), a_route("other")) == ["a", "b", "other"]


def test_what_no_route_takes_stays_at_the_root() -> None:
    walked = walk(FACTS, [a_route("web", matchers="channel=web"), a_route("off", enabled=False)])

    assert walked.hits == ()
    assert [check.match for check in walked.path] == [RouteMatch.MATCHER, RouteMatch.DISABLED]


def test_options_and_people_are_inherited_and_hours_are_not() -> None:
    inner = a_route("inner", options=RouteOptions(group_wait=2 * MINUTE))
    outer = a_route(
        "outer",
        inner,
        endpoints=(DESK,),
        options=RouteOptions(group_by=("reason",), group_wait=MINUTE, active_time_intervals=("work",)),
    )
    [hit] = walk(FACTS, [outer], RouteOptions(group_interval=3 * MINUTE)).hits

    assert (hit.route.name, hit.people.name) == ("inner", "outer")
    assert (hit.options.group_by, hit.options.group_wait) == (("reason",), 2 * MINUTE)
    assert hit.options.group_interval == 3 * MINUTE
    assert hit.options.active_time_intervals == ()


def test_a_child_that_names_people_replaces_those_of_its_parent() -> None:
    child = a_route("child", endpoints=(NIGHT,))
    [hit] = walk(FACTS, [a_route("parent", child, tells_nobody=True)]).hits

    assert (hit.people.name, hit.people.tells_nobody) == ("child", False)


def test_the_path_says_how_deep_each_route_stands() -> None:
    walked = walk(FACTS, [a_route("a", a_route("b", matchers="channel=web"), a_route("c")), a_route("d")])

    assert [(check.route.name, check.depth, check.match.value) for check in walked.path] == [
        ("a", 0, "matched"),
        ("b", 1, "matcher_differs"),
        ("c", 1, "matched"),
        ("d", 0, "not_asked"),
    ]


def test_each_issue_alone_is_no_group() -> None:
    assert not RouteOptions(group_by=("...",)).grouped
    assert not RouteOptions().grouped
    assert RouteOptions(group_by=()).grouped
