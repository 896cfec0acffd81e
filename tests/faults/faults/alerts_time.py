"""The alert list's 1, 2, 13, 17, 18: outages of hours and of days, secrets that change, two people at once, the stream.

Hours and days pass on a virtual clock: the service's own parts run on a real database, and time is moved to whatever is
due next.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import aiohttp
import orjson

from services.alerts.deliver.retry import DISABLE_AFTER, RETRY_SCHEDULE
from tests.faults.alerts_room import Room, friction, open_room, stories
from tests.faults.checker import Check, verdict
from tests.faults.fault import Fault, Verdict
from tests.faults.lab import Lab
from tests.faults.receivers import Call, Receiver, fine, status
from tests.faults.sink import is_signed
from tests.faults.telling import judged, ordered
from tests.fixtures.alerts_engine import AlertsEngine, alerts_engine
from tests.fixtures.clock import SteppingClock
from tests.waiting import until
from waymark.launchers.postgres import PostgresServer
from waymark.migrations.migrate import migrate

DRAIN_AT_MOST = 8
NEXT_DUE = """
SELECT min(greatest(d.next_at, e.paused_until)) FROM alerts.deliveries d JOIN alerts.endpoints e USING (endpoint_id)
 WHERE d.state = 'pending' AND e.enabled AND NOT EXISTS (
     SELECT FROM alerts.deliveries p WHERE p.endpoint_id = d.endpoint_id AND p.issue_id = d.issue_id
        AND p.sequence < d.sequence AND p.state = 'pending')
"""


@asynccontextmanager
async def _timeless(lab: Lab) -> AsyncIterator[tuple[AlertsEngine, SteppingClock, Receiver]]:
    """One replica's parts on a database of its own, a clock that stands still, and a receiver."""
    postgres = PostgresServer(lab.folder / "engines" / "postgres")
    lab.stack.callback(postgres.stop)
    await asyncio.to_thread(postgres.start)
    await asyncio.to_thread(migrate, postgres.url())
    clock = SteppingClock(datetime.now(UTC))
    async with Receiver(took_all=False) as receiver, alerts_engine(postgres.url(), clock) as engine:
        _, receiver.secret = await engine.endpoint(receiver.url)
        yield engine, clock, receiver


async def _pass(engine: AlertsEngine, clock: SteppingClock, *, until_: datetime) -> int:
    """Let time pass, from one due moment to the next; how many there were."""
    steps = 0
    while (due := await engine.value(NEXT_DUE)) is not None and due <= until_:
        clock.set(max(due, clock.now()))
        await until(lambda: _at_rest(engine, clock), within=60)
        steps += 1
    clock.set(max(until_, clock.now()))
    return steps


async def _at_rest(engine: AlertsEngine, clock: SteppingClock) -> bool:
    """Whether everything due by now was tried, and nothing is under way."""
    due = await engine.value(NEXT_DUE)
    if due is not None and due <= clock.now():
        return False
    return not await engine.value("SELECT count(*) FROM alerts.deliveries WHERE lease_until IS NOT NULL")


async def six_hours(lab: Lab, seed: int) -> Verdict:
    """The list's 1: 500 for six hours, then 200."""
    async with _timeless(lab) as (engine, clock, receiver):
        receiver.manner = status(500)
        rng, began = Random(seed), clock.now()
        await engine.take(*stories(rng, 20))
        steps = await _pass(engine, clock, until_=began + timedelta(hours=6))
        refused = len(receiver.calls)
        gaps = await engine.column(_EARLY, [step.total_seconds() for step in RETRY_SCHEDULE])
        receiver.manner = fine
        await engine.take(*[friction(rng) for _ in range(5)])
        await _drained(engine, clock)
        left = await engine.value("SELECT count(*) FROM alerts.deliveries WHERE state <> 'delivered'")
        health = await engine.value("SELECT consecutive_failures FROM alerts.endpoints")
        taken = receiver.calls[refused:]
    checks = [
        Check(name="attempts keep the ladder", ok=not gaps, detail=f"{steps} moments, {len(gaps)} attempts too early"),
        Check(name="afterwards everything is delivered", ok=not left, detail=f"{left} left"),
        Check(
            name="each once",
            ok=len(taken) == len({call.webhook_id for call in taken}),
            detail=f"{len(taken)} calls after the recovery",
        ),
        ordered("the receiver", taken, 0),
        Check(name="the endpoint is healthy again", ok=health == 0, detail=f"{health} failures on record"),
    ]
    return Verdict(checks=checks, counts={"attempts refused": refused, "delivered": len(taken), "moments": steps})


_EARLY = """
SELECT a.delivery_id FROM alerts.attempts a JOIN alerts.attempts b
    ON b.delivery_id = a.delivery_id AND b.attempt = a.attempt + 1
 WHERE a.outcome = 'retry'
   AND extract(epoch FROM b.at - a.at) < ($1::float8[])[least(a.attempt + 1, array_length($1::float8[], 1))] - 1
"""


async def five_days(lab: Lab, seed: int) -> Verdict:
    """The list's 2: 500 for five days; disabled, others told, enabled again, and everything comes, not all at once."""
    async with _timeless(lab) as (engine, clock, receiver), Receiver() as other:
        _, other.secret = await engine.endpoint(other.url, name="other")
        receiver.manner = status(500)
        rng, began = Random(seed), clock.now()
        for day in range(6):
            await engine.take(*stories(rng, 60))
            await _pass(engine, clock, until_=began + timedelta(days=day + 1))
        disabled = await engine.value("SELECT disabled_reason FROM alerts.endpoints WHERE NOT enabled")
        attempts = len(receiver.calls)
        await engine.take(*stories(rng, 20))
        most = _Most()
        receiver.manner = most.manner
        failing = await engine.value("SELECT endpoint_id FROM alerts.endpoints WHERE NOT enabled")
        given_up = await engine.column("SELECT delivery_id FROM alerts.deliveries WHERE state = 'exhausted'")
        await _enable(engine, failing)
        clock.advance(timedelta(minutes=20))
        await _drained(engine, clock)
        for name in given_up:
            await _replay(engine, clock, name)
        await _drained(engine, clock)
        left = await engine.value("SELECT count(*) FROM alerts.deliveries WHERE state <> 'delivered'")
        told = [call.document["type"] for call in other.calls]
        wanted = set(await engine.column("SELECT delivery_id FROM alerts.deliveries WHERE endpoint_id = $1", failing))
        got = {call.webhook_id for call in receiver.calls[attempts:]}
    checks = [
        Check(name="it is disabled after five days", ok=disabled == "failing", detail=f"{disabled}, {DISABLE_AFTER}"),
        Check(name="the others are told", ok=told.count("endpoint.disabled") == 1, detail=str(Counter(told))),
        Check(name="nothing is lost", ok=wanted <= got and not left, detail=f"{len(wanted - got)} of {len(wanted)}"),
        Check(name="the drain is limited", ok=most.seen <= DRAIN_AT_MOST, detail=f"{most.seen} at once at most"),
    ]
    return Verdict(
        checks=checks,
        counts={
            "attempts in five days": attempts,
            "delivered after": len(got),
            "given up, sent by hand": len(given_up),
        },
    )


class _Most:
    """A manner that counts how many requests are under way at once."""

    def __init__(self) -> None:
        self.now = self.seen = 0

    async def manner(self, receiver: Receiver, call: Call, writer: asyncio.StreamWriter) -> bool:
        self.now += 1
        self.seen = max(self.seen, self.now)
        await asyncio.sleep(0.01)
        self.now -= 1
        return await fine(receiver, call, writer)


async def _enable(engine: AlertsEngine, endpoint: Any) -> None:
    from dataclasses import replace

    await engine.service.parts.administration.change_endpoint(
        endpoint, lambda e: replace(e, enabled=True), actor="test"
    )


async def _replay(engine: AlertsEngine, clock: SteppingClock, name: str) -> None:
    from services.alerts.deliver import delivery_store
    from services.runtime.postgres.pools import transaction

    async with transaction(engine.pool) as connection:
        await delivery_store.replay(connection, name, clock.now())
        await delivery_store.wake(connection)


async def _drained(engine: AlertsEngine, clock: SteppingClock) -> None:
    async def pending() -> bool:
        due = await engine.value(NEXT_DUE)
        if due is not None and due > clock.now():
            clock.set(due)
        return due is None and not await engine.value("SELECT count(*) FROM alerts.deliveries WHERE state = 'pending'")

    await until(pending, within=90)


async def rotation(lab: Lab, seed: int) -> Verdict:
    """The list's 13: a secret is changed between two attempts at one webhook."""
    room = await open_room(lab, seed)
    sink = await room.receiver("sink", status(500), took_all=False)
    await room.write([friction(room.rng) for _ in range(4)])
    await room.until("not tried", lambda: _tried(sink, 4))
    old = sink.secret
    said = await room.call("POST", f"/v1/endpoints/{sink.endpoint}/secret/rotate", {"overlap_s": 25})
    rotated = asyncio.get_running_loop().time()
    sink.manner, before = fine, len(sink.calls)
    await room.told()
    during = sink.calls[before:]
    sink.secret = said["secret"]
    await asyncio.sleep(max(0.0, rotated + 26 - asyncio.get_running_loop().time()))
    before = len(sink.calls)
    await room.write([friction(room.rng) for _ in range(4)])
    await room.applied()
    await room.told()
    after = sink.calls[before:]
    both = [
        call for call in during if len(call.signatures.split()) == 2 and call.signed and _signs(said["secret"], call)
    ]
    alone = [call for call in after if len(call.signatures.split()) == 1 and call.signed and not _signs(old, call)]
    checks = [
        Check(
            name="the attempt after the change carries both signatures",
            ok=bool(during) and len(both) == len(during),
            detail=f"{len(both)} of {len(during)}",
        ),
        Check(
            name="after the overlap the old one is gone",
            ok=bool(after) and len(alone) == len(after),
            detail=f"{len(alone)} of {len(after)}",
        ),
    ]
    return Verdict(checks=checks, counts={"attempts": len(sink.calls)})


def _signs(secret: str, call: Call) -> bool:
    headers = {"webhook-id": call.webhook_id, "webhook-timestamp": call.timestamp}
    return is_signed(secret, headers | {"webhook-signature": call.signatures}, call.body)


async def _tried(receiver: Receiver, count: int) -> bool:
    return len(receiver.calls) >= count


async def races(lab: Lab, seed: int) -> Verdict:
    """The list's 17: everybody acknowledges and resolves the same issues at once, through two replicas."""
    room = await open_room(lab, seed, replicas=2)
    await room.receiver("sink")
    await room.write([friction(room.rng) for _ in range(20)])
    await room.applied()
    issues = [row["id"] for row in await room.connection.fetch("SELECT issue_id::text AS id FROM alerts.issues")]
    headers = {"Authorization": f"Bearer {room.key}"}
    async with aiohttp.ClientSession(headers=headers) as session:

        async def act(issue: str, action: str, replica: int) -> int:
            url = f"{room.replicas[replica % 2].address}/v1/issues/{issue}/{action}"
            async with session.post(url, json={}) as answer:
                return answer.status

        acks = await asyncio.gather(*(act(issue, "acknowledge", n) for issue in issues for n in range(6)))
        both = [act(issue, "resolve" if n % 2 else "acknowledge", n // 2) for issue in issues for n in range(6)]
        ends = await asyncio.gather(*both)
        late = await asyncio.gather(*(act(issue, "acknowledge", n) for n, issue in enumerate(issues)))
    rows = await room.connection.fetch(
        "SELECT issue_id::text AS id, kind, count(*) AS n FROM alerts.issue_events GROUP BY issue_id, kind"
    )
    often = {(row["id"], row["kind"]): row["n"] for row in rows}
    twice = [key for key, n in often.items() if key[1] in {"acknowledged", "resolved"} and n != 1]
    unresolved = await room.value("SELECT count(*) FROM alerts.issues WHERE state <> 'resolved'")
    await room.told()
    strange = [code for code in (*acks, *ends, *late) if code not in {200, 409}]
    checks = [
        verdict("one transition each, however many ask", [str(one) for one in twice[:5]], f"{len(issues)} issues"),
        Check(name="all end resolved", ok=not unresolved, detail=f"{unresolved} not"),
        Check(name="nobody gets a strange answer", ok=not strange, detail=str(Counter((*acks, *ends, *late)))),
        *await judged(room),
    ]
    return Verdict(checks=checks, counts={"issues": len(issues), "requests": len(acks) + len(ends) + len(late)})


async def stream(lab: Lab, seed: int) -> Verdict:
    """The list's 18: clients that come and go on the live stream, through two replicas, while both write."""
    room = await open_room(lab, seed, replicas=2)
    await room.receiver("sink")
    clients = [_Client(room, number) for number in range(4)]
    async with asyncio.TaskGroup() as tasks:
        following = [tasks.create_task(client.follow()) for client in clients]
        await room.until("not connected", lambda: _all_connected(clients))
        await room.write(stories(room.rng, 800), seconds=20)
        await room.applied()
        rows = await room.connection.fetch("SELECT document FROM alerts.feed ORDER BY xid, id")
        wanted = [_version(row["document"]) for row in rows]
        await room.until("not all seen", lambda: _seen_all(clients, wanted), within_s=60)
        for task in following:
            task.cancel()
    await room.told(within_s=120)
    checks = [
        verdict(
            f"client {client.number}: every change, once, in order",
            client.problems(wanted),
            f"{len(wanted)} changes over {client.connections} connections",
        )
        for client in clients
    ]
    counts = {"changes": len(wanted), "connections": sum(client.connections for client in clients)}
    return Verdict(checks=[*checks, *await judged(room)], counts=counts)


def _version(document: str) -> tuple[str, int]:
    issue = orjson.loads(document)
    return issue["id"], issue["version"]


class _Client:
    """Follows the stream, leaves after some events, and comes back elsewhere with the id of the last it saw."""

    def __init__(self, room: Room, number: int) -> None:
        self.number = number
        self.seen: list[tuple[str, int]] = []
        self.brought_by: list[str] = []
        self.connections = 0
        self.last: str | None = None
        self._from = ""
        self._room = room
        self._rng = Random(f"{number} {room.rng.random()}")

    def problems(self, wanted: Sequence[tuple[str, int]]) -> list[str]:
        """What was seen otherwise than it stands in the feed, with the connection that brought it."""
        if self.seen == wanted:
            return []
        often = Counter(self.seen)
        again = [at for at, one in enumerate(self.seen) if often[one] > 1]
        missed = set(wanted) - set(self.seen)
        return [
            f"{len(self.seen)} seen, {len(wanted)} there, {len(missed)} missed; seen again: "
            + ", ".join(f"no. {at} of connection {self.brought_by[at]}" for at in again[:20])
        ]

    async def follow(self) -> None:
        """For ever."""
        while True:
            await self._once(self._rng.randint(20, 150))

    async def _once(self, events: int) -> None:
        replica = self._room.replicas[self._rng.randrange(2)]
        headers = {"Authorization": f"Bearer {self._room.key}"} | ({"Last-Event-ID": self.last} if self.last else {})
        timeout = aiohttp.ClientTimeout(total=None)
        async with (
            aiohttp.ClientSession(headers=headers, timeout=timeout) as session,
            session.get(f"{replica.address}/v1/stream") as answer,
        ):
            self.connections += 1
            self._from = f"{self.last} at {replica.address}"
            members: dict[str, str] = {}
            async for line in answer.content:
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name:
                    members[name] = value
                    continue
                events -= self._took(members)
                members = {}
                if events <= 0:
                    return

    def _took(self, members: dict[str, str]) -> int:
        if "id" in members:
            self.last = members["id"]
        if members.get("event", "").startswith("issue."):
            self.seen.append(_version(members["data"]))
            self.brought_by.append(f"{self.connections} ({members.get('id')}, after {self._from})")
            return 1
        return 0


async def _all_connected(clients: list[_Client]) -> bool:
    return all(client.last is not None for client in clients)


async def _seen_all(clients: list[_Client], wanted: list[tuple[str, int]]) -> bool:
    return all(len(client.seen) >= len(wanted) for client in clients)


FAULTS = (
    Fault(id="A1", title="an endpoint answers 500 for six hours, then 200 (virtual clock)", short=True, run=six_hours),
    Fault(id="A2", title="an endpoint answers 500 for five days (virtual clock)", short=False, run=five_days),
    Fault(id="A13", title="a signing secret is changed between two attempts", short=False, run=rotation),
    Fault(id="A17", title="everybody acknowledges and resolves at once", short=False, run=races),
    Fault(id="A18", title="live stream: clients come and go while two replicas write", short=False, run=stream),
)
