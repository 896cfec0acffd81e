"""Rules in the shadow: asked by every worker, kept beside what the rules in force find, and never published."""

import json
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from schemas.documents import touchpoint as touchpoint_v1
from services.journey.rulebook import rules_file
from services.journey.rulebook.rules_file import ResolvedRules
from services.journey.shadowing import shadow_listing, shadow_versions
from services.journey.shadowing.shadow_versions import NothingToTryError
from services.journey.store import shadow_rows
from services.journey.versions import policy_table, storing
from services.journey.versions.in_force import PolicyCache
from services.journey.versions.policy_table import PolicyKind, PolicyVersion
from services.runtime.postgres.pools import acquire, transaction
from tests.fixtures.journey_bench import JourneyBench, at, open_bench, touchpoint
from tests.integration.test_journey_timers import read_up_to
from tests.oracle.expected import expect_shadow
from tests.oracle.facts import microseconds
from tests.oracle.shipped_rules import RULES, repeat_contact

pytestmark = pytest.mark.local

SHORTER = "extends: default\nchange:\n  repeat_contact_24h: {within: 20m}\n  long_wait: {limits: [{gt: 30}]}\n"
MINUTE = 60_000_000


def resolved(text: str) -> ResolvedRules:
    return rules_file.resolve(text, name="mine.yaml")


@pytest_asyncio.fixture
async def bench(database: str) -> AsyncIterator[JourneyBench]:
    async with open_bench(database, policies=PolicyCache(), partitions=1) as opened:
        first = storing.first_rules(rules_file.resolve_file(), file="")
        async with transaction(opened.pool) as connection:
            await storing.begin(connection, first, named=False)
        yield opened


async def tried(bench: JourneyBench, text: str = SHORTER) -> PolicyVersion:
    file = resolved(text)
    async with transaction(bench.pool) as connection:
        return (await shadow_versions.try_rules(connection, file, author="kim", note="a trial")).version


async def applied(bench: JourneyBench, text: str) -> PolicyVersion:
    new = storing.of_rules(resolved(text), author="kim", note="")
    async with transaction(bench.pool) as connection:
        return (await shadow_versions.apply(connection, new)).version


class Stream:
    """Touchpoints that the broker appends one millisecond after another, from a moment on."""

    def __init__(self, bench: JourneyBench, start: datetime) -> None:
        self._log = bench.log
        self.now = start.replace(microsecond=start.microsecond // 1000 * 1000)
        self.documents: list[dict[str, Any]] = []

    def send(self, id_: str, *, ago: timedelta = timedelta(0), **members: Any) -> None:
        """Append a touchpoint that happened so long before."""
        self.now += timedelta(milliseconds=1)
        one = touchpoint(id_, occurred_at=self.now - ago, received_at=self.now, **members)
        self._log.append(0, one, self.now)
        self.documents.append(json.loads(touchpoint_v1.encode(one)))


async def sides(bench: JourneyBench) -> dict[str, tuple[bool, bool]]:
    rows = await bench.rows("SELECT friction_id::text AS id, in_shadow, in_force FROM journey.shadow_frictions")
    return {row["id"]: (row["in_shadow"], row["in_force"]) for row in rows}


async def counted(bench: JourneyBench) -> dict[str, tuple[int, int, int, int]]:
    """Found, in force, new and gone, by rule."""
    async with acquire(bench.pool) as connection:
        listing = await shadow_listing.read(connection)
    assert listing is not None
    counts = {one.rule["id"]: one.counts for one in listing.rules}
    return {rule: (one.found, one.in_force, one.new, one.gone) for rule, one in counts.items()}


async def published(bench: JourneyBench) -> int:
    """Frictions that wait to be published or were."""
    number: int = await bench.value("SELECT count(*) FROM journey.outbox WHERE topic = 'frictions'")
    return number


async def test_a_rule_in_the_shadow_is_counted_beside_the_one_in_force_and_never_published(bench: JourneyBench) -> None:
    stream = Stream(bench, datetime.now(UTC))
    stream.send("early", wait_s=300, reason="y")
    await bench.apply()
    version = await tried(bench)
    stream.now = max(stream.now, version.in_force_from)
    before = await published(bench)
    stream.send("a", wait_s=60, ago=timedelta(hours=2), reason="x")
    stream.send("b", wait_s=300, reason="x")
    await bench.apply()
    # `b` waited too long by both, `a` by the shadow alone; two hours apart is too far for the shadow's 20 minutes
    assert await counted(bench) == {"long_wait": (2, 1, 1, 0), "repeat_contact_24h": (0, 1, 0, 1)}
    rules = await bench.rows("SELECT DISTINCT rule FROM journey.frictions")
    assert not [row["rule"] for row in rules if "shadow" in row["rule"]]
    standing = await bench.value("SELECT count(*) FROM journey.frictions WHERE rule = 'long_wait'")
    assert standing == 2  # `early` and `b`
    changes = await published(bench) - before
    assert changes == await bench.value("SELECT sum(revision) FROM journey.frictions") - 1
    told = await bench.value("SELECT sum((payload ->> 'friction_count')::int) FROM journey.journeys")
    assert told == await bench.value("SELECT count(*) FROM journey.frictions WHERE state = 'detected'")


async def test_what_is_found_twice_counts_once_and_what_loses_its_ground_goes(bench: JourneyBench) -> None:
    version = await tried(bench, "extends: default\nchange:\n  payment_declines: {at_least: 1}\n")
    stream = Stream(bench, version.in_force_from)
    stream.send("declined", kind="payment_declined", ago=timedelta(minutes=10))
    stream.send("declined", kind="payment_declined", ago=timedelta(minutes=10))
    await bench.apply()
    await bench.apply()
    assert await counted(bench) == {"payment_declines": (1, 0, 1, 0)}
    stream.send("again", kind="payment_declined", ago=timedelta(minutes=5))
    await bench.apply()
    assert await counted(bench) == {"payment_declines": (2, 1, 1, 0)}
    stream.send("ordered", kind="order_placed", ago=timedelta(minutes=7))  # comes late: between the two
    await bench.apply()
    assert await counted(bench) == {"payment_declines": (2, 0, 2, 0)}


async def test_an_absence_in_the_shadow_has_a_timer_of_its_own(bench: JourneyBench) -> None:
    version = await tried(bench, "extends: default\nchange:\n  checkout_abandoned: {within: 10m}\n")
    stream = Stream(bench, version.in_force_from)
    stream.send("started", kind="checkout_started", refs={"order_id": "A-1"}, ago=timedelta(hours=1))
    await bench.apply()
    timers = await bench.rows("SELECT rule, due_at FROM journey.timers WHERE state = 'pending' ORDER BY due_at")
    assert [row["rule"].rpartition(":")[2] for row in timers] == ["checkout_abandoned", "checkout_abandoned"]
    assert timers[1]["due_at"] - timers[0]["due_at"] == timedelta(minutes=20)
    stream.send("ordered", kind="order_placed", refs={"order_id": "A-1"}, ago=timedelta(minutes=40))
    await bench.apply()
    passed = (stream.now - at(0)) / timedelta(minutes=1) + 10
    await read_up_to(bench, passed, partitions=(0,))
    assert await bench.timers.once() == 1
    assert await counted(bench) == {"checkout_abandoned": (1, 0, 1, 0)}
    assert await bench.value("SELECT count(*) FROM journey.frictions") == 0


async def test_what_two_customers_have_follows_them_when_they_turn_out_to_be_one(bench: JourneyBench) -> None:
    version = await tried(bench)
    stream = Stream(bench, version.in_force_from)
    stream.send("a", wait_s=60, customer={"email": "a@example.com"}, ago=timedelta(minutes=9), reason="x")
    stream.send("b", wait_s=60, customer={"customer_id": "C-2"}, ago=timedelta(minutes=5), reason="x")
    await bench.apply()
    assert await counted(bench) == {"long_wait": (2, 0, 2, 0), "repeat_contact_24h": (0, 0, 0, 0)}
    found = await bench.rows("SELECT friction_id, detected_at FROM journey.shadow_frictions ORDER BY 1")
    stream.send("tie", kind="page_viewed", customer={"email": "a@example.com", "customer_id": "C-2"})
    await bench.apply()
    assert await counted(bench) == {"long_wait": (2, 0, 2, 0), "repeat_contact_24h": (1, 1, 0, 0)}
    owners = await bench.rows(
        "SELECT DISTINCT s.customer_id FROM journey.shadow_frictions s JOIN journey.customers c USING (customer_id)"
        " WHERE c.merged_into IS NULL"
    )
    assert len(owners) == len(await bench.rows("SELECT DISTINCT customer_id FROM journey.shadow_frictions")) == 1
    again = await bench.rows(
        "SELECT friction_id, detected_at FROM journey.shadow_frictions WHERE rule = 'long_wait' ORDER BY 1"
    )
    assert again == found


async def test_from_the_shadow_into_force_with_one_step(bench: JourneyBench) -> None:
    version = await tried(bench)
    stream = Stream(bench, version.in_force_from)
    stream.send("a", wait_s=60)
    await bench.apply()
    async with transaction(bench.pool) as connection:
        now = (await shadow_versions.put_in_force(connection, author="lee", note="fewer")).version
    assert (now.version, now.written) == (2, SHORTER)
    async with acquire(bench.pool) as connection:
        assert await shadow_listing.read(connection) is None
        assert await shadow_listing.numbers(connection) == set()
        await shadow_rows.forget(connection, set())
        with pytest.raises(NothingToTryError):
            await shadow_versions.put_in_force(connection, author="lee", note="")
    stream.now = max(stream.now, now.in_force_from)
    stream.send("b", wait_s=60, customer={"customer_id": "C-2"})
    await bench.apply()
    rows = await bench.rows("SELECT payload -> 'touchpoints' -> -1 ->> 'id' AS id FROM journey.frictions")
    assert [row["id"] for row in rows] == ["b"]
    assert await sides(bench) == {}


async def test_what_comes_into_force_leaves_the_shadow_and_the_rest_goes_on_counting(bench: JourneyBench) -> None:
    version = await tried(bench)
    stream = Stream(bench, version.in_force_from)
    stream.send("a", wait_s=60)
    await bench.apply()
    now = await applied(bench, "extends: default\nchange:\n  repeat_contact_24h: {within: 20m}\n")
    stream.now = max(stream.now, now.in_force_from + timedelta(milliseconds=2))
    stream.send("b", wait_s=60)
    await bench.apply()
    assert await counted(bench) == {"long_wait": (2, 0, 2, 0)}
    await tried(bench, SHORTER + "  transfers: {severity: high}\n")
    assert await counted(bench) == {"long_wait": (2, 0, 2, 0), "transfers": (0, 0, 0, 0)}
    await tried(bench, SHORTER.replace("gt: 30", "gt: 31"))
    assert await counted(bench) == {"long_wait": (0, 0, 0, 0)}  # another wording begins anew


@pytest.mark.parametrize(
    "text", ["extends: default\n", "extends: default\nchange:\n  long_wait: {enabled: false}\n"], ids=["same", "off"]
)
async def test_a_file_that_gives_nothing_to_try_is_refused(bench: JourneyBench, text: str) -> None:
    with pytest.raises(NothingToTryError):
        await tried(bench, text)
    assert await bench.value("SELECT count(*) FROM journey.policies WHERE kind = 'shadow'") == 0


async def test_the_first_trial_looks_at_nothing_that_came_before_it(bench: JourneyBench) -> None:
    await tried(bench)
    async with acquire(bench.pool) as connection:
        first, second = await policy_table.load(connection, PolicyKind.SHADOW)
    assert (first.in_force_from, first.author) == (datetime(1970, 1, 1, tzinfo=UTC), "waymark")
    assert second.in_force_from > datetime.now(UTC) - timedelta(minutes=1)


@pytest.mark.parametrize("seed", range(4))
async def test_the_shadow_holds_what_the_oracle_says(bench: JourneyBench, seed: int) -> None:
    rng = random.Random(seed)
    stream = Stream(bench, datetime.now(UTC))
    _happen(stream, rng, "before", 40)
    await bench.apply(batch=rng.choice((7, 100)))
    version = await tried(bench)
    stream.now = max(stream.now, version.in_force_from)
    _happen(stream, rng, "after", 60)
    await bench.apply(batch=rng.choice((5, 100)))
    since = microseconds(version.in_force_from.isoformat())
    wanted = expect_shadow(
        stream.documents,
        tried=[repeat_contact("repeat_contact_24h", "high", 20 * MINUTE)],
        rules=[rule for rule in RULES if rule is RULES[0]],
        since=since,
    )
    assert await sides(bench) == wanted
    assert set(wanted.values()) == {(True, True), (False, True)}


def _happen(stream: Stream, rng: random.Random, name: str, number: int) -> None:
    """Calls and mails of a few people in any order, each known by three identifiers that single touchpoints join."""
    for one in range(number):
        who = rng.randrange(5)
        names = {"customer_id": f"C-{who}", "email": f"p{who}@example.com", "cookie": f"k-{who}"}
        stream.send(
            f"{name}-{one}",
            ago=timedelta(minutes=rng.randrange(150)),
            kind=rng.choice(("call_started", "call_ended", "store_visited", "page_viewed")),
            channel="phone",
            reason=rng.choice((None, "billing", "delivery")),
            interaction_id=f"i{who}-{rng.randrange(6)}" if rng.random() < 0.4 else None,
            customer={kind: names[kind] for kind in rng.sample(sorted(names), rng.choice((1, 1, 2)))},
        )
