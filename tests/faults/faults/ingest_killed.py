"""F22: ingests that are killed, or asked to go, while producers send and send again what is in doubt.

Every acceptance must stand on the topic, whoever gave it and however it ended (I1, I2 of the invariants).
"""

import asyncio
from functools import partial

from tests.faults.checker import Check
from tests.faults.course import Course, Scene, run_course
from tests.faults.fault import Fault, Verdict
from tests.faults.fleet import READY_WITHIN_S
from tests.faults.lab import Lab
from waymark.stack.process import await_ready


async def ended(lab: Lab, seed: int, *, times: int) -> Verdict:
    """SIGKILL and SIGTERM in turn, one ingest after the other."""
    course = Course(touchpoints=400 * times, seconds=5.0 * times + 10.0)
    return await run_course(lab, seed, course, partial(_end, times=times))


async def _end(scene: Scene, times: int) -> None:
    await scene.sending.wait()
    rude = 0
    under_load = 0
    for turn in range(times):
        await asyncio.sleep(scene.rng.uniform(0.5, 2.5))
        victim = scene.rng.choice(scene.fleet.ingests)
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


FAULTS = (
    Fault(id="F22", title="ingests killed or asked to go, 6 times", short=True, run=partial(ended, times=6)),
    Fault(id="F22b", title="ingests killed or asked to go, 20 times", short=False, run=partial(ended, times=20)),
)
