"""Rules in versions: in force in every worker from one moment on, without a restart, and never backwards."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from prometheus_client import CollectorRegistry

from services.journey.metrics import PolicyMetrics
from services.journey.rulebook import identity_file, rules_file
from services.journey.rulebook.rules_file import ResolvedRules
from services.journey.versions import policy_table, storing
from services.journey.versions.in_force import NothingInForceError, PolicyCache, UnreadableIdentityError
from services.journey.versions.policy_table import NewPolicy, PolicyKind, PolicyVersion
from services.journey.versions.policy_watch import PolicyWatch
from services.runtime.postgres.pools import acquire, transaction
from tests.fixtures.journey_bench import JourneyBench, open_bench, touchpoint
from tests.waiting import until

pytestmark = pytest.mark.local

WORDS = "title: {en: a, ko: b}, explanation: {en: a, ko: b}"
STRICT = f"rules: [{{id: waits, shape: threshold, severity: low, field: wait_s, limits: [{{gt: 60}}], {WORDS}}}]"
ONE_CARD = "extends: default\ntypes: {loyalty_id: {unique: true}}\n"
LENIENT = STRICT.replace("gt: 60", "gt: 600")


def rules(text: str) -> ResolvedRules:
    return rules_file.resolve(text, name="mine.yaml")


def version(text: str, note: str = "") -> NewPolicy:
    return storing.of_rules(rules(text), author="kim", note=note)


@asynccontextmanager
async def worker(database: str) -> AsyncIterator[JourneyBench]:
    """A worker that reads the stored policies."""
    async with open_bench(database, policies=PolicyCache(), partitions=1) as opened:
        yield opened


@pytest_asyncio.fixture
async def bench(database: str) -> AsyncIterator[JourneyBench]:
    async with worker(database) as opened:
        yield opened


async def apply(bench: JourneyBench, new: NewPolicy) -> PolicyVersion:
    async with transaction(bench.pool) as connection:
        return (await storing.apply(connection, new)).version


def append(bench: JourneyBench, id_: str, appended: datetime, wait_s: int = 120) -> None:
    bench.log.append(0, touchpoint(id_, received_at=appended, occurred_at=appended, wait_s=wait_s), appended)


def ms(moment: datetime) -> datetime:
    """The moment as a broker writes it."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


async def standing(bench: JourneyBench) -> set[str]:
    rows = await bench.rows(
        "SELECT payload -> 'touchpoints' -> -1 ->> 'id' AS id FROM journey.frictions WHERE state = 'detected'"
    )
    return {row["id"] for row in rows}


async def test_a_version_is_in_force_for_what_is_appended_from_then_on_and_takes_nothing_back(
    bench: JourneyBench,
) -> None:
    first = await apply(bench, version(STRICT))
    assert (first.version, first.in_force_from) == (1, datetime(1970, 1, 1, tzinfo=UTC))
    now = datetime.now(UTC)
    append(bench, "before", ms(now - timedelta(minutes=1)))
    await bench.apply()
    second = await apply(bench, version(LENIENT, "too many"))
    assert second.in_force_from > now
    append(bench, "waited in the log", ms(second.in_force_from) - timedelta(milliseconds=1))
    append(bench, "after", ms(second.in_force_from) + timedelta(milliseconds=1))
    append(bench, "long after", ms(second.in_force_from) + timedelta(milliseconds=2), wait_s=700)
    await bench.apply()
    assert await standing(bench) == {"before", "waited in the log", "long after"}


async def test_a_version_begins_after_what_is_applied_even_where_the_broker_is_ahead_of_us(
    bench: JourneyBench,
) -> None:
    await apply(bench, version(STRICT))
    ahead = ms(datetime.now(UTC) + timedelta(seconds=30))
    append(bench, "ahead", ahead)
    await bench.apply()
    second = await apply(bench, version(LENIENT))
    assert second.in_force_from > ahead
    append(bench, "more", ms(second.in_force_from) + timedelta(milliseconds=1), wait_s=0)
    await bench.apply()
    assert await standing(bench) == {"ahead"}


async def test_a_version_waits_for_the_transactions_that_do_not_know_it(bench: JourneyBench) -> None:
    await apply(bench, version(STRICT))
    async with transaction(bench.pool) as holder:
        held = await PolicyCache().hold(holder)
        assert [rule.id for rule in held.rulebook.rules] == ["waits"]
        applying = asyncio.create_task(apply(bench, version(LENIENT)))
        await until(lambda: waiting_for_the_lock(bench))
        assert not applying.done()
        applied_at = datetime.now(UTC)
    assert (await applying).in_force_from > applied_at


async def test_a_control_without_holding_a_version_comes_into_force_beside_a_transaction(bench: JourneyBench) -> None:
    await apply(bench, version(STRICT))
    async with transaction(bench.pool) as looker:
        await policy_table.look(looker, [PolicyKind.RULES])
        second = await apply(bench, version(LENIENT))
        assert second.in_force_from < datetime.now(UTC)


async def waiting_for_the_lock(bench: JourneyBench) -> bool:
    return bool(await bench.value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"))


async def test_two_workers_judge_alike_whichever_reads_on(database: str, bench: JourneyBench) -> None:
    await apply(bench, version(STRICT))
    async with worker(database) as other:
        other.log = bench.log
        append(bench, "one", ms(datetime.now(UTC)))
        await bench.apply()
        second = await apply(bench, version(LENIENT))
        append(bench, "two", ms(second.in_force_from) + timedelta(milliseconds=1))
        await other.apply()
        third = await apply(bench, version(STRICT, "back"))
        append(bench, "three", ms(third.in_force_from) + timedelta(milliseconds=1))
        append(bench, "late of the second", ms(third.in_force_from) + timedelta(milliseconds=2), wait_s=0)
        await bench.apply()
        before = await bench.rows("SELECT friction_id, revision FROM journey.frictions ORDER BY 1")
        append(bench, "more", ms(third.in_force_from) + timedelta(milliseconds=3), wait_s=0)
        await other.apply()
        assert await standing(bench) == {"one", "three"}
        assert await bench.rows("SELECT friction_id, revision FROM journey.frictions ORDER BY 1") == before


async def test_the_same_rules_once_more_are_no_new_version(bench: JourneyBench) -> None:
    await apply(bench, version(STRICT))
    again = await apply(bench, version("# a comment\n" + STRICT))
    assert again.version == 1


async def test_versions_that_are_applied_at_once_take_turns(bench: JourneyBench) -> None:
    texts = [STRICT.replace("gt: 60", f"gt: {limit}") for limit in range(10, 16)]
    stored = await asyncio.gather(*(apply(bench, version(text)) for text in texts))
    assert sorted(one.version for one in stored) == [1, 2, 3, 4, 5, 6]
    in_order = sorted(stored, key=lambda one: one.version)
    assert all(one.in_force_from < other.in_force_from for one, other in pairwise(in_order))


@pytest.mark.logs_error("batch failed")
async def test_without_any_version_nothing_is_judged_and_nothing_is_lost(bench: JourneyBench) -> None:
    append(bench, "early", ms(datetime.now(UTC)))
    with pytest.raises(NothingInForceError):
        await bench.apply()
    await apply(bench, version(STRICT))
    await bench.apply()
    assert await standing(bench) == {"early"}


def watch(bench: JourneyBench) -> tuple[PolicyWatch, CollectorRegistry]:
    registry = CollectorRegistry()
    return PolicyWatch(pool=bench.pool, metrics=PolicyMetrics.register(registry)), registry


async def stored(bench: JourneyBench) -> list[tuple[Any, ...]]:
    return [
        tuple(row)
        for row in await bench.rows(
            "SELECT version, author, note FROM journey.policies WHERE kind = 'rules' ORDER BY 1"
        )
    ]


async def test_the_first_worker_stores_what_it_was_started_with_and_the_others_take_it(bench: JourneyBench) -> None:
    ours, registry = watch(bench)
    await ours.begin(rules_file.resolve_file(), file="")
    await watch(bench)[0].begin(rules(STRICT), file="")  # another release, which ships other rules
    assert await stored(bench) == [(1, "waymark", "the rules that come with Waymark")]
    assert registry.get_sample_value("waymark_journey_policy_version", {"kind": "rules"}) == 1
    assert (await ours.check()).detail == (
        "rules version 1, in force from 1970-01-01T00:00:00Z; identity version 1, in force from 1970-01-01T00:00:00Z"
    )


async def test_a_file_of_the_settings_is_stored_once_and_what_was_applied_since_stays(bench: JourneyBench) -> None:
    await watch(bench)[0].begin(rules(STRICT), file="rules.yaml")
    await watch(bench)[0].begin(rules(LENIENT), file="other.yaml")
    await apply(bench, version(STRICT.replace("60", "90")))
    await watch(bench)[0].begin(rules(LENIENT), file="other.yaml")
    assert [number for number, _, _ in await stored(bench)] == [1, 2, 3]


async def test_a_rule_that_only_a_newer_release_knows_is_left_to_it(bench: JourneyBench) -> None:
    await apply(bench, version(STRICT))
    now = datetime.now(UTC)
    append(bench, "known", ms(now - timedelta(minutes=1)))
    await bench.apply()
    newer = STRICT.encode()
    document = rules_document(STRICT).replace(b'"threshold"', b'"of a later release"')
    second = await apply(
        bench, NewPolicy(kind=PolicyKind.RULES, document=document, written=newer.decode(), author="kim")
    )
    append(bench, "unknown", ms(second.in_force_from) + timedelta(milliseconds=1))
    await bench.apply()
    assert await standing(bench) == {"known"}
    failures = await bench.rows("SELECT rule, error FROM journey.rule_failures")
    assert [tuple(row) for row in failures] == [("waits", "UnknownRuleError")]
    ours, registry = watch(bench)
    await ours.begin(rules(STRICT), file="")
    found = await ours.check()
    assert not found.ok
    assert not found.essential
    assert "this release does not know waits" in found.detail
    assert registry.get_sample_value("waymark_journey_policy_unknown", {"kind": "rules"}) == 1
    third = await apply(bench, version(STRICT))
    append(bench, "known again", ms(third.in_force_from) + timedelta(milliseconds=1))
    await bench.apply()
    assert await standing(bench) == {"known", "known again"}


def rules_document(text: str) -> bytes:
    return version(text).document


@pytest.mark.logs_error("policy cannot be read")
async def test_the_last_good_version_is_kept_where_nothing_of_a_later_one_can_be_read(bench: JourneyBench) -> None:
    await apply(bench, version(STRICT))
    broken = await apply(bench, NewPolicy(kind=PolicyKind.RULES, document=b"{", written="{", author="nobody"))
    append(bench, "after", ms(broken.in_force_from) + timedelta(milliseconds=1))
    await bench.apply()
    assert await standing(bench) == {"after"}
    ours, registry = watch(bench)
    async with acquire(bench.pool) as connection:
        await ours.cache.look(connection)
    assert not (await ours.check()).ok
    assert registry.get_sample_value("waymark_journey_policy_unreadable", {"kind": "rules"}) == 1


def with_a_later_member(document: bytes) -> bytes:
    """A policy of identity as a later release would store it."""
    return msgspec.json.encode(msgspec.json.decode(document) | {"of_a_later_release": 1})


@pytest.mark.logs_error("batch failed")
@pytest.mark.parametrize("broken", [lambda _: b"{", with_a_later_member])
async def test_no_worker_goes_by_an_older_policy_of_identity(
    bench: JourneyBench, broken: Callable[[bytes], bytes]
) -> None:
    """The version in the middle cannot be read here: neither a new worker nor one that ran on applies anything."""
    await apply(bench, version(STRICT))
    shipped = storing.shipped_identity()
    await apply(bench, shipped)
    append(bench, "before", ms(datetime.now(UTC)))
    await bench.apply()
    written = {"written": "", "author": "kim"}
    unread = await apply(bench, NewPolicy(kind=PolicyKind.IDENTITY, document=broken(shipped.document), **written))
    await apply(bench, storing.of_identity(identity_file.read(ONE_CARD, name="mine.yaml"), author="kim", note=""))
    append(bench, "after", ms(unread.in_force_from) + timedelta(milliseconds=1))
    with pytest.raises(UnreadableIdentityError, match=f"version {unread.version} of the policy of identity"):
        await bench.apply()
    async with acquire(bench.pool) as connection:
        for ask in (PolicyCache().look, PolicyCache().look_at_all, PolicyCache().identity):
            with pytest.raises(UnreadableIdentityError):
                await ask(connection)
        assert not (await PolicyCache().definitions(connection)).definitions  # a report needs no identity
    assert await bench.value("SELECT count(*) FROM journey.touchpoints") == 1
    await bench.execute(
        "UPDATE journey.policies SET document = $2 WHERE kind = $1 AND version = $3",
        "identity",
        shipped.document.decode(),
        unread.version,
    )
    await bench.apply()  # as an upgraded worker reads it
    assert await standing(bench) == {"before", "after"}


async def test_a_version_is_seen_within_two_looks_by_a_worker_without_records(bench: JourneyBench) -> None:
    ours, registry = watch(bench)
    await ours.begin(rules(STRICT), file="")
    running = asyncio.create_task(ours.run())
    try:
        await apply(bench, version(LENIENT))
        await until(
            lambda: registry.get_sample_value("waymark_journey_policy_version", {"kind": "rules"}) == 2, within=5.0
        )
    finally:
        running.cancel()
