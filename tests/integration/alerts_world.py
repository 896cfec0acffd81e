"""The alert service for tests: frictions to write, receivers that remember, the process itself, a client of its API."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import asyncpg
from aiohttp import web
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from schemas.documents import friction as friction_v1
from schemas.documents.friction import AnchorDocument, FrictionDocument, FrictionDocumentState
from schemas.vocabulary import Channel, Severity, TextDocument, TimelineEntryDocument, TouchpointRefDocument
from services.alerts.app import running
from services.alerts.settings import AlertsProcessSettings
from services.runtime.credentials.api_keys import KeyKind, mint
from services.runtime.kafka.producer import KafkaProducer
from services.runtime.kafka.record import ProducerRecord
from tests.waiting import until

NOW = datetime.now(UTC).replace(microsecond=0)


def a_friction(**members: Any) -> FrictionDocument:
    """A friction of its own customer and journey, a minute old; `members` override."""
    given: dict[str, Any] = {
        "id": str(uuid4()),
        "rule": "repeat_contact_24h",
        "rule_version": 1,
        "state": FrictionDocumentState.DETECTED,
        "revision": 1,
        "severity": Severity.MEDIUM,
        "customer_id": str(uuid4()),
        "journey_id": str(uuid4()),
        "anchor": AnchorDocument(source="ivr", interaction_id="call-1"),
        "occurred_at": NOW - timedelta(minutes=1),
        "detected_at": datetime.now(UTC),
        "channel": Channel.PHONE,
        "reason": "billing",
        "touchpoints": (
            TouchpointRefDocument(source="ivr", id="call-0"),
            TouchpointRefDocument(source="ivr", id="call-1"),
        ),
        "title": TextDocument(en="Called twice about billing", ko="요금 문제로 두 번 전화"),
        "explanation": TextDocument(en="Two calls within a day.", ko="하루 안에 두 번 전화했습니다."),
        "timeline": (
            TimelineEntryDocument(occurred_at=NOW - timedelta(hours=3), channel=Channel.PHONE, kind="call_ended"),
            TimelineEntryDocument(occurred_at=NOW - timedelta(minutes=1), channel=Channel.PHONE, kind="call_ended"),
        ),
    }
    return FrictionDocument(**given | members)


def again(friction: FrictionDocument, **members: Any) -> FrictionDocument:
    """The next revision of a friction."""
    given = {name: getattr(friction, name) for name in friction.__struct_fields__}
    return FrictionDocument(**given | {"revision": friction.revision + 1} | members)


@dataclass(frozen=True)
class Call:
    """One request that a receiver got."""

    headers: dict[str, str]
    body: bytes
    at: datetime

    @property
    def webhook_id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def document(self) -> dict[str, Any]:
        return dict(json.loads(self.body))

    @property
    def type(self) -> str:
        return str(self.document["type"])

    @property
    def issue(self) -> dict[str, Any]:
        return dict(self.document["data"])


Answer = Callable[[Call], Awaitable[web.StreamResponse]]


async def fine(_call: Call) -> web.StreamResponse:
    """The answer of a receiver that took it."""
    return web.Response(text="ok")


@dataclass
class Receiver:
    """A webhook receiver on loopback that remembers every call; `answer` may be changed at any time."""

    url: str = ""
    calls: list[Call] = field(default_factory=list, repr=False)
    answer: Answer = field(default=fine, repr=False)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        call = Call(headers=headers, body=await request.read(), at=datetime.now(UTC))
        self.calls.append(call)
        return await self.answer(call)

    def got(self, count: int) -> bool:
        return len(self.calls) >= count

    def types(self) -> list[str]:
        return [call.type for call in self.calls]

    def about(self, issue_id: str) -> list[Call]:
        return [call for call in self.calls if call.issue.get("id") == issue_id]


@asynccontextmanager
async def a_receiver(answer: Answer = fine) -> AsyncIterator[Receiver]:
    """A receiver that listens for the length of the block."""
    receiver = Receiver(answer=answer)
    app = web.Application()
    app.router.add_post("/{rest:.*}", receiver.handle)
    app.router.add_get("/{rest:.*}", receiver.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.5)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    receiver.url = f"http://{host}:{port}/hook"
    try:
        yield receiver
    finally:
        await runner.cleanup()


@dataclass
class Log:
    """A topic of frictions of this test's own, and the name of the topic that issues go to."""

    bootstrap: str
    line: str
    frictions: str
    issues: str

    async def write(self, frictions: Sequence[FrictionDocument]) -> None:
        """Append frictions, keyed by customer."""
        records = [
            ProducerRecord(
                topic=self.frictions,
                key=friction.customer_id.encode(),
                value=friction_v1.encode(friction),
                headers=friction_v1.headers(friction),
            )
            for friction in frictions
        ]
        await self.append(records)

    async def append(self, records: Sequence[ProducerRecord]) -> None:
        """Append records as they are."""
        producer = KafkaProducer(self.bootstrap, client_id="test", idempotent=False)
        await producer.publish(records)
        await producer.stop()


async def make_log(bootstrap: str, line: str, *, partitions: int = 2) -> Log:
    """Make topics that no other test uses."""
    name = uuid4().hex[:10]
    log = Log(bootstrap=bootstrap, line=line, frictions=f"frictions-{name}", issues=f"issues-{name}")
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics(
            [
                NewTopic(name=log.frictions, num_partitions=partitions, replication_factor=1),
                NewTopic(name=log.issues, num_partitions=1, replication_factor=1),
            ]
        )
    finally:
        await admin.close()
    return log


def environment(database: str, log: Log, **more: str) -> dict[str, str]:
    """The environment of an alerts process for a test."""
    return {
        "WAYMARK_POSTGRES": database,
        "WAYMARK_KAFKA": log.bootstrap,
        "WAYMARK_KAFKA_LINE": log.line,
        "WAYMARK_KAFKA_IDEMPOTENCE": "false",
        "WAYMARK_ALERTS_PORT": "0",
        "WAYMARK_ALERTS_GROUP": f"alerts-{log.frictions}",
        "WAYMARK_ALERTS_FRICTIONS_TOPIC": log.frictions,
        "WAYMARK_ALERTS_ISSUES_TOPIC": log.issues,
        "WAYMARK_ALERTS_ALLOW_PRIVATE_TARGETS": "true",
        "WAYMARK_ALERTS_KEYS_REFRESH_S": "0.1",
        # The embedded broker numbers generations from 0, which aiokafka takes for "no member": its first member never
        # says goodbye, and the next one waits for it.
        "WAYMARK_ALERTS_SESSION_TIMEOUT_S": "2",
    } | more


class Api:
    """A client of the alerts API with a key of each role."""

    def __init__(self, base: str, keys: dict[str, str], session: aiohttp.ClientSession) -> None:
        self.base = base
        self.keys = keys
        self._session = session

    async def call(
        self, method: str, target: str, body: object = None, *, role: str = "admin", expect: int | None = None
    ) -> Any:
        """Call and return the document; fails with it where the status is not the expected one."""
        headers = {"authorization": f"Bearer {self.keys[role]}"}
        async with self._session.request(method, self.base + target, json=body, headers=headers) as response:
            document = await response.json(content_type=None) if response.content_type != "text/html" else None
            wanted = expect or {"POST": {200, 201, 202}, "DELETE": {204}}.get(method, {200})
            assert response.status in (wanted if isinstance(wanted, set) else {wanted}), (response.status, document)
            return document

    async def headers(self, method: str, target: str, body: object = None) -> dict[str, str]:
        """Call as an administrator and return the headers of the answer, whatever it is; names in lower case."""
        authorization = {"authorization": f"Bearer {self.keys['admin']}"}
        async with self._session.request(method, self.base + target, json=body, headers=authorization) as response:
            return {name.lower(): value for name, value in response.headers.items()}

    async def raw(self, target: str, headers: dict[str, str] | None = None) -> tuple[int, str, dict[str, str]]:
        """GET without a key of our own; status, text, headers."""
        async with self._session.get(self.base + target, headers=headers or {}) as response:
            return response.status, await response.text(), {k.lower(): v for k, v in response.headers.items()}

    async def issues(self, query: str = "") -> list[dict[str, Any]]:
        """Every issue that `query` asks for, up to 200."""
        page = await self.call("GET", f"/v1/issues?limit=200{query}", role="reader")
        return list(page["issues"])

    async def issue(self, issue_id: str) -> dict[str, Any]:
        """Everything about one issue."""
        return dict(await self.call("GET", f"/v1/issues/{issue_id}", role="reader"))

    async def endpoint(self, url: str, **members: object) -> dict[str, Any]:
        """Add a catch-all endpoint; `members` override."""
        body = {"name": "support", "kind": "standard_webhook", "url": url, "catch_all": True} | members
        return dict(await self.call("POST", "/v1/endpoints", body, expect=201))

    @asynccontextmanager
    async def stream(self, last_event_id: str | None = None) -> AsyncIterator["EventReader"]:
        """Follow `/v1/stream`."""
        headers = {"authorization": f"Bearer {self.keys['reader']}"}
        if last_event_id is not None:
            headers["last-event-id"] = last_event_id
        timeout = aiohttp.ClientTimeout(total=None)
        async with self._session.get(self.base + "/v1/stream", headers=headers, timeout=timeout) as response:
            assert response.status == 200, await response.text()
            yield EventReader(response)


@dataclass(frozen=True)
class ServerEvent:
    """One server-sent event."""

    event: str
    id: str | None
    data: str


class EventReader:
    """Reads server-sent events."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def next(self, within: float = 10.0) -> ServerEvent:
        """The next event; comments and `retry` are skipped."""
        async with asyncio.timeout(within):
            while True:
                members: dict[str, str] = {}
                while line := (await self._response.content.readline()).decode().rstrip("\n"):
                    name, _, value = line.partition(": ")
                    members[name] = value
                if "event" in members:
                    return ServerEvent(event=members["event"], id=members.get("id"), data=members.get("data", ""))


async def mint_keys(database: str) -> dict[str, str]:
    """A key of each role, by role."""
    connection = await asyncpg.connect(database)
    texts: dict[str, str] = {}
    try:
        for kind in (KeyKind.READER, KeyKind.AGENT, KeyKind.ADMIN):
            key = mint(kind)
            texts[kind.value] = key.text
            await connection.execute(
                "INSERT INTO alerts.api_keys (key_id, kind, secret_hash, label) VALUES ($1, $2, $3, $4)",
                *(key.key_id, kind.value, key.secret_hash, f"test {kind.value}"),
            )
    finally:
        await connection.close()
    return texts


@asynccontextmanager
async def client_of(base: str, database: str) -> AsyncIterator[Api]:
    """A client of a process that answers at `base`."""
    keys = await mint_keys(database)
    async with aiohttp.ClientSession() as session:
        yield Api(base, keys, session)


@asynccontextmanager
async def alerts(database: str, log: Log, **more: str) -> AsyncIterator[Api]:
    """The whole service in this process, and a client of its API."""
    settings = AlertsProcessSettings.load(environment(database, log, **more))
    async with running(settings) as port, client_of(f"http://127.0.0.1:{port}", database) as api:
        yield api


@asynccontextmanager
async def rows(database: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to look at the tables with."""
    connection = await asyncpg.connect(database)
    try:
        yield connection
    finally:
        with contextlib.suppress(OSError, asyncpg.PostgresError):
            await connection.close()


SERVE = """
import asyncio, os, sys
from services.alerts.app import run
from services.alerts.settings import AlertsProcessSettings
async def ready(port):
    with open(sys.argv[1] + ".new", "w") as file:
        file.write(str(port))
    os.rename(sys.argv[1] + ".new", sys.argv[1])
asyncio.run(run(AlertsProcessSettings.load(dict(os.environ)), on_ready=ready))
"""


@asynccontextmanager
async def a_process(database: str, log: Log, folder: Path, **more: str) -> AsyncIterator[tuple[Any, str]]:
    """A process of its own that a test may kill, and the base of its addresses.

    Each joins a group of its own: the embedded broker is slow to notice that a member died, and where to read on does
    not depend on the group.
    """
    more = {"WAYMARK_ALERTS_GROUP": f"alerts-{uuid4().hex}"} | more
    ready = folder / f"ready-{uuid4().hex}"
    with (folder / "alerts.log").open("ab") as output:
        process = subprocess.Popen(  # noqa: ASYNC220  starting it takes no time worth mentioning
            [sys.executable, "-c", SERVE, str(ready)],
            env=os.environ | environment(database, log, **more),
            stderr=output,
        )
    try:
        await until(ready.exists, within=30)
        yield process, f"http://127.0.0.1:{ready.read_text()}"
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
