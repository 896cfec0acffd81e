"""The register over a real database: estimated from what happened, measured once, by the API and the command alike."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from schemas.vocabulary import MoneyDocument
from tests.fixtures.alerts_engine import alerts_engine
from tests.fixtures.alerts_journeys import a_journey
from tests.fixtures.alerts_service import FrictionLog, a_friction, alerts
from tests.fixtures.clock import SteppingClock
from tests.fixtures.command import run_waymark

pytestmark = pytest.mark.local

DAY = timedelta(days=1)
PROPOSAL = {
    "title": "Call by noon",
    "reason": "the desk is staffed now",
    "scope": {"rule": "callback_missed"},
    "reduction": 0.5,
}


async def test_a_proposal_is_estimated_decided_done_and_measured_once(
    database: str, friction_log: FrictionLog, tmp_path: Path
) -> None:
    clock = SteppingClock(datetime.now(UTC) - 40 * DAY)
    frictions = [a_friction(rule="callback_missed", occurred_at=clock.now(), detected_at=clock.now())]
    old = a_friction(rule="callback_missed", occurred_at=clock.now() - 30 * DAY, detected_at=clock.now())
    async with alerts_engine(database, clock, dispatching=False) as engine:
        await engine.take(old)
        clock.advance(seconds=38 * 86_400)
        now = clock.now()
        frictions = [a_friction(rule="callback_missed", occurred_at=now, detected_at=now) for _ in range(3)]
        await engine.take(*frictions, a_friction(rule="long_wait", occurred_at=now, detected_at=now))
        value = MoneyDocument(amount=1000, currency="KRW")
        await engine.follow(*(a_journey(friction, value=value) for friction in frictions))
    async with alerts(database, friction_log) as api:
        empty = await api.call("POST", "/v1/improvements", PROPOSAL | {"scope": {}}, role="agent", expect=422)
        made = await api.call("POST", "/v1/improvements", PROPOSAL, role="agent", expect=201)
        target = f"/v1/improvements/{made['id']}"
        early = await api.call("POST", f"{target}/done", {}, role="agent", expect=409)
        await api.call("POST", f"{target}/decide", {"accept": True, "reason": "cheap"}, role="agent", expect=403)
        accepted = await api.call("POST", f"{target}/decide", {"accept": True, "reason": "cheap"}, role="admin")
    environ = {"WAYMARK_POSTGRES": database, "HOME": str(tmp_path)}
    since = (datetime.now(UTC) - 37 * DAY).isoformat()
    told = json.loads(run_waymark("improvements", "done", made["id"], "--at", since, "--json", environ=environ).stdout)
    async with alerts_engine(database, SteppingClock(datetime.now(UTC)), dispatching=False) as engine:
        await engine.service.upkeep().measure_improvements()
        await engine.service.upkeep().measure_improvements()
    listed = run_waymark("improvements", "list", "--json", environ=environ)

    assert (empty["code"], early["code"], accepted["state"]) == ("scope_empty", "wrong_step", "accepted")
    counts = made["estimate"]["counts"]
    assert (counts["frictions"], counts["customers"], counts["value"], counts["currency"]) == (3, 3, 3000.0, "KRW")
    assert (made["estimate"]["frictions"], made["estimate"]["value"]) == (1.5, 1500.0)
    assert told["improvements"][0]["state"] == "done"
    [kept] = json.loads(listed.stdout)["improvements"]
    assert [step["state"] for step in kept["history"]] == ["proposed", "accepted", "done", "measured"]
    assert [change["name"] for change in kept["changes"]][:2] == ["recontact_rate", "frictions_per_day"]


def test_the_command_says_what_is_wrong(database: str, tmp_path: Path) -> None:
    environ = {"WAYMARK_POSTGRES": database, "HOME": str(tmp_path)}
    vague = run_waymark("improvements", "propose", "x", "--because", "y", "--reduction", "0.5", environ=environ)
    odd = run_waymark("improvements", "decide", "7", "--because", "y", environ=environ)
    assert (vague.returncode, odd.returncode) == (2, 2)
    assert "--rule" in vague.stderr
    assert "is no id" in odd.stderr
