"""Nobody stays uninformed in silence: what a lost endpoint leaves unheard is said, caught, and told later."""

from typing import Any
from uuid import UUID

import pytest

from tests.conftest import SteppingClock
from tests.integration.alerts_engine import an_engine
from tests.integration.alerts_world import Api, Log, a_friction, a_receiver, alerts, make_log
from tests.waiting import until
from waymark.stack.tansu import Tansu


@pytest.fixture
async def log(tansu: Tansu) -> Log:
    return await make_log(tansu.bootstrap, tansu.line)


BILLING = {"matchers": {"reasons": ["billing"]}}


async def a_route(api: Api, **members: Any) -> dict[str, Any]:
    return dict(await api.call("POST", "/v1/routes", {"name": "요금", **BILLING, **members}))


async def test_what_a_route_loses_goes_to_the_catch_all_endpoints(database: str, log: Log) -> None:
    async with a_receiver() as everybody, alerts(database, log) as api:
        team = await api.call("POST", "/v1/teams", {"name": "Billing"}, expect=201)
        await api.endpoint(everybody.url, name="everybody")
        desk = await api.endpoint("https://desk.example.com/", name="desk", catch_all=False, team_id=team["id"])
        route = await a_route(api, teams=[team["id"]])
        headers = await api.headers("DELETE", f"/v1/endpoints/{desk['id']}")
        await log.write([a_friction(reason="billing")])
        await until(lambda: everybody.calls)
        asked = await api.call("POST", "/v1/routes/test", {"reason": "billing"})

    assert headers["waymark-warning"] == "caught by the catch-all endpoints now: %EC%9A%94%EA%B8%88"
    assert [step["route_id"] for step in asked["path"]] == [route["id"]]
    assert (asked["caught"], asked["heard"], asked["muted"], asked["team"]) == (True, True, False, "Billing")


async def test_an_endpoint_without_which_nobody_hears_is_deleted_by_force_alone(database: str, log: Log) -> None:
    async with alerts(database, log) as api:
        team = await api.call("POST", "/v1/teams", {"name": "Billing"}, expect=201)
        desk = await api.endpoint("https://desk.example.com/", catch_all=False, team_id=team["id"])
        route = await a_route(api, teams=[team["id"]])
        target = f"/v1/endpoints/{desk['id']}"
        refused = await api.call("DELETE", target, expect=409)
        kept = await api.call("GET", target)
        for body in ({"enabled": False}, {"team_id": None}):
            await api.call("PATCH", target, body, expect=409)
        await api.call("PATCH", target, {"name": "another name"})
        off = await api.call("PATCH", f"{target}?force=true", {"enabled": False})
        await api.call("DELETE", f"{target}?force=true", expect=204)

    assert refused["code"] == "nobody_would_hear"
    assert "'요금'" in refused["message"]
    assert "Billing" in refused["message"]
    assert [(e["path"], e["code"]) for e in refused["errors"]] == [(f"routes/{route['id']}", "unheard")]
    assert (kept["enabled"], off["enabled"]) == (True, False)


async def test_the_last_catch_all_endpoint_keeps_its_office_unless_forced(database: str, log: Log) -> None:
    async with alerts(database, log) as api:
        last = await api.endpoint("https://desk.example.com/")
        target = f"/v1/endpoints/{last['id']}"
        refused = await api.call("PATCH", target, {"catch_all": False}, expect=409)
        await api.endpoint("https://night.example.com/")
        changed = await api.call("PATCH", target, {"catch_all": False})

    assert "what no route takes" in refused["message"]
    assert changed["catch_all"] is False


async def test_a_route_that_tells_nobody_names_nobody(database: str, log: Log) -> None:
    async with alerts(database, log) as api:
        endpoint = await api.endpoint("https://desk.example.com/")
        muting = await a_route(api, tells_nobody=True)
        refused = await api.call("PATCH", f"/v1/routes/{muting['id']}", {"endpoints": [endpoint["id"]]}, expect=422)
        await log.write([a_friction(reason="billing")])
        await until(lambda: one_issue(api))
        [issue] = await api.issues()
        events = (await api.issue(issue["id"]))["events"]

    assert muting["tells_nobody"] is True
    assert refused["code"] == "route_contradicts_itself"
    assert [e["detail"] for e in events if e["kind"] == "not_told"] == [{"reason": "muted"}]


async def one_issue(api: Api) -> bool:
    return len(await api.issues()) == 1


async def test_issues_that_nobody_could_hear_of_are_told_once_somebody_can(database: str, clock: SteppingClock) -> None:
    async with a_receiver() as receiver, an_engine(database, clock) as engine:
        upkeep = engine.service.upkeep()
        await engine.take(a_friction())
        await upkeep.tell_unheard()
        waits = await engine.value("SELECT unheard_since FROM alerts.issues")
        lines = await engine.value("SELECT count(*) FROM alerts.issue_events WHERE kind = 'not_told'")
        await engine.endpoint(receiver.url)
        await upkeep.tell_unheard()
        await until(lambda: receiver.calls)
        await upkeep.tell_unheard()
        told = await engine.value("SELECT count(*) FROM alerts.notifications")
        left = await engine.value("SELECT unheard_since FROM alerts.issues")

    assert (waits, lines) == (clock.now(), 1)
    assert receiver.types() == ["issue.opened"]
    assert (told, left) == (1, None)


async def test_what_waited_for_an_endpoint_that_is_deleted_is_told_to_others(
    database: str, clock: SteppingClock
) -> None:
    async with a_receiver() as receiver, an_engine(database, clock, dispatching=False) as engine:
        people, upkeep = engine.service.parts.people, engine.service.upkeep()
        desk, _ = await engine.endpoint("https://desk.example.com/")
        await engine.take(a_friction())
        await people.remove_endpoint(desk, actor="test", force=True)
        night, _ = await engine.endpoint(receiver.url)
        await upkeep.tell_unheard()
        rows = await rows_of(engine.pool)

    assert rows == [(desk, "exhausted", "issue.opened"), (night, "pending", "issue.opened")]


async def rows_of(pool: Any) -> list[tuple[UUID, str, str]]:
    async with pool.acquire() as connection:
        return [
            (row["endpoint_id"], row["state"], row["type"])
            for row in await connection.fetch(
                "SELECT d.endpoint_id, d.state, n.type FROM alerts.deliveries d"
                " JOIN alerts.notifications n USING (notification_id) ORDER BY n.sequence"
            )
        ]
