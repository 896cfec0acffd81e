"""The graph of paths over a real database: what the touchpoints say, whatever came when, and read by all filters."""

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx2
import pytest

from services.journey.store import path_rows
from services.journey.store.path_rows import PathDifferences
from services.journey.timers.folding import RollupFolder
from services.runtime.postgres.pools import acquire, is_transient
from tests.fixtures.journey_api import caller_with_key
from tests.fixtures.journey_bench import START, JourneyBench, at, open_bench, touchpoint
from tests.integration.test_journey_order import story
from tests.integration.test_journey_unmerge import take_back

pytestmark = pytest.mark.local


@pytest.fixture
async def bench(database: str) -> AsyncIterator[JourneyBench]:
    async with open_bench(database) as opened:
        yield opened


@pytest.fixture
async def reader(bench: JourneyBench) -> AsyncIterator[httpx2.AsyncClient]:
    async with caller_with_key(bench.pool) as client:
        yield client


async def compared(bench: JourneyBench, *, mend: bool = False) -> PathDifferences:
    async with acquire(bench.pool) as connection, connection.transaction(isolation="repeatable_read"):
        found = await path_rows.differences(connection)
        if mend:
            await path_rows.mend(connection)
        return found


async def is_sound(bench: JourneyBench) -> bool:
    return not (await compared(bench)).differing


async def paths(reader: httpx2.AsyncClient, **query: Any) -> dict[str, Any]:
    answer = await reader.get("/v1/paths", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def edges(graph: dict[str, Any]) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for edge in graph["edges"]:
        kinds = edge["from"]["kind"], edge["to"]["kind"]
        found[kinds] = found.get(kinds, 0) + edge["count"]
    return found


@pytest.mark.parametrize("seed", range(4))
async def test_the_graph_is_that_of_the_touchpoints_in_any_order_over_merges_and_folds(
    bench: JourneyBench, reader: httpx2.AsyncClient, seed: int
) -> None:
    """Touchpoints of six people in any order: most are late, and every person is merged of several customers."""
    rng = random.Random(seed)
    points = story(rng)
    rng.shuffle(points)
    folder = RollupFolder(bench.pool)
    while points:
        for point in points[:15]:
            bench.log.append(rng.randrange(2), point)
        del points[:15]
        await bench.apply(batch=rng.randint(1, 8))
        assert await is_sound(bench)
        before = await paths(reader)
        if rng.random() < 0.5:
            await folder.fold_all(at_once=rng.randint(1, 50))
            assert await is_sound(bench)
            assert await paths(reader) == before
    assert await bench.value("SELECT count(*) FROM journey.customers WHERE merged_into IS NOT NULL") > 0
    assert (await paths(reader))["touchpoints"] == 90
    frictions = await bench.value("SELECT count(*) FROM journey.touchpoints WHERE friction")
    assert sum(node["frictions"] for node in (await paths(reader))["nodes"]) == frictions > 0


async def test_what_is_missing_from_the_graph_is_found_and_mended(bench: JourneyBench) -> None:
    """The control: a change that is lost shows, whether it was folded or not."""
    for point in story(random.Random(1)):
        bench.log.append(0, point)
    await bench.apply()
    await bench.execute("DELETE FROM journey.path_changes WHERE id = (SELECT min(id) FROM journey.path_changes)")
    assert len((await compared(bench, mend=True)).hours) == 1
    assert await is_sound(bench)
    await RollupFolder(bench.pool).fold_all()
    await bench.execute("UPDATE journey.path_counts SET steps = steps + 1 WHERE span = 'h'")
    await bench.execute("DELETE FROM journey.path_counts WHERE span = 'd'")
    await bench.execute("UPDATE journey.path_rule_counts SET frictions = frictions + 1")
    found = await compared(bench, mend=True)
    assert found.hours
    assert found.rules
    assert found.coarse
    await RollupFolder(bench.pool).fold_all()
    await compared(bench, mend=True)  # what was folded by day and month came from hours that were wrong
    assert await is_sound(bench)


async def test_the_graph_follows_an_unmerge(bench: JourneyBench) -> None:
    bench.log.append(0, touchpoint("a", 0, customer={"customer_id": "C-1"}, refs={"case_id": "1"}))
    bench.log.append(0, touchpoint("b", 10, customer={"phone": "+821012345678"}, refs={"case_id": "1"}))
    tie = {"customer_id": "C-1", "phone": "+821012345678"}
    bench.log.append(0, touchpoint("tie", 20, customer=tie, refs={"case_id": "1"}))
    await bench.apply()
    assert await is_sound(bench)
    await take_back(bench)
    assert await bench.value("SELECT count(DISTINCT customer_id) FROM journey.touchpoints") == 2
    assert await is_sound(bench)


RUNNING_EXAMPLE = """
3 register request 2010-12-30T14:32, examine casually 2010-12-30T15:06, check ticket 2010-12-30T16:34,
  decide 2011-01-06T09:18, reinitiate request 2011-01-06T12:18, examine thoroughly 2011-01-06T13:06,
  check ticket 2011-01-08T11:43, decide 2011-01-09T09:55, pay compensation 2011-01-15T10:45
2 register request 2010-12-30T11:32, check ticket 2010-12-30T12:12, examine casually 2010-12-30T14:16,
  decide 2011-01-05T11:22, pay compensation 2011-01-08T12:05
1 register request 2010-12-30T11:02, examine thoroughly 2010-12-31T10:06, check ticket 2011-01-05T15:12,
  decide 2011-01-06T11:18, reject request 2011-01-07T14:24
6 register request 2011-01-06T15:02, examine casually 2011-01-06T16:06, check ticket 2011-01-07T16:22,
  decide 2011-01-07T16:52, pay compensation 2011-01-16T11:47
5 register request 2011-01-06T09:02, examine casually 2011-01-07T10:16, check ticket 2011-01-08T11:22,
  decide 2011-01-10T13:28, reinitiate request 2011-01-11T16:18, check ticket 2011-01-14T14:33,
  examine casually 2011-01-16T15:50, decide 2011-01-19T11:18, reinitiate request 2011-01-20T12:48,
  examine casually 2011-01-21T09:06, check ticket 2011-01-21T11:34, decide 2011-01-23T13:12,
  reject request 2011-01-24T14:56
4 register request 2011-01-06T15:02, check ticket 2011-01-07T12:06, examine thoroughly 2011-01-08T14:43,
  decide 2011-01-09T12:02, reject request 2011-01-12T15:44
"""
"""The log with which process mining is taught: six claims for compensation, 42 events (PM4Py's running example)."""

PUBLISHED = {
    ("register request", "examine casually"): 3,
    ("register request", "check ticket"): 2,
    ("register request", "examine thoroughly"): 1,
    ("examine casually", "check ticket"): 4,
    ("examine casually", "decide"): 2,
    ("examine thoroughly", "check ticket"): 2,
    ("examine thoroughly", "decide"): 1,
    ("check ticket", "decide"): 6,
    ("check ticket", "examine casually"): 2,
    ("check ticket", "examine thoroughly"): 1,
    ("decide", "pay compensation"): 3,
    ("decide", "reject request"): 3,
    ("decide", "reinitiate request"): 3,
    ("reinitiate request", "examine thoroughly"): 1,
    ("reinitiate request", "check ticket"): 1,
    ("reinitiate request", "examine casually"): 1,
}
"""The directly-follows graph of that log, as its users publish it."""


async def test_a_published_log_has_its_published_graph(bench: JourneyBench, reader: httpx2.AsyncClient) -> None:
    events = _events()
    assert len(events) == 42
    random.Random(7).shuffle(events)
    for number, (case, activity, moment) in enumerate(events):
        point = touchpoint(
            f"e{number}",
            kind=activity,
            occurred_at=moment,
            direction=None,
            refs={"case_id": case},
            customer={"customer_id": f"claimant-{case}"},
            replay=True,
        )
        bench.log.append(number % 2, point, START)
    await bench.apply(batch=5)
    graph = await paths(reader)
    found = edges(graph)
    inner = {
        ends: count for ends, count in found.items() if ends[0] != "start" and ends[1] not in {"closed", "dropped"}
    }
    assert inner == PUBLISHED
    assert {ends: count for ends, count in found.items() if ends[0] == "start"} == {("start", "register request"): 6}
    assert {ends: count for ends, count in found.items() if ends[1] == "dropped"} == {
        ("pay compensation", "dropped"): 3,
        ("reject request", "dropped"): 3,
    }
    decided = next(edge for edge in graph["edges"] if edge["to"]["kind"] == "pay compensation")
    gaps = [timedelta(days=6, minutes=50), timedelta(days=3, minutes=43), timedelta(days=8, hours=18, minutes=55)]
    assert decided["gap_mean_s"] == pytest.approx(sum(gaps, timedelta()).total_seconds() / 3)
    assert decided["gap_p50_s"] == pytest.approx(gaps[0].total_seconds(), rel=0.1)
    assert decided["gap_p95_s"] == pytest.approx(gaps[2].total_seconds(), rel=0.1)


def _events() -> list[tuple[str, str, datetime]]:
    """Case, activity and time of each event of the running example."""
    found, case = [], ""
    for line in RUNNING_EXAMPLE.strip().splitlines():
        if not line.startswith(" "):
            case = line.partition(" ")[0]
        for event in filter(None, (one.strip() for one in line.removeprefix(case).split(","))):
            activity, _, moment = event.rpartition(" ")
            found.append((case, activity, datetime.fromisoformat(moment).replace(tzinfo=UTC)))
    return found


async def visits(bench: JourneyBench) -> None:
    """Two journeys: one about billing by phone that comes back after a day, one of web pages on two days."""
    billing = {"reason": "billing", "service_level": "premium", "customer": {"customer_id": "C-1"}}
    pages = {"channel": "web", "direction": None, "customer": {"customer_id": "C-2"}, "refs": {"case_id": "9"}}
    bench.log.append(0, touchpoint("c1", -30, kind="call_started", **billing))
    bench.log.append(0, touchpoint("c2", -20, kind="call_ended", **billing))
    bench.log.append(0, touchpoint("c3", 70, kind="call_started", **billing))
    for number, minutes in enumerate((-200, -190, 60)):
        bench.log.append(1, touchpoint(f"p{number}", minutes, kind="page_viewed", **pages))
    bench.log.append(1, touchpoint("p3", 65, kind="case_closed", **pages))
    await bench.apply()


@pytest.mark.parametrize("folded", [False, True])
async def test_the_graph_is_narrowed_by_everything_that_can_be_asked(
    bench: JourneyBench, reader: httpx2.AsyncClient, folded: bool
) -> None:
    await visits(bench)
    if folded:
        await RollupFolder(bench.pool).fold_all()
    assert edges(await paths(reader)) == {
        ("start", "call_started"): 1,
        ("call_started", "call_ended"): 1,
        ("call_ended", "call_started"): 1,
        ("start", "page_viewed"): 1,
        ("page_viewed", "page_viewed"): 2,
        ("page_viewed", "case_closed"): 1,
        ("case_closed", "closed"): 1,
    }
    billing = edges(await paths(reader, reason="billing"))
    assert set(billing) == {("start", "call_started"), ("call_started", "call_ended"), ("call_ended", "call_started")}
    assert edges(await paths(reader, service_level="premium")) == billing
    assert edges(await paths(reader, channel="phone")) == billing
    assert edges(await paths(reader, kind="call_ended")) == {
        ("call_started", "call_ended"): 1,
        ("call_ended", "call_started"): 1,
    }
    assert edges(await paths(reader, kind="page_viewed", channel="phone")) == {}
    since, until = at(0).isoformat(), at(61).isoformat()
    narrowed = await paths(reader, **{"from": since, "to": until})
    assert all(datetime.fromisoformat(narrowed[name]).minute == 0 for name in ("from", "to"))
    assert datetime.fromisoformat(narrowed["from"]) <= at(0)
    assert datetime.fromisoformat(narrowed["to"]) >= at(61)
    after = edges(await paths(reader, **{"from": since}))
    before = edges(await paths(reader, to=narrowed["from"]))
    assert after[("page_viewed", "page_viewed")] == before[("page_viewed", "page_viewed")] == 1
    assert ("start", "page_viewed") not in after


async def test_rates_and_shares_are_of_what_they_say(bench: JourneyBench, reader: httpx2.AsyncClient) -> None:
    await visits(bench)
    graph = await paths(reader, limit=2000)
    again = next(edge for edge in graph["edges"] if edge["from"]["kind"] == "call_ended")
    assert (again["count"], again["share"], again["frictions"], again["friction_rate"]) == (1, 1.0, 1, 1.0)
    assert again["gap_p50_s"] == pytest.approx(90 * 60, rel=0.1)
    leaving = [edge["share"] for edge in graph["edges"] if edge["from"]["kind"] == "page_viewed"]
    assert sorted(leaving) == [pytest.approx(1 / 3, abs=1e-3), pytest.approx(2 / 3, abs=1e-3)]
    node = next(node for node in graph["nodes"] if node["kind"] == "case_closed")
    assert (node["touchpoints"], node["begun"], node["closed"], node["dropped"]) == (1, 0, 1, 0)
    few = await paths(reader, limit=1)
    assert (len(few["edges"]), few["edges_left_out"], len(few["nodes"])) == (1, 6, 1)
    assert few["touchpoints"] == graph["touchpoints"] == 7


@pytest.mark.parametrize("folded", [False, True])
async def test_frictions_are_narrowed_to_those_of_one_rule(
    bench: JourneyBench, reader: httpx2.AsyncClient, folded: bool
) -> None:
    await visits(bench)
    if folded:
        await RollupFolder(bench.pool).fold_all()
    whole = await paths(reader)
    standing = await bench.rows("SELECT rule, count(*) FROM journey.frictions WHERE state = 'detected' GROUP BY rule")
    assert "repeat_contact_24h" in {rule for rule, _ in standing}
    for rule, number in standing:
        narrowed = await paths(reader, rule=rule)
        assert sum(node["frictions"] for node in narrowed["nodes"]) == number
        assert sum(edge["frictions"] for edge in narrowed["edges"]) == number
        assert edges(narrowed) == edges(whole)
        assert [edge.get("gap_p50_s") for edge in narrowed["edges"]] == [
            edge.get("gap_p50_s") for edge in whole["edges"]
        ]
    by_reason = (await reader.get("/v1/segments", params={"by": "reason", "rule": "repeat_contact_24h"})).json()
    assert [(one.get("value"), one["frictions"]) for one in by_reason["segments"]] == [
        (None, 0),
        ("billing", dict(standing)["repeat_contact_24h"]),
    ]
    assert sum(edge["frictions"] for edge in (await paths(reader, rule="nobody"))["edges"]) == 0
    assert (await reader.get("/v1/funnels/delivery", params={"rule": "nobody"})).status_code == 422


async def test_segments_stand_side_by_side(bench: JourneyBench, reader: httpx2.AsyncClient) -> None:
    await visits(bench)
    found = (await reader.get("/v1/segments", params={"by": "reason"})).json()
    unknown, billing = found["segments"]
    assert "value" not in unknown
    assert (unknown["touchpoints"], unknown["begun"], unknown["closed"], unknown["drop_rate"]) == (4, 1, 1, 0.0)
    assert (billing["value"], billing["touchpoints"], billing["begun"], billing["frictions"]) == ("billing", 3, 1, 2)
    by_kind = (await reader.get("/v1/segments", params={"by": "kind", "channel": "web"})).json()
    assert [(one["value"], one["touchpoints"]) for one in by_kind["segments"]] == [
        ("page_viewed", 3),
        ("case_closed", 1),
    ]


async def test_an_empty_span_and_a_misspelt_filter_are_refused(reader: httpx2.AsyncClient) -> None:
    span = {"from": at(1).isoformat(), "to": at(0).isoformat()}
    answer = await reader.get("/v1/paths", params=span, headers={"accept-language": "ko"})
    assert (answer.status_code, answer.json()["code"]) == (400, "range_empty")
    assert (await reader.get("/v1/segments", params={"by": "weather"})).status_code == 422
    assert (await reader.get("/v1/paths", params={"chanel": "web"})).status_code == 422
    last = {"from": "9999-12-31T23:30:00Z", "to": "9999-12-31T23:59:59.999999Z"}
    assert (await paths(reader, **last))["edges"] == []


async def test_a_fold_whose_snapshot_is_older_than_another_fold_begins_again(bench: JourneyBench) -> None:
    for number in range(4):
        bench.log.append(0, touchpoint(f"t{number}", number))
    await bench.apply()
    async with acquire(bench.pool) as connection:
        behind = connection.transaction(isolation="repeatable_read")
        await behind.start()
        await connection.execute("SELECT FROM journey.path_changes")
        await RollupFolder(bench.pool).fold_all()
        with pytest.raises(asyncpg.SerializationError) as raised:
            await path_rows.PATHS.fold(connection, 100)
        await behind.rollback()
    assert is_transient(raised.value)
    await RollupFolder(bench.pool).fold_all()
    assert await is_sound(bench)
