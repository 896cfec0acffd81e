"""Who hears of an issue: matching, order, continuing, catching what nobody takes, and the way there."""

from dataclasses import replace
from uuid import UUID

import pytest

from services.alerts.domain.routing import Directory, Facts, Match, Reachable, Route, matches, route
from services.alerts.domain.values import Severity

DESK, PHONE, NIGHT = UUID(int=1), UUID(int=2), UUID(int=3)
BILLING_TEAM = UUID(int=11)
FACTS = Facts(
    rules=("repeat_contact_24h",),
    severity=Severity.MEDIUM,
    service_level="premium",
    channel="phone",
    reason="billing",
)


def a_directory(*routes: Route) -> Directory:
    return Directory(
        routes=routes,
        endpoints={
            DESK: Reachable(id=DESK, team_id=BILLING_TEAM, catch_all=False),
            PHONE: Reachable(id=PHONE, team_id=BILLING_TEAM, catch_all=False),
            NIGHT: Reachable(id=NIGHT, team_id=None, catch_all=True),
        },
        teams={BILLING_TEAM: "Billing"},
    )


def a_route(number: int = 1, **members: object) -> Route:
    return replace(Route(id=UUID(int=100 + number), name=f"route {number}", endpoints=(DESK,)), **members)  # type: ignore[arg-type]  # members by name


@pytest.mark.parametrize(
    ("members", "match"),
    [
        pytest.param({}, Match.MATCHED, id="an empty route takes everything"),
        pytest.param({"rules": ("repeat_contact_24h",)}, Match.MATCHED, id="the rule"),
        pytest.param({"rules": ("repeat_contact_*",)}, Match.MATCHED, id="a pattern of rules"),
        pytest.param({"rules": ("long_wait",)}, Match.RULE, id="another rule"),
        pytest.param({"min_severity": Severity.MEDIUM}, Match.MATCHED, id="severe enough"),
        pytest.param({"min_severity": Severity.HIGH}, Match.SEVERITY, id="not severe enough"),
        pytest.param({"service_levels": ("premium",)}, Match.MATCHED, id="the service level"),
        pytest.param({"service_levels": ("basic",)}, Match.SERVICE_LEVEL, id="another service level"),
        pytest.param({"channels": ("web", "phone")}, Match.MATCHED, id="one of the channels"),
        pytest.param({"channels": ("web",)}, Match.CHANNEL, id="another channel"),
        pytest.param({"reasons": ("delivery",)}, Match.REASON, id="another reason"),
        pytest.param({"enabled": False}, Match.DISABLED, id="disabled"),
    ],
)
def test_a_route_says_why(members: dict[str, object], match: Match) -> None:
    assert matches(FACTS, a_route(1, **members)) is match


def test_an_unknown_service_level_matches_no_list() -> None:
    assert matches(replace(FACTS, service_level=None), a_route(service_levels=("basic",))) is Match.SERVICE_LEVEL


def test_the_first_route_that_matches_ends_the_search() -> None:
    routing = route(FACTS, a_directory(a_route(1, channels=("web",)), a_route(2), a_route(3, endpoints=(PHONE,))))

    assert routing.endpoints == (DESK,)
    assert [asked.match for asked in routing.path] == [Match.CHANNEL, Match.MATCHED, Match.NOT_ASKED]


def test_a_route_that_continues_adds_to_the_next() -> None:
    routing = route(FACTS, a_directory(a_route(1, continues=True), a_route(2, endpoints=(PHONE, DESK))))

    assert routing.endpoints == (DESK, PHONE)


def test_a_team_means_each_of_its_endpoints_once() -> None:
    routing = route(FACTS, a_directory(a_route(1, endpoints=(PHONE,), teams=(BILLING_TEAM,))))

    assert routing.endpoints == (PHONE, DESK)
    assert routing.team == "Billing"


def test_what_no_route_takes_is_caught() -> None:
    routing = route(FACTS, a_directory(a_route(channels=("web",))))

    assert (routing.endpoints, routing.caught, routing.team) == ((NIGHT,), True, None)


def test_a_route_without_endpoints_silences_what_it_takes() -> None:
    routing = route(FACTS, a_directory(a_route(endpoints=())))

    assert (routing.endpoints, routing.caught) == ((), False)


def test_an_endpoint_that_was_deleted_is_left_out() -> None:
    routing = route(FACTS, a_directory(a_route(endpoints=(UUID(int=99), DESK))))

    assert routing.endpoints == (DESK,)


def test_the_team_is_the_one_of_the_route_that_matched() -> None:
    night = UUID(int=12)
    directory = a_directory(
        a_route(1, teams=(BILLING_TEAM,), min_severity=Severity.CRITICAL), a_route(2, endpoints=(), teams=(night,))
    )

    routing = route(FACTS, replace(directory, teams={BILLING_TEAM: "Billing", night: "Night"}))

    assert routing.team == "Night"


def test_a_team_that_was_deleted_has_no_name() -> None:
    assert route(FACTS, a_directory(a_route(1, endpoints=(NIGHT,), teams=(UUID(int=99),)))).team is None
