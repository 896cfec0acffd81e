"""An outage is one issue: counted exactly, told once, over by itself, whoever dies or reads twice meanwhile."""

import asyncio
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from schemas.documents import friction as friction_v1
from schemas.documents.friction import FrictionDocument, FrictionDocumentState
from schemas.vocabulary import Channel, Severity
from services.alerts.inbox import actions
from services.alerts.outbreaks.outbreak_watch import OutbreakWatch
from tests.fixtures.alerts_engine import AlertsEngine, alerts_engine
from tests.fixtures.alerts_service import a_friction, again
from tests.fixtures.clock import SteppingClock

pytestmark = pytest.mark.local

WATCHED: dict[str, Any] = {"WAYMARK_ALERTS_OUTBREAKS": "*=10x4"}
OUTBREAKS = "SELECT document::text FROM alerts.issues WHERE customer_id = '' ORDER BY opened_at"
HELD = "SELECT count(*) FROM alerts.issues WHERE held_by IS NOT NULL"
TOLD = """
SELECT n.type || CASE WHEN i.customer_id = '' THEN ' outbreak' ELSE '' END
  FROM alerts.notifications n JOIN alerts.issues i USING (issue_id)
 WHERE NOT 'long_wait' = ANY(i.rules) ORDER BY n.created_at, i.customer_id, n.sequence
"""


def declined(at: datetime, **members: Any) -> FrictionDocument:
    """A declined payment of a customer of its own."""
    given = {"rule": "payment_declines", "reason": None, "severity": Severity.HIGH, "channel": Channel.WEB}
    return a_friction(occurred_at=at, detected_at=at, revised_at=at, **given | members)


def surge(at: datetime, count: int, **members: Any) -> list[FrictionDocument]:
    """So many of them within four minutes that begin at `at`."""
    return [declined(at + timedelta(seconds=number * 240 / count), **members) for number in range(count)]


async def begun(engine: AlertsEngine, clock: SteppingClock) -> None:
    """Let the service have seen something for longer than its warm-up."""
    await engine.endpoint("http://127.0.0.1:1/")
    await engine.take(a_friction(rule="long_wait", severity=Severity.LOW, occurred_at=clock.now() - timedelta(hours=2)))


def watch_of(engine: AlertsEngine) -> OutbreakWatch:
    return engine.service.outbreaks


async def outbreaks(engine: AlertsEngine) -> list[dict[str, Any]]:
    return [json.loads(text) for text in await engine.column(OUTBREAKS)]


async def told(engine: AlertsEngine) -> list[str]:
    """What was told, without the first issue that only began it."""
    return await engine.column(TOLD)


async def in_batches(engine: AlertsEngine, frictions: Sequence[FrictionDocument], size: int = 25) -> None:
    for begin in range(0, len(frictions), size):
        await engine.take(*frictions[begin : begin + size])


async def test_an_outage_is_one_issue_with_exact_counts_and_is_told_once(database: str, clock: SteppingClock) -> None:
    async with alerts_engine(database, clock, dispatching=False, **WATCHED) as engine:
        await begun(engine, clock)
        await in_batches(engine, surge(clock.now(), 218))
        await watch_of(engine).look()

        [outbreak] = await outbreaks(engine)
        assert (outbreak["count"], outbreak["outbreak"]["customers"]) == (218, 218)
        assert outbreak["outbreak"]["segments"] == {"channel": {"web": 218}}
        assert outbreak["title"]["en"].endswith("218 customers")
        assert await told(engine) == ["issue.opened outbreak"]
        assert await engine.value(HELD) == 218


async def test_what_came_before_it_was_an_outbreak_is_folded_into_it(database: str, clock: SteppingClock) -> None:
    async with alerts_engine(database, clock, dispatching=False, **WATCHED) as engine:
        await begun(engine, clock)
        await in_batches(engine, surge(clock.now(), 60), size=1)
        assert (await told(engine)).count("issue.opened") == 9
        await watch_of(engine).look()

        [outbreak] = await outbreaks(engine)
        assert outbreak["count"] == 60
        assert await engine.value(HELD) == 60


async def test_a_critical_one_outside_it_comes_at_once(database: str, clock: SteppingClock) -> None:
    async with alerts_engine(database, clock, dispatching=False, **WATCHED) as engine:
        await begun(engine, clock)
        outside = a_friction(rule="callback_missed", severity=Severity.CRITICAL, occurred_at=clock.now())
        await engine.take(*surge(clock.now(), 100), outside)
        assert sorted(await told(engine)) == ["issue.opened", "issue.opened outbreak"]


async def test_it_is_over_when_it_is_quiet_and_what_outlives_it_is_handed_out(
    database: str, clock: SteppingClock
) -> None:
    async with alerts_engine(database, clock, dispatching=False, **WATCHED) as engine:
        await begun(engine, clock)
        frictions = surge(clock.now(), 40)
        await engine.take(*frictions)
        await engine.take(*(again(f, state=FrictionDocumentState.RETRACTED) for f in frictions[:37]))
        clock.advance(seconds=14 * 60)
        assert await watch_of(engine).look() == 1

        clock.advance(seconds=2 * 60)
        assert await watch_of(engine).look() == 0
        [outbreak] = await outbreaks(engine)
        assert (outbreak["state"], outbreak["resolution"], outbreak["count"]) == ("resolved", "over", 3)
        assert outbreak["outbreak"]["over_at"] is not None
        assert (await told(engine)).count("issue.opened") == 3
        assert (await told(engine)).count("issue.resolved outbreak") == 1
        assert (
            await engine.value("SELECT count(*) FROM alerts.issues WHERE held_by IS NOT NULL AND state = 'open'") == 0
        )


async def test_while_it_goes_on_it_is_not_over(database: str, clock: SteppingClock) -> None:
    async with alerts_engine(database, clock, dispatching=False, **WATCHED) as engine:
        await begun(engine, clock)
        for _ in range(8):
            await engine.take(*surge(clock.now(), 12))
            clock.advance(seconds=300)
            assert await watch_of(engine).look() == 1
        assert [o["count"] for o in await outbreaks(engine)] == [96]


async def test_one_that_flaps_is_the_same_one_again(database: str, clock: SteppingClock) -> None:
    async with alerts_engine(database, clock, dispatching=False, **WATCHED) as engine:
        await begun(engine, clock)
        for _ in range(3):
            await engine.take(*surge(clock.now(), 20))
            clock.advance(seconds=20 * 60)
            await watch_of(engine).look()
        [outbreak] = await outbreaks(engine)
        assert outbreak["count"] == 60
        assert await engine.value("SELECT count(*) FROM alerts.outbreaks") == 3


async def test_two_at_once_are_two(database: str, clock: SteppingClock) -> None:
    async with alerts_engine(database, clock, dispatching=False, **WATCHED) as engine:
        await begun(engine, clock)
        errors = surge(clock.now(), 30, rule="delivery_late", channel=Channel.FIELD)
        await engine.take(*surge(clock.now(), 30), *errors)
        assert sorted(o["rules"][0] for o in await outbreaks(engine)) == ["delivery_late", "payment_declines"]
        assert await engine.value("SELECT count(DISTINCT held_by) FROM alerts.issues WHERE held_by IS NOT NULL") == 2


async def test_one_product_is_seen_among_the_usual_of_all(database: str, clock: SteppingClock) -> None:
    async with alerts_engine(database, clock, dispatching=False, **WATCHED) as engine:
        await begun(engine, clock)
        for day in range(5, 0, -1):
            key = "payment_declines\x1f\x1f\x1f"
            hour = clock.now().replace(minute=0, second=0, microsecond=0) - timedelta(days=day)
            await engine.value(
                "INSERT INTO alerts.friction_counts SELECT $1, $2::timestamptz + n * interval '1 minute', 20"
                " FROM generate_series(0, 59) AS n",
                *(key, hour),
            )
        await engine.take(*surge(clock.now(), 80), *surge(clock.now(), 15, product="fibre 500", channel=Channel.APP))
        shown = [(o["outbreak"]["segment"], o["outbreak"]["value"]) for o in await outbreaks(engine)]
        assert ("product", "fibre 500") in shown or ("channel", "app") in shown
        assert (None, None) not in shown


async def test_what_is_usual_at_this_hour_is_no_outbreak_and_the_same_at_night_is(
    database: str, clock: SteppingClock
) -> None:
    async with alerts_engine(database, clock, dispatching=False, WAYMARK_ALERTS_OUTBREAKS="*=10x2") as engine:
        await begun(engine, clock)
        hour = clock.now().replace(minute=0, second=0, microsecond=0)
        for day in range(3, 0, -1):
            for key in ("payment_declines\x1f\x1f\x1f", "payment_declines\x1f\x1fchannel\x1fweb"):
                await engine.value(
                    "INSERT INTO alerts.friction_counts SELECT $1, $2::timestamptz + n * interval '1 minute', 10"
                    " FROM generate_series(0, 59) AS n",
                    *(key, hour - timedelta(days=day)),
                )
        await engine.take(*surge(clock.now(), 60))
        assert await outbreaks(engine) == []

        clock.advance(seconds=6 * 3600)
        await engine.take(*surge(clock.now(), 60))
        assert len(await outbreaks(engine)) == 1


async def test_on_a_first_day_nothing_is_unusual_before_it_has_warmed_up(database: str, clock: SteppingClock) -> None:
    async with alerts_engine(database, clock, dispatching=False, **WATCHED) as engine:
        await engine.endpoint("http://127.0.0.1:1/")
        await engine.take(*surge(clock.now(), 50))
        assert await outbreaks(engine) == []


async def test_quiet_frictions_of_an_import_make_no_outbreak(database: str, clock: SteppingClock) -> None:
    async with alerts_engine(database, clock, dispatching=False, **WATCHED) as engine:
        await begun(engine, clock)
        await engine.take(*surge(clock.now(), 100, quiet=True))
        assert await outbreaks(engine) == []


async def test_a_surge_that_is_read_hours_later_is_seen_by_when_it_happened(
    database: str, clock: SteppingClock
) -> None:
    async with alerts_engine(database, clock, dispatching=False, **WATCHED) as engine:
        await begun(engine, clock)
        spread = [declined(clock.now() - timedelta(minutes=number)) for number in range(60)]
        await engine.take(*spread)
        assert await outbreaks(engine) == []

        await engine.take(*surge(clock.now() - timedelta(minutes=90), 40))
        assert len(await outbreaks(engine)) == 1


async def test_two_replicas_open_it_once_and_count_everything(database: str, clock: SteppingClock) -> None:
    async with (
        alerts_engine(database, clock, dispatching=False, **WATCHED) as one,
        alerts_engine(database, clock, dispatching=False, line="other", **WATCHED) as two,
    ):
        await begun(one, clock)
        frictions = surge(clock.now(), 200)

        async def take(engine: AlertsEngine, part: Sequence[FrictionDocument]) -> None:
            await in_batches(engine, part, size=10)

        await asyncio.gather(take(one, frictions[::2]), take(two, frictions[1::2]))
        await asyncio.gather(watch_of(one).look(), watch_of(two).look())
        await watch_of(one).look()

        [outbreak] = await outbreaks(one)
        assert outbreak["count"] == 200
        assert (await told(one)).count("issue.opened outbreak") == 1


async def test_reading_it_all_again_changes_nothing(database: str, clock: SteppingClock) -> None:
    values = [friction_v1.encode(friction) for friction in surge(clock.now(), 50)]
    counts = "SELECT sum(n) FROM alerts.friction_counts"
    async with alerts_engine(database, clock, dispatching=False, **WATCHED) as engine:
        await begun(engine, clock)
        await engine.take_raw(values)
        before = (await outbreaks(engine), await engine.value(counts))
        async with alerts_engine(
            database, clock, dispatching=False, line="another life of the log", **WATCHED
        ) as reader:
            await reader.take_raw(values)
        assert (await outbreaks(engine), await engine.value(counts)) == before


async def test_who_resolves_an_outbreak_hands_out_what_it_held(database: str, clock: SteppingClock) -> None:
    async with alerts_engine(database, clock, dispatching=False, **WATCHED) as engine:
        await begun(engine, clock)
        await engine.take(*surge(clock.now(), 12))
        outbreak = await engine.value("SELECT outbreak_id FROM alerts.outbreaks")
        await engine.service.executor.execute(
            outbreak, lambda issue, _: actions.resolve(issue, actor="kim", now=clock.now(), resolution="fixed")
        )
        await watch_of(engine).look()
        assert (await told(engine)).count("issue.opened") == 10
        clock.advance(seconds=60)
        await watch_of(engine).look()
        assert (await told(engine)).count("issue.opened") == 12
        assert await engine.value("SELECT count(*) FROM alerts.issues WHERE held_by IS NOT NULL") == 0
