"""Who is behind a number: for every step, node, hour and stage exactly those customers whom stored journeys tell."""

import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx2
import pytest

from services.journey.read.aggregates import customers_behind
from services.journey.timers.folding import RollupFolder
from tests.fixtures.journey_bench import JourneyBench, at, touchpoint
from tests.integration.test_funnels import HELP, bench, define, reader
from tests.integration.test_journey_order import story

__all__ = ["bench", "reader"]
pytestmark = pytest.mark.local

Ends = tuple[str, str, str, str]


@pytest.fixture
async def told(bench: JourneyBench) -> JourneyBench:
    """Six people, some with several identifiers, whose journeys went on, ended, and went quiet."""
    await define(bench, HELP)
    points = story(random.Random(4))
    random.Random(4).shuffle(points)
    for number, last in enumerate(("call_started", "case_closed")):
        who = {"customer_id": f"C-old-{number}"}
        for turn, kind in enumerate(("page_viewed", last)):
            points.append(touchpoint(f"o{number}-{turn}", turn - 600_000, kind=kind, customer=who, replay=True))
    for point in points:
        bench.log.append(0, point)
    await bench.apply()
    await bench.execute("UPDATE journey.progress SET caught_up_at = clock_timestamp()")
    await bench.timers.once()
    return bench


async def steps(bench: JourneyBench) -> dict[Ends, set[str]]:
    """The customers of each step, told by walking through each journey."""
    journeys: defaultdict[Any, list[Any]] = defaultdict(list)
    for row in await bench.rows(
        "SELECT t.*, j.closed_at, j.last_at FROM journey.touchpoints t JOIN journey.journeys j USING (journey_id)"
        " ORDER BY t.occurred_at, t.sequence, t.source, t.id"
    ):
        journeys[row["journey_id"]].append(row)
    found: defaultdict[Ends, set[str]] = defaultdict(set)
    for rows in journeys.values():
        came = ("", "start")
        for row in rows:
            here = (row["channel"], row["kind"])
            found[*came, *here].add(str(row["customer_id"]))
            came = here
        if (closed := rows[-1]["closed_at"]) is not None:
            end = "dropped" if closed > rows[-1]["last_at"] else "closed"
            found[*came, "", end].add(str(rows[-1]["customer_id"]))
    return dict(found)


async def behind(reader: httpx2.AsyncClient, path: str = "/v1/paths/customers", **query: Any) -> dict[str, Any]:
    answer = await reader.get(path, params={name: value for name, value in query.items() if value != ""})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def ids(found: dict[str, Any]) -> set[str]:
    assert len(found["customers"]) == len({one["customer_id"] for one in found["customers"]})
    return {one["customer_id"] for one in found["customers"]}


@pytest.mark.parametrize("folded", [False, True])
async def test_of_every_step_and_node_exactly_those_who_went_it(
    told: JourneyBench, reader: httpx2.AsyncClient, folded: bool
) -> None:
    if folded:
        await RollupFolder(told.pool).fold_all(at_once=50)
    wanted = await steps(told)
    assert {ends[3] for ends in wanted} >= {"closed", "dropped"}
    for (from_channel, from_kind, to_channel, to_kind), customers in wanted.items():
        query = {"from_channel": from_channel, "from_kind": from_kind, "to_channel": to_channel, "to_kind": to_kind}
        found = await behind(reader, **query)
        assert (ids(found), found["more"]) == (customers, False), query
    for node in {ends[2:] for ends in wanted if ends[2]}:
        everybody = set().union(*(customers for ends, customers in wanted.items() if ends[2:] == node))
        assert ids(await behind(reader, to_channel=node[0], to_kind=node[1])) == everybody
    assert ids(await behind(reader, to_kind="order_cancelled")) == set()


async def test_of_every_cell_of_the_heat_map_those_with_friction_there(
    told: JourneyBench, reader: httpx2.AsyncClient
) -> None:
    zone = ZoneInfo("Asia/Seoul")
    rows = await told.rows(
        "SELECT t.customer_id, t.channel, t.friction, t.occurred_at, coalesce(j.reason, '') AS reason"
        "  FROM journey.touchpoints t JOIN journey.journeys j USING (journey_id)"
        " WHERE NOT t.replay"
    )
    cells: defaultdict[tuple[str, str, int], list[int]] = defaultdict(lambda: [0, 0])
    hard: defaultdict[tuple[str, str, int], set[str]] = defaultdict(set)
    for row in rows:
        key = (row["channel"], row["reason"], row["occurred_at"].astimezone(zone).hour)
        cells[key][0] += 1
        cells[key][1] += row["friction"]
        if row["friction"]:
            hard[key].add(str(row["customer_id"]))
    span = {"from": at(-60 * 24 * 30).isoformat(), "to": at(60 * 24 * 30).isoformat(), "zone": "Asia/Seoul"}
    map_ = await behind(reader, "/v1/heat", **span)
    told_cells = {
        (one["channel"], one.get("reason", ""), one["hour"]): [one["touchpoints"], one["frictions"]]
        for one in map_["cells"]
    }
    assert told_cells == dict(cells)
    assert hard
    for (channel, reason, hour), customers in hard.items():
        where: dict[str, Any] = {"to_channel": channel, "hour": hour, "zone": "Asia/Seoul", "reason": reason}
        found = await behind(reader, friction=True, **where)
        assert customers <= ids(found)
        assert all(one["friction"] for one in found["customers"])


async def test_of_every_stage_of_a_funnel_those_who_are_or_ended_there(
    told: JourneyBench, reader: httpx2.AsyncClient
) -> None:
    rows = await told.rows(
        "SELECT customer_id, stage, coalesce(progress ->> 'end', 'open') AS end FROM journey.passages"
    )
    assert len({row["end"] for row in rows}) > 1
    for stage, end in {(row["stage"], row["end"]) for row in rows}:
        found = await behind(reader, "/v1/funnels/help/customers", stage=stage, end=end)
        assert ids(found) == {str(row["customer_id"]) for row in rows if (row["stage"], row["end"]) == (stage, end)}


async def test_no_more_hours_are_read_than_are_needed(
    bench: JourneyBench, reader: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One customer an hour, for a day: of three the latest, and said that there are more."""
    for hour in range(24):
        customer = {"customer_id": f"C-{hour}"}
        bench.log.append(0, touchpoint(f"t-{hour}", 60 * hour, kind="page_viewed", channel="web", customer=customer))
    await bench.apply()
    found = await behind(reader, to_channel="web", to_kind="page_viewed", limit=3)
    assert (len(found["customers"]), found["more"]) == (3, True)
    assert [datetime.fromisoformat(one["at"]) for one in found["customers"]] == [at(60 * hour) for hour in (23, 22, 21)]
    assert datetime.fromisoformat(found["looked_back_to"]) >= at(60 * 17)
    monkeypatch.setattr(customers_behind, "MOST_HOURS", 2)
    few = await behind(reader, to_channel="web", to_kind="page_viewed", limit=200)
    assert (len(few["customers"]), few["more"]) == (2, True)


async def test_spans_that_make_no_sense_are_refused(reader: httpx2.AsyncClient) -> None:
    now = datetime.now(UTC)
    long = {"from": (now - timedelta(days=93)).isoformat(), "to": now.isoformat()}
    assert (await reader.get("/v1/heat", params=long)).status_code == 422
    assert (await reader.get("/v1/heat", params={**long, "to": long["from"]})).status_code == 422
    assert (await reader.get("/v1/heat", params={**long, "zone": "Mars/Olympus"})).status_code == 422
    assert (await reader.get("/v1/paths/customers", params={"hour": 24})).status_code == 422
