"""F2 to F4: workers that are asked to go, freeze, or come and go, while records come in."""

import asyncio
import signal
from dataclasses import replace
from functools import partial

import psutil
import psycopg

from services.journey.failpoints import WorkerFailpoint
from tests.faults import steps
from tests.faults.checker import Check
from tests.faults.conditions import until
from tests.faults.course import Course, Scene, run_course
from tests.faults.fault import Fault, Verdict
from tests.faults.fleet import READY_WITHIN_S, Process
from tests.faults.hurt_worker import heal, hurt
from tests.faults.lab import Lab
from waymark.launchers.child_process import await_ready

EXIT_WITHIN_S = 12.0
FROZEN_S = 30.0
FREEZING_SAYS = (
    "aiokafka.*",
    "services.journey.consume.transport: [[]^--ChunkThread[]]: Thread keepalive is not responding...",
    "mode.*",
    "faust.*",
)
"""What the libraries say at `error` when they wake up and find that their group has gone on without them."""

TAKEN_OVER_WITHIN_S = 25.0
"""A session of 6 s, a rebalance, and the 3 s after which PostgreSQL ends a transaction that idles."""


async def restarted(lab: Lab, seed: int, *, times: int) -> Verdict:
    """F2: a rolling upgrade under load, again and again."""
    course = Course(touchpoints=600 * times, seconds=12.0 * times, over_http=False, alerts=1)
    return await run_course(lab, seed, course, partial(_roll, times=times))


async def _roll(scene: Scene, times: int) -> None:
    steps.install(scene.engines.database)
    await scene.sending.wait()
    exits: list[float] = []
    rude: list[str] = []
    for turn in range(times):
        worker = scene.fleet.workers[turn % len(scene.fleet.workers)]
        scene.counts["under load"] += not scene.sent.is_set()
        began = _now()
        if not await asyncio.to_thread(worker.stop):
            rude.append(f"{worker.name} ended with {worker.child.exit_code}")
        exits.append(_now() - began)
        worker.start()
        await ready(worker)
        scene.counts["restarts"] += 1
        await until(partial(_works, scene, worker), within_s=30.0)
    scene.counts["s to exit at most"] = round(max(exits), 1)  # type: ignore[assignment]  # counts of the table may be fractions
    scene.checks += [
        Check(
            name=f"every worker ends by itself on SIGTERM within {EXIT_WITHIN_S:.0f} s",
            ok=not rude and max(exits) < EXIT_WITHIN_S,
            detail="; ".join(rude) or f"{max(exits):.1f} s at most",
        ),
        steps.check(steps.read(scene.engines.database)),
    ]


async def frozen(lab: Lab, seed: int, *, seconds: float) -> Verdict:
    """F3: each worker in turn is frozen inside a transaction, past its session, and goes on as a ghost."""
    course = Course(touchpoints=4000, seconds=3 * seconds + 20, over_http=False, alerts=1)
    course = replace(course, explains=FREEZING_SAYS)
    return await run_course(lab, seed, course, partial(_freeze_each, seconds=seconds))


async def _freeze_each(scene: Scene, seconds: float) -> None:
    steps.install(scene.engines.database)
    await scene.sending.wait()
    for worker in list(scene.fleet.workers):
        await _freeze(scene, worker, seconds)
    scene.checks.append(steps.check(steps.read(scene.engines.database)))


async def _freeze(scene: Scene, worker: Process, seconds: float) -> None:
    worker.kill()
    hurt(worker, "--freeze-at", f"{WorkerFailpoint.BEFORE_COMMIT}:{scene.rng.randint(2, 5)}")
    worker.start()
    heal(worker)
    await until(lambda: _unless(_is_frozen(worker), "nobody frozen"), within_s=60.0)
    began = _now()
    scene.counts["frozen in a transaction"] += 1
    scene.lab.say(f"{worker.name} is frozen inside a transaction")
    held = _owned(scene, worker)
    await until(lambda: _unless(_taken_over(scene, worker, held), "not taken over"), within_s=seconds)
    took = _now() - began
    scene.counts["s to take over at most"] = max(scene.counts["s to take over at most"], round(took))
    await asyncio.sleep(max(0.0, seconds - took))
    before = _fenced(worker)
    worker.child.send(signal.SIGCONT)
    await until(lambda: _unless(_fenced(worker) > before, "ghost not fenced"), within_s=30.0)
    scene.checks += [
        Check(
            name=f"{worker.name}: its partitions are taken over and go on while it is frozen",
            ok=took < TAKEN_OVER_WITHIN_S,
            detail=f"{len(held)} partitions after {took:.1f} s, {TAKEN_OVER_WITHIN_S:.0f} s allowed",
        ),
        Check(
            name=f"{worker.name}: the ghost is fenced by the epoch",
            ok=_fenced(worker) > before,
            detail=f"{_fenced(worker) - before} partitions lost",
        ),
    ]
    await ready(worker)


async def scaled(lab: Lab, seed: int, *, cycles: int) -> Verdict:
    """F4: one worker, four, two, three, and again."""
    seconds = 35.0 * cycles + 15
    course = Course(touchpoints=round(60 * seconds), seconds=seconds, over_http=False, workers=1, alerts=1)
    return await run_course(lab, seed, course, partial(_scale, cycles=cycles))


async def _scale(scene: Scene, cycles: int) -> None:
    steps.install(scene.engines.database)
    await scene.sending.wait()
    for _ in range(3):
        scene.fleet.add_worker().start()
    for size in (4, 2, 3, 1) * cycles + (4,):  # all are there in the end
        await _resize(scene, size)
        scene.counts["times scaled"] += 1
        await asyncio.sleep(3.0)
    scene.checks.append(steps.check(steps.read(scene.engines.database)))


async def _resize(scene: Scene, size: int) -> None:
    """Start or stop workers until so many run; the first ones stay."""
    for worker in scene.fleet.workers[:size]:
        if not worker.wanted:
            worker.start()
    for worker in scene.fleet.workers[size:]:
        if worker.wanted:
            await asyncio.to_thread(worker.stop)
    for worker in scene.fleet.workers[:size]:
        await ready(worker)


async def _works(scene: Scene, worker: Process) -> list[str]:
    """Until a worker has applied something in this life, or there is nothing more to apply."""
    owners = {step.owner.rpartition(":")[2] for step in steps.read(scene.engines.database)}
    return [] if scene.sent.is_set() or str(worker.child.pid) in owners else ["nothing applied"]


async def ready(worker: Process) -> None:
    """Wait until it says that it is."""
    await asyncio.to_thread(await_ready, worker.child, worker.answers, within_s=READY_WITHIN_S)


def _owned(scene: Scene, worker: Process) -> dict[int, int]:
    """The partitions that a worker's claim is the latest of, and where they stand."""
    with psycopg.connect(scene.engines.database) as connection:
        rows = connection.execute(
            "SELECT partition, next_offset FROM journey.progress WHERE owner LIKE %s", (f"%:{worker.child.pid}",)
        )
        return {partition: at for partition, at in rows}  # noqa: C416 - rows are tuples of unknown length to mypy


def _taken_over(scene: Scene, worker: Process, held: dict[int, int]) -> bool:
    """Whether others have claimed all of them, and at least one has moved on."""
    if _owned(scene, worker):
        return False
    with psycopg.connect(scene.engines.database) as connection:
        rows = connection.execute("SELECT partition, next_offset FROM journey.progress").fetchall()
    return any(at > held[partition] for partition, at in rows if partition in held)


def _is_frozen(worker: Process) -> bool:
    return bool(psutil.Process(worker.child.pid).status() == psutil.STATUS_STOPPED)


def _fenced(worker: Process) -> int:
    return worker.child.log.read_text(errors="replace").count('"partition lost"')


async def _unless(done: bool, missing: str) -> list[str]:
    return [] if done else [missing]


def _now() -> float:
    return asyncio.get_running_loop().time()


FAULTS = (
    Fault(
        id="F2",
        title="rolling restart of workers by SIGTERM, ten times, under load",
        short=False,
        run=partial(restarted, times=10),
    ),
    Fault(
        id="F2b",
        title="rolling restart of workers by SIGTERM, three times, under load",
        short=True,
        run=partial(restarted, times=3),
    ),
    Fault(
        id="F3",
        title="workers frozen inside a transaction for 30 s, past their session",
        short=False,
        run=partial(frozen, seconds=FROZEN_S),
    ),
    Fault(
        id="F4",
        title="workers scaled 1, 4, 2, 3, and again",
        short=False,
        run=partial(scaled, cycles=3),
    ),
)
