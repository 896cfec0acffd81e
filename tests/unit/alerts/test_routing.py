"""Who hears of an issue: matching, order, continuing, catching what nobody takes, and the way there."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from services.alerts.deliver.retry import BREAKER_OPENS_AFTER, SILENT_AFTER, EndpointHealth
from services.alerts.issues.model import AlertSeverity
from services.alerts.notify.routing import RoutedEndpoint, RoutingDirectory, evaluate_routes
from services.alerts.policy.tree import Route, RouteMatch, RoutingFacts, match_route, routing_facts
from tests.unit.alerts.builders import NOW, an_issue

DESK, PHONE, NIGHT = UUID(int=1), UUID(int=2), UUID(int=3)
BILLING_TEAM = UUID(int=11)
FACTS = RoutingFacts(
    rules=("repeat_contact_24h",),
    severity=AlertSeverity.MEDIUM,
    service_level="premium",
    channel="phone",
    reason="billing",
)


def test_routes_look_at_what_the_issue_says() -> None:
    issue = an_issue(
        rules=("transfers",),
        service_level="premium",
        channel="phone",
        reason="billing",
        loud_severity=AlertSeverity.HIGH,
    )

    assert routing_facts(issue) == replace(
        FACTS,
        rules=("transfers",),
        severity=AlertSeverity.HIGH,
        customer=issue.customer_id,
        journey=issue.journey_id,
        more=tuple((f"ref_{name}", value) for name, value in issue.refs.items()),
    )


def a_directory(*routes: Route) -> RoutingDirectory:
    return RoutingDirectory(
        routes=routes,
        endpoints={
            DESK: RoutedEndpoint(id=DESK, team_id=BILLING_TEAM, catch_all=False),
            PHONE: RoutedEndpoint(id=PHONE, team_id=BILLING_TEAM, catch_all=False),
            NIGHT: RoutedEndpoint(id=NIGHT, team_id=None, catch_all=True),
        },
        teams={BILLING_TEAM: "Billing"},
    )


def a_route(number: int = 1, **members: object) -> Route:
    return replace(Route(id=UUID(int=100 + number), name=f"route {number}", endpoints=(DESK,)), **members)  # type: ignore[arg-type]  # members by name


@pytest.mark.parametrize(
    ("members", "match"),
    [
        pytest.param({}, RouteMatch.MATCHED, id="an empty route takes everything"),
        pytest.param({"rules": ("repeat_contact_24h",)}, RouteMatch.MATCHED, id="the rule"),
        pytest.param({"rules": ("repeat_contact_*",)}, RouteMatch.MATCHED, id="a pattern of rules"),
        pytest.param({"rules": ("long_wait",)}, RouteMatch.RULE, id="another rule"),
        pytest.param({"min_severity": AlertSeverity.MEDIUM}, RouteMatch.MATCHED, id="severe enough"),
        pytest.param({"min_severity": AlertSeverity.HIGH}, RouteMatch.SEVERITY, id="not severe enough"),
        pytest.param({"service_levels": ("premium",)}, RouteMatch.MATCHED, id="the service level"),
        pytest.param({"service_levels": ("basic",)}, RouteMatch.SERVICE_LEVEL, id="another service level"),
        pytest.param({"channels": ("web", "phone")}, RouteMatch.MATCHED, id="one of the channels"),
        pytest.param({"channels": ("web",)}, RouteMatch.CHANNEL, id="another channel"),
        pytest.param({"reasons": ("delivery",)}, RouteMatch.REASON, id="another reason"),
        pytest.param({"enabled": False}, RouteMatch.DISABLED, id="disabled"),
    ],
)
def test_a_route_says_why(members: dict[str, object], match: RouteMatch) -> None:
    assert match_route(FACTS, a_route(1, **members)) is match


def test_an_unknown_service_level_matches_no_list() -> None:
    assert (
        match_route(replace(FACTS, service_level=None), a_route(service_levels=("basic",))) is RouteMatch.SERVICE_LEVEL
    )


def test_the_first_route_that_matches_ends_the_search() -> None:
    routing = evaluate_routes(
        FACTS, a_directory(a_route(1, channels=("web",)), a_route(2), a_route(3, endpoints=(PHONE,))), now=NOW
    )

    assert routing.endpoints == (DESK,)
    assert [asked.match for asked in routing.path] == [RouteMatch.CHANNEL, RouteMatch.MATCHED, RouteMatch.NOT_ASKED]


def test_a_route_that_continues_adds_to_the_next() -> None:
    routing = evaluate_routes(
        FACTS, a_directory(a_route(1, continues=True), a_route(2, endpoints=(PHONE, DESK))), now=NOW
    )

    assert routing.endpoints == (DESK, PHONE)


def test_a_team_means_each_of_its_endpoints_once() -> None:
    routing = evaluate_routes(FACTS, a_directory(a_route(1, endpoints=(PHONE,), teams=(BILLING_TEAM,))), now=NOW)

    assert routing.endpoints == (PHONE, DESK)
    assert routing.team == "Billing"


def test_what_no_route_takes_is_caught() -> None:
    routing = evaluate_routes(FACTS, a_directory(a_route(channels=("web",))), now=NOW)

    assert (routing.endpoints, routing.caught, routing.team) == ((NIGHT,), True, None)


DEAD = {
    "disabled": {"enabled": False, "disabled_reason": "by_hand", "disabled_at": NOW},
    "its breaker is open": {"health": EndpointHealth(consecutive_failures=BREAKER_OPENS_AFTER, failing_since=NOW)},
    "it asks for time and takes nothing": {"health": EndpointHealth(failing_since=NOW - SILENT_AFTER)},
}


def with_members(directory: RoutingDirectory, endpoint: UUID, **members: Any) -> RoutingDirectory:
    changed = replace(directory.endpoints[endpoint], **members)
    return replace(directory, endpoints={**directory.endpoints, endpoint: changed})


@pytest.mark.parametrize("members", DEAD.values(), ids=DEAD)
def test_an_endpoint_where_nobody_hears_is_joined_by_those_that_catch(members: dict[str, Any]) -> None:
    routing = evaluate_routes(FACTS, with_members(a_directory(a_route()), DESK, **members), now=NOW)

    assert (routing.endpoints, routing.caught, routing.heard) == ((DESK, NIGHT), True, True)


@pytest.mark.parametrize(
    "health",
    [
        pytest.param(
            EndpointHealth(consecutive_failures=BREAKER_OPENS_AFTER - 1, failing_since=NOW), id="one failure less"
        ),
        pytest.param(EndpointHealth(failing_since=NOW - SILENT_AFTER + timedelta(seconds=1)), id="a second less"),
    ],
)
def test_an_endpoint_that_fails_now_and_then_is_alive(health: EndpointHealth) -> None:
    routing = evaluate_routes(FACTS, with_members(a_directory(a_route()), DESK, health=health), now=NOW)

    assert (routing.endpoints, routing.caught, routing.heard) == ((DESK,), False, True)


def test_one_living_endpoint_of_two_is_enough() -> None:
    directory = with_members(a_directory(a_route(endpoints=(DESK, PHONE))), DESK, enabled=False)

    routing = evaluate_routes(FACTS, directory, now=NOW)

    assert (routing.endpoints, routing.caught) == ((DESK, PHONE), False)


@pytest.mark.parametrize(
    "members",
    [
        pytest.param({"endpoints": ()}, id="it names nobody"),
        pytest.param({"endpoints": (UUID(int=99),)}, id="its only endpoint was deleted"),
        pytest.param({"endpoints": (), "teams": (UUID(int=12),)}, id="its team has no endpoint left"),
    ],
)
def test_a_route_without_an_endpoint_is_caught(members: dict[str, Any]) -> None:
    routing = evaluate_routes(FACTS, a_directory(a_route(**members)), now=NOW)

    assert (routing.endpoints, routing.caught, routing.muted) == ((NIGHT,), True, False)


def test_a_dead_endpoint_and_dead_catch_alls_keep_it_though_nobody_hears() -> None:
    directory = with_members(with_members(a_directory(a_route()), DESK, enabled=False), NIGHT, enabled=False)

    routing = evaluate_routes(FACTS, directory, now=NOW)

    assert (routing.endpoints, routing.caught, routing.heard) == ((DESK, NIGHT), True, False)


def test_a_route_that_tells_nobody_mutes_what_it_takes() -> None:
    routing = evaluate_routes(FACTS, a_directory(a_route(endpoints=(), tells_nobody=True)), now=NOW)

    assert (routing.endpoints, routing.caught, routing.muted, routing.heard) == ((), False, True, False)


def test_a_mute_that_continues_does_not_hide_what_others_were_to_hear() -> None:
    muting = a_route(1, endpoints=(), tells_nobody=True, continues=True)

    told = evaluate_routes(FACTS, a_directory(muting, a_route(2)), now=NOW)
    lost = evaluate_routes(FACTS, a_directory(muting, a_route(2, endpoints=())), now=NOW)
    alone = evaluate_routes(FACTS, a_directory(muting), now=NOW)

    assert (told.endpoints, told.muted) == ((DESK,), False)
    assert (lost.endpoints, lost.muted) == ((NIGHT,), False)
    assert (alone.endpoints, alone.muted) == ((), True)


def test_an_endpoint_that_was_deleted_is_left_out() -> None:
    routing = evaluate_routes(FACTS, a_directory(a_route(endpoints=(UUID(int=99), DESK))), now=NOW)

    assert routing.endpoints == (DESK,)


def test_the_team_is_the_one_of_the_route_that_matched() -> None:
    night = UUID(int=12)
    directory = a_directory(
        a_route(1, teams=(BILLING_TEAM,), min_severity=AlertSeverity.CRITICAL), a_route(2, endpoints=(), teams=(night,))
    )

    routing = evaluate_routes(FACTS, replace(directory, teams={BILLING_TEAM: "Billing", night: "Night"}), now=NOW)

    assert routing.team == "Night"


def test_a_team_that_was_deleted_has_no_name() -> None:
    assert (
        evaluate_routes(FACTS, a_directory(a_route(1, endpoints=(NIGHT,), teams=(UUID(int=99),))), now=NOW).team is None
    )
