"""After a resolution: who came back, once and no more, whatever comes late, moves, is read twice, or restarts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest

from schemas.documents.friction import FrictionDocument, FrictionDocumentState
from schemas.documents.journey import JourneyDocument
from schemas.vocabulary import Channel, Direction, JourneyStepDocument
from services.alerts.inbox import actions
from tests.fixtures.alerts_engine import AlertsEngine, alerts_engine
from tests.fixtures.alerts_journeys import a_journey
from tests.fixtures.alerts_service import FrictionLog, a_friction, again, alerts
from tests.fixtures.clock import SteppingClock

pytestmark = pytest.mark.local

STATES = "SELECT state FROM alerts.watches ORDER BY resolved_at, watch_id"
CAME_BACK = "SELECT count(*) FROM alerts.issue_events WHERE kind = 'recontacted'"
DAY = timedelta(days=1)
quiet_engine = partial(alerts_engine, dispatching=False)


def at(clock: SteppingClock, **members: Any) -> FrictionDocument:
    """A friction that occurs now; `members` override."""
    return a_friction(**{"occurred_at": clock.now(), "detected_at": clock.now()} | members)


def called_again(first: FrictionDocument, clock: SteppingClock, **members: Any) -> FrictionDocument:
    """Another friction of the customer and the journey of the first one, now."""
    return at(clock, customer_id=first.customer_id, journey_id=first.journey_id, **members)


def a_call(friction: FrictionDocument, clock: SteppingClock, **members: Any) -> JourneyDocument:
    """The journey of a friction, or another one of its customer, with a call that begins now."""
    step = JourneyStepDocument(
        occurred_at=clock.now(), channel=Channel.PHONE, kind="call_started", direction=Direction.INBOUND
    )
    return a_journey(friction, **{"version": 2, "latest": (step,), "contact_count": 3} | members)


async def resolve(engine: AlertsEngine, resolution: str = "called_back") -> UUID:
    """Resolve the only unresolved issue, and let some time go by."""
    issue_id: UUID = await engine.value("SELECT issue_id FROM alerts.issues WHERE state <> 'resolved'")
    engine.clock.advance(seconds=60)
    now = engine.clock.now()
    await engine.service.executor.execute(
        issue_id, lambda issue, _: actions.resolve(issue, actor="kim", now=now, resolution=resolution)
    )
    engine.clock.advance(seconds=3600)
    return issue_id


@asynccontextmanager
async def resolved_issue(database: str, clock: SteppingClock) -> AsyncIterator[tuple[AlertsEngine, FrictionDocument]]:
    """An engine with one issue that was resolved an hour ago, and the friction that it was about."""
    first = at(clock)
    async with quiet_engine(database, clock) as engine:
        await engine.take(first)
        await resolve(engine)
        yield engine, first


async def end_watches(engine: AlertsEngine) -> None:
    """What upkeep does every two seconds."""
    await engine.service.upkeep().end_watches()


async def test_who_comes_back_reopens_the_issue_and_is_counted_once(database: str, clock: SteppingClock) -> None:
    async with resolved_issue(database, clock) as (engine, first):
        back = called_again(first, clock)
        await engine.take(back)
        clock.advance(seconds=600)
        await engine.take(again(back), called_again(first, clock))
        await end_watches(engine)

        assert await engine.column(STATES) == ["recontacted"]
        assert await engine.value(CAME_BACK) == 1
        assert await engine.value("SELECT state FROM alerts.issues") == "open"
        assert await engine.value("SELECT document -> 'recontact' ->> 'friction_id' FROM alerts.watches") == back.id


async def test_control_without_its_row_nobody_comes_back(database: str, clock: SteppingClock) -> None:
    """What the row is for: if the tests above passed without it, they would show nothing."""
    async with resolved_issue(database, clock) as (engine, first):
        await engine.value("DELETE FROM alerts.watches")
        await engine.take(called_again(first, clock))

        assert await engine.value(CAME_BACK) == 0


async def test_who_does_not_come_back_is_known_after_a_week_and_a_restart(database: str, clock: SteppingClock) -> None:
    async with quiet_engine(database, clock) as engine:
        await engine.take(at(clock))
        await resolve(engine)
    clock.advance(seconds=6.9 * 86_400)
    async with quiet_engine(database, clock) as engine:
        await end_watches(engine)
        assert await engine.column(STATES) == ["watching"]
    clock.advance(seconds=30 * 86_400)
    async with quiet_engine(database, clock) as engine:
        await end_watches(engine)
        assert await engine.column(STATES) == ["held"]


async def test_a_touchpoint_that_comes_late_changes_the_answer(database: str, clock: SteppingClock) -> None:
    async with resolved_issue(database, clock) as (engine, first):
        clock.advance(seconds=5 * 86_400)
        late = called_again(first, clock)
        clock.advance(seconds=3 * 86_400)
        await end_watches(engine)
        assert await engine.column(STATES) == ["held"]
        await engine.take(late)

        assert await engine.column(STATES) == ["recontacted"]


async def test_what_happened_before_the_resolution_is_no_recontact(database: str, clock: SteppingClock) -> None:
    first = at(clock)
    async with quiet_engine(database, clock) as engine:
        await engine.take(first)
        clock.advance(seconds=5)
        before = called_again(first, clock)
        await resolve(engine)
        await engine.take(before)

        assert await engine.value("SELECT state FROM alerts.issues") == "open"
        assert await engine.column(STATES) == ["void"]


@pytest.mark.parametrize(("reason", "state"), [("billing", "recontacted"), ("delivery", "watching")])
async def test_a_call_without_friction_about_the_same_matter_counts(
    database: str, clock: SteppingClock, reason: str, state: str
) -> None:
    first = at(clock)
    async with quiet_engine(database, clock) as engine:
        await engine.take(first)
        issue_id = await resolve(engine)
        call = a_call(first, clock, id=str(uuid4()), reason=reason, friction_count=0, contact_count=1, version=1)
        await engine.follow(call)
        await engine.follow(call)

        assert await engine.column(STATES) == [state]
        assert await engine.value(CAME_BACK) == (state == "recontacted")
        assert await engine.value("SELECT state FROM alerts.issues WHERE issue_id = $1", issue_id) == "resolved"


async def test_a_journey_keeps_only_its_latest_contacts_and_the_watch_remembers_the_first(
    database: str, clock: SteppingClock
) -> None:
    async with resolved_issue(database, clock) as (engine, first):
        await engine.follow(a_call(first, clock))
        clock.advance(seconds=7.5 * 86_400)
        await engine.follow(a_call(first, clock, version=3, contact_count=4))
        await end_watches(engine)

        assert await engine.column(STATES) == ["recontacted"]


async def test_journeys_of_customers_who_are_not_watched_are_passed_over(database: str, clock: SteppingClock) -> None:
    async with quiet_engine(database, clock) as engine:
        await engine.follow(a_call(at(clock), clock, friction_count=0))

        assert await engine.value("SELECT count(*) FROM alerts.journeys") == 0


async def test_the_call_that_goes_on_while_it_is_resolved_is_no_recontact(database: str, clock: SteppingClock) -> None:
    first = at(clock)
    async with quiet_engine(database, clock) as engine:
        await engine.take(first)
        await engine.follow(a_journey(first, contact_count=3))
        await resolve(engine)
        await engine.follow(a_call(first, clock, contact_count=3))
        assert await engine.column(STATES) == ["watching"]
        await engine.follow(a_call(first, clock, version=3, contact_count=4))

        assert await engine.column(STATES) == ["watching"], "the same step says nothing new"
        clock.advance(seconds=60)
        await engine.follow(a_call(first, clock, version=4, contact_count=4))
        assert await engine.column(STATES) == ["recontacted"]


async def test_a_new_issue_about_the_same_reason_is_linked(database: str, clock: SteppingClock) -> None:
    first = at(clock)
    async with quiet_engine(database, clock) as engine:
        await engine.take(first)
        issue_id = await resolve(engine)
        await engine.take(at(clock, customer_id=first.customer_id))

        linked = await engine.value("SELECT (document -> 'recontact' ->> 'issue_id')::uuid FROM alerts.watches")
        assert linked == await engine.value("SELECT issue_id FROM alerts.issues WHERE issue_id <> $1", issue_id)
        detail = "SELECT detail ->> 'issue' FROM alerts.issue_events WHERE kind = 'recontacted' AND issue_id = $1"
        assert await engine.value(detail, issue_id) == str(linked)


async def test_a_customer_who_is_merged_is_still_watched(database: str, clock: SteppingClock) -> None:
    async with resolved_issue(database, clock) as (engine, first):
        merged = again(first, customer_id="bob", previous_customer_id=first.customer_id)
        await engine.take(merged)
        assert await engine.column("SELECT customer_id FROM alerts.watches") == ["bob"]
        await engine.take(at(clock, customer_id="bob"))

        assert await engine.column(STATES) == ["recontacted"]


async def test_a_recontact_that_turns_out_to_be_of_somebody_else_is_taken_back(
    database: str, clock: SteppingClock
) -> None:
    async with resolved_issue(database, clock) as (engine, first):
        back = at(clock, customer_id=first.customer_id)
        await engine.take(back)
        assert await engine.column(STATES) == ["recontacted"]
        parted = again(back, customer_id="bob", journey_id=str(uuid4()), previous_customer_id=first.customer_id)
        await engine.take(parted)

        assert await engine.column(STATES) == ["watching"]


async def test_a_call_that_turns_out_to_be_of_somebody_else_is_taken_back(database: str, clock: SteppingClock) -> None:
    async with resolved_issue(database, clock) as (engine, first):
        call = a_call(first, clock, id=str(uuid4()), reason="billing", friction_count=0, version=1)
        await engine.follow(call)
        assert await engine.column(STATES) == ["recontacted"]
        moved = a_call(first, clock, id=call.id, reason="billing", friction_count=0, version=2, customer_id="bob")
        await engine.follow(moved)

        assert await engine.column(STATES) == ["watching"]


async def test_a_friction_that_was_none_after_all_is_taken_back_and_so_is_what_was_resolved(
    database: str, clock: SteppingClock
) -> None:
    async with resolved_issue(database, clock) as (engine, first):
        back = at(clock, customer_id=first.customer_id)
        await engine.take(back)
        await engine.take(again(back, state=FrictionDocumentState.RETRACTED))
        assert await engine.column(STATES) == ["watching"]
        await engine.take(again(first, state=FrictionDocumentState.RETRACTED))

        assert await engine.column(STATES) == ["void"]


async def test_one_resolution_after_another_each_has_a_watch_of_its_own(database: str, clock: SteppingClock) -> None:
    async with resolved_issue(database, clock) as (engine, first):
        await engine.take(called_again(first, clock))
        await resolve(engine, "fixed")
        clock.advance(seconds=8 * 86_400)
        await end_watches(engine)

        assert await engine.column(STATES) == ["recontacted", "held"]
        assert await engine.column("SELECT outcome FROM alerts.watches ORDER BY resolved_at") == [
            "called_back",
            "fixed",
        ]


async def test_nobody_is_watched_where_the_setting_says_so(database: str, clock: SteppingClock) -> None:
    async with quiet_engine(database, clock, WAYMARK_ALERTS_WATCH_DAYS="0") as engine:
        await engine.take(at(clock))
        await resolve(engine)

        assert await engine.column(STATES) == []


async def test_the_gauge_counts_what_became_of_resolutions(database: str, clock: SteppingClock) -> None:
    async with quiet_engine(database, clock) as engine:
        await engine.take(at(clock))
        await resolve(engine)
        await engine.service.upkeep().refresh()
        labels = {"outcome": "called_back", "state": "watching"}

        assert engine.service.registry.get_sample_value("waymark_alerts_watches", labels) == 1


async def test_outcomes_gestures_and_counts_over_the_api(database: str, friction_log: FrictionLog) -> None:
    clock = SteppingClock(datetime.now(UTC))
    frictions = [at(clock, rule=rule) for rule in ("long_wait", "long_wait", "transfers")]
    async with quiet_engine(database, clock) as engine:
        await engine.take(*frictions)
    async with alerts(database, friction_log) as api:
        voucher = {"kind": "voucher", "amount": 10000, "currency": "KRW"}
        one, two, open_ = [issue["id"] for issue in await api.issues()]
        await api.call("POST", f"/v1/issues/{one}/resolve", {"resolution": "fixed", "gesture": voucher}, role="agent")
        await api.call("POST", f"/v1/issues/{two}/resolve", role="agent")
        stated = await api.call("POST", f"/v1/issues/{two}/outcome", {"outcome": "compensated"}, role="agent")
        refused = await api.call("POST", f"/v1/issues/{open_}/outcome", {"outcome": "fixed"}, role="agent", expect=409)
        odd = {"outcome": "fixed", "gesture": {"kind": "voucher", "amount": 5}}
        await api.call("POST", f"/v1/issues/{two}/outcome", odd, role="agent", expect=422)
        watches = (await api.call("GET", "/v1/watches", role="reader"))["watches"]
        first = await api.call("GET", "/v1/watches?limit=1", role="reader")
        second = await api.call("GET", f"/v1/watches?limit=1&cursor={first['next_cursor']}", role="reader")
        by = {
            name: (await api.call("GET", f"/v1/recontacts?by={name}", role="reader"))["counts"]
            for name in ("team", "rule", "outcome", "gesture")
        }
        detail = await api.issue(one)

    assert (stated["resolution"], refused["code"]) == ("compensated", "issue_unresolved")
    assert [w["outcome"] for w in watches] == ["compensated", "fixed"]
    assert [*first["watches"], *second["watches"]] == watches
    assert "next_cursor" not in second
    assert watches[1]["gesture"] == {"kind": "voucher", "amount": "10000", "currency": "KRW"}
    assert "worked" not in watches[0]
    assert {count["name"] for count in by["outcome"]} == {"compensated", "fixed"}
    assert sum(count["watching"] for count in by["rule"]) == 2
    assert [(c.get("name"), c["resolved"], c["few"]) for c in by["team"]] == [(None, 2, True)]
    assert "recontact_rate" not in by["team"][0]
    resolved = next(event for event in detail["events"] if event["kind"] == "resolved")
    assert resolved["detail"]["gesture"] == "voucher"
