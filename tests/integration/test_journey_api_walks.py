"""Walks over the pages of the read API while things change: nothing that was there at the beginning is missed."""

import random
from typing import Any

import httpx2
import pytest

from services.runtime.postgres.pools import Pool, acquire
from tests.fixtures.journey_rows import Rows, named

pytestmark = pytest.mark.local

PHONE = "+821012345678"
TIMELINE = "/v1/customers/phone:%2B821012345678/timeline"
JOURNEYS = "/v1/journeys"


async def execute(pool: Pool, statement: str, *values: object) -> None:
    async with acquire(pool) as connection:
        await connection.execute(statement, *values)


class Changes:
    """What the worker does meanwhile: new touchpoints and journeys, other versions, a merge of the customer."""

    def __init__(self, journey_rows: Rows, pool: Pool, chance: random.Random) -> None:
        self._rows, self._pool, self._chance = journey_rows, pool, chance
        self._owner, self._number = "caller", 0

    async def begin(self) -> None:
        await self._rows.customer("caller")
        await self._rows.identifier("caller", "phone", PHONE)
        for _ in range(20):
            await self._arrive()

    async def change(self) -> None:
        await self._chance.choice([self._arrive, self._arrive, self._updated, self._merged])()

    async def _arrive(self) -> None:
        self._number += 1
        await self._rows.touchpoint(self._owner, f"t{self._number}", self._chance.randint(0, 6), sequence=1)
        await self._rows.journey(self._owner, f"j{self._number}")

    async def _updated(self) -> None:
        await execute(self._pool, "UPDATE journey.journeys SET updated_at = now(), version = version + 1")

    async def _merged(self) -> None:
        self._number += 1
        survivor = f"older-{self._number}"
        await self._rows.customer(survivor)
        absorb = "UPDATE journey.customers SET merged_into = $1, merged_at = now() WHERE customer_id = $2"
        await execute(self._pool, absorb, named(survivor), named(self._owner))
        await execute(self._pool, "UPDATE journey.identifiers SET customer_id = $1", named(survivor))
        self._owner = survivor


async def everything(pool: Pool, table: str, column: str) -> set[str]:
    async with acquire(pool) as connection:
        return {str(row[0]) for row in await connection.fetch(f"SELECT {column} FROM journey.{table}")}


@pytest.mark.parametrize("seed", range(5))
async def test_a_walk_meets_everything_that_was_there_when_it_began_once(
    reader: httpx2.AsyncClient, journey_rows: Rows, pool: Pool, seed: int
) -> None:
    chance = random.Random(seed)
    changes = Changes(journey_rows, pool, chance)
    await changes.begin()
    for address, query, (table, column), name in (
        (TIMELINE, {}, ("touchpoints", "id"), "touchpoints"),
        (TIMELINE, {"order": "newest_first"}, ("touchpoints", "id"), "touchpoints"),
        (JOURNEYS, {}, ("journeys", "journey_id"), "journeys"),
        (JOURNEYS, {"customer": f"phone:{PHONE}"}, ("journeys", "journey_id"), "journeys"),
    ):
        there = await everything(pool, table, column)
        shown: list[str] = []
        asked: dict[str, Any] = {**query, "limit": chance.randint(1, 7)}
        while True:
            page = (await reader.get(address, params=asked)).json()
            shown += [one["id"] for one in page[name]]
            if "next_cursor" not in page:
                break
            asked["cursor"] = page["next_cursor"]
            for _ in range(chance.randint(0, 2)):
                await changes.change()
        assert there <= set(shown)
        assert len(shown) == len(set(shown))


@pytest.mark.parametrize(("address", "query"), [(TIMELINE, {}), (JOURNEYS, {"customer": f"phone:{PHONE}"})])
async def test_a_walk_whose_identifier_goes_over_to_somebody_else_ends_and_says_so(
    reader: httpx2.AsyncClient, journey_rows: Rows, pool: Pool, address: str, query: dict[str, str]
) -> None:
    await Changes(journey_rows, pool, random.Random(1)).begin()
    cursor = (await reader.get(address, params={**query, "limit": "2"})).json()["next_cursor"]
    await journey_rows.customer("somebody else")
    await execute(pool, "UPDATE journey.identifiers SET customer_id = $1", named("somebody else"))
    answer = await reader.get(address, params={**query, "cursor": cursor}, headers={"accept-language": "ko"})
    assert (answer.status_code, answer.json()["code"]) == (410, "customer_moved")
    assert "다른 고객" in answer.json()["message"]


async def test_a_page_that_ends_at_the_longest_id_can_be_followed(
    reader: httpx2.AsyncClient, journey_rows: Rows
) -> None:
    await journey_rows.customer("caller")
    await journey_rows.identifier("caller", "phone", PHONE)
    for number in range(3):
        await journey_rows.touchpoint("caller", f"{number}" + "😀" * 254, number)
    cursor = (await reader.get(TIMELINE, params={"limit": 1})).json()["next_cursor"]
    answer = await reader.get(TIMELINE, params={"cursor": cursor})
    assert [one["id"][0] for one in answer.json()["touchpoints"]] == ["1", "2"]
