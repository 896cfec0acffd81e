"""A room for the alert service alone: engines, replicas, frictions written straight to their topic, receivers.

The book of what was written (`Written`) is the oracle: which frictions there are, at which revision they stand, and
which belong on one issue (the same customer and journey). Judging is `tests.faults.telling`'s.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import aiohttp
import asyncpg
import psutil
from aiokafka import AIOKafkaProducer

from schemas.documents import friction as friction_v1
from schemas.documents.friction import AnchorDocument, FrictionDocument, FrictionDocumentState
from schemas.vocabulary import Channel, Severity, TextDocument, TimelineEntryDocument, TouchpointRefDocument
from services.runtime.credentials.api_keys import KeyKind
from tests.faults.conditions import until
from tests.faults.fleet import READY_WITHIN_S, Engines, Fleet, Process
from tests.faults.lab import Lab
from tests.faults.log_reading import LogReader
from tests.faults.receivers import Manner, Receiver, fine
from tests.fixtures.administration import role_key
from waymark.launchers.child_process import await_ready

TOPIC = "frictions"
PLACED = "SELECT coalesce(sum(next_offset), 0) FROM alerts.progress WHERE topic = 'frictions'"
RULES = ("repeat_contact_24h", "callback_missed", "payment_declined", "long_wait")


@dataclass(slots=True, kw_only=True)
class Written:
    """What the topic was given: frictions at their last revision, when each was written first, and how often."""

    latest: dict[str, FrictionDocument] = field(default_factory=dict)
    at: dict[str, float] = field(default_factory=dict)
    records: int = 0
    refusable: int = 0
    """Poison among the records."""

    def groups(self) -> set[frozenset[str]]:
        """The frictions that stand, grouped as issues must be: by customer and journey."""
        groups: dict[tuple[str, str | None], set[str]] = {}
        for friction in self.latest.values():
            if friction.state is FrictionDocumentState.DETECTED:
                groups.setdefault((friction.customer_id, friction.journey_id), set()).add(friction.id)
        return {frozenset(held) for held in groups.values()}


@dataclass(slots=True, kw_only=True)
class Room:
    """Engines, a fleet of alert services, receivers that are endpoints, and the book."""

    lab: Lab
    engines: Engines
    fleet: Fleet
    rng: Random
    key: str
    written: Written = field(default_factory=Written)
    receivers: dict[str, Receiver] = field(default_factory=dict)
    producer: AIOKafkaProducer = None
    connection: "asyncpg.Connection[asyncpg.Record]" = None  # type: ignore[assignment]  # `open_room` sets it at once

    @property
    def replicas(self) -> list[Process]:
        """The alert services."""
        return self.fleet.alerts

    async def call(self, method: str, path: str, body: object = None) -> Any:
        """Ask the API of the first replica, as an administrator."""
        headers = {"Authorization": f"Bearer {self.key}"}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.request(method, f"{self.replicas[0].address}{path}", json=body) as answer,
        ):
            said = await answer.json(content_type=None)
            assert answer.status < 300, said
            return said

    async def receiver(
        self, name: str, manner: Manner = fine, *, took_all: bool | None = None, **members: object
    ) -> Receiver:
        """A new receiver, and an endpoint for it that hears of every issue."""
        takes = manner is fine if took_all is None else took_all
        receiver = await self.lab.stack.enter_async_context(Receiver(manner=manner, took_all=takes))
        body = {"name": name, "kind": "standard_webhook", "url": receiver.url, "catch_all": True} | members
        said = await self.call("POST", "/v1/endpoints", body)
        receiver.secret, receiver.endpoint = said["secret"], said["id"]
        self.receivers[name] = receiver
        return receiver

    async def write(self, frictions: Sequence[FrictionDocument], *, seconds: float = 0.0) -> None:
        """Write frictions to the topic, spread over so many seconds, each acknowledged; keep the book."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        waiting = []
        for number, friction in enumerate(frictions):
            due = began + seconds * number / len(frictions)
            if due > loop.time():
                await asyncio.sleep(due - loop.time())
            self.written.latest[friction.id] = friction
            self.written.at.setdefault(friction.id, time.monotonic())
            self.written.records += 1
            key, value = friction.customer_id.encode(), friction_v1.encode(friction)
            waiting.append(await self.producer.send(TOPIC, key=key, value=value))
        await asyncio.gather(*waiting)

    async def write_raw(self, values: Sequence[bytes | None]) -> None:
        """Write what is no friction."""
        for value in values:
            await self.producer.send_and_wait(TOPIC, key=b"poison", value=value)
            self.written.records += 1
            self.written.refusable += 1

    async def value(self, query: str, *args: object) -> Any:
        """One value from the database."""
        return await self.connection.fetchval(query, *args)

    async def applied(self, *, within_s: float = 60.0) -> None:
        """Wait until every record is placed."""
        async with LogReader(self.engines.kafka.bootstrap, TOPIC) as log:

            async def missing() -> list[str]:
                ends = await log.ends()
                done = await self.value(PLACED)
                left = sum(ends.values()) - int(done)
                return [f"{left} frictions not placed"] if left > 0 else []

            await until(missing, within_s=within_s)

    async def told(self, *names: str, within_s: float = 60.0) -> None:
        """Wait until every record is placed, nothing pending for these receivers (or all), nothing unpublished."""
        await self.applied(within_s=within_s)
        wanted = [UUID(self.receivers[name].endpoint) for name in names or self.receivers]

        async def missing() -> list[str]:
            pending = await self.value(_PENDING, wanted)
            unpublished = await self.value("SELECT count(*) FROM alerts.issue_outbox WHERE published_at IS NULL")
            return [
                text for text, n in ((f"{pending} pending", pending), (f"{unpublished} unpublished", unpublished)) if n
            ]

        await until(missing, within_s=within_s)

    async def under_way(self) -> int:
        """Deliveries that somebody has claimed: what a death or a severed session can explain at most."""
        return int(await self.value("SELECT count(*) FROM alerts.deliveries WHERE lease_owner IS NOT NULL"))

    async def until(self, what: str, condition: Callable[[], Awaitable[bool]], *, within_s: float = 30.0) -> None:
        """Wait for a condition."""

        async def missing() -> list[str]:
            return [] if await condition() else [what]

        await until(missing, within_s=within_s)


_PENDING = "SELECT count(*) FROM alerts.deliveries WHERE state = 'pending' AND endpoint_id = ANY($1)"


async def open_room(lab: Lab, seed: int, *, replicas: int = 1, **settings: str) -> Room:
    """Start engines and so many alert services."""
    engines = await lab.engines()
    allowed = {"WAYMARK_ALERTS_ALLOW_PRIVATE_TARGETS": "true", "WAYMARK_ALERTS_ALLOW_HTTP": "true"}
    fleet = lab.fleet(engines, **allowed | settings)
    for _ in range(replicas):
        fleet.add_alerts()
    await asyncio.to_thread(fleet.start)
    key = role_key(engines.database, KeyKind.ADMIN, label="fault lab")
    room = Room(lab=lab, engines=engines, fleet=fleet, rng=Random(f"{seed} alerts"), key=key)
    room.producer = AIOKafkaProducer(bootstrap_servers=engines.kafka.bootstrap, acks="all", linger_ms=2)
    await room.producer.start()
    lab.stack.push_async_callback(room.producer.stop)
    room.connection = await asyncpg.connect(engines.database)
    lab.stack.push_async_callback(room.connection.close)
    lab.say(f"{replicas} alert services are ready")
    return room


async def ready(process: Process) -> None:
    """Wait until it answers that it is ready."""
    await asyncio.to_thread(await_ready, process.child, process.answers, within_s=READY_WITHIN_S)


async def is_frozen(process: Process) -> bool:
    """Whether it is stopped by a signal."""
    return psutil.Process(process.child.pid).status() == psutil.STATUS_STOPPED


async def load(room: Room, over: asyncio.Event) -> None:
    """About 40 frictions a second, until it is over."""
    while not over.is_set():
        await room.write(stories(room.rng, 60), seconds=2.0)


def stories(rng: Random, count: int) -> list[FrictionDocument]:
    """Frictions of so many issues: each is opened; later some get worse, get a second friction, or are taken back."""
    told: list[tuple[float, FrictionDocument]] = []
    for number in range(count):
        first = friction(rng)
        told.append((number, first))
        later = number + rng.random() * count / 3
        dice = rng.random()
        if dice < 0.25:
            told.append((later, again(first, severity=Severity.HIGH)))
        elif dice < 0.4:
            told.append((later, friction(rng, customer_id=first.customer_id, journey_id=first.journey_id)))
        elif dice < 0.55:
            told.append((later, again(first, state=FrictionDocumentState.RETRACTED)))
    return [one for _, one in sorted(told, key=lambda pair: pair[0])]


def friction(rng: Random, **members: Any) -> FrictionDocument:
    """One that was just detected, of a customer and a journey of its own."""
    now = datetime.now(UTC)
    number = str(UUID(int=rng.getrandbits(128), version=4))
    given: dict[str, Any] = {
        "id": number,
        "rule": rng.choice(RULES),
        "rule_version": 1,
        "state": FrictionDocumentState.DETECTED,
        "revision": 1,
        "severity": Severity.MEDIUM,
        "customer_id": str(UUID(int=rng.getrandbits(128), version=4)),
        "journey_id": str(UUID(int=rng.getrandbits(128), version=4)),
        "anchor": AnchorDocument(source="ivr", interaction_id=f"call-{number[:8]}"),
        "occurred_at": now - timedelta(minutes=1),
        "detected_at": now,
        "channel": Channel.PHONE,
        "reason": "billing",
        "touchpoints": (TouchpointRefDocument(source="ivr", id=f"call-{number[:8]}"),),
        "timeline": (
            TimelineEntryDocument(occurred_at=now - timedelta(minutes=1), channel=Channel.PHONE, kind="call_ended"),
        ),
        "title": TextDocument(en="Called twice about billing", ko="요금 문제로 두 번 전화"),
        "explanation": TextDocument(en="Two calls within a day.", ko="하루 안에 두 번 전화했습니다."),
    }
    return FrictionDocument(**given | members)


def again(known: FrictionDocument, **members: Any) -> FrictionDocument:
    """The next revision of a friction."""
    given = {name: getattr(known, name) for name in known.__struct_fields__}
    return FrictionDocument(**given | {"revision": known.revision + 1, "revised_at": datetime.now(UTC)} | members)
