"""Taking a link back: two people again, with their own journeys, frictions and timers, and it stays that way."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from services.journey import policies
from services.journey.domain.identity.identity_book import IdentityBook
from services.journey.repair.unmerge import UnmergeOutcome, Unmerger, UnmergeResult
from services.journey.settle.resettling import IdentityResettler
from services.journey.settle.settling import IdentitySettler
from services.runtime.clock import new_id
from tests.fixtures.journey_bench import JourneyBench, at, open_bench, touchpoint

pytestmark = pytest.mark.local

ACCOUNT = {"customer_id": "C-1"}
PHONE = {"phone": "+821012345678"}
BOTH = ACCOUNT | PHONE


@pytest_asyncio.fixture
async def bench(database: str) -> AsyncIterator[JourneyBench]:
    async with open_bench(database) as opened:
        yield opened


async def take_back(bench: JourneyBench) -> UnmergeResult:
    settler = IdentitySettler(source=IdentityBook.of(policies.identity(), policies.constraints()), new_id=new_id)
    resettler = IdentityResettler(pool=bench.pool, settler=settler, renewer=bench.renewer)
    return await Unmerger(resettler=resettler).unmerge(
        ("phone", "+821012345678"), ("customer_id", "C-1"), by="a person"
    )


async def owners(bench: JourneyBench) -> dict[str, Any]:
    rows = await bench.rows("SELECT id, customer_id FROM journey.touchpoints")
    return {row["id"]: row["customer_id"] for row in rows}


async def test_two_people_who_were_taken_for_one_are_two_again(bench: JourneyBench) -> None:
    bench.log.append(0, touchpoint("account", 0, customer=ACCOUNT, reason="billing"))
    bench.log.append(0, touchpoint("wrong", 1, kind="page_viewed", direction=None, customer=BOTH))
    bench.log.append(0, touchpoint("call", 10, customer=PHONE, reason="billing"))
    await bench.apply()
    assert await bench.value("SELECT count(*) FROM journey.frictions WHERE state = 'detected'") == 2
    split = await take_back(bench)
    assert (split.outcome, len(split.new_customers), split.touchpoints_moved) == (UnmergeOutcome.SPLIT, 1, 1)
    whose = await owners(bench)
    assert whose["account"] == whose["wrong"] == split.customer_id
    assert whose["call"] == split.new_customers[0]
    assert await bench.value("SELECT count(*) FROM journey.frictions WHERE state = 'detected'") == 0
    assert await bench.value("SELECT count(DISTINCT customer_id) FROM journey.journeys") == 2
    sizes = await bench.rows("SELECT identifier_count, first_at IS NOT NULL AS known FROM journey.customers")
    assert [tuple(row) for row in sizes] == [(1, True), (1, True)]


async def test_the_same_evidence_does_not_join_them_again(bench: JourneyBench) -> None:
    bench.log.append(0, touchpoint("wrong", 0, customer=BOTH))
    await bench.apply()
    await take_back(bench)
    bench.log.append(0, touchpoint("wrong again", 10, customer=BOTH))
    await bench.apply()
    assert await bench.value("SELECT count(*) FROM journey.customers") == 1, "nothing is the telephone's alone"
    bench.log.append(0, touchpoint("call", 20, customer=PHONE))
    await bench.apply()
    assert await bench.value("SELECT count(*) FROM journey.customers WHERE merged_into IS NULL") == 2


async def test_frictions_and_timers_of_the_one_who_leaves_go_along(bench: JourneyBench) -> None:
    bench.log.append(0, touchpoint("account", 0, customer=ACCOUNT))
    bench.log.append(0, touchpoint("wrong", 1, kind="page_viewed", direction=None, customer=BOTH))
    for number, id_ in enumerate(("one", "two")):
        bench.log.append(0, touchpoint(id_, 10 + number, customer=PHONE))
    promise = {"kind": "callback_promised", "direction": "outbound", "due_at": at(60)}
    bench.log.append(0, touchpoint("promise", 20, customer=PHONE, **promise))
    await bench.apply()
    split = await take_back(bench)
    left = split.new_customers[0]
    frictions = await bench.rows(
        "SELECT customer_id, payload -> 'anchor' ->> 'touchpoint_id' AS anchor, revision FROM journey.frictions"
        " WHERE state = 'detected' AND rule = 'repeat_contact_24h'"
    )
    assert {(row["customer_id"], row["anchor"]) for row in frictions} == {(left, "two")}
    latest = await bench.value(
        "SELECT max((convert_from(value, 'utf8')::json ->> 'revision')::int) FROM journey.outbox"
        " WHERE topic = 'frictions'"
    )
    assert frictions[0]["revision"] == latest
    assert await bench.value("SELECT customer_id FROM journey.timers WHERE state = 'pending'") == left


async def test_other_evidence_keeps_them_together(bench: JourneyBench) -> None:
    bench.log.append(0, touchpoint("a", 0, customer=BOTH))
    bench.log.append(0, touchpoint("b", 1, customer=ACCOUNT | {"email": "a@example.com"}))
    bench.log.append(0, touchpoint("c", 2, customer=PHONE | {"email": "a@example.com"}))
    await bench.apply()
    kept = await take_back(bench)
    assert kept.outcome is UnmergeOutcome.STILL_JOINED
    assert await bench.value("SELECT count(*) FROM journey.customers WHERE merged_into IS NULL") == 1


async def test_a_link_that_is_not_there_changes_nothing(bench: JourneyBench) -> None:
    bench.log.append(0, touchpoint("a", 0, customer=ACCOUNT))
    await bench.apply()
    assert (await take_back(bench)).outcome is UnmergeOutcome.NO_SUCH_LINK
