"""One cause that the same customers meet by several rules is one outbreak; what outlives it comes little by little."""

import asyncio
import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from schemas.documents.friction import FrictionDocument, FrictionDocumentState
from schemas.vocabulary import Channel, Severity
from services.alerts.inbox import actions
from services.alerts.outbreaks.outbreak_list import list_outbreaks
from services.runtime.postgres.pools import acquire
from tests.fixtures.alerts_engine import AlertsEngine, alerts_engine
from tests.fixtures.alerts_service import a_friction, again
from tests.fixtures.clock import SteppingClock

pytestmark = pytest.mark.local

WATCHED: dict[str, Any] = {"WAYMARK_ALERTS_OUTBREAKS": "*=10x4"}
TOLD = """
SELECT n.type FROM alerts.notifications n JOIN alerts.issues i USING (issue_id)
 WHERE (i.customer_id = '') = $1 AND NOT 'long_wait' = ANY(i.rules) ORDER BY n.created_at, n.sequence
"""


def of(customers: list[str], rule: str, at: datetime, **members: Any) -> list[FrictionDocument]:
    """One friction of a rule for each customer, within four minutes that begin at `at`, in journeys of their own."""
    step = timedelta(seconds=240) / len(customers)
    given = {"rule": rule, "reason": None, "severity": Severity.HIGH, "channel": Channel.WEB}
    return [
        a_friction(
            customer_id=customer,
            journey_id=f"j-{customer}",
            occurred_at=at + number * step,
            revised_at=at,
            **given | members,
        )
        for number, customer in enumerate(customers)
    ]


def people(count: int, prefix: str = "c") -> list[str]:
    return [f"{prefix}-{number}" for number in range(count)]


async def begun(engine: AlertsEngine, clock: SteppingClock) -> None:
    """Let the service have seen something for longer than its warm-up."""
    await engine.endpoint("http://127.0.0.1:1/")
    await engine.take(a_friction(rule="long_wait", severity=Severity.LOW, occurred_at=clock.now() - timedelta(hours=2)))


async def outbreaks(engine: AlertsEngine) -> list[dict[str, Any]]:
    texts = await engine.column("SELECT document::text FROM alerts.issues WHERE customer_id = '' ORDER BY opened_at")
    return [json.loads(text) for text in texts]


async def test_an_outage_that_customers_meet_twice_is_one_outbreak_and_counts_each_once(
    database: str, clock: SteppingClock
) -> None:
    met = people(131)
    async with alerts_engine(database, clock, dispatching=False, **WATCHED) as engine:
        await begun(engine, clock)
        declines = of(met, "payment_declines", clock.now())
        abandoned = of(met[:97], "checkout_abandoned", clock.now() + timedelta(minutes=1))
        both = sorted([*declines, *abandoned], key=lambda one: one.occurred_at)
        for begin in range(0, len(both), 20):
            await engine.take(*both[begin : begin + 20])
        await engine.service.outbreaks.look()

        [outbreak] = await outbreaks(engine)
        facts = outbreak["outbreak"]
        assert (outbreak["count"], facts["customers"]) == (228, 131)
        assert facts["rules"] == {"payment_declines": 131, "checkout_abandoned": 97}
        assert sorted(outbreak["rules"]) == ["checkout_abandoned", "payment_declines"]
        assert await engine.column(TOLD, True) == ["issue.opened"]
        assert await engine.value("SELECT count(*) FROM alerts.issues WHERE customer_id <> '' AND held_by IS NULL") == 1
        assert facts["held"] == await engine.value(
            "SELECT count(*) FROM alerts.issues WHERE held_by IS NOT NULL AND state <> 'resolved'"
        )


async def test_two_replicas_that_see_one_rule_each_make_one_outbreak(database: str, clock: SteppingClock) -> None:
    met = people(60)
    async with (
        alerts_engine(database, clock, dispatching=False, **WATCHED) as one,
        alerts_engine(database, clock, dispatching=False, line="other", **WATCHED) as two,
    ):
        await begun(one, clock)
        await one.take(*of(met[:30], "payment_declines", clock.now()))
        await asyncio.gather(
            one.take(*of(met[30:], "payment_declines", clock.now())),
            two.take(*of(met, "checkout_abandoned", clock.now())),
        )
        await asyncio.gather(one.service.outbreaks.look(), two.service.outbreaks.look())
        await one.service.outbreaks.look()

        [outbreak] = await outbreaks(one)
        assert outbreak["outbreak"]["rules"] == {"checkout_abandoned": 60, "payment_declines": 60}
        assert outbreak["outbreak"]["customers"] == 60


async def test_other_customers_or_another_place_is_an_outbreak_of_its_own(database: str, clock: SteppingClock) -> None:
    async with alerts_engine(database, clock, dispatching=False, **WATCHED) as engine:
        await begun(engine, clock)
        met, others = people(40), people(40, "d")
        await engine.take(*of(met, "payment_declines", clock.now()))
        await engine.take(*of(others[:30] + met[:20], "delivery_late", clock.now(), reason="delivery"))
        found = [sorted(outbreak["rules"]) for outbreak in await outbreaks(engine)]
        await engine.take(*of(met, "long_hold", clock.now(), reason="billing"))
        await engine.service.outbreaks.look()
        assert found == [["payment_declines"], ["delivery_late"]]
        assert [sorted(outbreak["rules"]) for outbreak in await outbreaks(engine)] == [
            ["long_hold", "payment_declines"],
            ["delivery_late"],
        ]


async def test_it_goes_on_while_one_of_its_rules_does_and_its_consequence_is_the_same_one_again(
    database: str, clock: SteppingClock
) -> None:
    met = people(40)
    async with alerts_engine(database, clock, dispatching=False, **WATCHED) as engine:
        await begun(engine, clock)
        await engine.take(*of(met, "payment_declines", clock.now()))
        for begin in (0, 12, 24):
            await engine.take(*of(met[begin : begin + 12], "checkout_abandoned", clock.now()))
            clock.advance(seconds=7 * 60)
            assert await engine.service.outbreaks.look() == 1
        clock.advance(seconds=20 * 60)
        assert await engine.service.outbreaks.look() == 0
        await engine.take(*of(met[:20], "called_about_order", clock.now()))
        assert await engine.service.outbreaks.look() == 1
        async with acquire(engine.pool) as connection:
            [listed] = await list_outbreaks(connection, running=None, limit=10)
            assert await list_outbreaks(connection, running=False, limit=10) == []

        assert (listed.episodes, listed.over_at) == (2, None)
        assert sorted(listed.issue.rules) == ["called_about_order", "checkout_abandoned", "payment_declines"]
        assert await engine.column(TOLD, True) == ["issue.opened", "issue.resolved", "issue.reopened"]


async def test_what_is_taken_back_in_the_same_batch_does_not_count(database: str, clock: SteppingClock) -> None:
    async with alerts_engine(database, clock, dispatching=False, **WATCHED) as engine:
        await begun(engine, clock)
        early = of(people(9), "payment_declines", clock.now())
        await engine.take(*early)
        back = again(early[0], state=FrictionDocumentState.RETRACTED)
        await engine.take(back, *of(people(20, "d"), "payment_declines", clock.now()))
        await engine.service.outbreaks.look()
        [outbreak] = await outbreaks(engine)
        assert outbreak["count"] == 28


async def test_what_outlives_it_comes_little_by_little_the_most_urgent_first_over_a_restart(
    database: str, clock: SteppingClock
) -> None:
    async with alerts_engine(database, clock, dispatching=False, **WATCHED) as engine:
        await begun(engine, clock)
        calm, urgent = people(18), people(7, "d")
        await engine.take(*of(calm, "payment_declines", clock.now(), severity=Severity.LOW))
        await engine.take(*of(urgent, "payment_declines", clock.now(), severity=Severity.CRITICAL))
        clock.advance(seconds=16 * 60)
        assert await engine.service.outbreaks.look() == 0
        handed: list[list[str]] = [await told_customers(engine)]
        async with alerts_engine(database, clock, dispatching=False, partition=1, **WATCHED) as other:
            for replica in (engine, other, engine, other):
                await replica.service.outbreaks.look()
            handed.append(await told_customers(engine))
            for _ in range(3):
                clock.advance(seconds=60)
                await asyncio.gather(engine.service.outbreaks.look(), other.service.outbreaks.look())
                handed.append(await told_customers(engine))
        [outbreak] = await outbreaks(engine)

    assert [len(customers) for customers in handed] == [10, 10, 20, 25, 25]
    assert {customer for customer in handed[0] if customer.startswith("d")} == set(urgent)
    assert len(set(handed[-1])) == 25, "each is told once"
    assert outbreak["outbreak"]["held"] == 25
    assert "25 issues of its customers are still open" in outbreak["why"]["en"]


async def told_customers(engine: AlertsEngine) -> list[str]:
    return await engine.column(
        "SELECT i.customer_id FROM alerts.notifications n JOIN alerts.issues i USING (issue_id)"
        " WHERE n.type = 'issue.opened' AND i.customer_id <> '' AND NOT 'long_wait' = ANY(i.rules)"
    )


async def test_what_closes_while_it_waits_its_turn_is_told_to_nobody(database: str, clock: SteppingClock) -> None:
    async with alerts_engine(database, clock, dispatching=False, **WATCHED) as engine:
        await begun(engine, clock)
        await engine.take(*of(people(14), "payment_declines", clock.now()))
        clock.advance(seconds=16 * 60)
        await engine.service.outbreaks.look()
        left = await engine.column("SELECT issue_id FROM alerts.issues WHERE held_by IS NOT NULL")
        for issue_id in left:
            await engine.service.executor.execute(
                issue_id, lambda issue, _: actions.resolve(issue, actor="kim", now=clock.now(), resolution="ordered")
            )
        clock.advance(seconds=60)
        await engine.service.outbreaks.look()
        assert (len(left), len(await told_customers(engine))) == (4, 10)
