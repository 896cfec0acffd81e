"""The digest over a real database: once a day and endpoint, whatever restarts, by the usual deliveries."""

import json
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from services.alerts.digest.digest_sender import DigestSender
from tests.fixtures.alerts_engine import AlertsEngine, alerts_engine
from tests.fixtures.alerts_journeys import a_journey
from tests.fixtures.alerts_service import FrictionLog, a_friction, a_receiver, alerts
from tests.fixtures.clock import SteppingClock
from tests.fixtures.command import run_waymark
from tests.waiting import until

pytestmark = pytest.mark.local

SENT = "SELECT count(*) FROM alerts.notifications WHERE type = 'digest.daily'"
BODY = "SELECT convert_from(body, 'UTF8') FROM alerts.notifications WHERE type = 'digest.daily' ORDER BY 1 DESC"
quiet_engine = partial(alerts_engine, dispatching=False)


def sender(engine: AlertsEngine) -> DigestSender:
    """What upkeep calls."""
    return engine.service.upkeep().digests


async def subscribe(engine: AlertsEngine, endpoint: UUID, team: str | None = None) -> None:
    """Send an endpoint the digest at 08:30 in Seoul."""
    await engine.value(
        "INSERT INTO alerts.digests VALUES ($1, $2, 510, 'Asia/Seoul', $3)", endpoint, team, engine.clock.now()
    )


async def test_a_day_is_told_once_whatever_restarts(database: str, clock: SteppingClock) -> None:
    """The clock stands at 09:15 in Seoul."""
    async with quiet_engine(database, clock) as engine:
        endpoint, _ = await engine.endpoint("http://127.0.0.1:1/", catch_all=False)
        await subscribe(engine, endpoint)
        assert await sender(engine).send_due() == 1
        assert await sender(engine).send_due() == 0
    async with quiet_engine(database, clock) as engine, quiet_engine(database, clock, line="other") as second:
        assert await sender(engine).send_due() + await sender(second).send_due() == 0
        clock.advance(seconds=86_400)
        assert await sender(engine).send_due() + await sender(second).send_due() == 1
        assert await engine.value(SENT) == 2


async def test_control_without_its_row_it_is_told_twice(database: str, clock: SteppingClock) -> None:
    async with quiet_engine(database, clock) as engine:
        endpoint, _ = await engine.endpoint("http://127.0.0.1:1/", catch_all=False)
        await subscribe(engine, endpoint)
        await sender(engine).send_due()
        await engine.value("DELETE FROM alerts.sent_digests")
        await sender(engine).send_due()

        assert await engine.value(SENT) == 2


async def test_it_tells_of_yesterday_and_of_the_hardest_journeys_first(database: str, clock: SteppingClock) -> None:
    async with quiet_engine(database, clock) as engine:
        endpoint, _ = await engine.endpoint("http://127.0.0.1:1/", catch_all=False)
        now = clock.now()
        easy, hard = (a_friction(occurred_at=now, detected_at=now) for _ in range(2))
        await engine.take(easy, hard, a_friction(occurred_at=now, detected_at=now, quiet=True))
        await engine.follow(a_journey(easy, effort=20.0), a_journey(hard, effort=80.0))
        clock.advance(seconds=86_400)
        later = clock.now()
        await engine.take(a_friction(occurred_at=later, detected_at=later))
        await subscribe(engine, endpoint)
        await sender(engine).send_due()
        told = json.loads(await engine.value(BODY))["data"]["digest"]
        ids = {
            row: str(await engine.value("SELECT issue_id FROM alerts.issues WHERE customer_id = $1", row))
            for row in (easy.customer_id, hard.customer_id)
        }

    assert told["day"] == "2026-11-22"
    assert told["counts"] == {"opened": 2, "resolved": 0, "unresolved": 2, "customers": 2, "recontacted": 0}
    assert told["hardest"] == [ids[hard.customer_id], ids[easy.customer_id]]
    assert sorted(told["drawn"]) == sorted(ids.values())


async def test_an_outbreak_that_flapped_is_named_once(database: str, clock: SteppingClock) -> None:
    async with quiet_engine(database, clock, WAYMARK_ALERTS_OUTBREAKS="*=10x4") as engine:
        endpoint, _ = await engine.endpoint("http://127.0.0.1:1/", catch_all=False)
        await engine.take(a_friction(rule="long_wait", occurred_at=clock.now() - timedelta(hours=2)))
        for _ in range(2):
            await engine.take(*(a_friction(occurred_at=clock.now(), detected_at=clock.now()) for _ in range(12)))
            clock.advance(seconds=20 * 60)
            await engine.service.outbreaks.look()
        assert await engine.value("SELECT count(*) FROM alerts.outbreaks") == 2
        clock.advance(seconds=86_400)
        await subscribe(engine, endpoint)
        await sender(engine).send_due()
        told = json.loads(await engine.value(BODY))["data"]["digest"]

    assert len(told["outbreaks"]) == 1
    assert sum("24 customers" in line for line in told["said"]["en"]["lines"]) == 1


async def test_a_team_is_told_of_its_own_issues(database: str, clock: SteppingClock) -> None:
    async with quiet_engine(database, clock) as engine:
        endpoint, _ = await engine.endpoint("http://127.0.0.1:1/", catch_all=False)
        await engine.take(a_friction(occurred_at=clock.now(), detected_at=clock.now()))
        clock.advance(seconds=86_400)
        await subscribe(engine, endpoint, team="another")
        await sender(engine).send_due()
        told = json.loads(await engine.value(BODY))["data"]["digest"]

    assert (told["team"], told["counts"]["opened"], told["hardest"]) == ("another", 0, [])


async def test_it_arrives_by_the_usual_deliveries(database: str) -> None:
    clock = SteppingClock(datetime(2026, 11, 22, 0, 15, tzinfo=UTC))
    async with a_receiver() as receiver, alerts_engine(database, clock) as engine:
        endpoint, _ = await engine.endpoint(receiver.url, catch_all=False)
        await subscribe(engine, endpoint)
        await sender(engine).send_due()

        async def arrived() -> bool:
            return any(json.loads(call.body)["type"] == "digest.daily" for call in receiver.calls)

        await until(arrived)


async def test_administrators_choose_who_gets_it(database: str, friction_log: FrictionLog, tmp_path: Path) -> None:
    clock = SteppingClock(datetime.now(UTC) - timedelta(days=1))
    async with quiet_engine(database, clock) as engine:
        endpoint, _ = await engine.endpoint("http://127.0.0.1:1/", catch_all=False)
        await engine.take(a_friction(occurred_at=clock.now(), detected_at=clock.now()))
    async with alerts(database, friction_log) as api:
        target = f"/v1/digests/{endpoint}"
        await api.call("PUT", target, {}, role="agent", expect=403)
        await api.call("PUT", target, {"time_zone": "Seoul"}, role="admin", expect=422)
        await api.call("PUT", f"/v1/digests/{uuid4()}", {}, role="admin", expect=404)
        made = await api.call("PUT", target, {"at": "07:05", "team": "care"}, role="admin")
        listed = await api.call("GET", "/v1/digests", role="admin")
        day = clock.now().astimezone().date().isoformat()
        shown = await api.call("GET", f"/v1/digests/preview?day={day}&time_zone=UTC", role="reader")
        await api.call("DELETE", target, role="admin", expect=204)
        await api.call("DELETE", target, role="admin", expect=404)
    environ = {"WAYMARK_POSTGRES": database, "HOME": str(tmp_path)}
    run = run_waymark("digest", "--day", day, "--time-zone", "UTC", "--json", environ=environ)

    assert made == {"endpoint_id": str(endpoint), "team": "care", "at": "07:05", "time_zone": "Asia/Seoul"}
    assert listed["digests"] == [made]
    assert json.loads(run.stdout)["ko"] == shown["ko"]
    assert "Drawn at random:" in shown["en"]
