"""F27: the whole house under a steady load for twenty minutes while faults come by chance; memory must stay flat.

One of each pair of processes is never touched: its memory, files and processor time are sampled all the while and must
tend nowhere. What is drawn and when comes from the seed. `SOAK_MINUTES`, `SOAK_RATE` (touchpoints a second, on average)
and `SOAK_REPORT` (where the samples go, JSON) may be set.
"""

import asyncio
import os
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path

import asyncpg
import orjson
from aiokafka.errors import KafkaError

from tests.faults.checker import Check
from tests.faults.conditions import until
from tests.faults.course import Course, Scene, run_course
from tests.faults.fault import Fault, Verdict
from tests.faults.faults.worker_killed import FROZEN_SAYS
from tests.faults.fleet import Process
from tests.faults.lab import Lab
from tests.faults.observed import read_progress
from tests.faults.trend import Sample, Trend, sample, trends

MINUTES = float(os.environ.get("SOAK_MINUTES", "20"))
RATE = float(os.environ.get("SOAK_RATE", "40"))
REPORT = Path(os.environ.get("SOAK_REPORT", "soak.json"))

EVERY_S = 5.0
QUIET_S = (25.0, 60.0)
"""Between two faults."""

WARM_UP = 0.25
"""The part of the run that a process has to grow warm in: caches fill, pools open."""

OPENING = 0.5
"""The part of the load that is sent in it: what is remembered for thousands of customers is full after thousands."""

IN_FLIGHT = 8
FROZEN_S = 9.0
BROKER_DOWN_S = 5.0
BACK_WITHIN_S = 240.0
KAFKA_SAYS = ("aiokafka*", "faust*", "mode*", "asyncio: Unclosed AIOKafkaConnection*")
"""The last: aiokafka forgets a connection that it was making when the broker died."""


Strike = Callable[[Scene], Awaitable[None]]


async def soak(lab: Lab, seed: int) -> Verdict:
    """Start, send, strike, sample, compare."""
    seconds = MINUTES * 60
    course = Course(
        touchpoints=round(RATE * seconds),
        seconds=seconds,
        pace=_warming_up,
        settle_s=300,
        settings={"WAYMARK_ALERTS_IN_FLIGHT": str(IN_FLIGHT)},
        webhook_repeats=round(seconds / QUIET_S[0]) * IN_FLIGHT,
        explains=(*KAFKA_SAYS, *FROZEN_SAYS),
    )
    return await run_course(lab, seed, course, _strike_and_sample)


def _warming_up(part: float) -> float:
    """Fast through the opening, then evenly."""
    if part < OPENING:
        return part / OPENING * WARM_UP
    return WARM_UP + (part - OPENING) / (1 - OPENING) * (1 - WARM_UP)


async def _strike_and_sample(scene: Scene) -> None:
    await scene.sending.wait()
    samples: defaultdict[str, list[Sample]] = defaultdict(list)
    lags: list[dict[str, float]] = []
    watching = asyncio.create_task(_watch(scene, samples, lags))
    strikes: list[dict[str, object]] = []
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        while loop.time() - began < scene.seconds - 45:
            await asyncio.sleep(scene.rng.uniform(*QUIET_S))
            name = scene.rng.choice(sorted(STRIKES))
            scene.lab.say(f"{(loop.time() - began) / 60:.1f} min: {name}")
            strikes.append({"at_s": round(loop.time() - began, 1), "fault": name})
            await STRIKES[name](scene)
            scene.counts[name] += 1
        await scene.sent.wait()
    finally:
        watching.cancel()
    found = trends(samples, warm_up_s=WARM_UP * scene.seconds)
    await asyncio.to_thread(_write, scene, samples, lags, strikes, found)
    scene.checks += [*map(_flat, found), _all_sampled(scene, found)]
    scene.counts |= {"minutes": round(scene.seconds / 60), "most lag": round(max(one["touchpoints"] for one in lags))}
    scene.counts |= {f"MiB more {one.name}": round(one.growth_mib) for one in found}


async def _watch(scene: Scene, samples: defaultdict[str, list[Sample]], lags: list[dict[str, float]]) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    while True:
        at = loop.time() - began
        for process in scene.fleet.all:
            one = sample(process.child.pid, at)
            if one is not None:
                samples[process.name].append(one)
        try:
            progress = await asyncio.wait_for(read_progress(scene.engines.database, scene.engines.kafka.bootstrap), 10)
            behind: dict[str, float] = {"at_s": round(at, 1), "touchpoints": 0, "frictions": 0}
            for (topic, partition), end in progress.ends.items():
                behind[topic] += max(0, end - progress.applied.get((topic, partition), 0))
            lags.append(behind)
        except (KafkaError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
            lags.append({"at_s": round(at, 1), "touchpoints": -1, "frictions": -1})
            scene.lab.say(f"no look at the lag: {type(error).__name__}")
        await asyncio.sleep(EVERY_S)


async def _kill(scene: Scene, process: Process) -> None:
    process.kill()
    await asyncio.sleep(scene.rng.uniform(0.0, 3.0))
    await _start(process)


async def _term(_scene: Scene, process: Process) -> None:
    await asyncio.to_thread(process.stop)
    await _start(process)


async def _freeze(_scene: Scene, process: Process) -> None:
    process.child.freeze()
    await asyncio.sleep(FROZEN_S)
    process.child.resume()


async def _start(process: Process) -> None:
    process.start()
    await _patiently(process.name, lambda: asyncio.to_thread(process.answers))


async def _patiently(name: str, is_back: Callable[[], Awaitable[bool]]) -> None:
    """Wait for a return, for as long as a machine needs that does much else besides."""

    async def missing() -> list[str]:
        return [] if await is_back() else [f"{name} is not back"]

    await until(missing, within_s=BACK_WITHIN_S)


async def _broker(scene: Scene) -> None:
    node = scene.engines.kafka.nodes[0]
    node.kill()
    await asyncio.sleep(BROKER_DOWN_S)
    node.launch()
    await _patiently("the broker", lambda: _reads(scene))


async def _reads(scene: Scene) -> bool:
    try:
        await asyncio.wait_for(read_progress(scene.engines.database, scene.engines.kafka.bootstrap), 10)
    except (KafkaError, OSError, TimeoutError):
        return False
    return True


async def _sessions(scene: Scene) -> None:
    """Every session of Waymark's with PostgreSQL is ended, as a failover does."""
    connection = await asyncpg.connect(scene.engines.database)
    try:
        ended = await connection.fetchval(_END_SESSIONS)
    finally:
        await connection.close()
    scene.counts["sessions ended"] += ended


_END_SESSIONS = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
 WHERE application_name LIKE 'waymark%' AND pid <> pg_backend_pid()
"""

STRIKES: dict[str, Strike] = {
    "worker killed": lambda scene: _kill(scene, scene.fleet.workers[1]),
    "worker restarted": lambda scene: _term(scene, scene.fleet.workers[1]),
    "worker frozen": lambda scene: _freeze(scene, scene.fleet.workers[1]),
    "alerts killed": lambda scene: _kill(scene, scene.fleet.alerts[1]),
    "alerts restarted": lambda scene: _term(scene, scene.fleet.alerts[1]),
    "alerts frozen": lambda scene: _freeze(scene, scene.fleet.alerts[1]),
    "ingest killed": lambda scene: _kill(scene, scene.fleet.ingests[1]),
    "ingest restarted": lambda scene: _term(scene, scene.fleet.ingests[1]),
    "broker killed": _broker,
    "database sessions ended": _sessions,
}


def _flat(one: Trend) -> Check:
    return Check(
        name=f"{one.name}: memory and files stay flat",
        ok=one.is_flat,
        detail=f"{one.rss_first_mib} to {one.rss_last_mib} MiB in {one.seconds / 60:.0f} min, "
        f"{one.rss_slope_mib_per_hour:+.1f} MiB/h; {one.files_first} to {one.files_last} files",
    )


def _all_sampled(scene: Scene, found: list[Trend]) -> Check:
    """The spared one of each pair has lived through, and was looked at."""
    spared = {peers[0].name for peers in (scene.fleet.ingests, scene.fleet.workers, scene.fleet.alerts)}
    missing = spared - {one.name for one in found}
    return Check(name="the spared processes lived through", ok=not missing, detail=", ".join(missing) or "all three")


def _write(
    scene: Scene,
    samples: dict[str, list[Sample]],
    lags: list[dict[str, float]],
    strikes: list[dict[str, object]],
    found: list[Trend],
) -> None:
    document = {
        "minutes": scene.seconds / 60,
        "rate_per_s": RATE,
        "strikes": strikes,
        "trends": [asdict(one) | {"is_flat": one.is_flat} for one in found],
        "lag": lags,
        "samples": {name: [asdict(one) for one in seen] for name, seen in samples.items()},
    }
    REPORT.write_bytes(orjson.dumps(document))


FAULTS = (
    Fault(
        id="F27",
        title=f"soak: {MINUTES:.0f} minutes of steady load and faults by chance",
        short=False,
        by_name=True,
        run=soak,
        limit_s=MINUTES * 60 + 900,
    ),
)
