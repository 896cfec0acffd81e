"""Delivery: signed, retried on the ladder, in order, isolated, guarded; whatever receivers do."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import count

import pytest
import standardwebhooks
from aiohttp import web

from schemas.documents.friction import FrictionDocumentState
from schemas.vocabulary import Severity
from services.alerts.deliver.retry import RETRY_SCHEDULE
from tests.fixtures.alerts_engine import AlertsEngine, alerts_engine
from tests.fixtures.alerts_service import Answer, ReceivedCall, a_friction, a_receiver, again, fine
from tests.fixtures.clock import SteppingClock
from tests.waiting import until

pytestmark = pytest.mark.local

PENDING = "SELECT count(*) FROM alerts.deliveries WHERE state = 'pending'"

NEXT_DUE = """
SELECT min(greatest(d.next_at, e.paused_until)) FROM alerts.deliveries d JOIN alerts.endpoints e USING (endpoint_id)
 WHERE d.state = 'pending' AND d.sequence = (
     SELECT min(sequence) FROM alerts.deliveries WHERE state = 'pending' AND issue_id = d.issue_id)
"""


def answering(*statuses: int, headers: dict[str, str] | None = None) -> Answer:
    """Answers with each status in turn, the last one for ever."""
    turns = count()

    async def answer(_call: ReceivedCall) -> web.StreamResponse:
        status = statuses[min(next(turns), len(statuses) - 1)]
        return web.Response(status=status, text="said the receiver", headers=headers or {})

    return answer


async def attempts_written(engine: AlertsEngine, attempts: int) -> None:
    """Wait until so many attempts are written."""
    await until(lambda: engine.value("SELECT count(*) = $1 FROM alerts.attempts", attempts))


async def test_the_push_latency_counts_from_the_revision_and_not_from_when_it_was_first_found(
    database: str, clock: SteppingClock
) -> None:
    found = clock.now() - timedelta(days=2)
    friction = a_friction(detected_at=found)  # as an earlier release wrote it: without a time of the revision
    worse = again(friction, severity=Severity.HIGH, revised_at=clock.now() - timedelta(seconds=2))
    async with a_receiver() as receiver, alerts_engine(database, clock) as engine:
        await engine.endpoint(receiver.url)
        sums = []
        for number, revision in enumerate((friction, worse), 1):
            await engine.take(revision)
            await attempts_written(engine, number)
            await until(lambda: latency(engine)["count"] == number)  # noqa: B023  waited for in this turn
            sums.append(latency(engine)["sum"])

    assert sums == [timedelta(days=2).total_seconds(), timedelta(days=2).total_seconds() + 2]


def latency(engine: AlertsEngine) -> dict[str, float]:
    """How many pushes were measured, and the sum of their seconds."""
    name = "waymark_alerts_push_latency_seconds"
    return {part: engine.service.registry.get_sample_value(f"{name}_{part}") or 0.0 for part in ("count", "sum")}


async def test_the_first_message_goes_at_once_and_verifies(database: str, clock: SteppingClock) -> None:
    async with a_receiver() as receiver, alerts_engine(database, clock) as engine:
        _, secret = await engine.endpoint(receiver.url)
        await engine.take(a_friction())
        await until(lambda: receiver.calls)

    [call] = receiver.calls
    assert call.type == "issue.opened"
    assert call.headers["webhook-timestamp"] == str(int(clock.now().timestamp()))
    webhook = standardwebhooks.Webhook(secret)
    signature = webhook.sign(call.webhook_id, clock.now(), call.body.decode())
    assert call.headers["webhook-signature"] == signature


async def test_failures_go_down_the_ladder_under_one_id(database: str, clock: SteppingClock) -> None:
    async with a_receiver(answering(500)) as receiver, alerts_engine(database, clock) as engine:
        await engine.endpoint(receiver.url)
        await engine.take(a_friction())
        waits = []
        for attempt in range(1, len(RETRY_SCHEDULE) + 1):
            await attempts_written(engine, attempt)
            due = await engine.value(
                "SELECT greatest(d.next_at, e.paused_until) FROM alerts.deliveries d, alerts.endpoints e"
            )
            waits.append(due - clock.now())
            clock.set(due)
        state = await engine.value("SELECT state FROM alerts.deliveries")

    assert {call.webhook_id for call in receiver.calls} == {receiver.calls[0].webhook_id}
    assert len({call.body for call in receiver.calls}) == 1
    assert (len(receiver.calls), state) == (len(RETRY_SCHEDULE), "exhausted")
    for wait, step in zip(waits, RETRY_SCHEDULE[1:], strict=False):
        assert step <= wait <= step * 1.2 + timedelta(milliseconds=1)


async def test_a_receiver_that_recovers_gets_everything_once_and_in_order(database: str, clock: SteppingClock) -> None:
    async with (
        a_receiver(answering(500, 500, 500, 500, 500, 500, 200)) as receiver,
        alerts_engine(database, clock) as engine,
    ):
        await engine.endpoint(receiver.url)
        friction = a_friction()
        await engine.take(friction)
        await attempts_written(engine, 1)
        await engine.take(again(friction, severity=Severity.HIGH))
        await engine.take(again(friction, revision=3, severity=Severity.HIGH, state=FrictionDocumentState.RETRACTED))

        while due := await engine.value(NEXT_DUE):
            clock.set(max(due, clock.now()))
            await until(partial(engine.value, f"SELECT ({NEXT_DUE}) IS DISTINCT FROM $1", due))

    delivered = receiver.calls[6:]
    assert [call.document["sequence"] for call in delivered] == [1, 2, 3]
    assert [call.type for call in delivered] == ["issue.opened", "issue.updated", "issue.resolved"]
    assert {call.document["sequence"] for call in receiver.calls[:6]} == {1}


@pytest.mark.logs_error("endpoint disabled")
async def test_gone_disables_the_endpoint_and_tells_the_others(database: str, clock: SteppingClock) -> None:
    async with a_receiver(answering(410)) as gone, a_receiver() as other, alerts_engine(database, clock) as engine:
        endpoint, _ = await engine.endpoint(gone.url, name="gone")
        await engine.endpoint(other.url, name="other")
        await engine.take(a_friction())
        await until(lambda: "endpoint.disabled" in other.types())
        await engine.take(a_friction())
        await until(lambda: len(other.calls) == 3)

        row = await engine.value(
            "SELECT (enabled, disabled_reason) FROM alerts.endpoints WHERE endpoint_id = $1", endpoint
        )
        await until(lambda: engine.value(f"SELECT ({PENDING}) = 2"))

    assert tuple(row) == (False, "gone")
    assert len(gone.calls) == 1


@pytest.mark.logs_error("endpoint disabled")
async def test_five_days_of_failures_disable_and_what_waits_is_sent_after_enabling(
    database: str, clock: SteppingClock
) -> None:
    async with a_receiver(answering(503)) as receiver, alerts_engine(database, clock) as engine:
        endpoint, _ = await engine.endpoint(receiver.url)
        await engine.take(a_friction())
        await attempts_written(engine, 1)
        clock.advance(timedelta(days=5))
        await until(lambda: engine.value("SELECT NOT enabled FROM alerts.endpoints"))
        await engine.take(a_friction())
        seen = len(receiver.calls)

        receiver.answer = fine
        administration = engine.service.parts.administration
        clock.advance(timedelta(minutes=1))
        await administration.change_endpoint(endpoint, lambda e: replace(e, enabled=True), actor="test")
        await until(lambda: engine.value(f"SELECT ({PENDING}) = 0"))

    assert len(receiver.calls) == seen + 2


async def test_a_receiver_that_asks_for_time_gets_it_and_loses_no_step(database: str, clock: SteppingClock) -> None:
    async with (
        a_receiver(answering(429, 200, headers={"retry-after": "120"})) as receiver,
        alerts_engine(database, clock) as engine,
    ):
        await engine.endpoint(receiver.url)
        await engine.take(a_friction())
        await attempts_written(engine, 1)
        step, wait = await engine.value("SELECT (step, next_at - created_at) FROM alerts.deliveries")
        clock.advance(wait)
        await attempts_written(engine, 2)

    assert step == 0
    assert timedelta(seconds=120) <= wait <= timedelta(seconds=144)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_a_failure_and_is_not_followed(database: str, clock: SteppingClock, status: int) -> None:
    async with a_receiver() as canary, alerts_engine(database, clock) as engine:
        async with a_receiver(answering(status, headers={"location": canary.url})) as receiver:
            await engine.endpoint(receiver.url)
            await engine.take(a_friction())
            await attempts_written(engine, 1)
        outcome = await engine.value("SELECT (outcome, reason) FROM alerts.attempts")

    assert (tuple(outcome), canary.calls) == (("retry", "http_3xx"), [])


async def test_a_slow_receiver_does_not_hold_up_the_others(database: str, clock: SteppingClock) -> None:
    stuck = asyncio.Event()

    async def never(_call: ReceivedCall) -> web.StreamResponse:
        await stuck.wait()
        return web.Response()

    async with a_receiver(never) as slow, a_receiver() as quick, alerts_engine(database, clock) as engine:
        await engine.endpoint(slow.url, name="slow", max_in_flight=4)
        await engine.endpoint(quick.url, name="quick")
        await engine.take(*(a_friction() for _ in range(40)))
        await until(lambda: len(quick.calls) == 40)
        under_way = len(slow.calls)
        stuck.set()
        await until(lambda: len(slow.calls) == 40)

    assert under_way <= 4


async def test_messages_of_one_issue_wait_for_one_another(database: str, clock: SteppingClock) -> None:
    let_go = asyncio.Event()

    async def hesitant(call: ReceivedCall) -> web.StreamResponse:
        if call.document["sequence"] == 1:
            await let_go.wait()
        return web.Response()

    async with a_receiver(hesitant) as receiver, alerts_engine(database, clock) as engine:
        await engine.endpoint(receiver.url)
        friction = a_friction()
        await engine.take(friction)
        await until(lambda: receiver.calls)
        await engine.take(again(friction, severity=Severity.CRITICAL))
        await engine.take(a_friction())
        await until(lambda: len(receiver.calls) == 2)
        let_go.set()
        await until(lambda: len(receiver.calls) == 3)

    assert [call.document["sequence"] for call in receiver.calls] == [1, 1, 2]


async def test_replicas_share_the_work_and_send_nothing_twice(database: str, clock: SteppingClock) -> None:
    async with (
        a_receiver() as receiver,
        alerts_engine(database, clock) as one,
        alerts_engine(database, clock, partition=1),
        alerts_engine(database, clock, partition=2),
    ):
        await one.endpoint(receiver.url, max_in_flight=32)
        await one.take(*(a_friction() for _ in range(120)))
        await until(lambda: one.value(f"SELECT ({PENDING}) = 0"), within=30)

    assert len(receiver.calls) == len({call.webhook_id for call in receiver.calls}) == 120


async def test_a_lease_that_ran_out_is_taken_over_and_the_late_result_does_not_count(
    database: str, clock: SteppingClock
) -> None:
    let_go = asyncio.Event()

    async def first_hangs(call: ReceivedCall) -> web.StreamResponse:
        if len(receiver.calls) == 1:
            await let_go.wait()
            return web.Response(status=500)
        return web.Response()

    async with a_receiver(first_hangs) as receiver, alerts_engine(database, clock) as engine:
        await engine.endpoint(receiver.url)
        await engine.take(a_friction())
        await until(lambda: receiver.calls)
        clock.advance(seconds=61)
        await until(lambda: engine.value(f"SELECT ({PENDING}) = 0"))
        let_go.set()
        await attempts_written(engine, 2)
        state, attempt = await engine.value("SELECT (state, attempt) FROM alerts.deliveries")
        failures = await engine.value("SELECT consecutive_failures FROM alerts.endpoints")

    assert (state, attempt, failures) == ("delivered", 2, 0)
    assert len({call.webhook_id for call in receiver.calls}) == 1


async def test_a_rotation_signs_with_both_secrets_until_the_overlap_ends(database: str, clock: SteppingClock) -> None:
    async with a_receiver() as receiver, alerts_engine(database, clock) as engine:
        endpoint, _ = await engine.endpoint(receiver.url)
        await engine.service.parts.administration.rotate_secret(endpoint, timedelta(hours=1), actor="test")
        await engine.take(a_friction())
        await attempts_written(engine, 1)  # a lease that ends before its result is written is another attempt
        clock.advance(timedelta(hours=1))
        await engine.take(a_friction())
        await until(lambda: len(receiver.calls) == 2)

    assert [call.headers["webhook-signature"].count("v1,") for call in receiver.calls] == [2, 1]


async def test_an_empty_retry_after_is_the_schedules_own_next_step(database: str, clock: SteppingClock) -> None:
    async with (
        a_receiver(answering(503, 200, headers={"retry-after": "0"})) as receiver,
        alerts_engine(database, clock) as engine,
    ):
        await engine.endpoint(receiver.url)
        await engine.take(a_friction())
        await attempts_written(engine, 1)
        due = await engine.value(NEXT_DUE)
        failures = await engine.value("SELECT consecutive_failures FROM alerts.endpoints")

    assert RETRY_SCHEDULE[1] <= due - clock.now() <= RETRY_SCHEDULE[1] * 1.2
    assert failures == 1


async def test_however_often_a_secret_is_rotated_the_header_stays_short(database: str, clock: SteppingClock) -> None:
    async with a_receiver() as receiver, alerts_engine(database, clock) as engine:
        endpoint, first = await engine.endpoint(receiver.url)
        for _ in range(30):
            clock.advance(timedelta(seconds=1))
            last = await engine.service.parts.administration.rotate_secret(endpoint, timedelta(days=1), actor="test")
        await engine.take(a_friction())
        await until(lambda: receiver.calls)
        kept = await engine.value("SELECT count(*) FROM alerts.endpoint_secrets")

    [call] = receiver.calls
    header = call.headers["webhook-signature"]
    assert last is not None
    assert last.secret is not None
    assert (header.count("v1,"), kept) == (11, 11)
    assert len(header) < 4096
    assert header.split()[0] == standardwebhooks.Webhook(last.secret).sign(
        call.webhook_id, clock.now(), call.body.decode()
    )
    assert first != last.secret
