"""The whole worker as a process: killed at every failpoint, stopped, frozen, cut off, and nothing lost or doubled."""

import signal
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
import pytest_asyncio

from services.journey.failpoints import WorkerFailpoint
from services.runtime.kafka.record import ProducerRecord
from tests.fixtures.journey_workers import (
    FRICTIONS_EACH,
    WorkerStage,
    calls,
    open_stage,
    survive_every_failpoint,
    verify,
)
from tests.waiting import until
from waymark.launchers.postgres import PostgresServer, StopMode

pytestmark = [pytest.mark.local, pytest.mark.timeout(300)]


@pytest_asyncio.fixture
async def stage(broker: str, database: str, tmp_path: Path) -> AsyncIterator[WorkerStage]:
    async with open_stage(broker, database, tmp_path, idempotent=False) as opened:
        yield opened


async def test_a_worker_killed_at_every_failpoint_loses_nothing_and_doubles_nothing(stage: WorkerStage) -> None:
    await survive_every_failpoint(stage)


async def test_the_same_holds_with_fausts_streams_in_pure_python(stage: WorkerStage) -> None:
    stage.environ["NO_CYTHON"] = "1"
    await survive_every_failpoint(stage)
    assert stage.processes[-1].says("faust is pure Python")


async def test_fausts_streams_are_compiled_unless_told_otherwise(stage: WorkerStage) -> None:
    worker = await stage.start()
    await worker.port()
    assert worker.says("faust is compiled")


async def test_a_worker_asked_to_stop_in_the_middle_ends_well_and_another_goes_on(stage: WorkerStage) -> None:
    await stage.send(calls(400))
    first = await stage.start(batch_records=10)
    await stage.until("SELECT sum(next_offset) > 100 FROM journey.progress")
    first.signal(signal.SIGTERM)
    assert await first.ended(30) == 0
    assert await stage.applied() < stage.sent
    await stage.start()
    await verify(stage, 400)


@pytest.mark.may_log_error("services.journey.consume.transport")
async def test_a_frozen_worker_is_fenced_by_its_successor_and_does_no_harm(stage: WorkerStage) -> None:
    await stage.send(calls(30))
    zombie = await stage.start("--freeze-at", f"{WorkerFailpoint.BEFORE_COMMIT}:2", batch_records=8)
    await stage.until("SELECT sum(next_offset) > 0 FROM journey.progress")
    await stage.start()
    await verify(stage, 30)
    zombie.signal(signal.SIGCONT)
    await until(lambda: zombie.says("partition lost") or zombie.says("batch will be tried again"), within=30)
    await stage.send(calls(10))
    await verify(stage, 40)


async def test_two_workers_share_the_topic_and_one_takes_over_when_the_other_dies(stage: WorkerStage) -> None:
    one = await stage.start(group="shared")
    await stage.send(calls(20))
    await stage.all_applied()
    await stage.start(group="shared")
    await stage.until("SELECT count(DISTINCT owner) = 2 FROM journey.progress")
    await stage.send(calls(20))
    await stage.all_applied()
    one.signal(signal.SIGKILL)
    await stage.send(calls(20))
    await verify(stage, 60)


async def test_a_claim_taken_away_and_given_up_is_made_again(stage: WorkerStage) -> None:
    await stage.start(batch_records=20)
    await stage.send(calls(20))
    await stage.all_applied()
    await stage.execute("UPDATE journey.progress SET epoch = epoch + 1, owner = 'somebody'")
    await stage.send(calls(20))
    await verify(stage, 40)
    assert await stage.value("SELECT count(*) FROM journey.progress WHERE owner = 'somebody'") == 0


async def test_a_worker_waits_for_a_database_that_comes_back(
    stage: WorkerStage, postgres_server: PostgresServer
) -> None:
    worker = await stage.start(batch_records=20)
    await stage.send(calls(20))
    await stage.all_applied()
    postgres_server.stop(StopMode.IMMEDIATE)
    await stage.send(calls(20))
    await until(lambda: worker.says("batch will be tried again"), within=30)
    postgres_server.start()
    await verify(stage, 40)
    assert worker.alive


async def test_a_worker_asked_to_stop_while_the_database_is_away_ends_in_time(
    stage: WorkerStage, postgres_server: PostgresServer
) -> None:
    worker = await stage.start(batch_records=20)
    await stage.send(calls(20))
    await stage.all_applied()
    postgres_server.stop(StopMode.IMMEDIATE)
    await stage.send(calls(20))
    await until(lambda: worker.says("batch will be tried again"), within=30)
    worker.signal(signal.SIGTERM)
    try:
        assert await worker.ended(30) == 0
    finally:
        postgres_server.start()


@pytest.mark.logs_error("worker cannot go on", "process ends by a failure")
async def test_a_log_that_was_made_anew_is_refused_with_advice(stage: WorkerStage) -> None:
    first = await stage.start()
    await stage.send(calls(10))
    await stage.all_applied()
    first.signal(signal.SIGTERM)
    assert await first.ended() == 0
    await stage.execute("UPDATE journey.progress SET last_hash = '\\x00' WHERE next_offset > 0")
    second = await stage.start()
    assert await second.ended(60) == 1
    assert second.says("recreated")
    assert second.says("WAYMARK_KAFKA_LINE")


async def test_the_same_log_under_a_new_line_is_read_again_and_published_again(stage: WorkerStage) -> None:
    first = await stage.start()
    await stage.send(calls(10))
    await verify(stage, 10)
    first.signal(signal.SIGTERM)
    assert await first.ended() == 0
    stage.environ["WAYMARK_KAFKA_LINE"] = "another-life"
    await stage.start()
    await stage.until("SELECT sum(next_offset) = $1 FROM journey.progress WHERE line = 'another-life'", stage.sent)
    assert await stage.value("SELECT count(*) FROM journey.touchpoints") == 30
    wanted = 10 * FRICTIONS_EACH
    await stage.until("SELECT count(*) = $1 FROM journey.outbox WHERE published_line = 'another-life'", wanted)


async def test_chunks_lost_on_the_way_are_fetched_again(stage: WorkerStage) -> None:
    worker = await stage.start("--lose", "3", batch_records=20)
    for _ in range(8):
        await stage.send(calls(10))
        await stage.all_applied()
    await verify(stage, 80)
    assert worker.says("hole in the delivery")


@pytest.mark.logs_error("batch failed", "worker cannot go on", "process ends by a failure")
async def test_too_many_dead_letters_stop_the_worker_and_a_higher_limit_lets_it_go_on(stage: WorkerStage) -> None:
    await stage.producer.publish([ProducerRecord(topic=stage.topic, key=b"k", value=b"{") for _ in range(50)])
    stage.sent += 50
    first = await stage.start(dead_letter_run=20)
    assert await first.ended(60) == 1
    assert first.says("dead letters (run)")
    assert await stage.applied() == 0
    await stage.start(dead_letter_run=100, dead_letter_ratio=1.0)
    await stage.all_applied()
    assert await stage.value("SELECT count(*) FROM journey.dead_letters") == 50


async def test_health_and_metrics_tell_how_it_stands(stage: WorkerStage) -> None:
    worker = await stage.start()
    port = await worker.port()
    await stage.send(calls(5))
    await stage.all_applied()
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        ready = await client.get("/readyz?verbose")
        live = await client.get("/livez")
        metrics = (await client.get("/metrics")).text
    assert (live.status_code, ready.status_code) == (200, 200)
    assert "4 of 4 assigned partitions claimed" in ready.text
    assert 'waymark_journey_records_total{outcome="fresh"} 15.0' in metrics
    assert (
        f'waymark_journey_frictions_total{{event="detected",quiet="false",rule="repeat_contact_24h"}} {5 * 2}.0'
        in metrics
    )
