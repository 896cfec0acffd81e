"""Before and after over a real database: who counts where, and what people and programs get to see."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from schemas.vocabulary import MoneyDocument
from services.alerts.inbox import actions
from services.alerts.inbox.actions import ActionVerdict
from services.alerts.issues.model import Issue
from services.alerts.loop.impact import Impact, ImpactScope, ImpactVerdict
from services.alerts.loop.impact_store import measure_impact
from services.runtime.postgres.pools import acquire
from tests.fixtures.alerts_engine import AlertsEngine, alerts_engine
from tests.fixtures.alerts_journeys import a_journey
from tests.fixtures.alerts_service import FrictionLog, a_friction, alerts
from tests.fixtures.clock import SteppingClock
from tests.fixtures.command import run_waymark

pytestmark = pytest.mark.local

DAY = timedelta(days=1)


async def a_day(engine: AlertsEngine, count: int, *, effort: float, come_back: int = 0, **members: Any) -> None:
    """A day with so many customers, whose issues are resolved at once; some of them come back the same day."""
    now = engine.clock.now()
    frictions = [
        a_friction(**{"occurred_at": now, "detected_at": now, "rule": "long_wait"} | members) for _ in range(count)
    ]
    await engine.take(*frictions)
    value = MoneyDocument(amount=1000, currency="KRW")
    await engine.follow(*(a_journey(f, effort=effort + n % 3, value=value) for n, f in enumerate(frictions)))
    engine.clock.advance(seconds=60)

    def resolving(issue: Issue, _: bool) -> ActionVerdict:
        return actions.resolve(issue, actor="kim", now=engine.clock.now(), resolution="fixed")

    for issue_id in await engine.column("SELECT issue_id FROM alerts.issues WHERE state <> 'resolved'"):
        await engine.service.executor.execute(issue_id, resolving)
    engine.clock.advance(seconds=3600)
    later = engine.clock.now()
    await engine.take(
        *(
            a_friction(
                customer_id=f.customer_id, occurred_at=later, detected_at=later, rule="repeat_contact_24h", quiet=True
            )
            for f in frictions[:come_back]
        )
    )
    engine.clock.advance(seconds=86_400 - 3660)


async def measured(engine: AlertsEngine, at: datetime, days: int = 7, **scope: str) -> Impact:
    """The impact by now."""
    async with acquire(engine.pool) as connection:
        return await measure_impact(connection, ImpactScope(**scope), at=at, days=days, now=engine.clock.now())


async def two_weeks(engine: AlertsEngine) -> datetime:
    """A week of long waits, and a week with fewer; return when it changed. Another rule stays as it was."""
    other: dict[str, Any] = {"effort": 20.0, "rule": "transfers", "reason": "delivery"}
    for day in range(7):
        await a_day(engine, 6 + day % 2, effort=40.0, come_back=4)
        await a_day_more(engine, **other)
    changed = engine.clock.now()
    for day in range(7):
        await a_day(engine, 5 - day % 2, effort=30.0, come_back=0)
        await a_day_more(engine, **other)
    return changed


async def a_day_more(engine: AlertsEngine, **members: Any) -> None:
    """Frictions of another rule on the day that just passed."""
    now = engine.clock.now() - DAY / 2
    members = {name: value for name, value in members.items() if name != "effort"}
    await engine.take(*(a_friction(occurred_at=now, detected_at=now, **members) for _ in range(2)))


async def test_a_change_for_the_better_is_seen_where_it_was_and_nowhere_else(
    database: str, clock: SteppingClock
) -> None:
    async with alerts_engine(database, clock, dispatching=False) as engine:
        changed = await two_weeks(engine)
        clock.advance(seconds=8 * 86_400)
        await engine.service.upkeep().end_watches()
        found = await measured(engine, changed, rule="long_wait")

    changes = {change.name.value: change for change in found.changes}
    assert found.frictions_before == (6, 7, 6, 7, 6, 7, 6)
    assert found.frictions_after == (5, 4, 5, 4, 5, 4, 5)
    assert changes["frictions_per_day"].verdict is ImpactVerdict.BETTER
    rate = changes["recontact_rate"]
    assert (rate.before.number, rate.after.value) == (45, 0)
    assert rate.before.value == pytest.approx(28 / 45)
    assert rate.verdict is ImpactVerdict.BETTER
    assert changes["effort"].before.value == pytest.approx(40.9, abs=0.2)
    assert changes["effort"].verdict is ImpactVerdict.BETTER
    assert changes["value_at_stake_per_day"].before.value == pytest.approx(1000 * 45 / 7)
    assert found.currency == "KRW"
    elsewhere = {change.name.value: change for change in found.elsewhere}
    assert elsewhere["frictions_per_day"].before.value == elsewhere["frictions_per_day"].after.value == 2


async def test_resolutions_whose_watch_is_not_over_do_not_count_as_they_would_look_too_bad(
    database: str, clock: SteppingClock
) -> None:
    """Who comes back is known at once, who does not only after a week: counting by now would make any change worse."""
    async with alerts_engine(database, clock, dispatching=False) as engine:
        changed = clock.now()
        await a_day(engine, 4, effort=30.0, come_back=2)
        found = await measured(engine, changed)

    rate = next(change for change in found.changes if change.name.value == "recontact_rate")
    assert rate.after.number == 0
    assert "4 customers are still watched" in " ".join(caveat.en for caveat in found.caveats)


async def test_people_and_programs_see_the_same(database: str, friction_log: FrictionLog, tmp_path: Path) -> None:
    clock = SteppingClock(datetime.now(UTC) - 10 * DAY)
    changed = clock.now()
    async with alerts_engine(database, clock, dispatching=False) as engine:
        await a_day(engine, 3, effort=30.0)
    at = changed.strftime("%Y-%m-%dT%H:%M:%SZ")
    async with alerts(database, friction_log) as api:
        shown = await api.call("GET", f"/v1/impact?at={at}&days=7", role="reader")
        early = await api.call("GET", "/v1/impact?at=2099-01-01T00:00:00Z", role="reader", expect=422)
    environ = {"WAYMARK_POSTGRES": database, "HOME": str(tmp_path)}
    run = run_waymark("impact", "--at", at, "--days", "7", "--json", environ=environ)
    told = json.loads(run.stdout)

    assert early["code"] == "too_early"
    assert shown["frictions_after"] == told["frictions_after"] == [3, 0, 0, 0, 0, 0, 0]
    assert shown["periods"]["days"] == 7
    assert [change["verdict"] for change in shown["changes"]] == [change["verdict"] for change in told["changes"]]
