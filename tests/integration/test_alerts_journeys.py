"""Open issues follow their journeys: whichever comes first, whatever is read twice, by whomever, and after a merge."""

import asyncio
import json
from datetime import timedelta
from random import Random
from typing import Any
from uuid import uuid4

import pytest

from schemas.documents import friction as friction_v1
from schemas.documents import journey as journey_v1
from schemas.documents.friction import FrictionDocument
from schemas.documents.journey import JourneyDocument, JourneyDocumentState
from schemas.vocabulary import Channel, ClosingDocument, JourneyStepDocument
from tests.fixtures.alerts_engine import AlertsEngine, alerts_engine
from tests.fixtures.alerts_journeys import a_journey, write_journeys
from tests.fixtures.alerts_service import FrictionLog, a_friction, again, alerts
from tests.fixtures.clock import SteppingClock
from tests.waiting import until

pytestmark = pytest.mark.local

ORDERED = (ClosingDocument(kind=("order_placed",)),)
SENT = "SELECT type FROM alerts.notifications ORDER BY issue_id, sequence"
ISSUE = "SELECT document::text FROM alerts.issues"


def a_checkout(**members: Any) -> FrictionDocument:
    """A friction that an order settles."""
    return a_friction(rule="checkout_abandoned", closes_when=ORDERED, **members)


def an_order(friction: FrictionDocument, version: int = 2, **members: Any) -> JourneyDocument:
    """The journey of a friction, in which an order was placed later."""
    at = friction.occurred_at + timedelta(minutes=5)
    order = JourneyStepDocument(occurred_at=at, channel=Channel.WEB, kind="order_placed")
    return a_journey(friction, version=version, latest=(order,), last_at=at, **members)


async def issue_of(engine: AlertsEngine) -> dict[str, Any]:
    """The only issue, as it is kept."""
    return dict(json.loads(await engine.value(ISSUE)))


async def test_an_order_closes_what_it_settles_and_whoever_was_told_is_told(
    database: str, clock: SteppingClock
) -> None:
    friction = a_checkout()
    async with alerts_engine(database, clock, dispatching=False) as engine:
        await engine.endpoint("http://127.0.0.1:1/")
        await engine.take(friction)
        await engine.follow(an_order(friction))

        assert await engine.column(SENT) == ["issue.opened", "issue.resolved"]
        body = json.loads(await engine.value("SELECT body FROM alerts.notifications WHERE sequence = 2"))
        assert (body["reason"], body["data"]["resolution"], body["data"]["resolved_by"]) == (
            "resolved",
            "order_placed",
            "waymark",
        )
        assert [step["kind"] for step in body["data"]["journey"]["since"]] == ["order_placed"]
        detail = json.loads(await engine.value("SELECT detail FROM alerts.issue_events WHERE kind = 'resolved'"))
        assert detail["settled_by"] == "order_placed"


async def test_a_journey_that_came_before_its_friction_is_known_to_it_and_nobody_is_told(
    database: str, clock: SteppingClock
) -> None:
    friction = a_checkout()
    async with alerts_engine(database, clock, dispatching=False) as engine:
        await engine.endpoint("http://127.0.0.1:1/")
        await engine.follow(an_order(friction))
        await engine.take(friction)

        assert (await issue_of(engine))["resolution"] == "order_placed"
        assert await engine.column(SENT) == []


async def test_an_older_version_is_passed_over(database: str, clock: SteppingClock) -> None:
    friction = a_friction()
    async with alerts_engine(database, clock, dispatching=False) as engine:
        await engine.take(friction)
        await engine.follow(a_journey(friction, version=5, effort=40.0))
        await engine.follow(a_journey(friction, version=4, effort=10.0))
        await engine.follow(a_journey(friction, version=5, effort=11.0))

        assert (await issue_of(engine))["journey"]["effort"] == 40.0


async def test_of_journeys_without_friction_nothing_is_kept(database: str, clock: SteppingClock) -> None:
    async with alerts_engine(database, clock, dispatching=False) as engine:
        await engine.follow(*(a_journey(a_friction(), friction_count=0) for _ in range(20)))
        assert await engine.value("SELECT count(*) FROM alerts.journeys") == 0

        friction = a_friction()
        await engine.take(friction)
        await engine.follow(a_journey(friction, friction_count=0, effort=7.0))
        assert (await issue_of(engine))["journey"]["effort"] == 7.0


async def test_an_issue_follows_the_journey_that_its_own_was_merged_into(database: str, clock: SteppingClock) -> None:
    friction, other = a_checkout(), a_checkout()
    merged = a_journey(
        friction, version=2, state=JourneyDocumentState.MERGED, merged_into=other.journey_id, friction_count=0
    )
    async with alerts_engine(database, clock, dispatching=False) as engine:
        await engine.take(friction)
        await engine.follow(merged)
        assert (await issue_of(engine))["state"] == "open"

        await engine.follow(an_order(other))
        assert (await issue_of(engine))["resolution"] == "order_placed"


async def test_an_issue_that_moved_to_another_journey_says_what_that_one_says(
    database: str, clock: SteppingClock
) -> None:
    friction = a_friction()
    moved = again(friction, journey_id=str(uuid4()))
    async with alerts_engine(database, clock, dispatching=False) as engine:
        await engine.take(friction)
        await engine.follow(a_journey(friction, effort=90.0), a_journey(moved, effort=12.0))
        await engine.take(moved)
        assert (await issue_of(engine))["journey"]["effort"] == 12.0

        await engine.follow(a_journey(friction, version=2, effort=95.0))
        assert (await issue_of(engine))["journey"]["effort"] == 12.0


async def test_a_journey_that_was_dissolved_closes_nothing(database: str, clock: SteppingClock) -> None:
    friction = a_checkout()
    async with alerts_engine(database, clock, dispatching=False) as engine:
        await engine.take(friction)
        await engine.follow(an_order(friction, state=JourneyDocumentState.DISSOLVED))
        assert (await issue_of(engine))["state"] == "open"


async def test_reading_the_log_of_journeys_again_changes_nothing(database: str, clock: SteppingClock) -> None:
    frictions = [a_checkout() for _ in range(4)]
    values = [journey_v1.encode(an_order(friction, version=v)) for v in (2, 3) for friction in frictions]
    documents = "SELECT document::text FROM alerts.issues ORDER BY issue_id"
    async with alerts_engine(database, clock, dispatching=False) as engine:
        await engine.endpoint("http://127.0.0.1:1/")
        await engine.take(*frictions)
        await engine.follow_raw(values)
        before = await engine.column(documents)

        async with alerts_engine(database, clock, dispatching=False, line="another life of the log") as reader:
            await reader.follow_raw(values)

        assert await engine.column(documents) == before
        assert await engine.value("SELECT count(*) FROM alerts.deliveries") == 8


async def test_a_journey_and_its_friction_read_at_the_same_time_never_miss_one_another(
    database: str, clock: SteppingClock
) -> None:
    frictions = [a_checkout() for _ in range(60)]
    journeys = [an_order(friction) for friction in frictions]
    Random(7).shuffle(journeys)
    async with (
        alerts_engine(database, clock, dispatching=False) as one,
        alerts_engine(database, clock, dispatching=False, line="other") as two,
    ):
        batches = [one.take(*frictions[at : at + 5]) for at in range(0, 60, 5)]
        follows = [two.follow(*journeys[at : at + 5]) for at in range(0, 60, 5)]

        async def in_turn(steps: list[Any]) -> None:
            for step in steps:
                await step

        await asyncio.gather(in_turn(batches), in_turn(follows))

        assert await one.value("SELECT count(*) FROM alerts.issues WHERE state = 'resolved'") == 60


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (None, "no_value"),
        (b"{", "not_a_journey"),
        (b'{"id": "a\\u0000"}', "nul_character"),
        (b" " * 300_000, "too_large"),
    ],
)
async def test_what_is_no_journey_becomes_a_dead_letter_and_the_rest_goes_on(
    database: str, clock: SteppingClock, value: bytes | None, code: str
) -> None:
    friction = a_checkout()
    async with alerts_engine(database, clock, dispatching=False) as engine:
        await engine.take(friction)
        await engine.follow_raw([value, journey_v1.encode(an_order(friction))])

        assert await engine.column("SELECT topic || ' ' || code FROM alerts.dead_letters") == [f"journeys {code}"]
        assert (await issue_of(engine))["state"] == "resolved"


async def test_journeys_that_no_open_issue_is_on_are_pruned_after_a_while(database: str, clock: SteppingClock) -> None:
    settled, waiting = a_checkout(), a_friction()
    async with alerts_engine(database, clock, dispatching=False) as engine:
        await engine.take(settled, waiting)
        await engine.follow(an_order(settled), a_journey(waiting))
        clock.advance(seconds=91 * 86_400)
        await engine.service.upkeep().prune()
        assert await engine.column("SELECT journey_id FROM alerts.journeys") == [waiting.journey_id]


async def test_the_service_reads_both_topics_and_the_api_says_what_happened_since(
    database: str, friction_log: FrictionLog
) -> None:
    friction, settled = a_friction(), a_checkout()
    called = JourneyStepDocument(
        occurred_at=friction.occurred_at + timedelta(seconds=20),
        channel=Channel.PHONE,
        kind="call_ended",
        outcome="resolved",
    )
    async with alerts(database, friction_log) as api:
        await friction_log.write([friction, settled])
        await write_journeys(
            friction_log, [a_journey(friction, latest=(called,), outcome="resolved"), an_order(settled)]
        )

        async def followed() -> bool:
            issues = {issue["journey_id"]: issue for issue in await api.issues()}
            return (
                len(issues) == 2
                and "journey" in issues[friction.journey_id or ""]
                and issues[settled.journey_id or ""]["state"] == "resolved"
            )

        await until(followed)
        [issue] = await api.issues("&state=open")
        assert issue["journey"]["outcome"] == "resolved"
        assert [(step["kind"], step["outcome"]) for step in issue["journey"]["since"]] == [("call_ended", "resolved")]


def test_a_friction_without_what_newer_releases_add_is_read_as_before() -> None:
    assert b"closes_when" not in friction_v1.encode(a_friction())
