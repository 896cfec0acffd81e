"""Replicas in one group on Apache Kafka, killed and frozen while they work: nothing is lost, nothing is doubled."""

import signal
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from tests.fixtures.alerts_service import (
    AlertsClient,
    FrictionLog,
    a_friction,
    a_receiver,
    again,
    alerts_process,
    client_of,
    make_friction_log,
    rows,
)
from tests.waiting import until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]

REAL = {
    "WAYMARK_KAFKA_IDEMPOTENCE": "true",
    "WAYMARK_ALERTS_SESSION_TIMEOUT_S": "6",
    "WAYMARK_ALERTS_BATCH": "11",
    "WAYMARK_ALERTS_LEASE_S": "25",  # what a frozen replica had leased is sent after this long
}


@pytest.fixture
async def log(kafka: str) -> FrictionLog:
    return await make_friction_log(kafka, "", partitions=4)


@pytest.mark.parametrize("harm", [signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM])
async def test_a_replica_that_goes_away_is_replaced(
    database: str, log: FrictionLog, tmp_path: Path, harm: signal.Signals
) -> None:
    group = REAL | {"WAYMARK_ALERTS_GROUP": f"alerts-{log.frictions}"}
    frictions = [a_friction() for _ in range(300)]
    async with (
        a_receiver() as receiver,
        alerts_process(database, log, tmp_path, **group) as (victim, base),
        alerts_process(database, log, tmp_path, **group) as (_, other),
        client_of(other, database) as api,
    ):
        await api.endpoint(receiver.url, max_in_flight=16)
        await until(partial(owners, database, 2), within=60)
        await log.write(frictions[:150])
        await until(partial(receiver.got, 20), within=60)
        victim.send_signal(harm)
        await log.write(frictions[150:] + [again(friction) for friction in frictions[:150]])
        await until(partial(all_of, api, 300), within=90)
        await until(lambda: len({call.webhook_id for call in receiver.calls}) == 300, within=60)
        if harm is signal.SIGSTOP:
            victim.send_signal(signal.SIGCONT)  # a ghost that wakes up must not write anything
        await log.write([a_friction() for _ in range(20)])
        await until(partial(all_of, api, 320), within=90)
        async with rows(database) as connection:
            counts = await connection.fetch("SELECT count, count(*) AS n FROM alerts.issues GROUP BY count")
            notified = await connection.fetchval("SELECT count(*) FROM alerts.notifications")
        assert base

    assert {row["count"]: row["n"] for row in counts} == {1: 320}
    assert notified == 320
    repeats = Counter(call.webhook_id for call in receiver.calls)
    assert max(repeats.values()) <= 2  # at most once more for what was under way


@pytest.mark.logs_error("partition refused")
async def test_records_that_retention_takes_under_our_hands_are_not_passed_over_in_silence(
    database: str, log: FrictionLog, tmp_path: Path
) -> None:
    group = REAL | {"WAYMARK_ALERTS_SESSION_TIMEOUT_S": "30", "WAYMARK_ALERTS_GROUP": f"alerts-{log.frictions}"}
    async with alerts_process(database, log, tmp_path, **group) as (process, base), client_of(base, database) as api:
        await log.write([a_friction() for _ in range(40)])
        await until(partial(all_of, api, 40), within=60)
        process.send_signal(signal.SIGSTOP)  # shorter than its session: its claims stay good
        await log.write([a_friction() for _ in range(40)])  # ends the fetch that was under way, so these may arrive
        await log.write([a_friction() for _ in range(40)])  # nobody reads these
        await expire(log)
        process.send_signal(signal.SIGCONT)
        await log.write([a_friction() for _ in range(40)])

        async def refused() -> bool:
            status, text, _ = await api.raw("/readyz?verbose")
            return status == 503 and "expired" in text

        await until(refused, within=60)
        assert 40 <= len(await api.issues()) <= 80


async def expire(log: FrictionLog) -> None:
    """Delete every record that the log holds, as retention does."""
    admin = AIOKafkaAdminClient(bootstrap_servers=log.bootstrap)
    await admin.start()
    try:
        await admin.delete_records(
            {TopicPartition(log.frictions, p): RecordsToDelete(before_offset=-1) for p in range(4)}
        )
    finally:
        await admin.close()


async def owners(database: str, count: int) -> bool:
    async with rows(database) as connection:
        found: Any = await connection.fetchval("SELECT count(DISTINCT owner) FROM alerts.progress")
    return bool(found == count)


async def all_of(api: AlertsClient, count: int) -> bool:
    """Whether there are so many issues. A walk may show one twice when it changes meanwhile."""
    seen: set[str] = set()
    cursor = ""
    while True:
        page = await api.call("GET", f"/v1/issues?limit=200{cursor}", role="reader")
        seen |= {issue["id"] for issue in page["issues"]}
        if "next_cursor" not in page:
            return len(seen) >= count
        cursor = f"&cursor={page['next_cursor']}"
