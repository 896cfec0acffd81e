"""Journeys of accounts in the worker: several persons, several workers, deadlines, merges, and what is published."""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random
from typing import Any

import pytest
import pytest_asyncio

from schemas import validation
from services.journey import policies
from services.journey.accounts.account_loop import AccountLoop
from services.journey.accounts.account_renewal import AccountRenewal
from services.journey.domain.identity.facts import OperatorWord
from services.journey.domain.identity.identity_book import IdentityBook
from services.journey.repair.funnel_check import check_funnels
from services.journey.repair.unmerge import Unmerger
from services.journey.rulebook import definitions_file, rules_file
from services.journey.settle.resettling import IdentityResettler
from services.journey.settle.settling import IdentitySettler
from services.journey.versions import storing
from services.journey.versions.in_force import PolicyCache
from services.runtime.clock import new_id
from services.runtime.postgres.pools import acquire, transaction
from tests.fixtures.journey_api import caller_with_key
from tests.fixtures.journey_bench import JourneyBench, open_bench, touchpoint

pytestmark = pytest.mark.local

NOW = datetime.now(UTC).replace(microsecond=0)
PURCHASE = """
journeys:
  - id: company_purchase
    title: {en: A company buys, ko: 기업 구매}
    scope: account
    entry: {kind: information_asked}
    key: [refs.order_id]
    stages:
      - {id: asking, title: {en: Asking, ko: 문의}, within: 1d, within_by_service_level: {premium: 4h}}
      - {id: deciding, title: {en: Deciding, ko: 결정}, begins: {kind: checkout_started}}
    reached: {kind: order_placed}
    abandoned: {kind: order_cancelled}
    inactivity: 30d
"""


@pytest_asyncio.fixture
async def bench(database: str) -> AsyncIterator[JourneyBench]:
    async with open_bench(database, policies=PolicyCache(), partitions=2, late_grace=timedelta(0)) as opened:
        async with transaction(opened.pool) as connection:
            await storing.apply(connection, storing.first_rules(rules_file.resolve_file(), file=""))
            read = definitions_file.read(PURCHASE, name="ours.yaml")
            await storing.apply(connection, storing.of_journeys(read, author="kim", note=""))
        yield opened


def loop_of(bench: JourneyBench, after_commit: Any = lambda: None) -> AccountLoop:
    """What another worker runs."""
    renewal = AccountRenewal(
        policies=bench.renewer.policies, policy=bench.renewer.policy, new_id=new_id, history=2_000, publish=True
    )
    return AccountLoop(
        pool=bench.pool, renewal=renewal, reach=bench.timers.reach, after_commit=after_commit, every_s=0.05
    )


_IDS = count(1)


def somebody(who: str, kind: str, hours: float, account: str = "ACME", **fields: Any) -> Any:
    """Somebody of an account did something so many hours ago."""
    at = NOW - timedelta(hours=hours)
    refs = {"account_id": account, **fields.pop("refs", {})}
    members = {"customer": {"customer_id": who}, "direction": None, "channel": "web", "refs": refs, **fields}
    return touchpoint(f"{kind}-{next(_IDS)}", kind=kind, occurred_at=at, received_at=at, **members)


async def happen(bench: JourneyBench, *points: Any) -> None:
    """They are read now, on a partition each, and the accounts renewed."""
    for number, point in enumerate(points):
        bench.log.append(number % 2, point, NOW - timedelta(hours=60))
    await bench.apply()
    await loop_of(bench).once()


async def stored(bench: JourneyBench) -> list[dict[str, Any]]:
    rows = await bench.rows(
        "SELECT payload FROM journey.account_journeys WHERE state IN ('open', 'closed') ORDER BY account_id, entered_at"
    )
    return [json.loads(row["payload"]) for row in rows]


async def published(bench: JourneyBench) -> list[dict[str, Any]]:
    rows = await bench.rows("SELECT value FROM journey.outbox WHERE topic = 'journeys' ORDER BY id")
    return [said for row in rows if "account_id" in (said := json.loads(row["value"]))]


async def customers(bench: JourneyBench) -> int:
    return int(await bench.value("SELECT count(*) FROM journey.customers WHERE merged_into IS NULL"))


async def test_several_people_of_a_company_go_through_one_journey_and_stay_several(bench: JourneyBench) -> None:
    await happen(bench, somebody("ann", "information_asked", 5))
    await happen(bench, somebody("bob", "checkout_started", 4))
    await happen(bench, somebody("eve", "order_placed", 3), somebody("eve", "information_asked", 2, "Other"))
    ours, others = await stored(bench)
    assert (ours["account_id"], ours["state"], ours["touchpoint_count"]) == ("ACME", "closed", 3)
    assert ours["progress"][0]["end"] == "reached"
    assert [visit["stage"] for visit in ours["progress"][0]["stages"]] == ["asking", "deciding"]
    assert (others["account_id"], others["state"]) == ("Other", "open")
    assert await customers(bench) == 3
    documents = await published(bench)
    assert [(one["account_id"], one["version"]) for one in documents] == [
        ("ACME", 1),
        ("ACME", 2),
        ("ACME", 3),
        ("Other", 1),
    ]
    for one in documents:
        assert validation.errors("journey.v1", one) == []
        assert "customer_id" not in one


async def test_an_account_joins_no_journeys_of_a_person(bench: JourneyBench) -> None:
    await happen(
        bench,
        somebody("ann", "case_opened", 5, refs={"case_id": "T-1"}),
        somebody("ann", "case_opened", 4, refs={"case_id": "T-2"}),
    )
    assert await bench.value("SELECT count(*) FROM journey.journeys") == 2


async def test_a_deadline_passes_with_the_stream_and_the_service_level_decides_it(bench: JourneyBench) -> None:
    await happen(bench, somebody("ann", "information_asked", 6, service_level="premium"))
    await happen(bench, somebody("bob", "information_asked", 6, "Basic"))
    assert await loop_of(bench).once() == 0
    await bench.execute("UPDATE journey.progress SET caught_up_at = clock_timestamp()")
    assert await loop_of(bench).once() == 1
    premium, basic = await stored(bench)
    assert (premium["progress"][0].get("overdue"), basic["progress"][0].get("overdue")) == (True, None)
    assert await loop_of(bench).once() == 0
    assert len(await published(bench)) == 3


async def test_persons_who_merge_and_split_change_nothing(bench: JourneyBench) -> None:
    await happen(bench, somebody("", "information_asked", 5, customer={"email": "ann@a.example"}))
    await happen(bench, somebody("", "checkout_started", 4, customer={"phone": "+821012345678"}))
    before = await published(bench)
    assert await customers(bench) == 2
    one_person = {"email": "ann@a.example", "phone": "+821012345678"}
    at = NOW - timedelta(hours=3)
    link = touchpoint("link", kind="page_viewed", customer=one_person, occurred_at=at, received_at=at, direction=None)
    await happen(bench, link)
    assert await customers(bench) == 1
    assert await published(bench) == before


async def test_operators_who_part_and_join_persons_change_nothing(bench: JourneyBench) -> None:
    """One person by a touchpoint, two by an unmerge, one by a word, two by another word."""
    email, phone = ("email", "ann@a.example"), ("phone", "+821012345678")
    await happen(bench, somebody("", "information_asked", 5, customer=dict([email])))
    await happen(bench, somebody("", "page_viewed", 4.5, customer=dict([email, phone])))
    await happen(bench, somebody("", "checkout_started", 4, customer=dict([phone])))
    before = await published(bench)
    assert (await customers(bench), len(await stored(bench))) == (1, 1)
    source = IdentityBook.of(policies.identity(), policies.constraints())
    settler = IdentitySettler(source=source, new_id=new_id)
    unmerger = Unmerger(resettler=IdentityResettler(pool=bench.pool, settler=settler, renewer=bench.renewer))
    words = (
        (2, lambda: unmerger.unmerge(email, phone, by="kim")),
        (1, lambda: unmerger.say(OperatorWord.MERGE, email, phone, by="kim")),
        (2, lambda: unmerger.say(OperatorWord.SEPARATE, email, phone, by="kim")),
    )
    for number, say in words:
        await say()
        await loop_of(bench).once()
        assert await customers(bench) == number
        assert await published(bench) == before
    async with caller_with_key(bench.pool) as caller:
        told = (await caller.get("/v1/accounts/ACME/journeys")).json()
    assert (len(told["customers"]), told["journeys"][0]["touchpoint_count"]) == (2, 3)


async def test_what_comes_late_moves_the_entry_and_joins_what_was_two(bench: JourneyBench) -> None:
    await happen(bench, somebody("ann", "information_asked", 9, refs={"order_id": "A"}))
    await happen(bench, somebody("bob", "information_asked", 8, refs={"order_id": "B"}))
    first, second = await stored(bench)
    await happen(bench, somebody("eve", "information_asked", 10))  # of no order: both agree with it
    (left,) = [one for one in await stored(bench) if one["opened_at"].startswith(f"{NOW - timedelta(hours=10):%FT%H}")]
    assert left["id"] in {first["id"], second["id"]}
    versions: defaultdict[str, list[int]] = defaultdict(list)
    for one in await published(bench):
        versions[one["id"]].append(one["version"])
    assert all(seen == list(range(1, len(seen) + 1)) for seen in versions.values())


async def test_a_journey_that_became_part_of_another_answers_under_its_old_id(bench: JourneyBench) -> None:
    """Two with a silence between them that was too long, until it turns out that somebody spoke."""
    days = 24
    order: dict[str, Any] = {"refs": {"order_id": "A"}}
    await happen(bench, somebody("ann", "information_asked", 70 * days, **order))
    await happen(bench, somebody("bob", "information_asked", 35 * days, **order))
    first, second = await stored(bench)
    await happen(bench, somebody("eve", "page_viewed", 50 * days, **order))
    assert [one["id"] for one in await stored(bench)] == [first["id"]]
    async with caller_with_key(bench.pool) as caller:
        joined = await caller.get(f"/v1/accounts/ACME/journeys/{second['id']}")
        itself = await caller.get(f"/v1/accounts/ACME/journeys/{first['id']}")
        strange = await caller.get(f"/v1/accounts/OTHER/journeys/{second['id']}")
        await bench.execute("UPDATE journey.account_journeys SET state = 'dissolved' WHERE state = 'open'")
        none = await caller.get(f"/v1/accounts/ACME/journeys/{second['id']}")
    assert joined.headers["content-location"] == first["id"]
    assert joined.json() == itself.json() | {"merged_into": first["id"]}
    assert "merged_into" not in itself.json()
    assert (strange.status_code, strange.json()["code"]) == (404, "journey_unknown")
    assert (none.status_code, none.json()["code"]) == (410, "journey_dissolved")


async def test_workers_share_accounts_and_come_to_the_same_for_any_order_and_cut(bench: JourneyBench) -> None:
    dice = Random("accounts")
    kinds = ("information_asked", "checkout_started", "order_placed", "order_cancelled", "page_viewed")
    points = [
        somebody(f"p{dice.randrange(9)}", dice.choice(kinds), dice.uniform(1, 50), f"account-{dice.randrange(6)}")
        for _ in range(240)
    ]
    loops = [loop_of(bench) for _ in range(3)]
    over = asyncio.Event()

    async def renew(loop: AccountLoop) -> None:
        while not over.is_set():
            await loop.once()
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        for loop in loops:
            group.create_task(renew(loop))
        while points:
            cut, points = points[: (size := dice.randint(1, 40))], points[size:]
            for point in cut:
                bench.log.append(dice.randrange(2), point, NOW - timedelta(hours=60))
            await bench.apply(batch=7)
        over.set()
    while await loops[0].once():
        pass
    found = await stored(bench)
    documents = await published(bench)
    keys = [(one["id"], one["version"]) for one in documents]
    assert len(keys) == len(set(keys)), "each version is published once"
    last = {one["id"]: one for one in documents}
    assert {one["id"]: one for one in found} == {
        id_: one for id_, one in last.items() if one["state"] in {"open", "closed"}
    }
    await bench.execute("DELETE FROM journey.account_journeys")
    await bench.execute("DELETE FROM journey.account_timers")
    await bench.execute("UPDATE journey.account_touchpoints SET applied = false")
    await loops[0].once()
    assert [_content(one) for one in await stored(bench)] == [_content(one) for one in found]


def _content(said: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in said.items() if name not in {"id", "version", "updated_at"}}


async def test_a_worker_that_dies_before_its_commit_leaves_the_account_to_the_next(bench: JourneyBench) -> None:
    bench.log.append(0, somebody("ann", "information_asked", 5), NOW - timedelta(hours=60))
    await bench.apply()
    async with acquire(bench.pool) as connection:
        died = connection.transaction()
        await died.start()
        await loop_of(bench).renewal.renew(connection, "ACME", None)
        assert await loop_of(bench).once() == 0, "the other one holds it"
        await died.rollback()
    assert await stored(bench) == []
    assert await loop_of(bench).once() == 1
    assert [one["version"] for one in await published(bench)] == [1]


async def test_funnels_count_journeys_of_accounts_and_the_check_agrees(bench: JourneyBench) -> None:
    await happen(bench, somebody("ann", "information_asked", 5))
    await happen(bench, somebody("bob", "checkout_started", 4))
    rows = await bench.rows("SELECT measure, stage FROM journey.funnel_changes GROUP BY 1, 2 HAVING sum(journeys) <> 0")
    assert {(row["measure"], row["stage"]) for row in rows} >= {
        ("entered", ""),
        ("came", "deciding"),
        ("there", "deciding"),
    }
    async with acquire(bench.pool) as connection:
        found = await check_funnels(connection, repair=False)
    assert (found.hours, found.coarse, found.journeys) == ([], 0, 1)


async def test_the_api_tells_the_journeys_and_who_takes_part(bench: JourneyBench) -> None:
    await happen(bench, somebody("ann", "information_asked", 5), somebody("bob", "checkout_started", 4))
    async with caller_with_key(bench.pool) as caller:
        told = (await caller.get("/v1/accounts/ACME/journeys")).json()
        closed = (await caller.get("/v1/accounts/ACME/journeys", params={"state": "closed"})).json()
        unknown = await caller.get("/v1/accounts/Nobody%2F1/journeys")
    (journey,) = told["journeys"]
    assert (journey["progress"]["definition"], journey["progress"]["stage"]) == ("company_purchase", "deciding")
    people = {str(row["customer_id"]) for row in await bench.rows("SELECT customer_id FROM journey.customers")}
    assert (told["account_id"], set(told["customers"]), len(people)) == ("ACME", people, 2)
    assert closed["journeys"] == []
    assert (unknown.status_code, unknown.json()["code"]) == (404, "account_unknown")
    assert "Nobody" not in unknown.text
