"""Who may ask for what: every forwarded method and path by role, held before anything is asked of an API."""

import pytest

from services.console.forwarded import ApiName, ForwardedRoute, forwarded_routes, right_for
from services.console.roles import RIGHTS, PersonRole, Right, claimed_values, parse_mapping, rights_of
from tests.unit.console.bench import ADMIN_KEY, KEY, ConsoleBench, a_console, code_of
from tests.unit.console.provider_bench import CLAIMS, OWN_KEYS, a_console_with_provider

R, A, L, D, O = "reader", "agent", "lead", "analyst", "operator"  # noqa: E741  columns of the table
TABLE = [
    ("GET", "alerts", "/v1/issues", {R, A, L, D, O}, "reader"),
    ("GET", "alerts", "/v1/issues/{issue}/explain", {R, A, L, D, O}, "reader"),
    ("GET", "alerts", "/v1/outbreaks", {R, A, L, D, O}, "reader"),
    ("GET", "alerts", "/v1/impact", {R, L, D, O}, "reader"),
    ("GET", "alerts", "/v1/improvements", {R, L, D, O}, "reader"),
    ("GET", "alerts", "/v1/hearing", {R, L, D, O}, "reader"),
    ("GET", "alerts", "/v1/endpoints", {O}, "admin"),
    ("POST", "alerts", "/v1/issues/{issue}/acknowledge", {A, L, O}, "agent"),
    ("POST", "alerts", "/v1/issues/{issue}/resolve", {A, L, O}, "agent"),
    ("POST", "alerts", "/v1/issues/{issue}/note", {A, L, O}, "agent"),
    ("POST", "alerts", "/v1/improvements", {L, D, O}, "agent"),
    ("POST", "alerts", "/v1/improvements/{improvement}/decide", {L, O}, "admin"),
    ("POST", "alerts", "/v1/endpoints/{endpoint}/test", {O}, "admin"),
    ("GET", "journey", "/v1/customers/{customer}/timeline", {R, A, L, D, O}, "reader"),
    ("GET", "journey", "/v1/paths", {R, L, D, O}, "reader"),
    ("GET", "journey", "/v1/rules/{rule}", {R, L, D, O}, "reader"),
    ("GET", "journey", "/v1/pipeline", {R, L, D, O}, "reader"),
    ("POST", "journey", "/v1/identity/simulate", {L, O}, "admin"),
    ("POST", "journey", "/v1/identity/merge", {L, O}, "admin"),
    ("POST", "journey", "/v1/identity/separate", {L, O}, "admin"),
    ("GET", "ingest", "/v1/inspector", {R, D, O}, "reader"),
]


@pytest.mark.parametrize("role", list(PersonRole))
async def test_a_role_may_what_the_table_says_and_an_api_hears_of_nothing_else(role: PersonRole) -> None:
    async with a_console_with_provider(oidc_roles=f"*={role}") as bench:
        bench.provider.claims = CLAIMS
        await bench.enter()
        token = (await bench.console.browser.get("/session")).json()["token"]
        for method, api, path, allowed, kind in TABLE:
            asked = len(bench.console.api.asked)
            target = f"/api/{api}{path}".replace("{", "").replace("}", "")
            answer = await bench.console.browser.request(method, target, headers={"x-waymark-token": token})
            if role in allowed:
                assert answer.status_code == 200, (role, method, path)
                assert bench.console.api.last.headers["authorization"] == f"Bearer {OWN_KEYS[kind]}", path
            else:
                assert (answer.status_code, code_of(answer)) == (403, "role_insufficient"), (role, method, path)
                assert len(bench.console.api.asked) == asked


def test_every_forwarded_route_has_its_right_and_none_is_a_change_for_whoever_only_looks() -> None:
    for route in forwarded_routes():
        right = right_for(route)
        only_looks = (
            route.method == "GET" or route.path == "/v1/rules/check"
        )  # it reads what is sent, and stores nothing
        assert only_looks or right not in RIGHTS[PersonRole.READER], route


def test_a_route_without_a_right_is_refused_when_the_console_starts() -> None:
    for path in ("/v1/teams", "/v1/issuesx/{issue}"):
        with pytest.raises(LookupError):
            right_for(ForwardedRoute(api=ApiName.ALERTS, method="POST", path=path))


@pytest.mark.parametrize(
    ("key", "method", "path", "status"),
    [
        ("wm_reader_x_y", "GET", "/api/journey/v1/paths", 200),
        ("wm_reader_x_y", "POST", "/api/alerts/v1/issues/7/note", 403),
        (KEY, "GET", "/api/journey/v1/paths", 200),
        (KEY, "POST", "/api/alerts/v1/issues/7/note", 200),
        (KEY, "POST", "/api/journey/v1/identity/merge", 403),
        (ADMIN_KEY, "POST", "/api/journey/v1/identity/merge", 200),
    ],
)
async def test_a_key_may_what_the_apis_let_it_do(key: str, method: str, path: str, status: int) -> None:
    async with a_console() as bench:
        token = await bench.sign_in(key)

        assert (await _asked(bench, method, path, token)) == status


async def _asked(bench: ConsoleBench, method: str, path: str, token: str) -> int:
    return (await bench.browser.request(method, path, headers={"x-waymark-token": token})).status_code


def test_an_operator_may_everything_and_a_key_never_more_than_its_kind() -> None:
    assert rights_of(PersonRole.OPERATOR, by_key=False) == frozenset(Right)
    assert rights_of(PersonRole.AGENT, by_key=True) > rights_of(PersonRole.AGENT, by_key=False)
    assert Right.ACT not in rights_of(PersonRole.READER, by_key=True)


def test_the_first_entry_that_fits_decides() -> None:
    mapping = parse_mapping("cn=desk=agent , boss=lead,*=reader")

    assert mapping.role_for(["boss", "cn=desk"]) is PersonRole.AGENT
    assert mapping.role_for(["boss"]) is PersonRole.LEAD
    assert mapping.role_for([]) is PersonRole.READER
    assert parse_mapping("boss=lead").role_for(["Boss", "*"]) is None


def test_a_claim_is_found_by_its_name_before_its_parts() -> None:
    assert claimed_values({"a.b": "x", "a": {"b": "y"}}, "a.b") == ("x",)
    assert claimed_values({"a": {"b": ["y", 7]}}, "a.b") == ("y",)
    assert claimed_values({"a": ["b"]}, "a.b") == ()
