"""Funnels over a real database: what the journeys say, whatever came when, read by every filter and by the command."""

import json
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from services.journey.repair.funnel_check import check_funnels
from services.journey.rulebook import definitions_file, rules_file
from services.journey.store.rollups.funnel_rows import FunnelDifferences
from services.journey.timers.folding import RollupFolder
from services.journey.versions import storing
from services.journey.versions.in_force import PolicyCache
from services.journey.versions.policy_table import NewPolicy
from services.runtime.postgres.pools import acquire, transaction
from tests.fixtures.command import run_waymark
from tests.fixtures.journey_api import caller_with_key
from tests.fixtures.journey_bench import JourneyBench, at, open_bench, touchpoint
from tests.integration.test_journey_order import story
from tests.integration.test_journey_unmerge import take_back

pytestmark = pytest.mark.local

HELP = """
journeys:
  - id: help
    title: {en: Getting help, ko: 도움}
    entry: {kind: [call_started, chat_started]}
    key: [refs.case_id]
    stages:
      - {id: asked, title: {en: Asked, ko: 문의}, within: 20m}
      - {id: known, title: {en: Known, ko: 접수}, begins: {kind: case_opened}, again: true}
    reached: {kind: order_placed}
    inactivity: 30m
"""


@pytest.fixture
async def bench(database: str) -> AsyncIterator[JourneyBench]:
    async with open_bench(database, policies=PolicyCache(), late_grace=timedelta(0)) as opened:
        await put_in_force(opened, storing.first_rules(rules_file.resolve_file(), file=""))
        yield opened


@pytest.fixture
async def reader(bench: JourneyBench) -> AsyncIterator[httpx2.AsyncClient]:
    async with caller_with_key(bench.pool) as client:
        yield client


async def put_in_force(bench: JourneyBench, new: NewPolicy) -> None:
    async with transaction(bench.pool) as connection:
        await storing.apply(connection, new)


async def define(bench: JourneyBench, text: str) -> None:
    file = definitions_file.read(text, name="mine.yaml")
    await put_in_force(bench, storing.of_journeys(file, author="kim", note=""))


async def compared(bench: JourneyBench, *, repair: bool = False) -> FunnelDifferences:
    async with acquire(bench.pool) as connection:
        return await check_funnels(connection, repair=repair)


async def is_sound(bench: JourneyBench) -> bool:
    """Whether the sums are those of the rows, and the rows tell what the journeys' documents tell."""
    rows = await bench.rows("SELECT progress::text AS said FROM journey.passages")
    told = await bench.rows("SELECT json_array_elements(payload -> 'progress')::text AS said FROM journey.journeys")
    known, said = (
        [json.dumps(_plain(json.loads(row["said"])), sort_keys=True) for row in all_] for all_ in (rows, told)
    )
    assert sorted(known) == sorted(said)
    found = await compared(bench)
    return not found.hours and not found.coarse


def _plain(value: Any) -> Any:
    """The same value, with times to the microsecond in one form."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, str) and value.endswith("Z"):
        return datetime.fromisoformat(value).isoformat()
    return value


async def funnel(reader: httpx2.AsyncClient, journey: str = "help", **query: Any) -> dict[str, Any]:
    answer = await reader.get(f"/v1/funnels/{journey}", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize("seed", range(3))
async def test_funnels_are_those_of_the_journeys_in_any_order_over_merges_and_folds(
    bench: JourneyBench, reader: httpx2.AsyncClient, seed: int
) -> None:
    """Touchpoints of six people in any order: most are late, and every person is merged of several customers."""
    await define(bench, HELP)
    rng = random.Random(seed)
    points = story(rng)
    rng.shuffle(points)
    folder = RollupFolder(bench.pool)
    while points:
        for point in points[:15]:
            bench.log.append(rng.randrange(2), point)
        del points[:15]
        await bench.apply(batch=rng.randint(1, 8))
        await bench.execute("UPDATE journey.progress SET caught_up_at = clock_timestamp()")
        await bench.timers.once()
        assert await is_sound(bench)
        before = await funnel(reader, by="reason")
        if rng.random() < 0.5:
            await folder.fold_all(at_once=rng.randint(1, 50))
            assert await is_sound(bench)
            assert await funnel(reader, by="reason") == before
    assert await bench.value("SELECT count(*) FROM journey.customers WHERE merged_into IS NOT NULL") > 0
    whole = await funnel(reader)
    assert whole["entered"] == whole["reached"] + whole["abandoned"] + whole["timed_out"] + whole["open"] > 10
    for stage in whole["stages"]:
        parts = (stage[name] for name in ("went_on", "reached", "abandoned", "timed_out", "open"))
        assert stage["journeys"] == sum(parts)
    assert min(stage["overdue"] for stage in whole["stages"]) == 0 < max(stage["overdue"] for stage in whole["stages"])


async def test_funnels_follow_an_unmerge(bench: JourneyBench) -> None:
    await define(bench, HELP)
    bench.log.append(0, touchpoint("a", 0, customer={"customer_id": "C-1"}, refs={"case_id": "1"}))
    bench.log.append(0, touchpoint("b", 10, customer={"phone": "+821012345678"}, refs={"case_id": "2"}))
    bench.log.append(0, touchpoint("tie", 20, customer={"customer_id": "C-1", "phone": "+821012345678"}))
    await bench.apply()
    assert await bench.value("SELECT count(DISTINCT customer_id) FROM journey.passages") == 1
    await take_back(bench)
    assert await bench.value("SELECT count(DISTINCT customer_id) FROM journey.passages") == 2
    assert await is_sound(bench)


async def test_what_is_missing_is_found_and_mended(bench: JourneyBench) -> None:
    """The control: a change that is lost shows, whether it was folded or not."""
    await define(bench, HELP)
    for point in story(random.Random(1)):
        bench.log.append(0, point)
    await bench.apply()
    await bench.execute("DELETE FROM journey.funnel_changes WHERE id = (SELECT min(id) FROM journey.funnel_changes)")
    assert len((await compared(bench, repair=True)).hours) == 1
    assert await is_sound(bench)
    await RollupFolder(bench.pool).fold_all()
    await bench.execute("DELETE FROM journey.funnel_counts WHERE span = 'd'")
    assert (await compared(bench, repair=True)).coarse
    assert await is_sound(bench)


async def orders(bench: JourneyBench) -> None:
    """Three deliveries of the shipped definition: one arrived, one cancelled while on the way, one being prepared."""
    file = definitions_file.load("retail")
    await put_in_force(bench, storing.of_journeys(file, author="kim", note=""))
    now = datetime.now(UTC).replace(microsecond=0)
    happened = (
        ("A-1", "web", "premium", (("order_placed", 60), ("order_shipped", 50), ("parcel_delivered", 20))),
        ("A-2", "web", "basic", (("order_placed", 40), ("order_shipped", 20), ("order_cancelled", 10))),
        ("A-3", "app", None, (("order_placed", 30),)),
    )
    for order, channel, level, steps in happened:
        for kind, hours in steps:
            moment = now - timedelta(hours=hours)
            point = touchpoint(
                f"{order}-{kind}",
                kind=kind,
                occurred_at=moment,
                received_at=moment,
                channel=channel,
                direction=None,
                refs={"order_id": order},
                customer={"customer_id": order},
                service_level=level,
            )
            bench.log.append(0, point, moment)
    await bench.apply()


@pytest.mark.parametrize("folded", [False, True])
async def test_a_funnel_says_who_came_how_far_and_where_they_were_lost(
    bench: JourneyBench, reader: httpx2.AsyncClient, folded: bool
) -> None:
    await orders(bench)
    if folded:
        await RollupFolder(bench.pool).fold_all()
    found = await funnel(reader, "delivery", by="channel")
    assert {name: found[name] for name in ("entered", "reached", "abandoned", "timed_out", "open")} == {
        "entered": 3,
        "reached": 1,
        "abandoned": 1,
        "timed_out": 0,
        "open": 1,
    }
    assert (found["title"]["ko"], found["reached_rate"]) == ("배송", 0.3333)
    assert found["time_to_reach"]["mean_s"] == 40 * 3600
    assert found["time_to_reach"]["p95_s"] == pytest.approx(40 * 3600, rel=0.1)
    preparing, on_the_way, again = found["stages"]
    assert (preparing["journeys"], preparing["went_on"], preparing["open"], preparing["share"]) == (3, 2, 1, 1.0)
    assert preparing["time"]["mean_s"] == 15 * 3600
    assert (on_the_way["journeys"], on_the_way["abandoned"], on_the_way["drop_off_rate"]) == (2, 1, 0.5)
    assert (again["stage"], again["journeys"], "time" in again) == ("second_try", 0, False)
    assert [(one["value"], one["entered"]) for one in found["segments"]] == [("web", 2), ("app", 1)]
    assert (await funnel(reader, "delivery", service_level="premium"))["reached"] == 1
    assert (await funnel(reader, "delivery", channel="app"))["open"] == 1
    assert (await funnel(reader, "delivery", reason="billing"))["entered"] == 0
    since = datetime.now(UTC) - timedelta(hours=42)
    assert (await funnel(reader, "delivery", **{"from": since.isoformat()}))["entered"] == 2
    assert (await funnel(reader, "delivery", to=since.isoformat()))["entered"] == 1
    listed = (await reader.get("/v1/funnels")).json()["funnels"]
    assert [(one["journey"], one["entered"]) for one in listed] == [
        ("purchase", 0),
        ("delivery", 3),
        ("refund", 0),
        ("service_case", 0),
    ]


async def test_a_journey_that_nobody_defined_is_refused_without_quoting_it(reader: httpx2.AsyncClient) -> None:
    answer = await reader.get("/v1/funnels/deliverance", headers={"accept-language": "ko"})
    assert (answer.status_code, answer.json()["code"]) == (404, "journey_not_defined")
    assert "deliverance" not in answer.text
    assert (await reader.get("/v1/funnels")).json()["funnels"] == []
    span = {"from": at(1).isoformat(), "to": at(0).isoformat()}
    assert (await reader.get("/v1/funnels", params=span)).json()["code"] == "range_empty"
    assert (await reader.get("/v1/funnels/x", params={"by": "weather"})).status_code == 422


async def test_the_command_checks_and_repairs(bench: JourneyBench, database: str) -> None:
    environ = {"WAYMARK_POSTGRES": database, "WAYMARK_DATA_DIR": "/nowhere"}
    await orders(bench)
    sound = run_waymark("funnels", "--check", environ=environ)
    assert (sound.returncode, sound.stdout) == (0, "sound: 3 journeys\n"), sound.stderr
    await bench.execute("DELETE FROM journey.funnel_changes")
    differs = run_waymark("funnels", "--check", environ={**environ, "LANG": "ko_KR.UTF-8"})
    assert (differs.returncode, "여정과 다릅니다" in differs.stdout) == (1, True), differs.stderr
    repaired = run_waymark("funnels", "--check", "--repair", "--json", environ=environ)
    assert json.loads(repaired.stdout)["repaired"] is True
    assert run_waymark("funnels", "--check", environ=environ).returncode == 0
