"""The alert list's 7, 8, 9, 12: rebalances in the middle of a batch, poison, a storm, and a database that goes away."""

import asyncio
import signal

import asyncpg
import orjson

from schemas.documents import friction as friction_v1
from schemas.documents.friction import FrictionDocument
from schemas.vocabulary import Severity
from services.alerts.failpoints import AlertsFailpoint
from tests.faults.alerts_room import Room, friction, is_frozen, load, open_room, ready
from tests.faults.checker import Check
from tests.faults.fault import Fault, Verdict
from tests.faults.fleet import Process
from tests.faults.footprint import read_logs
from tests.faults.hurt_alerts import heal, hurt
from tests.faults.lab import Lab
from tests.faults.telling import judged, percentile
from waymark.launchers.postgres import StopMode

FROZEN_S = 10.0
"""Longer than a session of 6 s: the group gives the partitions to somebody else."""

CRITICAL_WITHIN_MS = 2000.0
KAFKA_SAYS = ("aiokafka*",)


async def rebalances(lab: Lab, seed: int) -> Verdict:
    """Members come, freeze in the middle of a batch past their session, and go, while frictions come in."""
    room = await open_room(lab, seed, replicas=2)
    await room.receiver("sink")
    frozen = room.replicas[1]
    under_way = 0
    async with asyncio.TaskGroup() as tasks:
        over = asyncio.Event()
        tasks.create_task(load(room, over))
        for place in (AlertsFailpoint.FRICTIONS_READ, AlertsFailpoint.FRICTIONS_APPLIED):
            await asyncio.to_thread(frozen.stop)
            hurt(frozen, f"freeze:{place}:{room.rng.randint(2, 6)}")
            frozen.start()
            heal(frozen)
            await room.until(f"not frozen at {place}", lambda: is_frozen(frozen), within_s=60)
            under_way += await room.under_way()
            await asyncio.sleep(FROZEN_S)
            frozen.child.send(signal.SIGCONT)
            await ready(frozen)
        newcomer = room.fleet.add_alerts()
        newcomer.start()
        await ready(newcomer)
        await asyncio.to_thread(room.replicas[0].stop)
        room.replicas[0].start()
        await ready(room.replicas[0])
        over.set()
    await room.applied(within_s=120)
    await room.told(within_s=120)
    events = read_logs(room.fleet).events
    checks = await judged(room, repeats=under_way, explains=KAFKA_SAYS)
    checks.append(
        Check(
            name="a batch was fenced, or found applied, at least once",
            ok=events["partition lost"] > 0 or events["partition claimed"] > 8,
            detail=f"{events['partition lost']} partitions lost, {events['partition claimed']} claims",
        )
    )
    return Verdict(checks=checks, counts=_counts(room, {"frozen in a batch": 2, "claims": events["partition claimed"]}))


async def poison(lab: Lab, seed: int) -> Verdict:
    """Everything that is no friction, among some that are."""
    room = await open_room(lab, seed)
    await room.receiver("sink")
    bad = _poison(friction(room.rng))
    for one in bad:
        await room.write([friction(room.rng) for _ in range(3)])
        await room.write_raw([one])
    await room.applied()
    await room.told()
    rows = await room.connection.fetch("SELECT code, count(*) AS n FROM alerts.dead_letters GROUP BY code")
    checks = await judged(room)
    reasons = {row["code"]: row["n"] for row in rows}
    checks.append(Check(name="each has a reason", ok=len(reasons) >= 3, detail=str(reasons)))
    return Verdict(checks=checks, counts=_counts(room, {"poison": len(bad)}))


def _poison(sound: FrictionDocument) -> list[bytes | None]:
    text = friction_v1.encode(sound)
    whole = orjson.loads(text)

    def with_(**members: object) -> bytes:
        return orjson.dumps(whole | members)

    return [
        None,
        b"",
        b"not json",
        text[: len(text) // 2],
        b"[]",
        with_(revision=0),
        with_(revision="one"),
        with_(id="no-uuid"),
        with_(severity="apocalyptic"),
        with_(customer_id="with \u0000 inside"),
        with_(reason="x" * 300_000),
        text.replace(b'"revision":1', b'"revision":NaN'),
        text.replace(b'"revision":1', b'"revision":1e400'),
        text.replace(b'"revision":1', b'"revision":123456789012345678901234567890'),
        text.replace(b'"billing"', b'"\\ud800"'),
        text.replace(b'"billing"', b'"\xff\xfe"'),
        b'{"a":' * 5000 + b"1" + b"}" * 5000,
    ]


async def storm(lab: Lab, seed: int) -> Verdict:
    """Ten thousand frictions in ten seconds, a few of them critical, for one receiver."""
    room = await open_room(lab, seed)
    await room.receiver("sink")
    everything = [friction(room.rng) for _ in range(10_000)]
    places = sorted(room.rng.sample(range(1000, len(everything)), 40))
    for place in places:
        everything[place] = friction(room.rng, severity=Severity.CRITICAL)
    critical = {everything[place].id for place in places}
    began = asyncio.get_running_loop().time()
    await room.write(everything, seconds=10)
    wrote = asyncio.get_running_loop().time() - began
    await room.applied(within_s=180)
    applied = asyncio.get_running_loop().time() - began
    await room.told(within_s=240)
    told = asyncio.get_running_loop().time() - began
    quick, slow = _waits(room, critical)
    checks = await judged(room)
    worst, usual = percentile(quick, 95), percentile(slow, 95)
    checks.append(
        Check(
            name="critical ones do not stand in line",
            ok=worst < max(CRITICAL_WITHIN_MS, usual / 4),
            detail=f"p95 {worst:.0f} ms from placed to told, of the others {usual:.0f} ms",
        )
    )
    counts = {"s to write": wrote, "s until placed": applied, "s until told": told}
    counts |= {"critical p95 ms": worst, "others p95 ms": usual}
    return Verdict(checks=checks, counts=_counts(room, {name: round(value, 1) for name, value in counts.items()}))


def _waits(room: Room, critical: set[str]) -> tuple[list[float], list[float]]:
    """Milliseconds from the placing of an issue to the call, of critical ones and of the others."""
    quick: list[float] = []
    slow: list[float] = []
    for call in room.receivers["sink"].calls:
        issue = call.document["data"]
        waited = 1000 * (call.wall - call.opened_at)
        (quick if critical & set(issue["frictions"]) else slow).append(waited)
    return quick, slow


async def database_away(lab: Lab, seed: int) -> Verdict:
    """PostgreSQL crashes twice while webhooks go out, and ends single sessions in between."""
    room = await open_room(lab, seed, replicas=2)
    await room.receiver("sink")
    under_way = 0
    unready = 0
    ended = 0
    async with asyncio.TaskGroup() as tasks:
        over = asyncio.Event()
        tasks.create_task(load(room, over))
        for turn in range(2):
            await asyncio.sleep(6)
            for _ in range(3):
                under_way += await room.under_way()
                ended += await room.value(_END_ONE)
                await asyncio.sleep(1.5)
            under_way += await room.under_way()
            room.lab.say("PostgreSQL is gone" if not turn else "PostgreSQL is gone again")
            await asyncio.to_thread(room.engines.postgres.stop, StopMode.IMMEDIATE)
            await asyncio.sleep(5)
            unready += sum(not one for one in await asyncio.gather(*(_answers(p) for p in room.replicas)))
            await asyncio.to_thread(room.engines.postgres.start)
            room.connection = await asyncpg.connect(room.engines.database)
            lab.stack.push_async_callback(room.connection.close)
        over.set()
    for process in room.replicas:
        await ready(process)
    await room.applied(within_s=120)
    await room.told(within_s=120)
    checks = await judged(room, repeats=under_way, explains=KAFKA_SAYS)
    ends = sum(not process.child.alive for process in room.replicas)
    checks += [
        Check(name="nobody was ready without a database", ok=unready == 4, detail=f"{unready} of 4 looks said so"),
        Check(name="nobody had to be started again", ok=not ends, detail=f"{ends} ended"),
    ]
    return Verdict(checks=checks, counts=_counts(room, {"crashes": 2, "sessions ended": ended, "under way": under_way}))


_END_ONE = """
SELECT count(pg_terminate_backend(pid)) FROM (
    SELECT pid FROM pg_stat_activity WHERE application_name = 'waymark-alerts' ORDER BY random() LIMIT 4) AS few
"""


async def _answers(process: Process) -> bool:
    return await asyncio.to_thread(process.answers)


def _counts(room: Room, more: dict[str, int | float]) -> dict[str, int | float]:
    ids = sum(len(one.ids) for one in room.receivers.values())
    calls = sum(len(one.calls) for one in room.receivers.values())
    return {**more, "records": room.written.records, "webhooks": ids, "repeats": calls - ids}


FAULTS = (
    Fault(
        id="A7", title="alerts: frozen in a batch past the session; members come and go", short=False, run=rebalances
    ),
    Fault(id="A8", title="alerts: poison among frictions", short=True, run=poison, limit_s=180),
    Fault(id="A9", title="alerts: ten thousand frictions in ten seconds", short=False, run=storm),
    Fault(id="A12", title="alerts: PostgreSQL crashes, sessions end", short=False, run=database_away),
)
