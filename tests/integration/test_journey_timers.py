"""Timers on a real database: an absence is judged by how far the stream was read, never by what time it is."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from services.journey.consume import progress
from services.journey.domain.rules.book import Rulebook
from services.journey.domain.rules.shapes.response import ResponseRule
from services.journey.rulebook import rules_file
from services.runtime.postgres.pools import acquire
from tests.fixtures.journey_bench import JourneyBench, at, open_bench, touchpoint

pytestmark = pytest.mark.local

PROMISE: dict[str, Any] = {"kind": "callback_promised", "direction": "outbound"}


@pytest_asyncio.fixture
async def bench(database: str) -> AsyncIterator[JourneyBench]:
    async with open_bench(database) as opened:
        yield opened


async def read_up_to(bench: JourneyBench, minutes: float, *, partitions: tuple[int, ...] = (0, 1)) -> None:
    """Both partitions, or some, are found read to their end at this time of the story."""
    claims = await bench.claim()
    epochs = {partition: claims[partition].epoch for partition in partitions}
    ends = {partition: len(bench.log.records.get(partition, [])) for partition in partitions}
    async with acquire(bench.pool) as connection:
        await progress.mark_caught_up(connection, bench.line, epochs, at(minutes), ends)


async def missed(bench: JourneyBench) -> list[str]:
    rows = await bench.rows("SELECT state FROM journey.frictions WHERE rule = 'callback_missed'")
    return [row["state"] for row in rows]


async def test_a_promise_that_nobody_kept_is_found_once_the_stream_has_passed_it(bench: JourneyBench) -> None:
    bench.log.append(0, touchpoint("promise", 0, due_at=at(10), **PROMISE))
    await bench.apply()
    await read_up_to(bench, 25)  # due 10 + grace 15 of the rule, and 5 for late records
    assert await bench.timers.once() == 0
    await read_up_to(bench, 31)
    assert await bench.timers.once() == 1
    assert await missed(bench) == ["detected"]
    assert await bench.timers.once() == 0


async def test_no_false_alarm_while_the_call_waits_unread_on_a_partition_that_lags(bench: JourneyBench) -> None:
    bench.log.append(0, touchpoint("promise", 0, due_at=at(10), **PROMISE))
    await bench.apply()
    bench.log.append(1, touchpoint("call", 9, kind="callback_made", direction="outbound"))
    await read_up_to(bench, 90, partitions=(0,))
    assert await bench.timers.once() == 0  # nothing is known of partition 1
    assert bench.registry.get_sample_value("waymark_journey_horizon_blocked", {"partition": "1"}) == 1
    await bench.apply()
    await read_up_to(bench, 90)
    await bench.timers.once()
    assert await missed(bench) == []
    states = await bench.rows("SELECT state FROM journey.timers WHERE rule = 'callback_missed'")
    assert [row["state"] for row in states] == ["cancelled"]


async def test_a_partition_that_lags_holds_the_horizon_at_what_it_has_read(bench: JourneyBench) -> None:
    bench.log.append(0, touchpoint("promise", 0, due_at=at(10), **PROMISE))
    bench.log.append(1, touchpoint("other", 5, customer={"customer_id": "C-2"}))
    await bench.apply()
    await read_up_to(bench, 90, partitions=(0,))
    assert await bench.timers.once() == 0
    bench.log.append(1, touchpoint("later", 40, customer={"customer_id": "C-2"}))
    await bench.apply()
    assert await bench.timers.once() == 1


async def test_the_call_that_was_made_in_time_and_heard_of_late_takes_the_friction_back(bench: JourneyBench) -> None:
    bench.log.append(0, touchpoint("promise", 0, due_at=at(10), **PROMISE))
    await bench.apply()
    await read_up_to(bench, 40)
    await bench.timers.once()
    late = touchpoint("call", 8, kind="callback_made", direction="outbound", received_at=at(50))
    bench.log.append(1, late)
    await bench.apply()
    assert await missed(bench) == ["retracted"]
    published = await bench.rows(
        "SELECT convert_from(value, 'utf8')::json ->> 'state' AS state FROM journey.outbox "
        "WHERE topic = 'frictions' ORDER BY id"
    )
    assert [row["state"] for row in published] == ["detected", "retracted"]


async def test_a_timer_fires_for_the_survivor_of_a_merge(bench: JourneyBench) -> None:
    bench.log.append(0, touchpoint("old", 0, kind="page_viewed", customer={"customer_id": "C-0"}))
    await bench.apply()
    bench.log.append(1, touchpoint("promise", 1, due_at=at(10), customer={"phone": "+821012345678"}, **PROMISE))
    await bench.apply()
    both = {"customer_id": "C-0", "phone": "+821012345678"}
    bench.log.append(0, touchpoint("link", 2, kind="page_viewed", customer=both))
    await bench.apply()
    await read_up_to(bench, 60)
    assert await bench.timers.once() == 1
    owners = await bench.rows(
        "SELECT c.merged_into FROM journey.frictions f JOIN journey.customers c USING (customer_id)"
        " WHERE rule = 'callback_missed'"
    )
    assert [row["merged_into"] for row in owners] == [None]


async def test_an_import_holds_its_timers_until_the_stream_has_passed_its_end(bench: JourneyBench) -> None:
    now = datetime.now(UTC)
    old: dict[str, Any] = {"occurred_at": now - timedelta(days=400), "received_at": now, "replay": True}
    bench.log.append(0, touchpoint("promise", due_at=now - timedelta(days=400), **PROMISE, **old), appended=at(0))
    await bench.apply()
    bench.log.append(1, touchpoint("more", **old | {"customer": {"customer_id": "C-2"}}), appended=at(30))
    await bench.apply()
    await read_up_to(bench, 30.5)
    assert await bench.timers.once() == 0
    assert bench.registry.get_sample_value("waymark_journey_replay_held") == 1
    bench.log.append(1, touchpoint("call", kind="callback_made", direction="outbound", **old), appended=at(30.4))
    await bench.apply()
    await read_up_to(bench, 60)
    await bench.timers.once()
    assert await missed(bench) == []


async def test_what_an_import_finds_is_kept_quiet(bench: JourneyBench) -> None:
    now = datetime.now(UTC)
    old: dict[str, Any] = {"occurred_at": now - timedelta(days=400), "received_at": now, "replay": True}
    bench.log.append(0, touchpoint("promise", due_at=now - timedelta(days=400), **PROMISE, **old), appended=at(0))
    await bench.apply()
    await read_up_to(bench, 60)
    assert await bench.timers.once() == 1
    assert await bench.value("SELECT quiet FROM journey.frictions") is True


async def test_a_timer_that_fired_stays_fired_when_its_promise_comes_again(bench: JourneyBench) -> None:
    promise = touchpoint("promise", 0, due_at=at(10), **PROMISE)
    bench.log.append(0, promise)
    await bench.apply()
    await read_up_to(bench, 60)
    await bench.timers.once()
    bench.log.append(1, promise)
    await bench.apply()
    await read_up_to(bench, 90)
    assert await bench.timers.once() == 0
    assert await missed(bench) == ["detected"]


UNANSWERED = Rulebook(
    [
        msgspec.structs.replace(one, enabled=True, active_time_interval=None)  # the story is always that of today
        for one in rules_file.load().rules
        if isinstance(one, ResponseRule)
    ]
)


async def unanswered(bench: JourneyBench) -> list[tuple[str, str]]:
    rows = await bench.rows("SELECT rule, state FROM journey.frictions WHERE rule LIKE 'no\\_%' ORDER BY detected_at")
    return [(row["rule"], row["state"]) for row in rows]


async def test_waits_for_replies_survive_the_end_of_the_worker(database: str) -> None:
    """A worker reads the messages and ends; another one, that has seen none of them, says who waits."""
    wrote: dict[str, Any] = {"kind": "message_received", "channel": "messenger", "direction": "inbound"}
    said: dict[str, Any] = {"kind": "message_sent", "channel": "messenger", "direction": "outbound"}
    async with open_bench(database, rules=UNANSWERED) as first:
        first.log.append(0, touchpoint("ask", 0, **wrote))
        first.log.append(0, touchpoint("reply", 5, **said))
        first.log.append(0, touchpoint("more", 10, **wrote))
        await first.apply()
        await read_up_to(first, 60)
        await first.timers.once()
        assert await unanswered(first) == []
    async with open_bench(database, rules=UNANSWERED) as second:
        await read_up_to(second, 76)  # due 10 + 60, and 5 for late records
        assert await second.timers.once() == 1
        assert await unanswered(second) == [("no_next_reply", "detected")]
        second.log.append(1, touchpoint("late", 30, received_at=at(80), **said))
        await second.apply()
        assert await unanswered(second) == [("no_next_reply", "retracted")]
