"""Intake over a real database: exactly once whatever is read twice, by whomever, in whatever order."""

import asyncio
import json
from base64 import b64encode
from datetime import timedelta
from random import Random
from uuid import uuid4

import asyncpg
import msgspec
import pytest

from schemas.documents import friction as friction_v1
from schemas.documents.friction import FrictionDocumentState
from schemas.vocabulary import Severity
from services.runtime.log.batch import HoleInProgressError
from services.runtime.log.dead_letters import DeadLetterLimitError
from tests.fixtures.alerts_engine import alerts_engine
from tests.fixtures.alerts_service import a_friction, a_receiver, again
from tests.fixtures.clock import SteppingClock
from tests.waiting import until

pytestmark = pytest.mark.local

ISSUES = "SELECT count(*) FROM alerts.issues"
SENT = "SELECT type FROM alerts.notifications ORDER BY issue_id, sequence"


@pytest.mark.parametrize("line", ["test", "another life of the log"])
async def test_reading_the_log_again_changes_nothing(database: str, clock: SteppingClock, line: str) -> None:
    async with alerts_engine(database, clock, dispatching=False) as engine:
        await engine.endpoint("http://127.0.0.1:1/")
        frictions = [a_friction() for _ in range(5)]
        values = [friction_v1.encode(f) for f in [*frictions, again(frictions[0], severity=Severity.HIGH)]]
        await engine.take_raw(values)
        before = await engine.column("SELECT document::text FROM alerts.issues ORDER BY issue_id")

        async with alerts_engine(database, clock, dispatching=False, line=line) as reader:
            reader.claim.applied = 0
            await reader.take_raw(values)

        assert await engine.column("SELECT document::text FROM alerts.issues ORDER BY issue_id") == before
        assert await engine.value("SELECT count(*) FROM alerts.deliveries") == 5


async def test_one_notification_for_many_frictions_of_one_journey(database: str, clock: SteppingClock) -> None:
    customer, journey = str(uuid4()), str(uuid4())
    async with alerts_engine(database, clock, dispatching=False) as engine:
        await engine.endpoint("http://127.0.0.1:1/")
        for _ in range(4):
            await engine.take(a_friction(customer_id=customer, journey_id=journey))

        assert await engine.column(SENT) == ["issue.opened"]
        assert await engine.value("SELECT count FROM alerts.issues") == 4


async def test_a_retraction_withdraws_what_was_told(database: str, clock: SteppingClock) -> None:
    async with alerts_engine(database, clock, dispatching=False) as engine:
        await engine.endpoint("http://127.0.0.1:1/")
        friction = a_friction()
        await engine.take(friction)
        await engine.take(again(friction, state=FrictionDocumentState.RETRACTED))
        body = await engine.value("SELECT body FROM alerts.notifications WHERE sequence = 2")

    document = json.loads(body)
    assert (document["type"], document["reason"]) == ("issue.resolved", "withdrawn")
    assert (document["data"]["state"], document["data"]["resolution"]) == ("resolved", "retracted")


async def test_what_nobody_was_told_is_not_withdrawn(database: str, clock: SteppingClock) -> None:
    async with alerts_engine(database, clock, dispatching=False) as engine:
        await engine.endpoint("http://127.0.0.1:1/")
        friction = a_friction(quiet=True)
        await engine.take(friction)
        await engine.take(again(friction, state=FrictionDocumentState.RETRACTED))

        assert await engine.column(SENT) == []
        assert await engine.value("SELECT state FROM alerts.issues") == "resolved"


async def test_a_merge_moves_frictions_and_tells_where_the_issue_went(database: str, clock: SteppingClock) -> None:
    survivor, absorbed = a_friction(), a_friction()
    async with alerts_engine(database, clock, dispatching=False) as engine:
        await engine.endpoint("http://127.0.0.1:1/")
        await engine.take(survivor)
        await engine.take(absorbed)
        await engine.take(
            again(
                absorbed,
                customer_id=survivor.customer_id,
                journey_id=survivor.journey_id,
                previous_customer_id=absorbed.customer_id,
            )
        )
        bodies = [
            json.loads(b) for b in await engine.column("SELECT body FROM alerts.notifications ORDER BY created_at")
        ]
        on_one = await engine.value(
            "SELECT count(DISTINCT issue_id) = 1 AND count(*) = 2 FROM alerts.frictions WHERE state = 'detected'"
        )

    assert on_one
    [merged] = [body for body in bodies if body["type"] == "issue.merged"]
    opened = next(body for body in bodies if body["data"]["customer_id"] == survivor.customer_id)
    assert merged["data"]["merged_into"] == opened["data"]["id"]


async def test_a_group_that_moves_as_a_whole_wakes_nobody(database: str, clock: SteppingClock) -> None:
    first, customer, journey = a_friction(), str(uuid4()), str(uuid4())
    async with alerts_engine(database, clock, dispatching=False) as engine:
        await engine.endpoint("http://127.0.0.1:1/")
        await engine.take(first)
        await engine.take(again(first, customer_id=customer, journey_id=journey))

        assert await engine.value(ISSUES) == 1
        assert await engine.value("SELECT customer_id FROM alerts.issues") == customer
        assert await engine.column(SENT) == ["issue.opened"]


WHOLE = friction_v1.encode(a_friction())
POISON = {
    "no JSON": b"{",
    "not an object": b"[]",
    "an older schema": b'{"id": "x", "state": "detected"}',
    "NaN": WHOLE.replace(b'"revision":1', b'"revision":NaN'),
    "a lone surrogate": WHOLE.replace(b"billing", b"\\ud800"),
    "not UTF-8": WHOLE.replace(b"billing", b"\xff\xfe"),
    "U+0000": WHOLE.replace(b"billing", b"\\u0000"),
    "two megabytes": WHOLE.replace(b"Called twice", b"x" * 2_000_000),
    "revision nought": WHOLE.replace(b'"revision":1', b'"revision":0'),
    "an id that is none": friction_v1.encode(a_friction(id="friction-1")),
    "a year that PostgreSQL has and Python has not": WHOLE.replace(b'"occurred_at":"2', b'"occurred_at":"92'),
    "an impossible revision": WHOLE.replace(b'"revision":1', b'"revision":9223372036854775808'),
    "a tombstone": None,
    "a customer too long for an index": friction_v1.encode(
        a_friction(customer_id=b64encode(Random(1).randbytes(3_000)).decode())
    ),
    "a time that is not in any UTC year": WHOLE.replace(
        b'"occurred_at":"' + msgspec.json.decode(WHOLE)["occurred_at"].encode(),
        b'"occurred_at":"9999-12-31T23:59:59-14:00',
    ),
    "a time before the first UTC year": WHOLE.replace(
        b'"occurred_at":"' + msgspec.json.decode(WHOLE)["occurred_at"].encode(),
        b'"occurred_at":"0001-01-01T00:00:00+14:00',
    ),
    "JSON that is deep": WHOLE[:-1] + b',"more":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "a huge number": WHOLE.replace(b'"revision":1', b'"revision":1' + b"0" * 400),
    "a number that is infinite": WHOLE.replace(b'"revision":1', b'"revision":1e999'),
}


@pytest.mark.parametrize("name", POISON)
async def test_poison_is_set_aside_and_the_partition_goes_on(database: str, clock: SteppingClock, name: str) -> None:
    before, behind = a_friction(), a_friction()
    async with alerts_engine(database, clock, dispatching=False) as engine:
        await engine.take_raw([friction_v1.encode(before), POISON[name], friction_v1.encode(behind)])
        letters = await engine.column('SELECT ("offset", value) FROM alerts.dead_letters')

        assert engine.claim.applied == 3
        assert [tuple(letter) for letter in letters] == [(1, POISON[name])]
        assert await engine.value(ISSUES) == 2


async def test_a_partition_that_was_claimed_by_another_is_left_to_it(database: str, clock: SteppingClock) -> None:
    async with (
        alerts_engine(database, clock, dispatching=False) as old,
        alerts_engine(database, clock, dispatching=False) as new,
    ):
        mine, theirs = a_friction(), a_friction()
        await new.take(theirs)

        await old.take(mine)

        assert old.lost == [0]
        assert await old.value(ISSUES) == 1


@pytest.mark.logs_error("batch failed")
async def test_a_hole_under_our_own_claim_stops_us(database: str, clock: SteppingClock) -> None:
    async with alerts_engine(database, clock, dispatching=False) as engine:
        await engine.take(a_friction(), a_friction())
        await engine.value("UPDATE alerts.progress SET next_offset = 1")

        with pytest.raises(HoleInProgressError):
            await engine.take(a_friction())

        assert await engine.value(ISSUES) == 2


@pytest.mark.logs_error("batch failed")
async def test_too_many_refusals_in_a_row_stop_us_before_they_are_written(database: str, clock: SteppingClock) -> None:
    async with alerts_engine(database, clock, dispatching=False, WAYMARK_ALERTS_POISON_LIMIT="3") as engine:
        await engine.take_raw([b"{}", b"{}"])
        with pytest.raises(DeadLetterLimitError):
            await engine.take_raw([b"{}"])

        assert await engine.value("SELECT count(*) FROM alerts.dead_letters") == 2
        assert await engine.value("SELECT next_offset FROM alerts.progress WHERE topic = 'frictions'") == 2


@pytest.mark.logs_error("batch failed")
async def test_a_restart_makes_no_room_for_more_refusals(database: str, clock: SteppingClock) -> None:
    async with alerts_engine(database, clock, dispatching=False, WAYMARK_ALERTS_POISON_LIMIT="3") as engine:
        await engine.take_raw([b"{}", b"{}"])
    async with alerts_engine(database, clock, dispatching=False, WAYMARK_ALERTS_POISON_LIMIT="3") as again_started:
        await again_started.remember_dead_letters()
        with pytest.raises(DeadLetterLimitError):
            await again_started.take_raw([b"{}"])


async def test_replicas_that_read_one_journey_at_once_open_one_issue(database: str, clock: SteppingClock) -> None:
    """The same journey from two partitions, which a merge makes possible, many times over and all at once."""
    customer, journey = str(uuid4()), str(uuid4())
    async with (
        alerts_engine(database, clock, dispatching=False) as one,
        alerts_engine(database, clock, dispatching=False, partition=1) as two,
    ):
        for _ in range(20):
            await asyncio.gather(
                one.take(a_friction(customer_id=customer, journey_id=journey)),
                two.take(a_friction(customer_id=customer, journey_id=journey)),
            )
        assert await one.value(ISSUES) == 1
        assert await one.value("SELECT count FROM alerts.issues") == 40


async def test_the_audit_cannot_be_rewritten(database: str, clock: SteppingClock) -> None:
    async with alerts_engine(database, clock, dispatching=False) as engine:
        await engine.take(a_friction())
        with pytest.raises(asyncpg.RestrictViolationError):
            await engine.value("UPDATE alerts.issue_events SET actor = 'nobody'")


async def test_endpoints_added_later_hear_of_an_open_issue_with_its_next_friction(
    database: str, clock: SteppingClock
) -> None:
    first = a_friction()
    async with a_receiver() as receiver, alerts_engine(database, clock) as engine:
        await engine.take(first)
        await engine.endpoint(receiver.url)
        clock.advance(timedelta(minutes=5))
        await engine.take(a_friction(customer_id=first.customer_id, journey_id=first.journey_id))
        await until(lambda: receiver.calls)

    assert (receiver.calls[0].type, receiver.calls[0].issue["count"]) == ("issue.opened", 2)
