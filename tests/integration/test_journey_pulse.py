"""The pulse: what the dashboard for customer experience shows is what stands in the tables."""

import asyncio
from math import isnan

import pytest
from prometheus_client import CollectorRegistry

from services.journey.api.overview import OverviewMetrics, keep_overview, read_overview
from services.runtime.postgres.pools import Pool, acquire
from tests.fixtures.clock import SteppingClock
from tests.fixtures.journey_rows import Rows, at
from tests.waiting import until

pytestmark = pytest.mark.local


@pytest.fixture
async def rows(pool: Pool) -> Rows:
    """Three open journeys and a closed one, begun at minute 0, 1, 2, 3; two frictions detected at minute 31."""
    rows = Rows(pool)
    for number, (effort, state) in enumerate([(0, "open"), (45, "open"), (100, "open"), (30, "closed")]):
        await rows.customer(f"customer {number}")
        await rows.journey(f"customer {number}", f"journey {number}", effort=effort, state=state)
    await rows.friction("customer 0", "friction 0", ["a", "b"])
    await rows.friction("customer 0", "friction 1", ["b", "c"], rule="low_ces", severity="medium")
    await rows.friction("customer 1", "withdrawn", ["d"], state="retracted")
    return rows


async def test_open_journeys_are_counted_by_how_hard_they_are(pool: Pool, rows: Rows) -> None:
    pulse = await read_overview(pool, at(40))

    assert pulse.open_journeys == {"0-19": 1, "20-39": 0, "40-59": 1, "60-79": 0, "80-100": 1}


async def test_a_window_forgets_what_is_older(pool: Pool, rows: Rows) -> None:
    soon, later = await read_overview(pool, at(40)), await read_overview(pool, at(32 + 60))

    assert (soon.recent["1h"].journeys, later.recent["1h"].journeys) == (4, 0)
    assert (soon.recent["1h"].customers, later.recent["1h"].customers) == (1, 0)
    assert (soon.recent["24h"].journeys, later.recent["24h"].journeys) == (4, 4)
    assert len(later.recent["1h"].frictions) == 0
    assert len(later.recent["24h"].frictions) == 2


async def test_a_friction_that_no_longer_stands_or_was_quiet_is_not_counted(pool: Pool, rows: Rows) -> None:
    async with acquire(pool) as connection:
        await connection.execute("UPDATE journey.frictions SET quiet = true WHERE rule = 'low_ces'")

    (standing,) = (await read_overview(pool, at(40))).recent["24h"].frictions

    assert (standing.rule, standing.severity, standing.channel, standing.count) == (
        "repeat_contact_24h",
        "high",
        "phone",
        1,
    )


async def test_the_gauges_follow_the_tables(pool: Pool, rows: Rows, clock: SteppingClock) -> None:
    registry = CollectorRegistry()
    clock.set(at(40))
    labels = {"window": "24h", "rule": "low_ces", "severity": "medium", "channel": "phone"}
    keeping = asyncio.create_task(keep_overview(pool, OverviewMetrics.register(registry), clock, every_s=0.01))
    try:
        await until(lambda: registry.get_sample_value("waymark_journey_recent_frictions", labels) == 1)
        async with acquire(pool) as connection:
            await connection.execute("UPDATE journey.frictions SET state = 'retracted' WHERE rule = 'low_ces'")
        await until(lambda: not registry.get_sample_value("waymark_journey_recent_frictions", labels))
    finally:
        keeping.cancel()

    assert registry.get_sample_value("waymark_journey_pulse_timestamp_seconds") == at(40).timestamp()


async def test_while_the_database_is_away_the_age_is_unknown_not_fifty_years(pool: Pool, clock: SteppingClock) -> None:
    registry = CollectorRegistry()
    await pool.close()
    keeping = asyncio.create_task(keep_overview(pool, OverviewMetrics.register(registry), clock, every_s=0.01))
    try:
        await until(lambda: isnan(registry.get_sample_value("waymark_journey_pulse_timestamp_seconds") or 0.0))
        assert not keeping.done()
    finally:
        keeping.cancel()
