"""Who would hear what: dead endpoints and since when, ways and their listeners, what a change would leave unheard."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from services.alerts.deliver.retry import BREAKER_OPENS_AFTER, SILENT_AFTER, EndpointHealth
from services.alerts.issues.model import AlertSeverity
from services.alerts.notify.reachability import (
    DeliveryBacklog,
    Reachability,
    ReachabilitySurvey,
    SilenceReason,
    UnheardIssues,
    matches_everything,
    reachability_loss,
    report_reachability,
    silence_reason,
)
from services.alerts.notify.routing import RoutedEndpoint, RoutingDirectory
from services.alerts.policy.tree import Route
from tests.unit.alerts.builders import NOW

DESK, NIGHT, PHONE = UUID(int=1), UUID(int=2), UUID(int=3)
TEAM = UUID(int=11)
SINCE = NOW - timedelta(minutes=13)
BROKEN = EndpointHealth(consecutive_failures=BREAKER_OPENS_AFTER, failing_since=SINCE)


def an_endpoint(number: UUID, **members: Any) -> RoutedEndpoint:
    return replace(RoutedEndpoint(id=number, team_id=None, catch_all=False, name=f"endpoint {number.int}"), **members)


def a_route(number: int = 1, **members: Any) -> Route:
    return replace(Route(id=UUID(int=100 + number), name=f"route {number}", reasons=("billing",)), **members)


def a_directory(*endpoints: RoutedEndpoint, routes: tuple[Route, ...] = ()) -> RoutingDirectory:
    return RoutingDirectory(routes=routes, endpoints={e.id: e for e in endpoints}, teams={TEAM: "Billing"})


def reachability_of_ways(directory: RoutingDirectory) -> list[tuple[str | None, Reachability]]:
    survey = ReachabilitySurvey(directory=directory, waiting={}, unheard=UnheardIssues())
    return [(way.route.name if way.route else None, way.reached) for way in report_reachability(survey, now=NOW).ways]


@pytest.mark.parametrize(
    ("members", "why"),
    [
        pytest.param({}, None, id="alive"),
        pytest.param({"enabled": False, "disabled_reason": "by_hand"}, SilenceReason.BY_HAND, id="by hand"),
        pytest.param({"enabled": False, "disabled_reason": "gone"}, SilenceReason.GONE, id="gone"),
        pytest.param({"enabled": False, "disabled_reason": "failing"}, SilenceReason.FAILING, id="failing"),
        pytest.param({"enabled": False}, SilenceReason.BY_HAND, id="disabled without a reason"),
        pytest.param({"health": BROKEN}, SilenceReason.UNREACHABLE, id="its breaker is open"),
        pytest.param(
            {"health": EndpointHealth(failing_since=NOW - SILENT_AFTER)}, SilenceReason.HOLDING, id="it asks for time"
        ),
        pytest.param({"health": EndpointHealth(consecutive_failures=1, failing_since=NOW)}, None, id="one failure"),
    ],
)
def test_an_endpoint_is_dead_for_a_reason(members: dict[str, Any], why: SilenceReason | None) -> None:
    assert silence_reason(an_endpoint(DESK, **members), NOW) is why


def test_who_asks_for_time_for_too_long_is_dead_wherever_it_is_looked_at() -> None:
    holding = EndpointHealth(failing_since=NOW - SILENT_AFTER)
    desk, night = an_endpoint(DESK, health=holding), an_endpoint(NIGHT, catch_all=True)
    routes = (a_route(endpoints=(DESK,)), a_route(2, endpoints=(PHONE,), enabled=False))
    directory = a_directory(desk, night, an_endpoint(PHONE), routes=routes)

    heard = report_reachability(ReachabilitySurvey(directory=directory, waiting={}, unheard=UnheardIssues()), now=NOW)

    assert (heard.endpoints, heard.living, heard.catching) == (3, 2, 1)
    assert [(one.endpoint, one.why, one.since, one.waiting) for one in heard.silent] == [
        (desk, SilenceReason.HOLDING, NOW - SILENT_AFTER, DeliveryBacklog())
    ]
    assert reachability_of_ways(directory) == [("route 1", Reachability.CAUGHT), (None, Reachability.HEARD)]
    assert reachability_of_ways(a_directory(replace(night, health=holding))) == [(None, Reachability.UNHEARD)]
    lost = reachability_loss(
        a_directory(an_endpoint(DESK), replace(night, health=holding), routes=routes), DESK, None, now=NOW
    )
    assert [way.route for way in lost.unheard] == [routes[0]]
    assert reachability_loss(a_directory(an_endpoint(PHONE), routes=routes[1:]), PHONE, None, now=NOW).unheard == ()


def test_a_dead_endpoint_says_since_when_and_what_waits() -> None:
    off = an_endpoint(NIGHT, enabled=False, disabled_reason="gone", disabled_at=NOW, health=BROKEN)
    waiting = {
        DESK: DeliveryBacklog(count=3, since=SINCE, given_up=1),
        PHONE: DeliveryBacklog(count=1, since=SINCE - timedelta(minutes=1)),
        NIGHT: DeliveryBacklog(),
    }
    survey = ReachabilitySurvey(
        directory=a_directory(an_endpoint(DESK, health=BROKEN), off, an_endpoint(PHONE, catch_all=True)),
        waiting=waiting,
        unheard=UnheardIssues(count=2, since=SINCE),
    )

    heard = report_reachability(survey, now=NOW)

    assert [(s.endpoint.id, s.why, s.since, s.waiting.count) for s in heard.silent] == [
        (DESK, SilenceReason.UNREACHABLE, SINCE, 3),
        (NIGHT, SilenceReason.GONE, NOW, 0),
    ]
    assert heard.waiting == DeliveryBacklog(count=4, since=SINCE - timedelta(minutes=1), given_up=1)
    assert (heard.endpoints, heard.living, heard.catching) == (3, 1, 1)
    assert heard.unheard == UnheardIssues(count=2, since=SINCE)
    assert heard.begun


def test_nothing_waits_where_there_is_nobody() -> None:
    heard = report_reachability(
        ReachabilitySurvey(directory=a_directory(), waiting={}, unheard=UnheardIssues(), begun=False), now=NOW
    )

    assert (heard.waiting, heard.endpoints, heard.living, heard.catching) == (DeliveryBacklog(), 0, 0, 0)
    assert [way.reached for way in heard.ways_that(Reachability.UNHEARD)] == [Reachability.UNHEARD]
    assert not heard.begun


def test_a_line_is_heard_by_its_own_caught_by_others_or_unheard() -> None:
    desk, night = an_endpoint(DESK), an_endpoint(NIGHT, catch_all=True)
    routes = (
        a_route(1, endpoints=(DESK,)),
        a_route(2),
        a_route(3, tells_nobody=True),
        a_route(4, endpoints=(DESK,), enabled=False),
    )
    heard, caught, unheard, muted = Reachability.HEARD, Reachability.CAUGHT, Reachability.UNHEARD, Reachability.MUTED

    def of(*endpoints: RoutedEndpoint) -> list[Reachability]:
        return [fate for _, fate in reachability_of_ways(a_directory(*endpoints, routes=routes))]

    assert of(desk, night) == [heard, caught, muted, heard]
    assert of(replace(desk, health=BROKEN), night) == [caught, caught, muted, heard]
    assert of(desk) == [heard, unheard, muted, unheard]
    assert of(desk, replace(night, enabled=False)) == [heard, unheard, muted, unheard]


@pytest.mark.parametrize(
    ("members", "everything"),
    [
        pytest.param({"reasons": ()}, True, id="no list"),
        pytest.param({"reasons": (), "rules": ("*",)}, True, id="every rule"),
        pytest.param({"reasons": (), "rules": ("low_*",)}, False, id="some rules"),
        pytest.param({"reasons": (), "channels": ("web",)}, False, id="some channels"),
        pytest.param({"reasons": (), "service_levels": ("basic",)}, False, id="some service levels"),
        pytest.param({}, False, id="some reasons"),
        pytest.param({"reasons": (), "min_severity": AlertSeverity.MEDIUM}, False, id="not the mildest"),
    ],
)
def test_a_route_that_takes_everything_leaves_nothing_to_catch(members: dict[str, Any], everything: bool) -> None:
    route = a_route(endpoints=(DESK,), **members)

    assert matches_everything(route) is everything
    assert (
        (None, Reachability.UNHEARD) in reachability_of_ways(a_directory(an_endpoint(DESK), routes=(route,)))
    ) is not everything


def test_a_route_that_continues_or_is_disabled_leaves_the_rest_to_catch() -> None:
    for members in ({"continues": True}, {"enabled": False}):
        route = a_route(endpoints=(DESK,), reasons=(), **members)

        assert (None, Reachability.UNHEARD) in reachability_of_ways(a_directory(an_endpoint(DESK), routes=(route,)))


ROUTES = (a_route(1, endpoints=(DESK,)), a_route(2, teams=(TEAM,)), a_route(3, endpoints=(PHONE,)))


def names(ways: Any) -> list[str | None]:
    return [way.route.name if way.route else None for way in ways]


def test_deleting_names_what_nobody_would_hear_and_what_others_catch() -> None:
    desk, phone = an_endpoint(DESK, team_id=TEAM), an_endpoint(PHONE)
    night = an_endpoint(NIGHT, catch_all=True)

    alone = reachability_loss(a_directory(desk, phone, routes=ROUTES), DESK, None, now=NOW)
    caught = reachability_loss(a_directory(desk, phone, night, routes=ROUTES), DESK, None, now=NOW)
    catching = reachability_loss(
        a_directory(replace(desk, health=BROKEN), phone, night, routes=ROUTES), NIGHT, None, now=NOW
    )

    assert (names(alone.unheard), names(alone.caught)) == (["route 1", "route 2"], [])
    assert (names(caught.unheard), names(caught.caught)) == ([], ["route 1", "route 2"])
    assert (names(catching.unheard), names(catching.caught)) == (["route 1", "route 2", None], [])


def test_what_was_caught_before_is_no_news() -> None:
    dead, night = an_endpoint(DESK, health=BROKEN), an_endpoint(NIGHT, catch_all=True)

    lost = reachability_loss(a_directory(dead, night, routes=(ROUTES[0],)), DESK, None, now=NOW)

    assert (lost.unheard, lost.caught) == ((), ())


def test_deleting_a_dead_endpoint_still_names_what_only_it_is_there_for() -> None:
    dead = an_endpoint(DESK, health=BROKEN)

    assert names(reachability_loss(a_directory(dead, routes=(ROUTES[0],)), DESK, None, now=NOW).unheard) == ["route 1"]


def test_a_change_loses_what_the_endpoint_no_longer_serves() -> None:
    desk = an_endpoint(DESK, team_id=TEAM, catch_all=True, health=BROKEN)
    directory = a_directory(desk, routes=ROUTES[:2])

    def lost(**members: Any) -> list[str | None]:
        return names(reachability_loss(directory, DESK, replace(desk, **members), now=NOW).unheard)

    assert lost(enabled=False) == ["route 1", "route 2", None]
    assert lost(catch_all=False) == [None]
    assert lost(team_id=None) == []
    assert lost(team_id=None, catch_all=False) == ["route 2", None]
    assert lost(name="another") == []


def test_muted_and_disabled_routes_have_nothing_to_lose() -> None:
    routes = (a_route(1, tells_nobody=True), a_route(2, endpoints=(DESK,), enabled=False))

    assert reachability_loss(a_directory(an_endpoint(DESK), routes=routes), DESK, None, now=NOW).unheard == ()
