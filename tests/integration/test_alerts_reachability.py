"""Nobody stays uninformed in silence: what a lost endpoint leaves unheard is said, caught, and told later."""

import asyncio
import math
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from schemas.vocabulary import Severity
from services.alerts.admin.operator_access import read_health
from services.alerts.api.reachability_resource import ReachabilityView
from services.alerts.consume import log_health
from services.alerts.deliver.retry import EndpointHealth
from services.alerts.notify import reachability_store
from services.alerts.notify.reachability import SilenceReason, report_reachability
from services.alerts.policy.tree import Route
from services.runtime.clock import SystemClock
from services.runtime.postgres.pools import acquire
from tests.fixtures.alerts_engine import AlertsEngine, alerts_engine
from tests.fixtures.alerts_service import (
    AlertsClient,
    FrictionLog,
    a_friction,
    a_receiver,
    alerts,
    make_friction_log,
    rows,
)
from tests.fixtures.clock import SteppingClock
from tests.waiting import until
from waymark.database import open_session
from waymark.doctor.finding import DoctorFinding, FindingVerdict
from waymark.doctor.postgres_checks import examine_postgres
from waymark.doctor.team_checks import examine_teams
from waymark.launchers.tansu import TansuBroker

pytestmark = pytest.mark.local

BILLING = {"matchers": {"reasons": ["billing"]}}


async def a_route(api: AlertsClient, **members: Any) -> dict[str, Any]:
    return dict(await api.call("POST", "/v1/routes", {"name": "요금", **BILLING, **members}))


async def test_what_a_route_loses_goes_to_the_catch_all_endpoints(database: str, friction_log: FrictionLog) -> None:
    async with a_receiver() as everybody, alerts(database, friction_log) as api:
        team = await api.call("POST", "/v1/teams", {"name": "Billing"}, expect=201)
        await api.endpoint(everybody.url, name="everybody")
        desk = await api.endpoint("https://desk.example.com/", name="desk", catch_all=False, team_id=team["id"])
        route = await a_route(api, teams=[team["id"]])
        headers = await api.headers("DELETE", f"/v1/endpoints/{desk['id']}")
        await friction_log.write([a_friction(reason="billing")])
        await until(lambda: everybody.calls)
        asked = await api.call("POST", "/v1/routes/test", {"reason": "billing"})

    assert headers["waymark-warning"] == "caught by the catch-all endpoints now: %EC%9A%94%EA%B8%88"
    assert [step["route_id"] for step in asked["path"]] == [route["id"]]
    assert (asked["caught"], asked["heard"], asked["muted"], asked["team"]) == (True, True, False, "Billing")


async def test_an_endpoint_without_which_nobody_hears_is_deleted_by_force_alone(
    database: str, friction_log: FrictionLog
) -> None:
    async with alerts(database, friction_log) as api:
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


async def test_the_last_catch_all_endpoint_keeps_its_office_unless_forced(
    database: str, friction_log: FrictionLog
) -> None:
    async with alerts(database, friction_log) as api:
        last = await api.endpoint("https://desk.example.com/")
        target = f"/v1/endpoints/{last['id']}"
        refused = await api.call("PATCH", target, {"catch_all": False}, expect=409)
        await api.endpoint("https://night.example.com/")
        changed = await api.call("PATCH", target, {"catch_all": False})

    assert "what no route takes" in refused["message"]
    assert changed["catch_all"] is False


async def test_a_route_that_tells_nobody_names_nobody(database: str, friction_log: FrictionLog) -> None:
    async with alerts(database, friction_log) as api:
        endpoint = await api.endpoint("https://desk.example.com/")
        muting = await a_route(api, tells_nobody=True)
        refused = await api.call("PATCH", f"/v1/routes/{muting['id']}", {"endpoints": [endpoint["id"]]}, expect=422)
        await friction_log.write([a_friction(reason="billing")])
        await until(lambda: one_issue(api))
        [issue] = await api.issues()
        events = (await api.issue(issue["id"]))["events"]

    assert muting["tells_nobody"] is True
    assert refused["code"] == "route_contradicts_itself"
    assert [e["detail"] for e in events if e["kind"] == "not_told"] == [{"reason": "muted"}]


async def one_issue(api: AlertsClient) -> bool:
    return len(await api.issues()) == 1


async def test_issues_that_nobody_could_hear_of_are_told_once_somebody_can(database: str, clock: SteppingClock) -> None:
    async with a_receiver() as receiver, alerts_engine(database, clock) as engine:
        upkeep = engine.service.upkeep()
        await engine.take(a_friction())
        await upkeep.notify_unheard()
        waits = await engine.value("SELECT unheard_since FROM alerts.issues")
        lines = await engine.value("SELECT count(*) FROM alerts.issue_events WHERE kind = 'not_told'")
        await engine.endpoint(receiver.url)
        await upkeep.notify_unheard()
        await until(lambda: receiver.calls)
        await upkeep.notify_unheard()
        told = await engine.value("SELECT count(*) FROM alerts.notifications")
        left = await engine.value("SELECT unheard_since FROM alerts.issues")

    assert (waits, lines) == (clock.now(), 1)
    assert receiver.types() == ["issue.opened"]
    assert (told, left) == (1, None)


async def test_an_issue_that_vanishes_while_it_is_looked_at_ends_nothing(database: str, clock: SteppingClock) -> None:
    async with alerts_engine(database, clock, dispatching=False) as engine:
        await engine.take(a_friction(), a_friction())
        [gone, _] = await engine.column("SELECT issue_id FROM alerts.issues ORDER BY issue_id")
        await engine.endpoint("http://127.0.0.1:1/")
        async with acquire(engine.pool) as other, asyncio.TaskGroup() as tasks:
            deleting = other.transaction()
            await deleting.start()
            await other.execute("SET LOCAL session_replication_role = replica")  # past the frictions that refer to it
            await other.execute("DELETE FROM alerts.issues WHERE issue_id = $1", gone)
            telling = tasks.create_task(engine.service.upkeep().notify_unheard())
            await until(lambda: engine.value("SELECT count(*) FROM pg_locks WHERE NOT granted"))
            await deleting.commit()
        await telling
        left = await engine.column("SELECT unheard_since FROM alerts.issues")
        told = await engine.value("SELECT count(*) FROM alerts.notifications")
    assert (left, told) == ([None], 1)


async def test_what_waited_for_an_endpoint_that_is_deleted_is_told_to_others(
    database: str, clock: SteppingClock
) -> None:
    async with a_receiver() as receiver, alerts_engine(database, clock, dispatching=False) as engine:
        administration, upkeep = engine.service.parts.administration, engine.service.upkeep()
        desk, _ = await engine.endpoint("https://desk.example.com/")
        await engine.take(a_friction())
        await administration.remove_endpoint(desk, actor="test", force=True)
        night, _ = await engine.endpoint(receiver.url)
        await upkeep.notify_unheard()
        rows = await rows_of(engine.pool)

    assert rows == [(desk, "exhausted", "issue.opened"), (night, "pending", "issue.opened")]


async def test_what_waits_for_a_dead_receiver_is_told_to_one_that_hears(database: str, clock: SteppingClock) -> None:
    async with alerts_engine(database, clock, dispatching=False) as engine:
        administration, upkeep = engine.service.parts.administration, engine.service.upkeep()
        desk, _ = await engine.endpoint("https://desk.example.com/", catch_all=False)
        night, _ = await engine.endpoint("https://night.example.com/")
        route = Route(id=uuid4(), name="billing", endpoints=(desk,))
        await administration.edit_routes(lambda _: [route], actor="test", change="route added")
        await engine.take(a_friction())
        await upkeep.notify_unheard()
        before = await rows_of(engine.pool)
        async with acquire(engine.pool) as connection:
            await connection.execute(
                "UPDATE alerts.endpoints SET consecutive_failures = 5, failing_since = $1 WHERE endpoint_id = $2",
                *(clock.now(), desk),
            )
        await upkeep.notify_unheard()
        await upkeep.notify_unheard()
        after = await rows_of(engine.pool)

    assert before == [(desk, "pending", "issue.opened")]
    assert after == [*before, (night, "pending", "issue.opened")]


async def rows_of(pool: Any) -> list[tuple[UUID, str, str]]:
    async with pool.acquire() as connection:
        return [
            (row["endpoint_id"], row["state"], row["type"])
            for row in await connection.fetch(
                "SELECT d.endpoint_id, d.state, n.type FROM alerts.deliveries d"
                " JOIN alerts.notifications n USING (notification_id) ORDER BY n.sequence"
            )
        ]


async def diagnosed(database: str, now: datetime) -> dict[str, DoctorFinding]:
    async with open_session(database, "test", writes=False) as connection:
        health = await read_health(connection, now, longer_than_s=0.0)
    return {finding.name: finding for finding in examine_teams(health.reachability, now)}


async def gauges(engine: AlertsEngine) -> dict[str, float]:
    await engine.service.upkeep().refresh()
    found = (sample for metric in engine.service.registry.collect() for sample in metric.samples)
    return {"/".join([s.name.removeprefix("waymark_alerts_"), *s.labels.values()]): s.value for s in found}


async def test_a_receiver_that_is_dead_is_named_with_since_when_and_what_waits(
    database: str, clock: SteppingClock
) -> None:
    now = clock.now()
    since = now - timedelta(minutes=13)
    async with alerts_engine(database, clock, dispatching=False) as engine:
        health = EndpointHealth(consecutive_failures=9, failing_since=since, paused_until=now + timedelta(minutes=8))
        await engine.endpoint("https://desk.example.com/", name="desk", health=health)
        await engine.take(a_friction())
        shown = await gauges(engine)
        found = await diagnosed(database, now)
        async with acquire(engine.pool) as connection:
            heard = report_reachability(await reachability_store.load_survey(connection), now=now)

    assert found["endpoints"].verdict is FindingVerdict.BROKEN
    detail = f"desk: does not take what is sent, since {since:%Y-%m-%dT%H:%M:%SZ} (13 min), 1 messages wait"
    assert found["endpoints"].detail == detail
    assert found["routes"].verdict is FindingVerdict.BROKEN
    assert (shown["dead_endpoints/unreachable"], shown["living_endpoints/yes"], shown["ways/unheard"]) == (1, 0, 1)
    assert shown["dead_since_timestamp_seconds"] == since.timestamp()
    assert shown["oldest_waiting_timestamp_seconds"] == shown["looked_timestamp_seconds"] == now.timestamp()
    assert shown["unheard_issues"] == 0
    [silent] = ReachabilityView.of(heard).silent
    assert (silent.name, silent.reason, silent.since, silent.waiting) == ("desk", SilenceReason.UNREACHABLE, since, 1)


async def test_a_message_behind_an_older_one_of_its_issue_is_not_due(database: str, clock: SteppingClock) -> None:
    """The dispatcher waits for the older one, which is tried again later: it has not stalled."""
    async with alerts_engine(database, clock, dispatching=False) as engine:
        await engine.endpoint("https://desk.example.com/")
        one_journey = {"customer_id": str(uuid4()), "journey_id": str(uuid4())}
        await engine.take(a_friction(severity=Severity.LOW, **one_journey))
        await engine.take(a_friction(severity=Severity.HIGH, **one_journey))
        in_order = await engine.column("SELECT delivery_id FROM alerts.deliveries ORDER BY sequence")
        await engine.value(
            "UPDATE alerts.deliveries SET next_at = $2 WHERE delivery_id = $1 RETURNING 1",
            in_order[0],
            clock.now() + timedelta(minutes=5),
        )
        shown = await gauges(engine)

    assert len(in_order) == 2
    assert (shown["deliveries/due"], shown["deliveries/scheduled"]) == (0, 2)
    assert math.isnan(shown["oldest_due_timestamp_seconds"])


async def test_all_is_well_with_a_living_endpoint_that_catches_all(database: str, clock: SteppingClock) -> None:
    async with alerts_engine(database, clock, dispatching=False) as engine:
        before = await diagnosed(database, clock.now())
        await engine.endpoint("https://desk.example.com/")
        shown = await gauges(engine)
        after = await diagnosed(database, clock.now())

    assert {name: one.verdict for name, one in before.items()} == {"endpoints": FindingVerdict.LOOK}
    assert {name: one.verdict for name, one in after.items()} == {
        "endpoints": FindingVerdict.FINE,
        "routes": FindingVerdict.FINE,
    }
    assert (shown["living_endpoints/yes"], shown["ways/heard"], shown["ways/unheard"]) == (1, 1, 0)


async def test_the_doctor_names_issues_and_routes_that_nobody_hears(database: str, clock: SteppingClock) -> None:
    route = Route(id=uuid4(), name="billing", reasons=("billing",))
    async with alerts_engine(database, clock, dispatching=False) as engine:
        administration = engine.service.parts.administration
        await administration.edit_routes(lambda routes: [*routes, route], actor="test", change="route added")
        endpoint, _ = await engine.endpoint("https://desk.example.com/")
        caught = await diagnosed(database, clock.now())
        await administration.remove_endpoint(endpoint, actor="test", force=True)
        await engine.take(a_friction(reason="billing"))
        shown = await gauges(engine)
        unheard = await diagnosed(database, clock.now())

    assert (caught["routes"].verdict, "billing" in caught["routes"].detail) == (FindingVerdict.LOOK, True)
    assert unheard["routes"].verdict is FindingVerdict.BROKEN
    assert "nobody hears of: billing, what no route takes" in unheard["routes"].detail
    assert "1 open issues of which nobody was told" in unheard["routes"].detail
    assert (shown["unheard_issues"], shown["ways/unheard"]) == (1, 2)


async def test_a_reader_may_ask_who_hears(database: str, friction_log: FrictionLog) -> None:
    async with alerts(database, friction_log) as api:
        await api.endpoint("https://desk.example.com/", name="desk")
        well = await api.call("GET", "/v1/hearing", role="reader")
        endpoints = await api.call("GET", "/v1/endpoints")
        await api.call("PATCH", f"/v1/endpoints/{endpoints[0]['id']}?force=true", {"enabled": False})
        off = await api.call("GET", "/v1/hearing", role="reader")

    assert (well["heard"], well["living"], well["catching"], well["silent"], well["unheard"]) == (True, 1, 1, [], [])
    assert (off["heard"], [(one["name"], one["reason"]) for one in off["silent"]]) == (False, [("desk", "by_hand")])
    assert off["unheard"] == [{"route_id": None, "name": None}]


async def test_an_idle_log_is_followed_by_the_answers_of_its_broker(
    database: str, friction_log: FrictionLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_health, "STALLED_AFTER_S", 1.5)
    async with alerts(database, friction_log) as api:
        began = await followed(api)

        async def went_on() -> bool:
            return await followed(api) > began + 5

        await until(went_on, within=30)


async def followed(api: AlertsClient) -> float:
    _, text, _ = await api.raw("/metrics")
    [line] = [t for t in text.splitlines() if t.startswith("waymark_alerts_followed_timestamp_seconds ")]
    return float(line.split()[1])


async def test_a_service_whose_kafka_goes_away_is_not_ready(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_health, "STALLED_AFTER_S", 1.5)
    with ExitStack() as own:
        broker = own.enter_context(TansuBroker(tmp_path))
        async with alerts(database, await make_friction_log(broker.bootstrap, broker.line)) as api:

            async def says(status: int) -> bool:
                found, text, _ = await api.raw("/readyz?verbose")
                return found == status and ("Kafka does not answer for partitions: 0, 1" in text) is (status == 503)

            await until(lambda: says(200), within=30)
            await asyncio.to_thread(own.close)
            await until(lambda: says(503), within=30)


@pytest.mark.parametrize(
    ("letters", "minutes", "verdict"),
    [
        (0, 0, FindingVerdict.FINE),
        (1, 2, FindingVerdict.LOOK),
        (99, 9, FindingVerdict.LOOK),
        (100, 11, FindingVerdict.BROKEN),
    ],
)
async def test_the_doctor_fails_over_what_lies_for_too_long(
    database: str, letters: int, minutes: int, verdict: FindingVerdict
) -> None:
    async with rows(database) as connection:
        await connection.execute(
            'INSERT INTO alerts.dead_letters (line, topic, partition, "offset", code, first_seen)'
            " SELECT 'l', 'frictions', 0, n, 'invalid', now() FROM generate_series(1, $1::int) n",
            letters,
        )
        await connection.execute(
            "INSERT INTO alerts.issue_outbox (issue_id, version, value, created_at)"
            " VALUES (gen_random_uuid(), 1, '', now() - make_interval(mins => $1))",
            minutes,
        )
    found = await examine_postgres(database, "", SystemClock().now)

    assert {one.name: one.verdict for one in found if one.name in {"dead letters", "outbox"}} == {
        "dead letters": verdict,
        "outbox": verdict,
    }
