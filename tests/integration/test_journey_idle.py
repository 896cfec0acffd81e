"""Journeys that went idle are closed without a word from anybody; one that goes on is left alone, and is cheap."""

from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from services.journey.store import journeys
from services.runtime.postgres.pools import acquire
from tests.fixtures.journey_bench import JourneyBench, at, open_bench, touchpoint
from tests.waiting import until

pytestmark = pytest.mark.local

DAY = 24 * 60
LONG = timedelta(days=365)
IDLE = timedelta(days=30)


async def told_before_it_is_idle(bench: JourneyBench, *days_ago: int) -> None:
    """Calls of one customer on these days, about one thing, applied at a time when so long a silence was nothing."""
    for days in days_ago:
        bench.log.append(0, touchpoint(f"call-{days}", -days * DAY, refs={"order_id": "A-1"}))
    await bench.apply()


async def the_journey(bench: JourneyBench) -> Any:
    (row,) = await bench.rows("SELECT state, version, last_at, quiet_since FROM journey.journeys")
    return row


async def test_a_journey_in_which_nothing_happens_for_a_month_is_closed(database: str) -> None:
    async with open_bench(database, idle_after=LONG) as bench:
        await told_before_it_is_idle(bench, 31)
        assert (await the_journey(bench))["state"] == "open"
    async with open_bench(database, idle_after=IDLE) as bench:
        await bench.timers.keep_up()
        assert (await the_journey(bench))["state"] == "closed"


async def test_a_journey_that_went_on_is_put_off_and_not_told_again(database: str) -> None:
    async with open_bench(database, idle_after=LONG) as bench:
        await told_before_it_is_idle(bench, 40)
        await told_before_it_is_idle(bench, 20)
        before = await the_journey(bench)
        assert before["quiet_since"] < before["last_at"]
    async with open_bench(database, idle_after=IDLE) as bench:
        await bench.timers.keep_up()
        after = await the_journey(bench)
        assert (after["state"], after["version"]) == ("open", before["version"])
        assert after["quiet_since"] == after["last_at"] == at(-20 * DAY)


async def test_more_journeys_than_one_look_takes_do_not_hide_one_that_is_idle(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.journey.timers.timer_loop.AT_ONCE", 2)
    async with open_bench(database, idle_after=LONG) as bench:
        for number in range(5):
            who = {"customer_id": f"C-{number}"}
            bench.log.append(
                0, touchpoint(f"first-{number}", (number - 60) * DAY, customer=who, refs={"order_id": "A"})
            )
            bench.log.append(0, touchpoint(f"then-{number}", (number - 20) * DAY, customer=who, refs={"order_id": "A"}))
        bench.log.append(0, touchpoint("idle", -31 * DAY, customer={"customer_id": "C-idle"}))
        await bench.apply(batch=1)
    async with open_bench(database, idle_after=IDLE) as bench:
        await bench.timers.keep_up()
        assert await bench.value("SELECT count(*) FROM journey.journeys WHERE state = 'closed'") == 1


async def test_a_journey_that_somebody_is_writing_is_put_off_at_the_next_look(database: str) -> None:
    async with open_bench(database, idle_after=LONG) as bench:
        await told_before_it_is_idle(bench, 40)
        await told_before_it_is_idle(bench, 20)
        async with acquire(bench.pool) as writer, writer.transaction():
            await writer.execute("SELECT FROM journey.journeys FOR UPDATE")
            async with acquire(bench.pool) as connection:
                assert await journeys.put_off(connection, IDLE, 10) == 0
        async with acquire(bench.pool) as connection:
            assert await journeys.put_off(connection, IDLE, 10) == 1


async def updates_of_a_journey_that_goes_on(database: str) -> tuple[int, int]:
    """How often the row of a journey was replaced by two more touchpoints, and how often without moving an index."""
    async with open_bench(database) as bench:
        for minute in range(3):
            bench.log.append(0, touchpoint(f"call-{minute}", minute, refs={"order_id": "A-1"}))
            await bench.apply()
    connection = await asyncpg.connect(database)
    try:
        row = await until(lambda: connection.fetchrow(REPORTED))
    finally:
        await connection.close()
    assert row is not None
    return row["n_tup_upd"], row["n_tup_hot_upd"]


REPORTED = """
SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables
 WHERE relid = 'journey.journeys'::regclass AND n_tup_upd >= 2"""
"""Sessions report what they did when they end at the latest."""


async def test_a_touchpoint_of_an_open_journey_moves_no_index(database: str) -> None:
    assert await updates_of_a_journey_that_goes_on(database) == (2, 2)


async def test_an_index_that_each_touchpoint_moves_is_seen(database: str) -> None:
    connection = await asyncpg.connect(database)
    await connection.execute("CREATE INDEX by_last ON journey.journeys (last_at)")
    await connection.close()
    assert await updates_of_a_journey_that_goes_on(database) == (2, 0)
