"""The worker on Apache Kafka, with the settings of production: what the embedded broker cannot show."""

import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete

from tests.fixtures.journey_workers import (
    PARTITIONS,
    WorkerStage,
    calls,
    open_stage,
    survive_every_failpoint,
    verify,
)
from tests.integration.test_identity_policy_workers import take_on_while_one_dies
from tests.waiting import until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(400)]


@pytest_asyncio.fixture
async def stage(kafka: str, database: str, tmp_path: Path) -> AsyncIterator[WorkerStage]:
    async with open_stage(kafka, database, tmp_path, idempotent=True) as opened:
        yield opened


async def applied_and_stopped(stage: WorkerStage, people: int) -> None:
    worker = await stage.start()
    await stage.send(calls(people))
    await stage.all_applied()
    worker.signal(signal.SIGTERM)
    assert await worker.ended() == 0


async def test_a_worker_killed_at_every_failpoint_loses_nothing_and_doubles_nothing(stage: WorkerStage) -> None:
    await survive_every_failpoint(stage)


async def test_two_workers_share_the_topic_and_one_takes_over_when_the_other_dies(stage: WorkerStage) -> None:
    await two_share_and_one_takes_over(stage)


async def two_share_and_one_takes_over(stage: WorkerStage) -> None:
    one = await stage.start(group=stage.topic)
    await stage.send(calls(20))
    await stage.all_applied()
    await stage.start(group=stage.topic)
    await stage.until("SELECT count(DISTINCT owner) = 2 FROM journey.progress", within=60)
    one.signal(signal.SIGKILL)
    await stage.send(calls(20))
    await verify(stage, 40)


async def test_fausts_streams_in_pure_python_share_and_take_over_alike(stage: WorkerStage) -> None:
    stage.environ["NO_CYTHON"] = "1"
    await two_share_and_one_takes_over(stage)
    assert all(worker.says("faust is pure Python") for worker in stage.processes)


async def test_both_take_a_version_of_identity_on_under_load_while_one_of_them_dies(stage: WorkerStage) -> None:
    await take_on_while_one_dies(stage)


async def test_an_idle_topic_counts_as_read_so_that_timers_can_fire(stage: WorkerStage) -> None:
    await stage.start()
    await stage.until(f"SELECT count(caught_up_at) = {PARTITIONS} FROM journey.progress")
    await stage.execute("UPDATE journey.progress SET caught_up_at = NULL")
    await stage.until(f"SELECT count(caught_up_at) = {PARTITIONS} FROM journey.progress")


@pytest.mark.logs_error("worker cannot go on", "process ends by a failure")
async def test_a_topic_that_was_deleted_and_made_again_is_refused(stage: WorkerStage, kafka: str) -> None:
    await applied_and_stopped(stage, 20)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    await admin.delete_topics([stage.topic])

    async def gone() -> bool:
        return stage.topic not in await admin.list_topics()

    await until(gone)
    await admin.create_topics([NewTopic(name=stage.topic, num_partitions=PARTITIONS, replication_factor=1)])
    await admin.close()
    await stage.send(calls(5))
    worker = await stage.start()
    assert await worker.ended(60) == 1
    assert worker.says("the topic was recreated")
    assert worker.says("WAYMARK_KAFKA_LINE")


@pytest.mark.logs_error("worker cannot go on", "process ends by a failure")
async def test_records_that_retention_took_unread_are_not_passed_over_in_silence(
    stage: WorkerStage, kafka: str
) -> None:
    await applied_and_stopped(stage, 20)
    await stage.send(calls(20))
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    await admin.delete_records(
        {TopicPartition(stage.topic, p): RecordsToDelete(before_offset=-1) for p in range(PARTITIONS)}
    )
    await admin.close()
    worker = await stage.start()
    assert await worker.ended(60) == 1
    assert worker.says("removed by retention")
