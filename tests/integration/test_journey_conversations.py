"""What the upgrade to contacts that are conversations makes of histories that an earlier release judged."""

from datetime import UTC, datetime, timedelta

import pytest

from services.journey.migrations import journey_0005_moments as migration
from tests.fixtures.journey_bench import JourneyBench, open_bench, touchpoint

pytestmark = pytest.mark.local

LINES = ("a", "b", "c")


def add(bench: JourneyBench, id_: str, minutes: float, appended: datetime | None = None) -> None:
    """A line of the customer in a messenger."""
    bench.log.append(0, touchpoint(id_, minutes, kind="message_received", channel="messenger"), appended)


async def judged_before(database: str) -> None:
    """Apply three lines as the release before did."""
    async with open_bench(database) as bench:
        await bench.execute(
            "INSERT INTO journey.moments (name, moment) VALUES ('conversations', '9999-01-01T00:00:00Z')"
        )
    async with open_bench(database) as bench:
        for minute, line in enumerate(LINES):
            add(bench, line, minute)
        await bench.apply()
        await bench.execute("TRUNCATE journey.moments")


async def go_on(database: str) -> list[tuple[str, str, str]]:
    """Apply two more lines after the upgrade; return each friction with its anchor's touchpoint and state."""
    now = datetime.now(UTC)
    async with open_bench(database) as bench:
        for minute, line in enumerate(LINES):
            add(bench, line, minute)
        add(bench, "d", 3, now + timedelta(seconds=1))
        add(bench, "e", 4, now + timedelta(seconds=2))
        await bench.apply()
        rows = await bench.rows(
            "SELECT rule, payload -> 'anchor' ->> 'touchpoint_id' AS anchor, state FROM journey.frictions"
            " WHERE rule = 'repeat_contact_24h' ORDER BY anchor"
        )
        return [tuple(row) for row in rows]


async def test_what_was_found_before_the_upgrade_stands(database: str) -> None:
    await judged_before(database)
    async with open_bench(database) as bench:
        await bench.execute(migration.CONVERSATIONS)
    assert await go_on(database) == [("repeat_contact_24h", line, "detected") for line in ("b", "c", "d")]


async def test_without_the_moment_of_the_upgrade_it_would_be_retracted(database: str) -> None:
    await judged_before(database)
    assert await go_on(database) == [("repeat_contact_24h", line, "retracted") for line in ("b", "c")]


async def test_an_empty_database_has_no_past(database: str) -> None:
    async with open_bench(database) as bench:
        await bench.execute(migration.CONVERSATIONS)
        assert await bench.value("SELECT count(*) FROM journey.moments") == 0
        for minute, line in enumerate(LINES):
            add(bench, line, minute)
        await bench.apply()
        assert await bench.value("SELECT count(*) FROM journey.frictions") == 0
