"""`as_of` answers as the API answered then: customers are asked after every batch, and again when all has come."""

import random
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import httpx2
import msgspec
import pytest

from services.journey.rulebook import rules_file
from services.journey.versions import storing
from services.runtime.postgres.pools import transaction
from tests.fixtures.journey_api import caller_with_key
from tests.fixtures.journey_bench import START, JourneyBench, at, open_bench, touchpoint
from tests.integration.test_journey_order import PEOPLE, story

pytestmark = pytest.mark.local


@pytest.fixture
async def bench(database: str) -> AsyncIterator[JourneyBench]:
    async with open_bench(database) as opened:
        async with transaction(opened.pool) as connection:
            await storing.apply(connection, storing.of_rules(rules_file.resolve_file(), author="test", note=""))
        yield opened


@pytest.fixture
async def reader(bench: JourneyBench) -> AsyncIterator[httpx2.AsyncClient]:
    async with caller_with_key(bench.pool) as client:
        yield client


async def told(reader: httpx2.AsyncClient, reference: str, moment: datetime | None = None) -> dict[str, Any] | None:
    """What is said of a customer, without what must differ: ids of journeys, versions, times of writing."""
    query = {} if moment is None else {"as_of": moment.isoformat()}
    answer = await reader.get(f"/v1/customers/{reference}", params=query)
    if answer.status_code == 404:
        return None
    assert answer.status_code == 200, answer.text
    said = answer.json()
    timeline = (await reader.get(f"/v1/customers/{reference}/timeline", params={**query, "limit": 200})).json()
    contacts = (await reader.get(f"/v1/customers/{reference}/contacts", params={**query, "limit": 200})).json()
    nameless = ("id", "customer_id", "version", "updated_at")
    return {
        "identifiers": said["identifiers"],
        "effort": said["effort"],
        "first_seen_at": said["first_seen_at"],
        "journeys": sorted(
            ({name: value for name, value in one.items() if name not in nameless} for one in said["journeys"]),
            key=lambda one: (one["opened_at"], one["last_at"], one["touchpoint_count"]),
        ),
        "frictions": sorted(
            (one["id"], one["rule"], one["severity"], str(one["touchpoints"]), one["explanation"]["ko"])
            for one in said["frictions"]
            if one["state"] == "detected"
        ),
        "contacts": [
            {name: value for name, value in one.items() if name not in ("journey_id", "friction_ids")}
            | {"frictions": sorted(one["friction_ids"])}
            for one in contacts["contacts"]
        ],
        "timeline": [(one["id"], len(one["friction_ids"]), one["late"]) for one in timeline["touchpoints"]],
    }


@pytest.mark.parametrize("seed", range(2))
async def test_as_of_a_moment_everybody_stands_as_they_stood(
    bench: JourneyBench, reader: httpx2.AsyncClient, seed: int
) -> None:
    chance = random.Random(seed)
    # One interaction of two customers has its friction with one of them (decision 0009), but as of then with both.
    points = [msgspec.structs.replace(point, interaction_id=None) for point in story(chance)]
    chance.shuffle(points)
    references = [f"{kind}{number}" for kind in ("customer_id:C-", "cookie:k-") for number in range(PEOPLE)]
    then: list[tuple[datetime, dict[str, Any]]] = []
    for number, first in enumerate(range(0, len(points), 15)):
        appended = START + timedelta(hours=1, minutes=number)
        for point in points[first : first + 15]:
            bench.log.append(chance.randrange(2), point, appended)
        await bench.apply()
        then.append((appended + timedelta(seconds=1), {one: await told(reader, one) for one in references}))
    assert await bench.value("SELECT count(*) FROM journey.customers WHERE merged_into IS NOT NULL") > 0
    assert then[0][1] != then[-1][1]
    for moment, stood in then:
        for reference, expected in stood.items():
            assert await told(reader, reference, moment) == expected, (moment, reference)


async def test_a_friction_that_was_taken_back_since_stood_then(bench: JourneyBench, reader: httpx2.AsyncClient) -> None:
    early, late = START + timedelta(hours=1), START + timedelta(hours=2)
    bench.log.append(0, touchpoint("a", 0, reason="billing"), early)
    bench.log.append(0, touchpoint("b", 10, reason="billing", interaction_id="i-1"), early)
    await bench.apply()
    before = await told(reader, "customer_id:C-1")
    assert before is not None
    assert before["frictions"]
    bench.log.append(0, touchpoint("c", -5, reason="billing", interaction_id="i-1"), late)  # `b` began before `a`
    await bench.apply()
    now = await told(reader, "customer_id:C-1")
    assert now != before
    assert await told(reader, "customer_id:C-1", early) == before
    assert await told(reader, "customer_id:C-1", late) == now


async def test_pages_of_the_past_are_walked_in_both_directions(bench: JourneyBench, reader: httpx2.AsyncClient) -> None:
    for number in range(7):
        bench.log.append(0, touchpoint(f"t{number}", number), at(number))
    bench.log.append(0, touchpoint("later", 2.5), at(60))
    await bench.apply()
    for order, expected in (("oldest_first", "0123456"), ("newest_first", "6543210")):
        shown: list[str] = []
        query: dict[str, Any] = {"as_of": at(30).isoformat(), "limit": 2, "order": order}
        while True:
            page = (await reader.get("/v1/customers/customer_id:C-1/timeline", params=query)).json()
            shown += [one["id"] for one in page["touchpoints"]]
            if "next_cursor" not in page:
                break
            query["cursor"] = page["next_cursor"]
        assert shown == [f"t{number}" for number in expected]


async def test_before_anything_was_known_there_was_nobody(bench: JourneyBench, reader: httpx2.AsyncClient) -> None:
    bench.log.append(0, touchpoint("a", 0), at(5))
    await bench.apply()
    assert await told(reader, "customer_id:C-1", at(4)) is None
    assert await told(reader, "customer_id:C-1", at(6)) is not None
    answer = await reader.get("/v1/customers/customer_id:C-1", params={"as_of": "yesterday"})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
