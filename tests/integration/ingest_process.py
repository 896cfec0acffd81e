"""Ingest as the process that operators run, and what the tests need around it: a key, topics, what stands on Kafka."""

import http.client
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import psycopg
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from schemas import topics
from services.runtime.kafka.topics import TopicSpec, ensure_topics
from waymark.keys.key_store import SourceSpec, create_source_key
from waymark.launchers.child_process import ChildProcess, await_ready, free_port

TOPICS = ("touchpoints", "touchpoints-rejected")


def a_touchpoint(id_: str, **members: Any) -> dict[str, Any]:
    """Return a valid touchpoint as posted."""
    return {
        "id": id_,
        "occurred_at": "2026-01-22T09:14:00+09:00",
        "channel": "phone",
        "kind": "call_ended",
        "customer": {"customer_id": f"C-{id_}"},
        **members,
    }


async def make_topics(bootstrap: str, *, partitions: int = 3) -> None:
    """Make the topics that ingest writes to, where they are missing."""
    declared = topics.load()
    specs = [
        TopicSpec(name=name, partitions=partitions, replication=1, config=declared[name].config()) for name in TOPICS
    ]
    await ensure_topics(bootstrap, specs, configure=False)


def make_key(database: str, source: str) -> str:
    """Make a key of `source`, which comes into being with it."""
    with psycopg.connect(database, autocommit=True) as connection:
        return create_source_key(connection, SourceSpec(name=source)).text


async def ends(bootstrap: str, topic: str = "touchpoints") -> dict[int, int]:
    """Return the end of each partition, as the place from which `read_back` reads what a test wrote.

    The embedded broker tells an end that lies up to a batch before the true one, so what follows is read.
    """
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="none")
    await consumer.start()
    try:
        partitions = [TopicPartition(topic, number) for number in range(topics_partitions(consumer, topic))]
        found = {place.partition: offset for place, offset in (await consumer.end_offsets(partitions)).items()}
        consumer.assign(partitions)
        for place in partitions:
            consumer.seek(place, found[place.partition])
        while batches := await consumer.getmany(timeout_ms=300):
            found |= {place.partition: records[-1].offset + 1 for place, records in batches.items()}
        return found
    finally:
        await consumer.stop()


def topics_partitions(consumer: AIOKafkaConsumer, topic: str) -> int:
    """Return how many partitions the topic has."""
    return len(consumer.partitions_for_topic(topic) or {0, 1, 2})


async def read_back(bootstrap: str, since: dict[int, int], topic: str = "touchpoints") -> list[ConsumerRecord]:
    """Return the records from `since` to the present end, by an independent client."""
    until = await ends(bootstrap, topic)
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="none")
    await consumer.start()
    try:
        wanted = {TopicPartition(topic, number): offset for number, offset in since.items() if until[number] > offset}
        consumer.assign(list(wanted))
        for partition, offset in wanted.items():
            consumer.seek(partition, offset)
        records: list[ConsumerRecord] = []
        while sum(until[partition.partition] - offset for partition, offset in wanted.items()) > len(records):
            for batch in (await consumer.getmany(timeout_ms=500)).values():
                records += batch
        return records
    finally:
        await consumer.stop()


@dataclass(kw_only=True)
class IngestProcess:
    """`waymark serve ingest` as a child process on a free port."""

    folder: Path
    database: str
    bootstrap: str
    settings: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        environment = {
            "PATH": os.environ["PATH"],
            "WAYMARK_KAFKA": self.bootstrap,
            "WAYMARK_KAFKA_IDEMPOTENCE": "false",
            "WAYMARK_POSTGRES": self.database,
            "WAYMARK_INGEST_PORT": str(self.port),
            "WAYMARK_INGEST_KEYS_REFRESH_S": "0.2",
            **self.settings,
        }
        command: list[str | Path] = [Path(sys.executable).with_name("waymark"), "serve", "ingest"]
        self.child = ChildProcess("ingest", command, log=self.folder / f"ingest-{self.port}.log", env=environment)

    def __enter__(self) -> Self:
        self.child.start()
        await_ready(self.child, lambda: self.get("/readyz") == 200, within_s=30.0)
        return self

    def __exit__(self, *_: object) -> None:
        self.child.stop(within_s=20.0)

    @property
    def url(self) -> str:
        """The address that touchpoints are posted to."""
        return f"http://127.0.0.1:{self.port}/v1/touchpoints"

    def get(self, path: str) -> int:
        """Return the status of a GET, 0 when nobody answers."""
        return self.ask(path)[0]

    def ask(self, path: str) -> tuple[int, str]:
        """Return the status and the text of a GET."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5.0)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except OSError:
            return 0, ""
        finally:
            connection.close()

    def post(self, key: str, document: Any) -> tuple[int, dict[str, str], Any]:
        """Return status, headers and JSON of a POST."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30.0)
        try:
            body = json.dumps(document, ensure_ascii=False).encode()
            connection.request(
                "POST", "/v1/touchpoints", body, {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
            )
            answer = connection.getresponse()
            return (
                answer.status,
                {name.lower(): value for name, value in answer.getheaders()},
                json.loads(answer.read()),
            )
        finally:
            connection.close()


def ids_of(records: Sequence[ConsumerRecord]) -> list[str]:
    """Return the touchpoints' ids in the values of records."""
    return [json.loads(record.value)["id"] for record in records]
