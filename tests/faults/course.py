"""The course of most faults: everything is started, a workload goes through, something goes wrong, and is looked at.

A fault brings only its harm: `await run_course(lab, seed, Course(...), harm)`, where `harm` gets the `Scene` and ends
when the world is in order again. Meanwhile the workload is sent, through two ingests by HTTP, or straight to the topic.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

from tests.faults import invariants
from tests.faults.checker import Check, check
from tests.faults.client import ClientLedger, Pace, Producer, even, make_keys
from tests.faults.conditions import settled
from tests.faults.fault import Verdict
from tests.faults.fleet import Engines, Fleet
from tests.faults.footprint import Scales, read_logs
from tests.faults.lab import Lab
from tests.faults.log_reading import LogReader, Stood
from tests.faults.observed import Observed, observe, read_deliveries, read_progress
from tests.faults.producing import Ledger, produce
from tests.faults.shadowed import put_in_shadow, read_shadow, shadow
from tests.faults.sink import Sink
from tests.faults.workload import Workload, make
from tests.faults.written import Written, sort
from tests.oracle.expected import expect
from tests.oracle.people import LIVE

AHEAD_S = 30.0
"""The last absences are known so long after the start, so that timers fire while records still come in."""

SPAN = timedelta(hours=60)
"""How far back the stories reach when ingest says when they were received: within the allowed lateness."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How much of what, and what the fault is allowed to do."""

    touchpoints: int = 4000
    seconds: float = 45.0
    """How long the workload takes; retries come on top."""

    pace: Pace = even
    """When each part of it is sent, over HTTP."""

    over_http: bool = True
    nodes: int = 1
    wired: bool = False
    workers: int = 2
    alerts: int = 2
    ingests: int = 2
    settle_s: float = 150.0
    settings: Mapping[str, str] = field(default_factory=dict)
    """More environment for every process."""

    explains: tuple[str, ...] = ()
    """Patterns (`fnmatch`) of `logger: event` that may be logged as errors."""

    webhook_repeats: int = 0
    """Webhooks that may arrive twice: one for each that was under way when its sender lost its database or its life."""

    before: Callable[[Lab, Engines], Awaitable[Mapping[str, str]]] | None = None
    """Puts something before the engines once they run, and returns more environment for every process."""

    own_ends: int = 0
    """How often processes may end by themselves, to be started again as an init system does."""


@dataclass(slots=True, kw_only=True)
class Scene:
    """What a harm may lay hands on."""

    lab: Lab
    engines: Engines
    fleet: Fleet
    sink: Sink
    rng: Random
    seconds: float
    ledger: ClientLedger
    """Empty when the workload goes straight to the topic."""

    counts: Counter[str] = field(default_factory=Counter)
    """What the harm did; goes into the table."""

    checks: list[Check] = field(default_factory=list)
    """What must be true beyond the invariants."""

    sending: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once the workload is being sent."""

    sent: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once all of it has its final answer."""


Harm = Callable[[Scene], Awaitable[None]]


async def run_course(lab: Lab, seed: int, course: Course, harm: Harm) -> Verdict:
    """From nothing to a verdict."""
    engines = await lab.engines(nodes=course.nodes, wired=course.wired)
    scene = await _set(lab, engines, seed, course)
    keeper = asyncio.create_task(scene.fleet.keep())
    scales = Scales(fleet=scene.fleet)
    weighing = asyncio.create_task(scales.run())
    try:
        ledger, _ = await asyncio.gather(_send(scene, seed, course), harm(scene))
        lab.say(f"sent: {_words(scene.ledger.counts)}; waiting for the rest")
        await settled(engines.database, engines.kafka.bootstrap, within_s=course.settle_s)
        await asyncio.to_thread(scene.fleet.await_ready)
        if weighing.done():
            weighing.result()
    finally:
        keeper.cancel()
        weighing.cancel()
    polite = await asyncio.to_thread(scene.fleet.stop)
    return await _judge(scene, course, ledger, scales, polite)


async def _set(lab: Lab, engines: Engines, seed: int, course: Course) -> Scene:
    fleet = lab.fleet(engines, WAYMARK_ALERTS_ALLOW_PRIVATE_TARGETS="true", WAYMARK_ALERTS_ALLOW_HTTP="true")
    fleet.extra = {**fleet.extra, **course.settings, **(await course.before(lab, engines) if course.before else {})}
    for add, count in ((fleet.add_worker, course.workers), (fleet.add_alerts, course.alerts)):
        for _ in range(count):
            add()
    if course.over_http:
        for _ in range(course.ingests):
            fleet.add_ingest()
    await asyncio.to_thread(fleet.start)
    sink = await lab.stack.enter_async_context(Sink())
    if fleet.alerts:
        await sink.subscribe(fleet.alerts[0].address, engines.database)
    if fleet.workers:
        await put_in_shadow(engines.database)
    lab.say(f"{len(fleet.all)} processes are ready")
    rng = Random(f"{seed} harm")
    return Scene(
        lab=lab, engines=engines, fleet=fleet, sink=sink, rng=rng, seconds=course.seconds, ledger=ClientLedger()
    )


async def _send(scene: Scene, seed: int, course: Course) -> Ledger | None:
    until = datetime.now(UTC) + timedelta(seconds=AHEAD_S) - 2 * LIVE
    try:
        return await _send_all(scene, seed, course, until)
    finally:
        scene.sent.set()


async def _send_all(scene: Scene, seed: int, course: Course, until: datetime) -> Ledger | None:
    if not course.over_http:
        workload = await asyncio.to_thread(make, seed, course.touchpoints, until)
        scene.sending.set()
        scene.lab.say(f"sending {len(workload.sendings)} records to the topic")
        return await produce(scene.engines.kafka.bootstrap, workload.sendings, course.seconds)
    workload = await asyncio.to_thread(make, seed, course.touchpoints, until, SPAN)
    keys = make_keys(scene.engines.database, _sources(workload))
    addresses = [one.address for one in scene.fleet.ingests]
    producer = Producer(addresses=addresses, keys=keys, ledger=scene.ledger)
    scene.sending.set()
    scene.lab.say(f"sending {len(workload.sendings)} records by HTTP")
    await producer.send(workload.sendings, course.seconds, course.pace)
    return None


def _sources(workload: Workload) -> list[str]:
    return sorted({one["source"] for one in workload.touchpoints} | {"intruder"})


async def _judge(
    scene: Scene, course: Course, ledger: Ledger | None, scales: Scales, polite: Mapping[str, bool]
) -> Verdict:
    engines, fleet = scene.engines, scene.fleet
    async with LogReader(engines.kafka.bootstrap, "touchpoints") as log:
        records = await log.records()
    observed = await observe(engines.database, engines.kafka.bootstrap)
    deliveries = await read_deliveries(engines.database)
    progress = await read_progress(engines.database, engines.kafka.bootstrap)
    tried = await read_shadow(engines.database)
    logged = read_logs(fleet)
    checks: list[Check] = []
    if ledger is None:
        written = sort(records)
        checks += invariants.books(scene.ledger, written)
        ledger = Ledger(acknowledged=len(scene.ledger.acknowledged), refusable=written.conflicts)
    else:
        written = _sound(records, ledger)
    expected = await asyncio.to_thread(expect, written.touchpoints.values())
    stored = len(observed.touchpoints)
    checks += check(expected, observed, ledger)
    checks.append(invariants.accounted(progress, stored, len(observed.dead_letters), written.repeats))
    if fleet.workers:
        checks.append(await asyncio.to_thread(shadow, list(written.touchpoints.values()), tried))
    if fleet.alerts:
        checks += invariants.webhooks(scene.sink, deliveries, course.webhook_repeats)
    checks += [invariants.footprint(scales), invariants.logs(logged, course.explains), _orderly(polite)]
    checks += [_own_ends(fleet, course.own_ends), *scene.checks]
    return Verdict(checks=checks, counts=_counts(scene, ledger, observed, logged.events))


def _sound(records: list[Stood], ledger: Ledger) -> Written:
    kept = [one for one in records if (one.partition, one.offset) not in ledger.refusable]
    return sort(kept)


def _counts(scene: Scene, ledger: Ledger, observed: Observed, events: Counter[str]) -> dict[str, int | float]:
    booked = scene.ledger
    counts: dict[str, int | float] = {"accepted": len(booked.acknowledged) or ledger.acknowledged}
    if booked.sent:
        counts |= {"in doubt": len(booked.doubted), "retries": booked.counts["retries"]}
        counts |= {"answered 503": booked.counts["answered 503"], "no answer": booked.counts["no answer"]}
    counts |= scene.counts
    counts |= {
        "fenced": events["partition lost"],
        "batches retried": events["batch will be tried again"],
        "producers rebuilt": events["producer discarded"],
        "dead letters": len(observed.dead_letters),
        "frictions": len(observed.frictions),
        "webhooks": len(scene.sink.ids),
        "webhook repeats": scene.sink.ids.total() - len(scene.sink.ids),
        "own ends": sum(process.own_ends for process in scene.fleet.all),
    }
    return counts


def _orderly(polite: Mapping[str, bool]) -> Check:
    rude = [name for name, orderly in polite.items() if not orderly]
    return Check(
        name="every process ends in good order on SIGTERM",
        ok=not rude,
        detail=f"not so: {', '.join(rude)}" if rude else f"{len(polite)} processes",
    )


def _own_ends(fleet: Fleet, allowed: int) -> Check:
    """A process that ends by itself has met a bug, unless the fault asks it to."""
    ended = [f"{process.name} {process.own_ends} times" for process in fleet.all if process.own_ends]
    total = sum(process.own_ends for process in fleet.all)
    return Check(name="no process ends by itself", ok=total <= allowed, detail="; ".join(ended) or "none did")


def _words(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {what}" for what, count in sorted(counts.items())) or "all"
