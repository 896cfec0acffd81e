"""What the libraries send to: PostgreSQL, a broker, a real ingest and a real journey worker, and what stands there.

Apache Kafka, or the embedded broker where a quick look is enough.
"""

import json
import os
import re
import secrets
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import psycopg

from schemas.documents.dead_letter import decode
from services.ingest.sources.source_administration import SourceSpec
from tests.fixtures.administration import source_key
from tests.fixtures.ingest import IngestServer, ends, make_topics, read_back
from tests.waiting import until
from waymark.launchers.child_process import ChildProcess, await_ready, free_port
from waymark.launchers.kafka import KafkaCluster
from waymark.launchers.postgres import PostgresServer
from waymark.launchers.tansu import TansuBroker
from waymark.local.service_processes import ask
from waymark.migrations.migrate import migrate

JOURNEY_S = 60.0
"""Seconds within which what stands on Kafka has to be in the journey."""

_SAMPLE = re.compile(r'^waymark_ingest_requests_refused_total\{reason="([a-z_]+)"\} ([0-9.e+]+)$', re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stood:
    """What stands of one source: records and dead letters on Kafka, rows and customers in the journey."""

    records: list[dict[str, Any]]
    dead_letters: list[bytes]
    rows: int
    customers: int

    @property
    def numbers(self) -> list[int]:
        """The numbers of the track calls that arrived, each once."""
        return sorted({found["attributes"]["n"] for found in self.records if "n" in found.get("attributes", {})})

    @property
    def ids(self) -> set[str]:
        """The touchpoints that arrived."""
        return {found["id"] for found in self.records}


class Ground:
    """A stack inside `with`; ingest can be refused its broker, and restarted on its port."""

    def __init__(self, folder: Path, *, embedded: bool = False) -> None:
        self._postgres = PostgresServer(folder / "postgres")
        self._broker: TansuBroker | KafkaCluster = (
            TansuBroker(folder / "broker") if embedded else KafkaCluster(folder / "broker")
        )
        self._folder = folder
        self._stack = ExitStack()
        self._ingest: IngestServer | None = None

    def __enter__(self) -> Self:
        with ExitStack() as starting:
            (self._folder / "broker").mkdir(parents=True, exist_ok=True)
            (self._folder / "postgres").mkdir(parents=True, exist_ok=True)
            starting.enter_context(self._postgres)
            starting.enter_context(self._broker)
            migrate(self.database)
            self._stack = starting.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    async def open(self) -> None:
        """Make the topics, then start ingest and the journey worker."""
        await make_topics(self.bootstrap)
        settings = {
            "WAYMARK_KAFKA_IDEMPOTENCE": "false" if isinstance(self._broker, TansuBroker) else "true",
            "WAYMARK_INGEST_PUBLISH_TIMEOUT_S": "1",
            "WAYMARK_INGEST_RETRY_AFTER_S": "1",
            "WAYMARK_INGEST_WRONG_KEYS_PER_MINUTE": "0",
        }
        process = IngestServer(folder=self._folder, database=self.database, bootstrap=self.bootstrap, settings=settings)
        self._ingest = self._stack.enter_context(process)
        self._stack.enter_context(self._journey())

    @property
    def database(self) -> str:
        """URL of the database."""
        return self._postgres.url()

    @property
    def bootstrap(self) -> str:
        """Where the broker is."""
        return self._broker.bootstrap

    @property
    def ingest(self) -> IngestServer:
        """The running ingest."""
        assert self._ingest is not None, "open() comes first"
        return self._ingest

    @property
    def url(self) -> str:
        """What a library is told as its host."""
        return f"http://127.0.0.1:{self.ingest.port}"

    def source(self, *, requests_per_s: float | None = None) -> tuple[str, str]:
        """Make a source of its own for one check; return its name and its key."""
        name = f"s-{secrets.token_hex(4)}"
        return name, source_key(self.database, SourceSpec(name=name, requests_per_s=requests_per_s))

    def refusals(self) -> Counter[str]:
        """Return how many requests this ingest refused so far, by reason."""
        _, text = self.ingest.ask("/metrics")
        return Counter({reason: int(float(count)) for reason, count in _SAMPLE.findall(text)})

    def answered(self) -> int:
        """Return how many POST requests this ingest has answered."""
        _, text = self.ingest.ask("/metrics")
        lines = [line for line in text.splitlines() if line.startswith("waymark_http_requests_total{")]
        return sum(int(float(line.rpartition(" ")[2])) for line in lines if 'method="POST"' in line)

    @contextmanager
    def broker_away(self) -> Iterator[None]:
        """Freeze the broker for the length of the block: ingest answers 503."""
        broker = self._broker
        processes = [broker.child] if isinstance(broker, TansuBroker) else [node.child for node in broker.nodes]
        for process in processes:
            process.freeze()
        try:
            yield
        finally:
            for process in processes:
                process.resume()

    async def marks(self) -> dict[str, dict[int, int]]:
        """Return where the topics end now, for `stood`."""
        return {topic: await ends(self.bootstrap, topic) for topic in ("touchpoints", "touchpoints-rejected")}

    async def stood(self, source: str, since: dict[str, dict[int, int]], *, rows: int) -> Stood:
        """Return what stands of `source`, once the journey has `rows` of it; fails when it does not get them."""
        await until(lambda: self._counted(source)[0] >= rows, within=JOURNEY_S)
        found = await self._since("touchpoints", since)
        letters = [decode(value) for value in await self._since("touchpoints-rejected", since)]
        records = [document for document in map(json.loads, found) if document["source"] == source]
        applied, customers = self._counted(source)
        return Stood(
            records=records,
            dead_letters=[letter.value for letter in letters if letter.source == source],
            rows=applied,
            customers=customers,
        )

    async def _since(self, topic: str, since: dict[str, dict[int, int]]) -> list[bytes]:
        if await ends(self.bootstrap, topic) == since[topic]:  # a reader with nothing to read does not end well
            return []
        return [each.value for each in await read_back(self.bootstrap, since[topic], topic)]

    def _counted(self, source: str) -> tuple[int, int]:
        with psycopg.connect(self.database, autocommit=True) as connection:
            row = connection.execute(
                "SELECT count(*), count(DISTINCT customer_id) FROM journey.touchpoints WHERE source = %s", (source,)
            ).fetchone()
        assert row is not None
        return int(row[0]), int(row[1])

    @contextmanager
    def _journey(self) -> Iterator[ChildProcess]:
        port = free_port()
        environment = {
            "PATH": os.environ["PATH"],
            "WAYMARK_KAFKA": self.bootstrap,
            "WAYMARK_POSTGRES": self.database,
            "WAYMARK_JOURNEY_PORT": str(port),
            "WAYMARK_JOURNEY_SESSION_TIMEOUT_S": "6",
        }
        if isinstance(self._broker, TansuBroker):
            environment |= {"WAYMARK_KAFKA_IDEMPOTENCE": "false", "WAYMARK_KAFKA_LINE": self._broker.line}
        command: list[str | Path] = [Path(sys.executable).with_name("waymark"), "serve", "journey"]
        child = ChildProcess("journey", command, log=self._folder / "journey.log", env=environment)
        child.start()
        try:
            await_ready(child, lambda: ask(port, "/readyz")[0] == 200, within_s=60.0)
            yield child
        finally:
            child.stop(within_s=20.0)
