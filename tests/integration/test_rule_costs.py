"""What rules cost: measured by a worker, kept by the hour, and told by the list of rules."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio
from prometheus_client import CollectorRegistry

from services.journey.costs.cost_keeper import CostKeeper
from services.journey.metrics import CostMetrics
from services.journey.versions import rule_listing
from services.journey.versions.in_force import PolicyCache
from services.journey.versions.rule_listing import RuleListing
from services.runtime.credentials.api_keys import KeyKind
from services.runtime.postgres.pools import acquire
from tests.fixtures.journey_bench import JourneyBench, open_bench, touchpoint
from tests.integration.test_identity_api import caller, start_worker

pytestmark = pytest.mark.local


@pytest_asyncio.fixture
async def bench(database: str) -> AsyncIterator[JourneyBench]:
    async with open_bench(database, policies=PolicyCache(), partitions=1) as opened:
        await start_worker(opened)
        yield opened


def keeper_of(bench: JourneyBench, registry: CollectorRegistry, *, rules: tuple[str, ...]) -> CostKeeper:
    return CostKeeper(
        pool=bench.pool,
        sample=bench.renewer.sample,
        metrics=CostMetrics.register(registry),
        asked=lambda: rules,
    )


async def listed(bench: JourneyBench, rule: str) -> RuleListing:
    async with acquire(bench.pool) as connection:
        found = await rule_listing.read(connection)
    assert found is not None
    return next(one for one in found.rules if one.rule["id"] == rule)


async def wait(bench: JourneyBench, id_: str) -> None:
    now = datetime.now(UTC)
    bench.log.append(0, touchpoint(id_, wait_s=3_600, occurred_at=now, received_at=now), now)
    await bench.apply()


async def test_a_list_tells_what_a_worker_measured(bench: JourneyBench) -> None:
    registry = CollectorRegistry()
    keeper = keeper_of(bench, registry, rules=("long_wait", "low_ces"))
    assert (await listed(bench, "long_wait")).cost_us is None
    for id_ in ("a", "b"):
        await wait(bench, id_)
    await keeper.write()
    cost = (await listed(bench, "long_wait")).cost_us
    assert cost is not None
    assert 0 < cost < 100_000
    assert (await listed(bench, "low_ces")).cost_us == 0  # on, and not asked
    assert (await listed(bench, "transfers")).cost_us is None  # not known to be on
    assert registry.get_sample_value("waymark_journey_rule_touchpoints_total") == 2
    seconds = registry.get_sample_value("waymark_journey_rule_seconds_total", {"rule": "long_wait"})
    assert seconds is not None
    assert cost == pytest.approx(1e6 * seconds / 2, abs=0.01)

    await keeper.write()  # nothing came since
    assert await bench.value("SELECT DISTINCT touchpoints FROM journey.rule_costs") == 2
    async with caller(bench, KeyKind.READER) as reader:
        rules: list[dict[str, Any]] = (await reader.get("/v1/rules")).json()["rules"]
    assert {rule["id"]: rule["cost_us"] for rule in rules}["long_wait"] == cost


async def test_hours_add_up_and_old_ones_go(bench: JourneyBench) -> None:
    keeper = keeper_of(bench, CollectorRegistry(), rules=("long_wait",))
    await bench.execute(
        """
        INSERT INTO journey.rule_costs (rule, hour, seconds, touchpoints)
        VALUES ('long_wait', date_trunc('hour', now()) - interval '1 hour', 3, 1000),
               ('long_wait', date_trunc('hour', now()) - interval '8 days', 900, 1)
        """
    )
    assert (await listed(bench, "long_wait")).cost_us == 3_000
    await wait(bench, "a")
    await keeper.write()
    assert await bench.value("SELECT count(*) FROM journey.rule_costs WHERE hour < now() - interval '7 days'") == 0
    cost = (await listed(bench, "long_wait")).cost_us
    assert cost is not None
    assert 2_900 < cost < 3_100


async def test_what_a_rule_cost_before_it_was_changed_does_not_count(bench: JourneyBench) -> None:
    await bench.execute(
        "INSERT INTO journey.rule_costs (rule, hour, seconds, touchpoints)"
        " SELECT r, date_trunc('hour', now()), 1, 1000 FROM unnest(ARRAY['long_wait', 'transfers']) AS r"
    )
    async with caller(bench, KeyKind.ADMIN) as admin:
        text = "extends: default\nchange:\n  long_wait: {severity: critical}\n"
        assert (await admin.post("/v1/rules/apply", json={"text": text, "note": "a trial"})).status_code == 200
    assert (await listed(bench, "long_wait")).cost_us is None
    assert (await listed(bench, "transfers")).cost_us == 1_000
