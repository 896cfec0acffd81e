"""What `accepted` promises, on Apache Kafka with the idempotent producer: it outlives the death of the broker."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import aiohttp
import pytest

from tests.fixtures.ingest import IngestServer, a_touchpoint, ends, ids_of, make_key, make_topics, read_back
from tests.waiting import until
from waymark.launchers.kafka import KafkaCluster

pytestmark = pytest.mark.kafka

PRODUCERS = 4
BATCH = 20


class Tally:
    """What the producers were told."""

    def __init__(self) -> None:
        self.accepted: list[str] = []
        self.statuses: list[int] = []
        self.stop = False

    async def produce(self, session: aiohttp.ClientSession, url: str, key: str, name: int) -> None:
        """Send batch after batch, each until it is accepted, as a producer should."""
        for number in itertools.count():
            batch = [a_touchpoint(f"{name}-{number}-{at}") for at in range(BATCH)]
            attempt: Callable[[], Awaitable[bool]] = partial(self._sent, session, url, key, batch)
            await until(attempt, within=100.0)
            if self.stop:
                return

    async def _sent(self, session: aiohttp.ClientSession, url: str, key: str, batch: list[dict[str, object]]) -> bool:
        async with session.post(url, json=batch, headers={"Authorization": f"Bearer {key}"}) as answer:
            results = (await answer.json()).get("results", [])
        self.statuses.append(answer.status)
        self.accepted.extend(result["id"] for result in results if result["status"] == "accepted")
        return self.stop or answer.status == 202


async def test_nothing_accepted_is_lost_when_the_broker_dies_and_comes_back(
    kafka_cluster: KafkaCluster, database: str, tmp_path: Path
) -> None:
    await make_topics(kafka_cluster.bootstrap)
    before = await ends(kafka_cluster.bootstrap)
    settings = {"WAYMARK_KAFKA_IDEMPOTENCE": "true", "WAYMARK_INGEST_PUBLISH_TIMEOUT_S": "1"}
    with IngestServer(
        folder=tmp_path, database=database, bootstrap=kafka_cluster.bootstrap, settings=settings
    ) as ingest:
        key = make_key(database, "ivr")
        tally = Tally()
        async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as producers:
            for name in range(PRODUCERS):
                producers.create_task(tally.produce(session, ingest.url, key, name))
            await until(lambda: len(tally.accepted) > 500, within=30.0)
            await asyncio.to_thread(kafka_cluster.kill)
            await until(lambda: 503 in tally.statuses, within=30.0)
            await until(lambda: ingest.get("/readyz") == 503, within=30.0)
            await asyncio.to_thread(kafka_cluster.restart)
            so_far = len(tally.accepted)
            await until(lambda: len(tally.accepted) > so_far + 500, within=60.0)
            tally.stop = True

    written = ids_of(await read_back(kafka_cluster.bootstrap, before))
    assert set(tally.accepted) <= set(written)
    assert set(tally.statuses) == {202, 503}
