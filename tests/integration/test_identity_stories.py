"""What people met who were taken for one another: a family's browser, a shop's telephone, and how it is put right."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from services.journey import policies
from services.journey.consume.intake import Chunk
from services.journey.domain.identity.facts import OperatorWord
from services.journey.domain.identity.identity_book import IdentityBook
from services.journey.repair.account import IdentityAccountant
from services.journey.repair.check import IdentityChecker
from services.journey.repair.fix import IdentityRepairer
from services.journey.repair.unmerge import Unmerger
from services.journey.settle.resettling import IdentityResettler
from services.journey.settle.settling import IdentitySettler
from services.runtime.clock import new_id
from tests.fixtures.journey_bench import JourneyBench, open_bench, touchpoint
from tests.fixtures.journey_identity import UNCONSTRAINED
from tests.integration.test_journey_order import emptied
from tests.unit.waymark.test_command_line import waymark

pytestmark = pytest.mark.local

SETTLER = IdentitySettler(source=IdentityBook.of(policies.identity(), policies.constraints()), new_id=new_id)
SHOP = "+82212345678"


@pytest_asyncio.fixture
async def bench(database: str) -> AsyncIterator[JourneyBench]:
    async with open_bench(database) as opened:
        yield opened


async def whose(bench: JourneyBench) -> dict[str, Any]:
    rows = await bench.rows("SELECT id, customer_id FROM journey.touchpoints")
    return {row["id"]: row["customer_id"] for row in rows}


async def owner(bench: JourneyBench, type_: str, value: str) -> Any:
    return await bench.value(
        "SELECT coalesce(c.merged_into, c.customer_id) FROM journey.identifiers i JOIN journey.customers c"
        " USING (customer_id) WHERE i.type = $1 AND i.value = $2",
        *(type_, value),
    )


def resettler(bench: JourneyBench) -> IdentityResettler:
    return IdentityResettler(pool=bench.pool, settler=SETTLER, renewer=bench.renewer)


async def mend(bench: JourneyBench) -> int:
    """Repair until nothing differs; return how many customers split off."""
    checker = IdentityChecker(pool=bench.pool, settler=SETTLER)
    repairer = IdentityRepairer(pool=bench.pool, resettler=resettler(bench), renewer=bench.renewer)
    separated = 0
    for _ in range(4):
        pages = [page async for page in checker.pages() if page.differs]
        if not pages:
            return separated
        for page in pages:
            separated += (await repairer.repair(page)).separated
    raise AssertionError("still not sound")


async def test_a_family_on_one_browser_is_as_many_customers_as_log_in(bench: JourneyBench) -> None:
    visits = [("b@", 10), (None, 12), ("c@", 20), (None, 25), ("111", 40), (None, 41), ("b@", 50), (None, 55)]
    for place, (who, minute) in enumerate(visits):
        customer = {"anonymous_id": "browser"} | ({"customer_id": who} if who else {})
        bench.log.append(0, touchpoint(f"t{place}", minute, customer=customer, channel="web", kind="page_viewed"))
        await bench.apply()
    found = await whose(bench)
    assert [found[f"t{place}"] for place in range(8)] == [found[f"t{place}"] for place in (0, 0, 2, 2, 4, 4, 0, 0)]
    assert len(set(found.values())) == 3
    assert not await mend(bench)


async def test_sixty_customers_with_the_telephone_of_the_shop_stay_sixty(bench: JourneyBench) -> None:
    for number in range(60):
        who = {"customer_id": f"C-{number}", "phone": SHOP}
        bench.log.append(number % 2, touchpoint(f"t{number}", number / 10, customer=who))
    await bench.apply(batch=7)
    assert len(set((await whose(bench)).values())) == 60
    assert await bench.value("SELECT standing FROM journey.identifiers WHERE value = $1", SHOP) == "shared"
    reasons = {row[0] for row in await bench.rows("SELECT DISTINCT reason FROM journey.links")}
    assert reasons == {"shared"}
    counted = bench.registry.get_sample_value("waymark_journey_links_quarantined_total", {"reason": "shared"})
    assert counted is not None
    assert counted > 50
    assert not await mend(bench)


async def test_a_database_of_the_release_before_is_split_by_the_repair(database: str) -> None:
    async with open_bench(database, constraints=UNCONSTRAINED) as before:
        for number in range(12):
            who = {"customer_id": f"C-{number}", "phone": SHOP}
            before.log.append(0, touchpoint(f"t{number}", number * 3, customer=who, reason="billing"))
            before.log.append(0, touchpoint(f"u{number}", number * 3 + 1, customer={"customer_id": f"C-{number}"}))
        await before.apply()
        assert len(set((await whose(before)).values())) == 1
    async with open_bench(database) as bench:
        assert await mend(bench) == 11
        found = await whose(bench)
        assert len(set(found.values())) == 12
        assert all(found[f"t{number}"] == found[f"u{number}"] for number in range(12))
        assert await bench.value("SELECT count(DISTINCT split_from) FROM journey.customers") == 1
        held = await bench.value("SELECT count(*) FROM journey.frictions WHERE state = 'detected'")
        assert held == await bench.value(
            "SELECT count(*) FROM journey.frictions f JOIN journey.touchpoints t USING (customer_id)"
            " WHERE f.state = 'detected' AND t.id = (f.payload -> 'touchpoints' -> -1 ->> 'id')"
        )


async def test_late_evidence_splits_a_customer_and_frictions_follow_without_being_taken_back(
    bench: JourneyBench,
) -> None:
    """Two callers were one by a telephone that both gave; the number of the second comes late."""
    for id_, minute, customer in (
        ("a1", 0, {"customer_id": "A", "phone": "+821011112222"}),
        ("b1", 30, {"email": "b@home.example", "phone": "+821011112222"}),
        ("b2", 40, {"email": "b@home.example"}),
        ("b3", 50, {"email": "b@home.example"}),
    ):
        bench.log.append(0, touchpoint(id_, minute, customer=customer, reason="billing"))
    await bench.apply()
    one = set((await whose(bench)).values())
    assert len(one) == 1
    before = await bench.rows("SELECT friction_id, payload::json FROM journey.frictions WHERE state = 'detected'")
    assert before
    bench.log.append(1, touchpoint("late", 10, customer={"customer_id": "B", "email": "b@home.example"}))
    await bench.apply()
    found = await whose(bench)
    assert found["a1"] in one
    assert found["b2"] == found["b3"] == found["late"]
    assert found["b2"] not in one
    new = await bench.rows("SELECT split_from FROM journey.customers WHERE customer_id = $1", found["b2"])
    assert {row["split_from"] for row in new} == one
    outbox = await bench.rows(
        "SELECT convert_from(value, 'utf8') AS said FROM journey.outbox WHERE topic = 'frictions' ORDER BY id"
    )
    said = [json.loads(row["said"]) for row in outbox]
    moved = [one for one in said if one["customer_id"] == str(found["b2"]) and one.get("previous_customer_id")]
    assert moved, "an open issue is told that its customer is another one now"
    standing = {one["id"]: one for one in said}
    completed_by_b = [one for one in standing.values() if one["touchpoints"][-1]["id"] in {"b2", "b3"}]
    assert {one["customer_id"] for one in completed_by_b} == {str(found["b2"])}
    for one in said:
        if one["id"] in {moved_one["id"] for moved_one in moved}:
            assert one["state"] == "detected", "never taken back on the way"


async def test_an_operator_merges_separates_and_takes_back(bench: JourneyBench) -> None:
    for id_, customer in (("a", {"customer_id": "A", "cookie": "k"}), ("b", {"customer_id": "B"})):
        bench.log.append(0, touchpoint(id_, customer=customer))
    await bench.apply()
    operator = Unmerger(resettler=resettler(bench))
    one, other = ("customer_id", "A"), ("customer_id", "B")
    merged = await operator.say(OperatorWord.MERGE, one, other, by="somebody", note="two contracts")
    assert len(set(merged.owners.values())) == 1
    assert len(set((await whose(bench)).values())) == 1
    again = await operator.say(OperatorWord.SEPARATE, one, other, by="somebody")
    assert len(set(again.owners.values())) == 2
    assert len(set((await whose(bench)).values())) == 2
    split = await operator.unmerge(("cookie", "k"), one, by="somebody")
    assert (str(split.outcome), len(split.new_customers)) == ("split", 0), "no touchpoint is the cookie's alone"
    words = await bench.rows("SELECT word, said_by, note FROM journey.identity_words ORDER BY word_id")
    assert [tuple(row) for row in words] == [("merge", "somebody", "two contracts"), ("separate", "somebody", "")]
    bench.log.append(0, touchpoint("c", 5, customer={"customer_id": "A", "email": "x@y.example"}))
    bench.log.append(0, touchpoint("d", 6, customer={"customer_id": "B", "email": "x@y.example"}))
    await bench.apply()
    assert len(set((await whose(bench)).values())) == 2
    account = await IdentityAccountant(pool=bench.pool, settler=SETTLER).why([one, other])
    assert account.path is None
    assert {step.refusal for step in account.refused} >= {"separated"}
    assert not await mend(bench)


async def test_two_workers_with_the_same_browser_agree(database: str) -> None:
    """Each applies a partition of its own at the same time; what conflicts is settled once."""
    async with open_bench(database, partitions=2) as one, open_bench(database, partitions=2) as other:
        for number in range(40):
            customer = {"cookie": f"k{number % 3}"} | ({"customer_id": f"C-{number % 7}"} if number % 2 else {})
            for bench in (one, other):
                bench.log.append(number % 2, touchpoint(f"t{number}", number, customer=customer))
        claims = await one.claim()

        async def apply(bench: JourneyBench, partition: int) -> None:
            run = bench.log.records[partition]
            bench.intake.grant([claims[partition]])
            for first in range(0, len(run), 3):
                await bench.applier.apply([Chunk(claim=claims[partition], records=run[first : first + 3])])

        await asyncio.gather(apply(one, 0), apply(other, 1))
        together = await whose(one)

    await emptied(database)
    async with open_bench(database, partitions=2) as alone:
        for number in range(40):
            customer = {"cookie": f"k{number % 3}"} | ({"customer_id": f"C-{number % 7}"} if number % 2 else {})
            alone.log.append(0, touchpoint(f"t{number}", number, customer=customer))
        await alone.apply()
        expected = await whose(alone)
        assert not await mend(alone)
    assert _groups(together) == _groups(expected)


def _groups(found: dict[str, Any]) -> set[frozenset[str]]:
    by_customer: dict[Any, set[str]] = {}
    for id_, customer in found.items():
        by_customer.setdefault(customer, set()).add(id_)
    return set(map(frozenset, by_customer.values()))


async def test_the_commands_say_why_what_if_and_what_was_done(
    bench: JourneyBench, database: str, tmp_path: Path
) -> None:
    for id_, customer in (
        ("a", {"customer_id": "A", "cookie": "k"}),
        ("b", {"customer_id": "B", "cookie": "k"}),
        ("c", {"customer_id": "A", "email": "a@home.example"}),
    ):
        bench.log.append(0, touchpoint(id_, customer=customer))
    await bench.apply()

    def command(*words: str) -> tuple[int, str]:
        answer = waymark("identity", *words, WAYMARK_POSTGRES=database)
        return answer.returncode, answer.stdout + answer.stderr

    code, said = command("why", "cookie:k")
    assert (code, "between customers" in said, "only one value" in said) == (0, True, True)
    code, said = command("why", "email:A@home.example", "customer_id:A")
    assert (code, "One customer" in said, "ivr/c" in said) == (0, True, True)
    code, said = command("why", "customer_id:nobody")
    assert (code, "nobody carried" in said) == (1, True)
    assert command("why", "nonsense")[0] == 2
    supposed = tmp_path / "links.jsonl"
    supposed.write_text('{"customer": {"email": "a@home.example", "phone": "+821012345678"}}\n')
    code, said = command("simulate", str(supposed), "--json")
    assert (code, json.loads(said)["merged"], json.loads(said)["new_customers"]) == (0, 0, 0)
    assert await bench.value("SELECT count(*) FROM journey.identifiers") == 4, "nothing is written"
    code, said = command("merge", "customer_id:A", "customer_id:B", "--by", "somebody", "--json")
    assert (code, len(set(json.loads(said)["customers"].values()))) == (0, 1)
    code, said = command("separate", "customer_id:A", "customer_id:B", "--json")
    assert (code, len(set(json.loads(said)["customers"].values()))) == (0, 2)
    code, said = command("unmerge", "customer_id:A", "email:a@home.example")
    assert (code, "two customers now" in said) == (0, True)
    assert command("unmerge", "customer_id:A", "email:a@home.example")[0] == 1
    code, said = command("show", "--json")
    assert next(one for one in json.loads(said)["types"] if one["type"] == "customer_id")["unique"]
    assert not await mend(bench)
