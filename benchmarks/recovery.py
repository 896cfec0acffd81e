"""(f) After `kill -9`, and from cold: how long until work goes on, until nothing is behind, and until each is ready.

Touchpoints keep coming at a steady rate. A process is killed and started again at once, as a supervisor would; the time
to the first record applied has the group's session in it, during which Kafka takes the dead one for alive.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from random import Random

import asyncpg
import orjson

from benchmarks import deployed, ground, lags, racing
from benchmarks.deployed import READY_S, Surroundings
from benchmarks.lags import Lags
from benchmarks.measuring import Benchmark, Better, Lap, Measure, Plan, Report, Teller
from benchmarks.posting import Poster
from benchmarks.racing import RaceError
from benchmarks.traffic import touchpoint
from services.runtime.clock import SystemClock
from waymark.launchers.child_process import await_ready
from waymark.local.service_processes import ServiceProcess

RATE = 200
"""Touchpoints a second while processes die."""

BACKLOG_S = 1.0
"""A reader has caught up when it is behind by no more than this much traffic."""

WITHIN_S = 90.0
COLD = ("ingest", "journey", "journey-api", "alerts")
_HELD = "SELECT array_agg(partition) FROM {0}.progress WHERE topic = $1 AND ($2 = '' OR owner LIKE '%:' || $2)"
_APPLIED = "SELECT coalesce(sum(next_offset), 0) FROM {0}.progress WHERE topic = $1 AND partition = ANY($2::integer[])"


def run(plan: Plan, teller: Teller) -> Report:
    """Start each process from cold, then kill the worker and the alert service under traffic."""
    laps: list[Lap] = []
    with ground.laid_out(teller) as here:
        around = deployed.surroundings(here, "recovery")
        for number in range(1, plan.rounds + 1):
            for name in COLD:
                teller.step(f"round {number} of {plan.rounds}: cold start of {name}")
                laps.append(_cold(around, name, number))
                teller.lap(laps[-1])
        laps += _kills(around, plan, teller)
    return _report(laps)


def _cold(around: Surroundings, name: str, number: int) -> Lap:
    service = around.service(name, f"{name}-{number}")
    began = time.monotonic()
    with racing.running(service.child):
        await_ready(service.child, service.ready, within_s=READY_S)
        took = time.monotonic() - began
    return Lap(round=number, contestant=f"cold start, {name}", measures={"ready_s": took})


def _kills(around: Surroundings, plan: Plan, teller: Teller) -> list[Lap]:
    ingest, journey, standby, alerts = (
        around.service("ingest"),
        around.service("journey"),
        around.service("journey", "standby"),
        around.service("alerts"),
    )
    teller.step("starting ingest, journey and alerts")
    alone = (Kill("kill -9 of the worker", "journey", journey), Kill("kill -9 of alerts", "alerts", alerts))
    one_of_two = (Kill("kill -9 of one of two workers", "journey", journey),)
    with deployed.running([ingest, journey, alerts]):
        laps = asyncio.run(_killing(around, ingest, alone, plan, teller))
        teller.step("starting a second worker")
        with deployed.running([standby]):
            laps += asyncio.run(_killing(around, ingest, one_of_two, plan, teller))
    return laps


@dataclass(frozen=True, slots=True)
class Kill:
    """Whom to kill: what it is called, whose progress is looked at, and the process."""

    what: str
    reader: str
    victim: ServiceProcess


async def _killing(
    around: Surroundings, ingest: ServiceProcess, kills: Sequence[Kill], plan: Plan, teller: Teller
) -> list[Lap]:
    laps: list[Lap] = []
    async with AsyncExitStack() as stack:
        watched = await stack.enter_async_context(lags.watching(around))
        await stack.enter_async_context(_traffic(around, ingest, plan.seed + len(kills)))
        connection = await asyncpg.connect(around.url)
        stack.push_async_callback(connection.close)
        for number in range(1, plan.rounds + 1):
            for kill in kills:
                teller.step(f"round {number} of {plan.rounds}: {kill.what}")
                await asyncio.sleep(3.0)
                await _caught_up(watched, kill.reader)
                laps.append(Lap(round=number, contestant=kill.what, measures=await _kill(connection, watched, kill)))
                teller.lap(laps[-1])
    return laps


async def _kill(connection: asyncpg.Connection, watched: Lags, kill: Kill) -> dict[str, float]:
    """Kill a process, start it again at once, and take the times; what counts are the partitions that it held."""
    name, victim, topic = kill.reader, kill.victim, lags.READERS[kill.reader]
    pid = str(victim.child.pid) if name == "journey" else ""
    held = await connection.fetchval(_HELD.format(name), topic, pid)
    killed = time.monotonic()
    victim.child.kill()
    applied = await connection.fetchval(_APPLIED.format(name), topic, held)

    async def goes_on() -> bool:
        return bool(await connection.fetchval(_APPLIED.format(name), topic, held) > applied)

    victim.child.start()
    await _until(goes_on, f"{name} applies nothing after a kill")
    first = time.monotonic() - killed
    await _caught_up(watched, name)
    caught_up = time.monotonic() - killed
    while not await asyncio.to_thread(victim.ready):
        await asyncio.sleep(0.1)
    return {"ready_s": time.monotonic() - killed, "first_s": first, "caught_up_s": caught_up}


async def _caught_up(watched: Lags, name: str) -> None:
    seen = len(watched.series)

    async def nothing_behind() -> bool:
        return len(watched.series) > seen + 1 and watched.latest[name] <= BACKLOG_S * RATE

    await _until(nothing_behind, f"{name} stays behind")


async def _until(condition: Callable[[], Awaitable[bool]], complaint: str) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not await condition():
        if time.monotonic() > deadline:
            raise RaceError(f"{complaint}, {WITHIN_S:.0f} s")
        await asyncio.sleep(0.02)


@asynccontextmanager
async def _traffic(around: Surroundings, ingest: ServiceProcess, seed: int) -> AsyncIterator[None]:
    """Post touchpoints at the rate for the length of the block, ten at a time."""
    poster = Poster(ingest.port, "/v1/touchpoints", around.keys["source"])
    task = asyncio.create_task(_post(poster, seed))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        poster.close()


async def _post(poster: Poster, seed: int) -> None:
    dice, clock, number = Random(seed), SystemClock(), 0
    while True:
        at = clock.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        items = []
        for _ in range(10):
            number += 1
            items.append({"id": f"r{seed}-{number}", **touchpoint(dice, dice.randrange(500), number, at)})
        status = await poster.post(orjson.dumps(items))
        if status != 202:
            raise RaceError(f"ingest answered {status}")
        await asyncio.sleep(10 / RATE)


def _report(laps: Sequence[Lap]) -> Report:
    titles = (("ready_s", "ready, s"), ("first_s", "first record applied, s"), ("caught_up_s", "caught up, s"))
    return Report(
        laps=laps,
        measures=[Measure(name=name, title=title, digits=2, better=Better.LOWER) for name, title in titles],
        unit="record",
        settings={"touchpoints a second": RATE},
        notes=(
            "From the kill; first record: of the partitions that the killed process held. Kafka takes a killed reader "
            "for alive until its session (6 s) has passed; only then does the group meet again.",
            "Ready from cold includes Python's imports, the pool, the claim of the partitions.",
        ),
    )


BENCHMARK = Benchmark(name="recovery", title="After kill -9, and from cold", run=run)
