"""The whole service over PostgreSQL and a broker: from a friction on Kafka to a team that knows, and back."""

import asyncio
import json
import os
import signal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import standardwebhooks
from aiohttp import web
from aiokafka import AIOKafkaConsumer

from schemas import validation
from schemas.documents import issue as issue_v1
from schemas.documents.friction import FrictionDocumentState
from schemas.vocabulary import Severity
from services.runtime.kafka.record import ProducerRecord
from tests.fixtures.alerts_service import (
    AlertsClient,
    FrictionLog,
    ReceivedCall,
    a_friction,
    a_receiver,
    again,
    alerts,
    alerts_process,
    client_of,
    rows,
)
from tests.waiting import until

pytestmark = pytest.mark.local


async def test_a_friction_becomes_an_issue_and_a_signed_webhook(database: str, friction_log: FrictionLog) -> None:
    async with a_receiver() as receiver, alerts(database, friction_log) as api:
        endpoint = await api.endpoint(receiver.url)
        friction = a_friction(service_level="premium")
        await friction_log.write([friction])
        await until(lambda: receiver.calls)
        [issue] = await api.issues()
        detail = await api.issue(issue["id"])

    [call] = receiver.calls
    verified = standardwebhooks.Webhook(endpoint["secret"]).verify(call.body, call.headers)
    assert verified["type"] == "issue.opened"
    assert validation.errors(issue_v1.SCHEMA, verified["data"]) == []
    assert verified["data"]["frictions"] == [friction.id]
    assert (issue["state"], issue["count"], issue["service_level"]) == ("open", 1, "premium")
    assert [f["id"] for f in detail["evidence"]] == [friction.id]
    assert detail["timeline"][0]["kind"] == "call_ended"
    assert {event["kind"] for event in detail["events"]} == {"opened", "friction_added", "told"}
    assert [d["id"] for d in detail["deliveries"]] == [call.webhook_id]


async def test_every_change_is_on_the_topic_of_issues(database: str, friction_log: FrictionLog) -> None:
    friction = a_friction()
    async with alerts(database, friction_log) as api:
        await friction_log.write([friction])
        await until(lambda: at_least(api, 1))
        await friction_log.write([again(friction, severity=Severity.HIGH)])
        await friction_log.write(
            [again(friction, revision=3, severity=Severity.HIGH, state=FrictionDocumentState.RETRACTED)]
        )
        records = await until_resolved(friction_log)
        published = [json.loads(record.value) for record in records]

    assert {record.key.decode() for record in records} == {published[0]["id"]}
    assert all(validation.errors(issue_v1.SCHEMA, document) == [] for document in published)
    versions = [document["version"] for document in published]
    assert versions == sorted(set(versions))
    assert (published[-1]["state"], published[-1]["resolution"]) == ("resolved", "retracted")
    assert dict(records[0].headers)["ce_type"] == b"waymark.issue.v1"


async def until_resolved(friction_log: FrictionLog) -> list[Any]:
    """Records of the topic of issues, until one says that its issue is resolved."""
    consumer = AIOKafkaConsumer(
        friction_log.issues, bootstrap_servers=friction_log.bootstrap, auto_offset_reset="earliest"
    )
    await consumer.start()
    found: list[Any] = []
    try:
        async with asyncio.timeout(20):
            while not found or json.loads(found[-1].value)["state"] != "resolved":
                for batch in (await consumer.getmany(timeout_ms=200)).values():
                    found += batch
    finally:
        await consumer.stop()
    return found


async def test_poison_on_the_topic_does_not_hold_it_up(database: str, friction_log: FrictionLog) -> None:
    async with alerts(database, friction_log) as api:
        await friction_log.append([ProducerRecord(topic=friction_log.frictions, key=b"k", value=b"{")] * 3)
        await friction_log.write([a_friction(), a_friction()])
        await until(lambda: at_least(api, 2))
        async with rows(database) as connection:
            letters = await until(lambda: connection.fetchval("SELECT count(*) FROM alerts.dead_letters"))

    assert letters == 3


async def at_least(api: AlertsClient, count: int) -> bool:
    return len(await api.issues()) >= count


async def test_a_restart_goes_on_where_the_last_one_was(database: str, friction_log: FrictionLog) -> None:
    async with a_receiver() as receiver:
        async with alerts(database, friction_log) as api:
            await api.endpoint(receiver.url)
            await friction_log.write([a_friction() for _ in range(5)])
            await until(lambda: len(receiver.calls) == 5)
        await friction_log.write([a_friction() for _ in range(5)])
        async with alerts(database, friction_log) as api:
            await until(lambda: len(receiver.calls) == 10, within=30)
            issues = await api.issues()

    assert len(issues) == len({call.webhook_id for call in receiver.calls}) == 10


async def test_replicas_share_partitions_and_nothing_is_done_twice(database: str, friction_log: FrictionLog) -> None:
    async with a_receiver() as receiver, alerts(database, friction_log) as one:
        await one.endpoint(receiver.url)
        first = [a_friction() for _ in range(30)]
        await friction_log.write(first)
        async with alerts(database, friction_log) as two:
            await friction_log.write([a_friction() for _ in range(30)])
            await until(lambda: both_own(database), within=30)
            await friction_log.write([a_friction() for _ in range(30)])
            await until(lambda: at_least(two, 90), within=30)
        await friction_log.write([a_friction() for _ in range(30)] + [again(friction) for friction in first])
        await until(lambda: len(receiver.calls) >= 120, within=30)
        issues = await one.issues()

    assert len(issues) == len(receiver.calls) == len({call.webhook_id for call in receiver.calls}) == 120
    assert {issue["count"] for issue in issues} == {1}


async def both_own(database: str) -> bool:
    async with rows(database) as connection:
        return bool(await connection.fetchval("SELECT count(DISTINCT owner) = 2 FROM alerts.progress"))


@pytest.mark.logs_error("partition refused")
async def test_a_log_that_was_made_anew_is_refused_loudly(database: str, friction_log: FrictionLog) -> None:
    async with rows(database) as connection:
        for partition in (0, 1):
            await connection.execute(
                "INSERT INTO alerts.progress (line, topic, partition, next_offset, epoch, owner,"
                " claimed_at, updated_at) VALUES ($1, $2, $3, 1000, 1, 'before', now(), now())",
                *(friction_log.line, friction_log.frictions, partition),
            )
    async with alerts(database, friction_log) as api:
        await friction_log.write([a_friction()])

        async def refused() -> bool:
            status, text, _ = await api.raw("/readyz?verbose")
            return status == 503 and "truncated" in text

        await until(refused, within=30)
        assert await api.issues() == []


@pytest.mark.logs_error("partition refused")
async def test_recreated_is_refused(database: str, friction_log: FrictionLog) -> None:
    async with rows(database) as connection:
        for partition in (0, 1):
            await connection.execute(
                "INSERT INTO alerts.progress (line, topic, partition, next_offset, epoch, owner, last_hash,"
                " claimed_at, updated_at) VALUES ($1, $2, $3, 1, 1, 'before', '\\x00', now(), now())",
                *(friction_log.line, friction_log.frictions, partition),
            )
    await friction_log.write([a_friction() for _ in range(20)])
    async with alerts(database, friction_log) as api:

        async def refused() -> bool:
            status, text, _ = await api.raw("/readyz?verbose")
            return status == 503 and "recreated" in text

        await until(refused, within=30)
        assert await api.issues() == []


async def test_kill_between_the_2xx_and_the_record_repeats_the_same_id(
    database: str, friction_log: FrictionLog, tmp_path: Path
) -> None:
    victim: list[Any] = []

    async def kill_first(_call: ReceivedCall) -> web.StreamResponse:
        if victim:
            os.kill(victim.pop().pid, signal.SIGKILL)
        return web.Response()

    async with a_receiver(kill_first) as receiver:
        async with (
            alerts_process(database, friction_log, tmp_path) as (process, base),
            client_of(base, database) as api,
        ):
            victim.append(process)
            await api.endpoint(receiver.url)
            await friction_log.write([a_friction()])
            await until(lambda: process.poll() is not None)
        async with alerts_process(database, friction_log, tmp_path) as (_, base), client_of(base, database) as api:
            await until(lambda: len(receiver.calls) == 2, within=30)
            [issue] = await api.issues()
            [delivery] = await until(lambda: delivered(api, issue["id"]))

    assert {call.webhook_id for call in receiver.calls} == {delivery["id"]}
    assert len({call.body for call in receiver.calls}) == 1
    assert delivery["attempts"] == 2


async def delivered(api: AlertsClient, issue_id: str) -> list[dict[str, Any]]:
    deliveries = (await api.issue(issue_id))["deliveries"]
    return [delivery for delivery in deliveries if delivery["state"] == "delivered"]


async def test_kill_at_any_time_loses_nothing_and_doubles_no_issue(
    database: str, friction_log: FrictionLog, tmp_path: Path
) -> None:
    # A group of its own for each life: the embedded broker can hold a group's place for a dead member for very long.
    lives = [{"WAYMARK_ALERTS_BATCH": "7", "WAYMARK_ALERTS_GROUP": f"waymark-alerts-{life}"} for life in range(5)]
    frictions = [a_friction() for _ in range(120)]
    async with a_receiver() as receiver:
        for turn in range(4):
            async with alerts_process(database, friction_log, tmp_path, **lives[turn]) as (process, base):
                if turn == 0:
                    async with client_of(base, database) as api:
                        await api.endpoint(receiver.url)
                await friction_log.write(frictions[turn * 30 : turn * 30 + 30])
                seen = len(receiver.calls)
                await until(partial(receiver.got, seen + 4), within=60)
                process.kill()
        async with (
            alerts_process(database, friction_log, tmp_path, **lives[4]) as (_, base),
            client_of(base, database) as api,
        ):
            await until(lambda: at_least(api, 120), within=60)
            await until(lambda: len({call.webhook_id for call in receiver.calls}) == 120, within=60)
            issues = await api.issues()

    assert len(issues) == 120
    assert len(receiver.calls) - 120 <= 4 * 8  # at most what was under way at each kill


async def test_sigterm_drains_and_ends_with_zero(database: str, friction_log: FrictionLog, tmp_path: Path) -> None:
    started, let_go = asyncio.Event(), asyncio.Event()

    async def slow(_call: ReceivedCall) -> web.StreamResponse:
        started.set()
        await let_go.wait()
        return web.Response()

    async with (
        a_receiver(slow) as receiver,
        alerts_process(database, friction_log, tmp_path) as (process, base),
        client_of(base, database) as api,
        api.stream() as stream,
    ):
        assert (await stream.next()).event == "ready"
        await api.endpoint(receiver.url)
        await friction_log.write([a_friction()])
        async with asyncio.timeout(20):
            await started.wait()
        process.send_signal(signal.SIGTERM)
        while (event := await stream.next()).event != "bye":
            pass
        let_go.set()
        await until(lambda: process.poll() is not None, within=30)
        async with rows(database) as connection:
            state = await connection.fetchval("SELECT state FROM alerts.deliveries")

    assert json.loads(event.data) == {"reason": "restart"}
    assert (process.returncode, state) == (0, "delivered")
