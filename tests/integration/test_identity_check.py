"""`waymark identity check`: what an older worker left split is found and mended, and what is sound is left alone."""

import json
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from services.journey import policies
from services.journey.domain.identity.identity_book import IdentityBook
from services.journey.domain.identity.planning import _Planning
from services.journey.repair.check import IdentityChecker, IdentityFindings
from services.journey.repair.fix import IdentityRepairer, RepairCounts
from services.journey.repair.unmerge import Unmerger
from services.journey.settle.resettling import IdentityResettler
from services.journey.settle.settling import IdentitySettler
from services.journey.store import touchpoints
from services.runtime.clock import new_id
from tests.fixtures.journey_bench import JourneyBench, open_bench, touchpoint
from tests.fixtures.journey_identity import UNCONSTRAINED, cases, expected, groups, halving, send, stored
from tests.integration.test_identity_graphs import everything_agrees
from tests.integration.test_journey_order import emptied, outcome
from tests.unit.waymark.test_command_line import waymark

pytestmark = pytest.mark.local

SETTLER = IdentitySettler(source=IdentityBook.of(policies.identity(), UNCONSTRAINED), new_id=new_id)

GRAPHS = range(100, 150)
CHAIN = [("A", "A"), ("B", "B"), ("C", "C"), ("D", "D"), ("D", "C"), ("C", "B"), ("B", "A")]


@pytest_asyncio.fixture
async def bench(database: str) -> AsyncIterator[JourneyBench]:
    async with open_bench(database, constraints=UNCONSTRAINED) as opened:
        yield opened


def chain(bench: JourneyBench) -> None:
    for place, (cookie, device) in enumerate(CHAIN):
        bench.log.append(0, touchpoint(pair(place), place, customer={"cookie": cookie, "device_id": device}))


def pair(place: int) -> str:
    return f"{place}-{''.join(CHAIN[place])}"


def unmerger(bench: JourneyBench) -> Unmerger:
    return Unmerger(resettler=resettler(bench))


def resettler(bench: JourneyBench) -> IdentityResettler:
    return IdentityResettler(pool=bench.pool, settler=SETTLER, renewer=bench.renewer)


def repairer(bench: JourneyBench) -> IdentityRepairer:
    return IdentityRepairer(pool=bench.pool, resettler=resettler(bench), renewer=bench.renewer)


async def look(bench: JourneyBench) -> list[IdentityFindings]:
    return [page async for page in IdentityChecker(pool=bench.pool, settler=SETTLER).pages()]


async def is_sound(bench: JourneyBench) -> bool:
    return not any(page.differs for page in await look(bench))


async def mend(bench: JourneyBench) -> RepairCounts:
    done = RepairCounts()
    for _ in range(5):
        for page in await look(bench):
            done.add(await repairer(bench).repair(page))
    return done


async def told(bench: JourneyBench) -> dict[str, Counter[str]]:
    """What the database says, in no order."""
    return {name: Counter(map(str, values)) for name, values in (await outcome(bench)).items()}


STATE = """
SELECT 'customer', customer_id::text, merged_into::text, identifier_count::text FROM journey.customers
UNION ALL SELECT 'identifier', type || value, customer_id::text, NULL FROM journey.identifiers
UNION ALL SELECT 'touchpoint', id, customer_id::text, journey_id::text FROM journey.touchpoints
UNION ALL SELECT 'journey', journey_id::text, customer_id::text, version::text FROM journey.journeys
UNION ALL SELECT 'friction', friction_id::text, customer_id::text, revision::text FROM journey.frictions
UNION ALL SELECT 'outbox', id::text, customer_id::text, topic FROM journey.outbox"""


async def state(bench: JourneyBench) -> set[tuple[Any, ...]]:
    return {tuple(row) for row in await bench.rows(STATE)}


STANDING = """
SELECT DISTINCT ON (said ->> 'id') said ->> 'id' AS id, said ->> 'state' AS state, said ->> 'rule' AS rule,
       said ->> 'severity' AS severity, (said -> 'touchpoints')::text AS evidence, (said -> 'refs')::text AS refs,
       said ->> 'customer_id' AS customer
  FROM (SELECT convert_from(value, 'utf8')::json AS said FROM journey.outbox WHERE topic = 'frictions') AS published
 ORDER BY said ->> 'id', (said ->> 'revision')::int DESC"""


async def published(bench: JourneyBench) -> set[tuple[Any, ...]]:
    """The frictions that stand by what was published, each with the identifiers of its customer."""
    people: dict[str, set[Any]] = {}
    for node, root in (await stored(bench)).items():
        people.setdefault(str(root), set()).add(node)
    standing = [row for row in await bench.rows(STANDING) if row["state"] == "detected"]
    return {
        (row["id"], row["rule"], row["severity"], row["evidence"], row["refs"], frozenset(people[row["customer"]]))
        for row in standing
    }


async def test_a_database_of_the_old_worker_becomes_what_the_new_one_makes(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = cases(GRAPHS)
    async with open_bench(database, constraints=UNCONSTRAINED) as bench:
        await send(bench, sent)
        assert await is_sound(bench)
        right, said = await told(bench), await published(bench)
    await emptied(database)
    async with open_bench(database, constraints=UNCONSTRAINED) as bench:
        with monkeypatch.context() as old:
            old.setattr(_Planning, "_root", halving)
            await send(bench, sent)
        assert await groups(bench) != expected(sent)
        assert not await is_sound(bench)
        assert (await mend(bench)).merged > 0
        assert await is_sound(bench)
        assert await groups(bench) == expected(sent)
        assert await told(bench) == right
        assert await published(bench) == said
        await everything_agrees(bench, sent)


async def test_a_chain_that_was_split_is_reported_by_its_links_and_mended_once(
    bench: JourneyBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain(bench)
    with monkeypatch.context() as old:
        old.setattr(_Planning, "_root", halving)
        await bench.apply()
    (page,) = await look(bench)
    assert page.split
    assert page.strays
    assert (await mend(bench)).merged == 1
    assert len(await groups(bench)) == 1
    assert await bench.value("SELECT count(DISTINCT customer_id) FROM journey.touchpoints") == 1
    before = await state(bench)
    assert await mend(bench) == RepairCounts()
    assert await state(bench) == before


async def test_a_repair_that_dies_in_the_middle_leaves_nothing_half_done(
    bench: JourneyBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain(bench)
    with monkeypatch.context() as old:
        old.setattr(_Planning, "_root", halving)
        await bench.apply()
    before = await state(bench)
    with monkeypatch.context() as dying:
        dying.setattr(touchpoints, "history", _die)
        with pytest.raises(ZeroDivisionError):
            await mend(bench)
    assert await state(bench) == before
    await mend(bench)
    assert await is_sound(bench)


async def _die(*_: object) -> None:
    raise ZeroDivisionError


async def test_what_was_unmerged_is_sound_and_stays_apart(bench: JourneyBench) -> None:
    both = {"customer_id": "C-1", "phone": "+821012345678"}
    for place, who in enumerate((both, {"phone": both["phone"], "email": "a@example.com"}, {"cookie": "c-1"})):
        bench.log.append(0, touchpoint(f"t{place}", place, customer=who))
    await bench.apply()
    await unmerger(bench).unmerge(("customer_id", "C-1"), ("phone", both["phone"]), by="a person")
    bench.log.append(0, touchpoint("again", 9, customer=both))
    await bench.apply()
    before = await state(bench)
    assert await is_sound(bench)
    assert await mend(bench) == RepairCounts()
    assert await state(bench) == before


async def test_links_beyond_the_caps_are_sound(bench: JourneyBench) -> None:
    for place in range(1_010):
        bench.log.append(0, touchpoint(f"t{place}", place / 100, customer={"phone": "1", "cookie": f"c-{place}"}))
    await bench.apply()
    assert await bench.value("SELECT count(*) FROM journey.links WHERE state = 'quarantined'") == 11
    assert await is_sound(bench)


async def test_a_link_that_leaves_quarantine_says_so_in_the_ledger(bench: JourneyBench) -> None:
    for place in range(1_000):
        bench.log.append(0, touchpoint(f"t{place}", place / 100, customer={"phone": "1", "cookie": f"c-{place}"}))
    await bench.apply()
    quarantined = "SELECT left_value FROM journey.links WHERE state = 'quarantined'"
    (left_out,) = [row[0] for row in await bench.rows(quarantined)]
    await unmerger(bench).unmerge(("cookie", "c-0"), ("phone", "1"), by="a person")
    bench.log.append(0, touchpoint("room", 60, customer={"phone": "1", "cookie": left_out}))
    await bench.apply()
    assert await bench.rows(quarantined) == []
    assert await is_sound(bench)


async def test_a_split_that_the_caps_forbid_to_mend_goes_to_quarantine(bench: JourneyBench) -> None:
    for place in range(900):
        bench.log.append(0, touchpoint(f"a{place}", place / 100, customer={"phone": "1", "cookie": f"a-{place}"}))
        bench.log.append(0, touchpoint(f"b{place}", place / 100, customer={"phone": "2", "cookie": f"b-{place}"}))
    await bench.apply()
    await bench.execute(
        "INSERT INTO journey.links (left_type, left_value, right_type, right_value, state, reason, source,"
        " touchpoint_id, occurred_at) VALUES ('cookie', 'a-1', 'phone', '2', 'active', 'counted', 'ivr', 'gone', now())"
    )
    assert not await is_sound(bench)
    assert (await mend(bench)).quarantined == 1
    assert await is_sound(bench)


async def test_what_somebody_changed_by_hand_is_found_and_put_right(bench: JourneyBench) -> None:
    for who in "12":
        for place in range(3):
            customer = {"phone": who, "cookie": f"c-{who}"}
            bench.log.append(0, touchpoint(f"{who}-{place}", place, customer=customer, reason="billing"))
    await bench.apply()
    right, said = await told(bench), await published(bench)
    owners = await stored(bench)
    one, other = owners["phone", "1"], owners["phone", "2"]
    await bench.execute("UPDATE journey.touchpoints SET customer_id = $1 WHERE id = '2-1'", one)
    await bench.execute("UPDATE journey.journeys SET customer_id = $1 WHERE customer_id = $2", one, other)
    await bench.execute("UPDATE journey.customers SET identifier_count = 7 WHERE customer_id = $1", other)
    (page,) = await look(bench)
    assert (len(page.strays), len(page.journeys), len(page.miscounted)) == (1, 1, 1)
    await mend(bench)
    assert await is_sound(bench)
    assert (await told(bench), await published(bench)) == (right, said)


async def test_identifiers_that_no_link_holds_become_customers_of_their_own(bench: JourneyBench) -> None:
    bench.log.append(0, touchpoint("a", 0, customer={"phone": "1", "cookie": "c-1"}))
    bench.log.append(0, touchpoint("b", 1, customer={"cookie": "c-1"}))
    await bench.apply()
    await bench.execute("DELETE FROM journey.links")
    (page,) = await look(bench)
    assert len(page.unsettled) == 1
    assert (await mend(bench)).separated == 1
    assert await is_sound(bench)
    assert len(await groups(bench)) == 2


async def test_the_command_says_what_differs_and_mends_it(
    bench: JourneyBench, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain(bench)
    with monkeypatch.context() as old:
        old.setattr(_Planning, "_root", halving)
        await bench.apply()
    found = waymark("identity", "check", WAYMARK_POSTGRES=database)
    assert found.returncode == 1
    assert "links stand between two customers" in found.stdout
    assert "cookie:A" in found.stdout
    mended = waymark("identity", "check", "--repair", "--json", WAYMARK_POSTGRES=database)
    document = json.loads(mended.stdout)
    assert (mended.returncode, document["sound"], document["mended"]["merged"]) == (0, True, 1)
    sound = waymark("identity", "check", WAYMARK_POSTGRES=database)
    assert (sound.returncode, sound.stdout.split(":")[0]) == (0, "sound")


def test_the_command_that_cannot_look_exits_with_2() -> None:
    answer = waymark("identity", "check", WAYMARK_POSTGRES="postgresql://waymark@127.0.0.1:1/waymark")
    assert (answer.returncode, "cannot be used" in answer.stderr) == (2, True)
