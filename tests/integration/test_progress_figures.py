"""How far customers come, as the dashboard shows it: stages, self-service, contacts and identifiers of nobody."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import CollectorRegistry

from services.journey.api.progress_figures import ProgressFigures, ProgressMetrics, read_progress
from services.journey.rulebook import rules_file
from services.journey.timers.folding import RollupFolder
from services.journey.versions import storing
from services.journey.versions.in_force import PolicyCache
from services.runtime.postgres.pools import acquire
from tests.fixtures.journey_bench import START, JourneyBench, open_bench, touchpoint
from tests.integration.test_funnels import orders, put_in_force

pytestmark = pytest.mark.local


@pytest.fixture
async def bench(database: str) -> AsyncIterator[JourneyBench]:
    async with open_bench(database, policies=PolicyCache(), late_grace=timedelta(0)) as opened:
        await put_in_force(opened, storing.first_rules(rules_file.resolve_file(), file=""))
        yield opened


async def figures(bench: JourneyBench, now: datetime) -> ProgressFigures:
    async with acquire(bench.pool) as connection:
        return await read_progress(connection, now)


async def browse_and_call(bench: JourneyBench) -> None:
    """One looks it up, on two pages, and then calls; another finds it alone; a third only calls, twice."""
    looks = {"channel": "web", "kind": "information_asked", "direction": None}
    told = (
        touchpoint("look-1", 0, **looks),
        touchpoint("look-2", 1, **looks),
        touchpoint("call-1", 2),
        touchpoint("alone", 0, **looks, customer={"customer_id": "C-2"}),
        touchpoint("call-2", 0, customer={"customer_id": "C-3"}),
        touchpoint("call-3", 30, customer={"customer_id": "C-3"}),
    )
    for point in told:
        bench.log.append(0, point)
    await bench.apply()


@pytest.mark.parametrize("folded", [False, True])
async def test_self_service_is_enough_unless_a_contact_elsewhere_follows(bench: JourneyBench, folded: bool) -> None:
    await browse_and_call(bench)
    if folded:
        await RollupFolder(bench.pool).fold_all()
    channels = (await figures(bench, START + timedelta(hours=1))).channels
    long_after = (await figures(bench, START + timedelta(hours=30))).channels

    assert channels.entered == {"web": 2, "app": 0, "ivr": 0, "kiosk": 0}
    assert channels.handed_over == {"web": 1, "app": 0, "ivr": 0, "kiosk": 0}
    assert channels.contacts["phone"].touchpoints == 3
    assert long_after.entered["web"] == 0


@pytest.mark.parametrize("folded", [False, True])
async def test_defined_journeys_are_shown_by_stage_and_end(bench: JourneyBench, folded: bool) -> None:
    await orders(bench)
    if folded:
        await RollupFolder(bench.pool).fold_all()
    registry = CollectorRegistry()
    metrics = ProgressMetrics.register(registry)
    metrics.show(await figures(bench, datetime.now(UTC)))

    def shown(stage: str, became: str) -> float | None:
        labels = {"definition": "delivery", "stage": stage, "became": became}
        return registry.get_sample_value("waymark_journey_defined_journeys", labels)

    assert shown("preparing", "under_way") == 1
    assert shown("on_the_way", "reached") == 1
    assert shown("on_the_way", "abandoned") == 1
    assert shown("", "entered") is None
    metrics.show(await figures(bench, datetime.now(UTC) + timedelta(days=9)))
    assert shown("preparing", "under_way") is None


async def test_identifiers_of_nobody_are_counted_by_why(bench: JourneyBench) -> None:
    await browse_and_call(bench)
    await bench.execute("UPDATE journey.identifiers SET standing = 'shared' WHERE value = 'C-3'")

    assert (await figures(bench, START)).unowned == {"shared": 1}
