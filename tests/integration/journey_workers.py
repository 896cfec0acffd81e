"""Workers as processes on a real broker and database, and what the database says afterwards."""

import asyncio
import itertools
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from schemas.documents import touchpoint as touchpoint_v1
from services.journey.failpoints import WorkerFailpoint
from services.runtime.kafka.producer import KafkaProducer
from services.runtime.kafka.record import ProducerRecord
from services.runtime.kafka.topics import TopicSpec, ensure_topics
from services.runtime.postgres import pools
from services.runtime.postgres.pools import Pool, acquire
from tests.integration.journey_log import touchpoint
from tests.waiting import until

PARTITIONS = 4
_NUMBERS = itertools.count(1)


@dataclass(slots=True)
class Process:
    """One worker."""

    child: asyncio.subprocess.Process
    log: Path

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self.child.returncode is None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.child.send_signal(number)

    async def ended(self, within: float = 30.0) -> int:
        """Wait for its end and return the exit code, negative for a signal."""
        return await asyncio.wait_for(self.child.wait(), within)

    async def port(self) -> int:
        """Wait until it says where health and metrics are, and return the port."""
        await until(lambda: self.says("port "), within=30)
        line = next(line for line in self.log.read_text().splitlines() if line.startswith("port "))
        return int(line.split()[1])

    def says(self, words: str) -> bool:
        """Whether its log holds these words."""
        return words in self.log.read_text()


@dataclass(slots=True)
class Stage:
    """A topic, a database, and the workers on them."""

    pool: Pool
    producer: KafkaProducer
    topic: str
    environ: dict[str, str]
    folder: Path
    processes: list[Process] = field(default_factory=list)
    sent: int = 0

    async def send(self, touchpoints: Iterable[touchpoint_v1.TouchpointDocument]) -> None:
        """Publish, keyed by the first identifier, and count."""
        records = [
            ProducerRecord(
                topic=self.topic,
                key=next(iter(point.customer.values())).value.encode(),
                value=touchpoint_v1.encode(point),
            )
            for point in touchpoints
        ]
        await self.producer.publish(records)
        self.sent += len(records)

    async def start(self, *arguments: str, group: str | None = None, **settings: object) -> Process:
        """Start a worker, in a group of its own unless told, so that it need not wait for a dead one's eviction."""
        number = next(_NUMBERS)
        log = self.folder / f"worker-{number}.log"
        environ = self.environ | {"WAYMARK_JOURNEY_GROUP": group or f"{self.topic}-{number}"}
        environ |= {f"WAYMARK_JOURNEY_{name.upper()}": str(value) for name, value in settings.items()}
        with log.open("wb") as output:
            child = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "tests.integration.journey_process", "--topic", self.topic, *arguments),
                env=environ,
                stdout=output,
                stderr=output,
            )
        process = Process(child, log)
        self.processes.append(process)
        return process

    async def applied(self) -> int:
        """How many records the progress says are applied."""
        return int(await self.value("SELECT coalesce(sum(next_offset), 0) FROM journey.progress"))

    async def all_applied(self, within: float = 40.0) -> None:
        """Wait until everything sent is applied."""
        await self.until("SELECT coalesce(sum(next_offset), 0) >= $1 FROM journey.progress", self.sent, within=within)

    async def until(self, query: str, *arguments: object, within: float = 40.0) -> None:
        """Wait until this query answers true."""

        async def ask() -> bool:
            return bool(await self.value(query, *arguments))

        condition: Callable[[], bool | Awaitable[bool]] = ask
        await until(condition, within=within)

    async def value(self, query: str, *arguments: object) -> Any:
        """Read one value."""
        async with acquire(self.pool) as connection:
            return await connection.fetchval(query, *arguments)

    async def execute(self, statement: str, *arguments: object) -> None:
        """Change something by hand."""
        async with acquire(self.pool) as connection:
            await connection.execute(statement, *arguments)


@asynccontextmanager
async def open_stage(bootstrap: str, database: str, folder: Path, *, idempotent: bool) -> AsyncIterator[Stage]:
    """A fresh topic; the workers that are left at the end are killed."""
    topic = f"touchpoints-{os.getpid()}-{next(_NUMBERS)}"
    specs = [
        TopicSpec(name=name, partitions=PARTITIONS, replication=1, config={})
        for name in (topic, "frictions", "journeys")
    ]
    await ensure_topics(bootstrap, specs, configure=False)
    pool = await pools.create_pool(database, application_name="stage", size=2)
    producer = KafkaProducer(bootstrap, client_id="stage", idempotent=idempotent)
    environ = {
        "PATH": os.environ["PATH"],
        "WAYMARK_KAFKA": bootstrap,
        "WAYMARK_POSTGRES": database,
        "WAYMARK_KAFKA_IDEMPOTENCE": "true" if idempotent else "false",
        "WAYMARK_LOG_FORMAT": "text",
        "WAYMARK_JOURNEY_PORT": "0",
        "WAYMARK_JOURNEY_SESSION_TIMEOUT_S": "6" if idempotent else "2",
    }
    stage = Stage(pool, producer, topic, environ, folder)
    try:
        yield stage
    finally:
        for process in stage.processes:
            if process.alive:
                process.signal(signal.SIGKILL)
                await process.ended()
        await producer.stop()
        await pools.close_pool(pool)


CALLS_EACH = 3
FRICTIONS_EACH = 2 * (CALLS_EACH - 1)
"""Two rules (within a day, within a week) for every call after the first."""

_PEOPLE = itertools.count(1)


def calls(people: int) -> Iterator[touchpoint_v1.TouchpointDocument]:
    """Each of so many new people calls three times about the same thing; the second time from a known number only."""
    numbers = [next(_PEOPLE) for _ in range(people)]
    for call in range(CALLS_EACH):
        for number in numbers:
            who = {"customer_id": f"C-{number}", "phone": f"+8210{number:08d}"}
            if call == 1:
                del who["customer_id"]
            yield touchpoint(f"c{number}-{call}", number % 60 + call, customer=who, reason="billing")


async def verify(stage: Stage, people: int) -> None:
    """Every touchpoint once, every person one, every friction once, every friction published."""
    await stage.all_applied()
    assert await stage.value("SELECT count(*) FROM journey.touchpoints") == people * CALLS_EACH
    assert await stage.value("SELECT count(*) FROM journey.customers WHERE merged_into IS NULL") == people
    assert (
        await stage.value("SELECT count(*) FROM journey.frictions WHERE state = 'detected'") == people * FRICTIONS_EACH
    )
    assert await stage.value("SELECT count(*) FROM journey.dead_letters") == 0
    assert await stage.applied() == stage.sent
    await stage.until("SELECT count(*) = 0 FROM journey.outbox WHERE published_at IS NULL")


POINTS = (
    WorkerFailpoint.AFTER_FETCH,
    WorkerFailpoint.BEFORE_TRANSACTION,
    WorkerFailpoint.MID_TRANSACTION,
    WorkerFailpoint.BEFORE_COMMIT,
    WorkerFailpoint.AFTER_COMMIT,
    WorkerFailpoint.AFTER_PUBLISH,
)


async def survive_every_failpoint(stage: Stage) -> None:
    """Kill one worker after the other, each at another point, and let the last one finish."""
    people = 0
    for point in POINTS:
        await stage.send(calls(20))
        people += 20
        doomed = await stage.start("--kill-at", f"{point}:2", batch_records=8)
        assert await doomed.ended(60) == -signal.SIGKILL
    await stage.start(lease_s=1)
    await verify(stage, people)
