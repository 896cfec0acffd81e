"""What two workers remember of customers is what is stored, whatever happens to the customers and in whatever order."""

import os
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import chain
from typing import Any

import msgspec
import pytest

from services.journey import policies
from services.journey.domain import friction
from services.journey.domain.comparison.changes import StoredCustomer
from services.journey.domain.comparison.memory import history_bytes
from services.journey.domain.friction import StoredFriction
from services.journey.domain.history import latest_of
from services.journey.domain.identity.facts import OperatorWord
from services.journey.domain.identity.identity_book import IdentityBook
from services.journey.domain.touchpoint import Touchpoint, in_order
from services.journey.renew.kept_customers import KeptCustomers
from services.journey.repair.check import IdentityChecker
from services.journey.repair.fix import IdentityRepairer
from services.journey.repair.unmerge import Unmerger
from services.journey.rulebook import definitions_file, rules_file
from services.journey.settle.resettling import IdentityResettler
from services.journey.settle.settling import IdentitySettler
from services.journey.store import customers, frictions, journeys, passages, timer_rows, touchpoints
from services.journey.versions import storing
from services.journey.versions.in_force import PolicyCache
from services.journey.versions.policy_table import NewPolicy
from services.runtime.clock import new_id
from services.runtime.postgres.pools import acquire, transaction
from tests.fixtures.journey_bench import JourneyBench, open_bench, touchpoint
from tests.integration.test_journey_dense import several_names
from tests.oracle.dense import stories

pytestmark = pytest.mark.local

Json = dict[str, Any]


def comparable(stored: StoredCustomer) -> list[dict[Any, Any]]:
    def nameless(one: StoredFriction) -> Any:
        return msgspec.structs.replace(one, payload=b""), friction.decode(one.payload)

    return [
        {one.id: nameless(one) for one in stored.frictions},
        {one.id: one for one in stored.journeys},
        {one.id: one for one in stored.timers},
        {one.key: one for one in stored.passages},
    ]


async def check(bench: JourneyBench, most: int) -> Counter[str]:
    """Hold what a worker would use against the tables."""
    counted: Counter[str] = Counter()
    kept = {customer: one for customer, (one, _) in bench.renewer.kept._customers.items()}
    if not kept:
        return counted
    since = {customer: one.since for customer, one in kept.items()}
    async with acquire(bench.pool) as connection:
        standing = await customers.standing(connection, since)
        histories = await touchpoints.history(connection, list(kept), most + 1)
        stored = [await one.load(connection, since) for one in (frictions, journeys, timer_rows, passages)]
    for customer, one in kept.items():
        if not one.is_of(standing[customer], one.read_at):
            counted["outdated"] += 1
            continue
        counted["remembered"] += 1
        rows = StoredCustomer(
            frictions=stored[0].get(customer, ()),
            journeys=stored[1].get(customer, ()),
            timers=stored[2].get(customer, ()),
            passages=stored[3].get(customer, ()),
        )
        assert comparable(one.stored) == comparable(rows)
        assert list(one.recorded) == latest_of(sorted(histories[customer], key=in_order), most)
        assert one.history_bytes == history_bytes(one.recorded)
        assert one.stored.truncated is (len(histories[customer]) > most)
        counted["passages"] += len(one.stored.passages)
        counted["cut"] += one.stored.truncated
    return counted


def settler_of() -> IdentitySettler:
    return IdentitySettler(source=IdentityBook.of(policies.identity(), policies.constraints()), new_id=new_id)


def resettler_of(desk: JourneyBench) -> IdentityResettler:
    return IdentityResettler(pool=desk.pool, settler=settler_of(), renewer=desk.renewer)


class Everybody:
    """Two workers, and operators in a process of their own, on one database."""

    def __init__(self, workers: list[JourneyBench], desk: JourneyBench, rng: random.Random) -> None:
        self.workers = workers
        self.rng = rng
        self.resettler = resettler_of(desk)
        self.desk = desk
        self.versions: list[NewPolicy] = [
            storing.of_journeys(definitions_file.load("retail"), author="kim", note=""),
            storing.of_journeys(definitions_file.load("banking"), author="kim", note=""),
            storing.of_journeys(definitions_file.load("retail"), author="kim", note="again"),
        ]

    async def do(self) -> None:
        """Do what others than a batch may do to customers, or nothing."""
        act = self.rng.choice((self.fire, self.fire, self.speak, self.take_back, self.decree, self.rest))
        await act()

    async def rest(self) -> None:
        """Do nothing."""

    async def fire(self) -> None:
        """Let timers fire, in either worker."""
        await self.desk.execute("UPDATE journey.progress SET caught_up_at = now()")
        await self.rng.choice(self.workers).timers.once()

    async def speak(self) -> None:
        """Say that two identifiers are one customer, or that they are not."""
        rows = await self.desk.rows("SELECT type, value FROM journey.identifiers ORDER BY type, value")
        if len(rows) > 1:
            one, other = self.rng.sample([(row[0], row[1]) for row in rows], 2)
            word = self.rng.choice((OperatorWord.MERGE, OperatorWord.SEPARATE))
            await Unmerger(resettler=self.resettler).say(word, one, other, by="kim")

    async def take_back(self) -> None:
        """Take a link back."""
        rows = await self.desk.rows(
            "SELECT left_type, left_value, right_type, right_value FROM journey.links"
            " WHERE state = 'active' ORDER BY 1, 2, 3, 4"
        )
        if rows:
            row = self.rng.choice(rows)
            await Unmerger(resettler=self.resettler).unmerge((row[0], row[1]), (row[2], row[3]), by="kim")

    async def decree(self) -> None:
        """Apply the next version of the definitions of journeys."""
        if self.versions:
            async with transaction(self.desk.pool) as connection:
                await storing.apply(connection, self.versions.pop(0))


@asynccontextmanager
async def everybody(database: str, rng: random.Random, history: int) -> AsyncIterator[Everybody]:
    async with AsyncExitStack() as stack:
        benches = [
            await stack.enter_async_context(open_bench(database, history=history, kept=kept, policies=PolicyCache()))
            for kept in (20_000_000, 20_000_000, 0)
        ]
        async with transaction(benches[0].pool) as connection:
            await storing.apply(connection, storing.first_rules(rules_file.resolve_file(), file=""))
        benches[1].log = benches[0].log
        all_of_them = Everybody(benches[:2], benches[2], rng)
        await all_of_them.decree()
        yield all_of_them


async def lives(database: str, seed: int, history: int) -> Counter[str]:
    """Let two workers apply stories, and others do what they may; count what was held against the tables."""
    rng = random.Random(f"{seed} {history}")
    documents = several_names(list(chain.from_iterable(stories(seed, 12))), rng)
    for document in documents:
        if rng.random() < 0.4:
            document["kind"] = rng.choice(("cart_updated", "checkout_started", "order_placed", "order_shipped"))
    documents.sort(key=lambda one: (one["received_at"], rng.random()))
    found: Counter[str] = Counter()
    async with everybody(database, rng, history) as all_of_them:
        one, other = all_of_them.workers
        while documents:
            for document in documents[: rng.randint(1, 25)]:
                received = msgspec.convert(document, Touchpoint).received_at
                one.log.append(rng.randrange(2), msgspec.json.encode(document), received)
                documents.remove(document)
            await rng.choice((one, one, other)).apply(batch=rng.choice((1, 5, 40)))
            if rng.random() < 0.6:
                await all_of_them.do()
            found += await check(one, history) + await check(other, history)
    return found


SEEDS = range(int(os.environ.get("KEPT_SEEDS", "4")))


@pytest.mark.parametrize("history", [2_000, 5], ids=["whole", "cut"])
@pytest.mark.parametrize("seed", SEEDS)
async def test_what_is_remembered_is_what_is_stored(database: str, seed: int, history: int) -> None:
    found = await lives(database, seed, history)
    assert found["remembered"] > 20, found
    assert found["outdated"], found
    assert found["passages"], found
    assert bool(found["cut"]) is (history == 5), found


async def remembering_worker(stack: AsyncExitStack, database: str) -> JourneyBench:
    """A worker that remembers two customers, each of whom called twice."""
    bench = await stack.enter_async_context(open_bench(database, partitions=1))
    for place, whose in enumerate("ABAB"):
        bench.log.append(0, touchpoint(f"{whose}{place}", place, customer={"customer_id": whose}))
    await bench.apply(batch=1)
    assert await check(bench, 2_000) == Counter(remembered=2, passages=0, cut=0)
    return bench


async def test_what_another_worker_writes_is_a_change(database: str) -> None:
    async with AsyncExitStack() as stack:
        one = await remembering_worker(stack, database)
        other = await stack.enter_async_context(open_bench(database, partitions=1))
        other.log = one.log
        other.log.append(0, touchpoint("A9", 9, customer={"customer_id": "A"}))
        await other.apply()
        assert (await check(one, 2_000))["outdated"] == 1
        one.log.append(0, touchpoint("A10", 10, customer={"customer_id": "A"}))
        await one.apply()
        assert (await check(one, 2_000))["remembered"] == 2
        assert (await check(other, 2_000))["outdated"] == 1


async def test_the_check_sees_a_version_that_is_not_raised(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    silent = customers._NOTE.replace("version = c.version + 1", "version = c.version")
    assert silent != customers._NOTE
    async with AsyncExitStack() as stack:
        one = await remembering_worker(stack, database)
        other = await stack.enter_async_context(open_bench(database, partitions=1))
        other.log = one.log
        other.log.append(0, touchpoint("A9", 9, kind="page_viewed", channel="web", customer={"customer_id": "A"}))
        monkeypatch.setattr(customers, "_NOTE", silent)
        await other.apply()
        with pytest.raises(AssertionError):
            await check(one, 2_000)


async def test_an_operators_words_are_changes_of_both(database: str) -> None:
    async with AsyncExitStack() as stack:
        worker = await remembering_worker(stack, database)
        desk = await stack.enter_async_context(open_bench(database, kept=0))
        unmerger = Unmerger(resettler=resettler_of(desk))
        names = ("customer_id", "A"), ("customer_id", "B")
        await unmerger.say(OperatorWord.MERGE, *names, by="kim")
        assert await check(worker, 2_000) == Counter(outdated=2)
        worker.log.append(0, touchpoint("A9", 9, customer={"customer_id": "A"}))
        worker.log.append(0, touchpoint("A10", 10, customer={"customer_id": "A"}))
        await worker.apply(batch=1)
        assert (await check(worker, 2_000))["remembered"] == 1
        await unmerger.say(OperatorWord.SEPARATE, *names, by="kim")
        assert await check(worker, 2_000) == Counter(outdated=2)


async def test_a_timer_that_fires_for_nothing_is_a_change(database: str) -> None:
    async with open_bench(database, partitions=1) as bench:
        bench.log.append(0, touchpoint("a", 0))
        await bench.apply()
        (customer,) = bench.renewer.kept._customers
        await bench.execute(
            "INSERT INTO journey.timers"
            " (timer_id, customer_id, rule, source, touchpoint_id, state, due_at, appended_at)"
            " VALUES ($1, $2, 'gone', 'nobody', 'x', 'pending', now() - interval '9 days', now() - interval '9 days')",
            new_id(),
            customer,
        )
        await bench.execute("UPDATE journey.progress SET caught_up_at = now()")
        other = KeptCustomers(20_000_000, worth=1)
        other.put({customer: bench.renewer.kept._customers[customer][0]})
        assert await bench.timers.once() == 1
        async with acquire(bench.pool) as connection:
            standing = await customers.standing(connection, {customer: None})
        kept = other.take(customer)
        assert kept is not None
        assert not kept.is_of(standing[customer], kept.read_at)


async def test_a_repair_is_a_change_of_both(database: str) -> None:
    async with AsyncExitStack() as stack:
        worker = await remembering_worker(stack, database)
        desk = await stack.enter_async_context(open_bench(database, kept=0))
        await desk.execute(
            "UPDATE journey.touchpoints SET customer_id = (SELECT customer_id FROM journey.touchpoints WHERE id = 'B1')"
            " WHERE id = 'A2'"
        )
        repairer = IdentityRepairer(pool=desk.pool, resettler=resettler_of(desk), renewer=desk.renewer)
        async for findings in IdentityChecker(pool=desk.pool, settler=settler_of()).pages():
            await repairer.repair(findings)
        assert await check(worker, 2_000) == Counter(outdated=2)
