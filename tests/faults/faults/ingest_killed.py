"""F22: ingests that are killed, or asked to go, while producers send and send again what is in doubt.

Every acceptance must stand on the topic, whoever gave it and however it ended (I1, I2 of the invariants).
"""

import asyncio
from functools import partial

from tests.faults.checker import Check
from tests.faults.conditions import until
from tests.faults.course import Course, Scene, run_course
from tests.faults.fault import Fault, Verdict
from tests.faults.fleet import READY_WITHIN_S, Process
from tests.faults.hurt_ingest import heal, hurt
from tests.faults.lab import Lab
from waymark.launchers.child_process import await_ready


async def ended(lab: Lab, seed: int, *, times: int) -> Verdict:
    """SIGKILL and SIGTERM in turn, one ingest after the other."""
    course = Course(touchpoints=400 * times, seconds=8.0 * times + 20.0)
    return await run_course(lab, seed, course, partial(_end, times=times))


async def _end(scene: Scene, times: int) -> None:
    await scene.sending.wait()
    rude = 0
    under_load = 0
    for turn in range(times):
        await asyncio.sleep(scene.rng.uniform(0.5, 2.5))
        victim = scene.fleet.ingests[turn // 2 % 2]
        under_load += not scene.sent.is_set()
        if turn % 2:
            rude += not await asyncio.to_thread(victim.stop)
            scene.counts["asked to go"] += 1
        else:
            victim.kill()
            scene.counts["killed"] += 1
        await asyncio.sleep(scene.rng.uniform(0.0, 1.0))
        victim.start()
        await asyncio.to_thread(await_ready, victim.child, victim.answers, within_s=READY_WITHIN_S)
    scene.counts["under load"] = under_load
    scene.checks += [
        Check(name="SIGTERM ends an ingest in good order", ok=not rude, detail=f"{rude} of {times // 2} did not"),
        Check(
            name="most ends came under load",
            ok=under_load * 2 >= times,
            detail=f"{under_load} of {times} while producers were sending",
        ),
    ]


async def unanswered(lab: Lab, seed: int, *, times: int) -> Verdict:
    """Each ingest in turn dies with a request acknowledged by Kafka and not answered: the producer must ask again."""
    course = Course(touchpoints=400 * times, seconds=8.0 * times + 10.0, own_ends=times)
    return await run_course(lab, seed, course, partial(_die_unanswered, times=times))


async def _die_unanswered(scene: Scene, times: int) -> None:
    await scene.sending.wait()
    for turn in range(times):
        victim = scene.fleet.ingests[turn % 2]
        victim.kill()
        hurt(victim, scene.rng.randint(3, 15))
        before = victim.own_ends
        victim.start()
        heal(victim)

        async def alive(victim: Process = victim, before: int = before) -> list[str]:
            return [] if victim.own_ends > before or scene.sent.is_set() else [f"{victim.name} has not died"]

        await until(alive, within_s=60.0)
        scene.counts["died unanswered"] += victim.own_ends > before
        await asyncio.to_thread(await_ready, victim.child, victim.answers, within_s=READY_WITHIN_S)
    await scene.sent.wait()
    again = scene.ledger.counts["duplicate"]
    scene.checks.append(
        Check(
            name="what was in doubt was there: asked again, it is a duplicate or stands once",
            ok=bool(scene.ledger.doubted) and scene.counts["died unanswered"] > 0,
            detail=f"{len(scene.ledger.doubted)} in doubt, {again} answered duplicate",
        )
    )


FAULTS = (
    Fault(id="F22", title="ingests killed or asked to go, 4 times", short=True, run=partial(ended, times=4)),
    Fault(id="F22b", title="ingests killed or asked to go, 20 times", short=False, run=partial(ended, times=20)),
    Fault(
        id="F22c",
        title="ingests killed between Kafka's acknowledgement and their answer",
        short=False,
        run=partial(unanswered, times=6),
    ),
)
