"""Critical frictions that overtake others: told before them, once, whatever happens in between."""

import pytest

from schemas.documents import friction as friction_v1
from schemas.documents.friction import FrictionDocument
from schemas.vocabulary import Severity
from services.alerts.consume.records import ConsumedRecord
from services.runtime.log.batch import gather
from tests.fixtures.alerts_engine import AlertsEngine, alerts_engine
from tests.fixtures.alerts_service import a_friction, again
from tests.fixtures.clock import SteppingClock

pytestmark = pytest.mark.local

OFFSET = "SELECT next_offset FROM alerts.progress WHERE topic = 'frictions'"
ISSUES = "SELECT document::text FROM alerts.issues ORDER BY issue_id"
TOLD = "SELECT count(*) FROM alerts.deliveries"


async def overtake(engine: AlertsEngine, offset: int, *values: bytes) -> None:
    """Apply values before their turn, as if they came at this offset."""
    records = [
        ConsumedRecord(partition=engine.claim.partition, offset=offset + n, timestamp=0, key=b"key", value=value)
        for n, value in enumerate(values)
    ]
    await engine.service.intake.overtake(engine.line, gather(records, {engine.claim.partition: engine.claim}))


def many() -> list[FrictionDocument]:
    return [*(a_friction() for _ in range(5)), a_friction(severity=Severity.CRITICAL)]


async def test_what_overtakes_is_told_before_the_others_and_once(database: str, clock: SteppingClock) -> None:
    async with alerts_engine(database, clock, dispatching=False) as engine:
        await engine.endpoint("http://127.0.0.1:1/")
        frictions = many()
        await overtake(engine, 5, friction_v1.encode(frictions[5]))
        early = await engine.value(TOLD), await engine.value(OFFSET)
        before = await engine.column(ISSUES)
        await engine.take(*frictions)

        assert early == (1, 0)
        assert (await engine.value(TOLD), await engine.value(OFFSET)) == (6, 6)
        assert set(before) < set(await engine.column(ISSUES))


async def test_an_outbreak_counts_what_overtook_once(database: str, clock: SteppingClock) -> None:
    async with alerts_engine(database, clock, dispatching=False, WAYMARK_ALERTS_OUTBREAKS="*=10x4") as engine:
        frictions = many()
        await overtake(engine, 5, friction_v1.encode(frictions[5]))
        await engine.take(*frictions)

        assert await engine.value("SELECT max(n) FROM alerts.friction_counts") == 6


async def test_a_revision_that_comes_in_its_turn_does_not_take_back_a_newer_one(
    database: str, clock: SteppingClock
) -> None:
    async with alerts_engine(database, clock, dispatching=False) as engine:
        await engine.endpoint("http://127.0.0.1:1/")
        first = a_friction()
        worse = again(first, severity=Severity.CRITICAL)
        values = [friction_v1.encode(first), friction_v1.encode(worse)]
        await overtake(engine, 0, *values)
        before = await engine.column(ISSUES)
        await engine.take_raw(values)

        assert await engine.column(ISSUES) == before
        assert await engine.value("SELECT severity FROM alerts.issues") == "critical"


async def test_whoever_lost_the_partition_overtakes_nothing(database: str, clock: SteppingClock) -> None:
    async with alerts_engine(database, clock, dispatching=False) as engine:
        async with alerts_engine(database, clock, dispatching=False):  # claims the same partition
            await overtake(engine, 5, friction_v1.encode(a_friction(severity=Severity.CRITICAL)))

        assert await engine.column(ISSUES) == []


async def test_what_cannot_be_read_is_left_to_its_turn(database: str, clock: SteppingClock) -> None:
    async with alerts_engine(database, clock, dispatching=False) as engine:
        critical = friction_v1.encode(a_friction(severity=Severity.CRITICAL))
        await overtake(engine, 0, b"{", critical)
        early = await engine.value("SELECT count(*) FROM alerts.dead_letters")
        await engine.take_raw([b"{", critical])

        assert (early, await engine.value("SELECT count(*) FROM alerts.dead_letters")) == (0, 1)
        assert len(await engine.column(ISSUES)) == 1
