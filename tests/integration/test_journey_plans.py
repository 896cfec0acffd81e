"""What the worker asks every second or minute is answered by an index, however large the tables have become.

With sequential scans made dear, the planner shows one only where no index can serve; an index that is read without a
condition is no better. A volatile function in a condition makes either.
"""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from services.journey.outbox import outbox_rows
from services.journey.read import contact_reading, timeline
from services.journey.store import frictions, journeys, timer_rows

pytestmark = pytest.mark.local

THEN = datetime(2026, 11, 22, tzinfo=UTC)

ASKED_AT_REST: dict[str, tuple[str, tuple[Any, ...]]] = {
    "journeys that went idle": (journeys._IDLE, (timedelta(days=30), 100)),
    "timers that are due": (timer_rows._DUE, (THEN, THEN, 100)),
    "rules that failed": (frictions._FAILED, (100,)),
    "what waits to be published": (outbox_rows._WAITING, (0.0,)),
    "what to publish": (outbox_rows._CLAIM, (100, 30.0, 1000)),
    "what was published on another line": (outbox_rows._AGAIN, ("line-1", 100)),
    "what was published long ago": (outbox_rows._FORGET, ("line-1", 30, 100)),
}


OF_WAITING_ROWS = {"outbox_waiting", "outbox_unpublished", "rule_failures_pkey"}
"""Indexes that hold only what waits: read as a whole they are short."""


async def plan(database: str, statement: str, arguments: tuple[Any, ...]) -> str:
    connection = await asyncpg.connect(database)
    try:
        await connection.execute("SET enable_seqscan = off")
        rows = await connection.fetch(f"EXPLAIN {statement}", *arguments)
    finally:
        await connection.close()
    return "\n".join(row[0] for row in rows)


def read_as_a_whole(plan: str) -> list[str]:
    """Tables and indexes that the plan reads from end to end."""
    nodes = re.split(r"\n *->", plan)
    scans = [(found["what"], node) for node in nodes if (found := SCAN.search(node))]
    return [what for what, node in scans if "Index Cond" not in node and what not in OF_WAITING_ROWS]


SCAN = re.compile(r"(?:Seq Scan on|Scan using|Bitmap Index Scan on) (?P<what>[a-z_]+)")


@pytest.mark.parametrize("question", ASKED_AT_REST)
async def test_nothing_large_is_read_as_a_whole(database: str, question: str) -> None:
    assert read_as_a_whole(await plan(database, *ASKED_AT_REST[question])) == []


async def test_the_touchpoints_of_a_customers_contacts_are_found_by_an_index(database: str) -> None:
    assert read_as_a_whole(await plan(database, contact_reading._LATEST, ([uuid4()], 10_001))) == []


@pytest.mark.parametrize("order", timeline.TimelineOrder)
@pytest.mark.parametrize("after", [None, THEN])
async def test_a_page_of_a_timeline_is_read_in_the_order_of_an_index(
    database: str, order: timeline.TimelineOrder, after: datetime | None
) -> None:
    place = (after, None, None, None) if after is None else (after, 0, "ivr", "call-1")
    found = await plan(database, timeline._PAGES[order], ([uuid4()], None, None, *place, 51))
    assert read_as_a_whole(found) == []
    assert "Presorted Key: t.occurred_at" in found or "Presorted Key: t_1.occurred_at" in found, found


async def test_a_condition_that_changes_from_row_to_row_is_seen(database: str) -> None:
    volatile = journeys._IDLE.replace("now()", "clock_timestamp()")
    assert read_as_a_whole(await plan(database, volatile, (timedelta(days=30), 100))) == ["journeys_open"]


WAITING_CUSTOMERS = 2_000
CLAIMED = 100
WAIT = """
INSERT INTO journey.outbox (topic, key, customer_id, headers, value, published_at) VALUES ('t', '', $1, '[]', '', $2)"""


async def rows_of_a_claim(database: str, statement: str) -> float:
    """Rows that all steps of a claim handle together when the statistics are from a time when nothing waited."""
    connection = await asyncpg.connect(database)
    try:
        await connection.executemany(WAIT, [(uuid4(), THEN) for _ in range(5_000)])
        await connection.execute("ANALYZE journey.outbox")
        await connection.executemany(WAIT, [(uuid4(), None) for _ in range(WAITING_CUSTOMERS)])
        found = await connection.fetchval(
            f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", CLAIMED, 30.0, WAITING_CUSTOMERS
        )
    finally:
        await connection.close()
    return handled(json.loads(found)[0]["Plan"])


def handled(node: dict[str, Any]) -> float:
    """Rows that a step and those below it gave or threw away."""
    rows = node["Actual Rows"] + node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Join Filter", 0)
    return float(rows * node["Actual Loops"]) + sum(handled(step) for step in node.get("Plans", []))


async def test_a_claim_handles_what_it_looks_at_whatever_the_statistics_say(database: str) -> None:
    assert await rows_of_a_claim(database, outbox_rows._CLAIM) < 10 * WAITING_CUSTOMERS


async def test_a_claim_that_leaves_the_lookups_to_the_planner_is_seen(database: str) -> None:
    left_to_it = outbox_rows._CLAIM.replace("OFFSET 0", "").replace("id > 0", "true")
    connection = await asyncpg.connect(database)
    await connection.execute("DROP INDEX journey.outbox_waiting")
    await connection.execute("CREATE INDEX outbox_waiting ON journey.outbox (id) WHERE published_at IS NULL")
    await connection.close()
    assert await rows_of_a_claim(database, left_to_it) > 10 * WAITING_CUSTOMERS
