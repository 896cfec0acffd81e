"""A running worker takes a version on without a restart, and shows it; two of them take it on together."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import httpx2
import pytest
import pytest_asyncio

from schemas.documents import touchpoint as touchpoint_v1
from services.journey.rulebook import rules_file
from services.journey.versions import storing
from services.runtime.postgres.pools import transaction
from tests.fixtures.journey_bench import touchpoint
from tests.fixtures.journey_workers import WorkerStage, open_stage
from tests.waiting import until

pytestmark = [pytest.mark.local, pytest.mark.timeout(120)]

PEOPLE = 40
MINE = """
extends: default
rules:
  - {id: any_wait, shape: threshold, severity: low, field: wait_s, limits: [{gt: 60}],
     title: {en: Waited, ko: 대기}, explanation: {en: Waited, ko: 대기}}
"""


@pytest_asyncio.fixture
async def stage(broker: str, database: str, tmp_path: Path) -> AsyncIterator[WorkerStage]:
    async with open_stage(broker, database, tmp_path, idempotent=False) as opened:
        yield opened


def waits(round_: str) -> list[touchpoint_v1.TouchpointDocument]:
    now = datetime.now(UTC)
    return [
        touchpoint(
            f"{round_}-{number}",
            customer={"customer_id": f"C-{number}"},
            occurred_at=now,
            received_at=now,
            kind="wait_measured",
            wait_s=90,
            channel="chat",
            direction=None,
        )
        for number in range(PEOPLE)
    ]


async def readiness(port: int) -> str:
    async with httpx2.AsyncClient() as client:
        return (await client.get(f"http://127.0.0.1:{port}/readyz?verbose")).text


async def test_running_workers_judge_by_a_version_from_its_moment_on_and_show_it(stage: WorkerStage) -> None:
    workers = [await stage.start(group="together") for _ in range(2)]
    ports = [await worker.port() for worker in workers]
    await stage.send(waits("before"))
    await stage.all_applied()
    async with transaction(stage.pool) as connection:
        new = storing.of_rules(rules_file.resolve(MINE, name="mine.yaml"), author="kim", note="")
        assert (await storing.apply(connection, new)).version.version == 2
    for port in ports:
        await until(partial(shows, port, "version 2, in force from"), within=5.0)
    await stage.send(waits("after"))
    await stage.all_applied()
    await stage.until("SELECT count(*) = $1 FROM journey.frictions WHERE rule = 'any_wait'", PEOPLE)
    assert await stage.value("SELECT count(*) FROM journey.frictions WHERE payload::text LIKE '%before-%'") == 0


async def shows(port: int, words: str) -> bool:
    return words in await readiness(port)
