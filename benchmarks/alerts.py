"""The alert service by itself: frictions a second in, webhooks a second out, and leasing from a long outbox.

Intake and delivery run as in the service, on PostgreSQL, without Kafka before them; the receiver is a process of its
own (`benchmarks.peers.sink`). The long outbox holds as many rows as asked: delivered ones, ones that wait for a
receiver that is down, and ones behind another of the same issue; leases are timed while a healthy receiver's come in.
"""

import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from uuid import UUID

import psutil
import psycopg
from psycopg import sql

import schemas.documents.friction
from schemas.documents.friction import AnchorDocument, FrictionDocument, FrictionDocumentState
from schemas.vocabulary import Channel, Severity, TextDocument, TouchpointRefDocument
from services.alerts.app import AlertsProcess
from services.alerts.consume.progress import PROGRESS
from services.alerts.consume.records import ConsumedRecord
from services.alerts.deliver import delivery_store
from services.alerts.deliver.endpoint_store import Endpoint
from services.alerts.deliver.retry import EndpointHealth
from services.alerts.settings import AlertsProcessSettings
from services.runtime.clock import SystemClock, new_id
from services.runtime.kafka.producer import KafkaProducer
from services.runtime.log.batch import gather
from services.runtime.log.claims import Claim, claim_of
from services.runtime.log.progress import TopicLine
from services.runtime.postgres.pools import Pool, acquire, close_pool, create_pool, transaction
from services.runtime.process.tasks import TaskOwner
from tests.waiting import until
from waymark.launchers.postgres import PostgresServer
from waymark.migrations.migrate import migrate

LINE = TopicLine(name="benchmark", topic="frictions")
BATCH = 500
WITHIN_S = 600.0
CLAIMS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast one thing went: `cpu_us` is processor microseconds for each, by process."""

    what: str
    count: int
    per_s: float
    cpu_us: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseTimes:
    """Milliseconds that leasing up to 64 took, with so many rows in the outbox."""

    rows: int
    claimed: int
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """Everything measured once, on a fresh database."""

    intake: Pace
    delivery_one: Pace
    delivery_eight: Pace


class Bench:
    """A service whose loops are started one at a time."""

    def __init__(self, pool: Pool, service: AlertsProcess, claim: Claim, postgres: PostgresServer) -> None:
        self.pool = pool
        self.service = service
        self.claim = claim
        self._postgres = postgres
        self._next = 0

    async def endpoints(self, port: int, count: int) -> list[UUID]:
        """Add catch-all endpoints that lead to the sink."""
        now = datetime.now(UTC)
        made = []
        for number in range(count):
            endpoint = Endpoint(
                id=new_id(),
                team_id=None,
                name=f"sink {number}",
                kind="standard_webhook",
                url=f"http://127.0.0.1:{port}/hook/{number}",
                catch_all=True,
                enabled=True,
                disabled_reason=None,
                disabled_at=None,
                max_in_flight=8,
                health=EndpointHealth(),
                last_success_at=None,
                created_at=now,
                updated_at=now,
            )
            revealed = await self.service.parts.administration.add_endpoint(endpoint, actor="benchmark")
            made.append(revealed.endpoint.id)
        return made

    async def intake(self, count: int) -> Pace:
        """Apply `count` frictions, each of an issue of its own."""
        values = [schemas.documents.friction.encode(_friction(number)) for number in range(count)]
        before, began = self.spent(), time.monotonic()
        for first in range(0, count, BATCH):
            arrivals = [
                ConsumedRecord(partition=0, offset=self._next + at, timestamp=0, key=b"key", value=value)
                for at, value in enumerate(values[first : first + BATCH])
            ]
            await self.service.intake.apply(LINE, gather(arrivals, {0: self.claim}), bury=False)
            self._next += len(arrivals)
        return self._pace("frictions in", count, began, before)

    async def deliver(self, name: str, count: int) -> Pace:
        """Send everything that is due."""
        before, began = self.spent(), time.monotonic()
        async with TaskOwner() as webhooks, TaskOwner() as owner:
            dispatcher = self.service.dispatcher(webhooks)
            owner.start("wakeups", self.service.wakeups.run)
            owner.start("dispatcher", dispatcher.run, may_end=True)
            await until(self._all_delivered, within=WITHIN_S)
            pace = self._pace(name, count, began, before)
            await dispatcher.drain(5.0)
        return pace

    async def _all_delivered(self) -> bool:
        async with acquire(self.pool) as connection:
            return bool(
                await connection.fetchval("SELECT NOT EXISTS (SELECT FROM alerts.deliveries WHERE state = 'pending')")
            )

    def spent(self) -> dict[str, float]:
        """Processor seconds so far, by process."""
        return {"alerts": _cpu_s(psutil.Process()), "postgres": _cpu_s(psutil.Process(self._postgres.pid), tree=True)}

    def _pace(self, what: str, count: int, began: float, before: dict[str, float]) -> Pace:
        seconds = time.monotonic() - began
        spent = {name: 1e6 * (now - before[name]) / count for name, now in self.spent().items()}
        return Pace(what=what, count=count, per_s=count / seconds, cpu_us=spent)


async def rounds(count: int, *, frictions: int, tell: Callable[[str], None]) -> list[Round]:
    """Measure `count` times, each on a fresh database."""
    done: list[Round] = []
    with (
        TemporaryDirectory(prefix="waymark-bench-") as name,
        PostgresServer(Path(name) / "postgres") as postgres,
        sink() as port,
    ):
        for number in range(1, count + 1):
            async with _bench(postgres, f"round_{number}") as bench:
                await bench.endpoints(port, 1)
                intake = await bench.intake(frictions)
                one = await bench.deliver("webhooks out, one endpoint", frictions)
                await bench.endpoints(port, 7)
                await bench.intake(frictions // 4)
                eight = await bench.deliver("webhooks out, eight endpoints", 8 * (frictions // 4))
            done.append(Round(intake=intake, delivery_one=one, delivery_eight=eight))
            for pace in (intake, one, eight):
                tell(f"round {number}/{count}: {pace.what:<30} {pace.per_s:>8,.0f}/s")
    return done


async def claims(rows: int, tell: Callable[[str], None]) -> list[LeaseTimes]:
    """Time leases with a short outbox, and with one of `rows` rows."""
    found: list[LeaseTimes] = []
    with TemporaryDirectory(prefix="waymark-bench-") as name, PostgresServer(Path(name) / "postgres") as postgres:
        async with _bench(postgres, "claims") as bench:
            healthy = await bench.endpoints(9, 8)
            for size in (0, rows):
                await _fill(bench.pool, size)
                found.append(await _timed(bench.pool, healthy))
                tell(f"{found[-1].rows:,} rows: claim p50 {found[-1].p50_ms:.2f} ms, p99 {found[-1].p99_ms:.2f} ms")
    return found


async def _timed(pool: Pool, healthy: Sequence[UUID]) -> LeaseTimes:
    """Lease again and again while new deliveries for healthy endpoints keep coming."""
    times: list[float] = []
    claimed = 0
    lease = timedelta(seconds=60)
    async with acquire(pool) as connection:
        rows = await connection.fetchval("SELECT count(*) FROM alerts.deliveries")
        for _ in range(CLAIMS):
            now = datetime.now(UTC)
            await connection.execute(_FRESH, list(healthy), now)
            began = time.perf_counter()
            taken = await delivery_store.lease_due(connection, owner="benchmark", limit=64, now=now, lease=lease)
            times.append(1000 * (time.perf_counter() - began))
            claimed += len(taken)
            await connection.execute(_DONE, [due.id for due in taken], now)
    return LeaseTimes(rows=rows, claimed=claimed, p50_ms=median(times), p99_ms=quantiles(times, n=100)[98])


_FRESH = """
WITH n AS (
    INSERT INTO alerts.notifications (notification_id, sequence, type, reason, body, created_at)
    SELECT gen_random_uuid(), 1, 'issue.opened', 'first', '{}', $2 FROM generate_series(1, 8)
    RETURNING notification_id
)
INSERT INTO alerts.deliveries (
    delivery_id, notification_id, endpoint_id, issue_id, sequence, state, next_at, created_at)
SELECT 'msg_' || gen_random_uuid(), n.notification_id, e, gen_random_uuid(), 1, 'pending', $2, $2
  FROM n, unnest($1::uuid[]) AS e
"""
_DONE = """
UPDATE alerts.deliveries SET state = 'delivered', lease_until = NULL, lease_owner = NULL, delivered_at = $2
 WHERE delivery_id = ANY($1)
"""


async def _fill(pool: Pool, rows: int) -> None:
    """Half delivered; the rest wait for receivers that are down, two thirds of it behind another of the same issue.

    A hundred issues were tried and wait for their next step: more than breakers let through in hours.
    """
    if not rows:
        return
    now = datetime.now(UTC)
    async with transaction(pool) as connection:
        await connection.execute("SET LOCAL statement_timeout = 0")
        down = [
            await connection.fetchval(
                """
                INSERT INTO alerts.endpoints (endpoint_id, name, kind, url, consecutive_failures, failing_since,
                                              created_at, updated_at)
                VALUES (gen_random_uuid(), 'down', 'standard_webhook', 'http://127.0.0.1:9/', 7, $1, $1, $1)
                RETURNING endpoint_id
                """,
                now - timedelta(hours=1),
            )
            for _ in range(4)
        ]
        await connection.execute(
            """
            INSERT INTO alerts.notifications (notification_id, sequence, type, reason, body, created_at)
            SELECT gen_random_uuid(), 1, 'issue.opened', 'first', '{}', $2 FROM generate_series(1, $1)
            """,
            *(rows // 4, now - timedelta(hours=1)),
        )
        await connection.execute(_LONG, down, now, timeout=WITHIN_S)
    async with acquire(pool) as connection:
        await connection.execute("SET statement_timeout = 0")
        await connection.execute("VACUUM ANALYZE alerts.deliveries", timeout=WITHIN_S)


_LONG = """
INSERT INTO alerts.deliveries (
    delivery_id, notification_id, endpoint_id, issue_id, sequence, state, step, next_at, created_at, delivered_at)
SELECT 'msg_' || gen_random_uuid(), n.notification_id, e.id,
       ('00000000-0000-0000-0000-' || lpad((n.number / 3)::text, 12, '0'))::uuid, n.number % 3,
       CASE WHEN e.at <= 2 THEN 'delivered' ELSE 'pending' END,
       CASE WHEN n.number % 3 = 0 AND n.number <= 300 THEN 1 ELSE 0 END,
       CASE WHEN n.number % 3 = 0 AND n.number <= 300 THEN $2::timestamptz + interval '1 hour'
            ELSE $2::timestamptz - interval '1 hour' END,
       $2::timestamptz - interval '1 hour', CASE WHEN e.at <= 2 THEN $2::timestamptz END
  FROM (SELECT notification_id, row_number() OVER () AS number FROM alerts.notifications) n,
       unnest($1::uuid[]) WITH ORDINALITY AS e (id, at)
"""


@asynccontextmanager
async def _bench(postgres: PostgresServer, database: str) -> AsyncIterator[Bench]:
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
    url = postgres.url(database)
    migrate(url)
    environ = {"WAYMARK_POSTGRES": url, "WAYMARK_ALERTS_ALLOW_PRIVATE_TARGETS": "true"}
    pool = await create_pool(url, application_name="benchmark", size=16)
    producer = KafkaProducer("127.0.0.1:1", client_id="benchmark", idempotent=False)
    service = AlertsProcess(AlertsProcessSettings.load(environ), pool, producer, SystemClock())
    async with acquire(pool) as connection:
        [held] = await PROGRESS.claim(connection, LINE, {0: 0}, "benchmark")
    try:
        async with service.sender:
            yield Bench(pool, service, claim_of(held), postgres)
    finally:
        await close_pool(pool)


@contextmanager
def sink() -> Iterator[int]:
    """Run the receiver for the length of the block and yield its port."""
    command = [sys.executable, "-m", "benchmarks.peers.sink"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


def _friction(number: int) -> FrictionDocument:
    now = datetime.now(UTC)
    return FrictionDocument(
        id=str(new_id()),
        rule="repeat_contact_24h",
        rule_version=1,
        state=FrictionDocumentState.DETECTED,
        revision=1,
        severity=Severity.MEDIUM,
        customer_id=str(new_id()),
        journey_id=str(new_id()),
        anchor=AnchorDocument(source="ivr", interaction_id=f"call-{number}"),
        occurred_at=now,
        detected_at=now,
        channel=Channel.PHONE,
        reason="billing",
        touchpoints=(TouchpointRefDocument(source="ivr", id=f"call-{number}"),),
        title=TextDocument(en="Called twice about billing", ko="요금 문제로 두 번 전화"),
        explanation=TextDocument(en="Two calls within a day.", ko="하루 안에 두 번 전화했습니다."),
    )


def _cpu_s(root: psutil.Process, *, tree: bool = False) -> float:
    total = 0.0
    for one in [root, *(root.children(recursive=True) if tree else [])]:
        try:
            times = one.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + (times.children_user + times.children_system if tree else 0.0)
    return total
