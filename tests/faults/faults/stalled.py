"""F25: a worker that lives and does nothing. The watchdog itself ends it, and the next life does the work."""

import asyncio
from functools import partial

from services.journey.consume.watchdog import ExitCode
from tests.faults.checker import Check
from tests.faults.conditions import until
from tests.faults.course import Course, Scene, run_course
from tests.faults.fault import Fault, Verdict
from tests.faults.faults.workers import ready
from tests.faults.hurt_worker import heal, hurt
from tests.faults.lab import Lab

ENDS_WITHIN_S = 60.0
WATCHDOG_SAYS = ("services.journey.consume.watchdog: worker ends itself",)


async def stalled(lab: Lab, seed: int, *, how: str, code: ExitCode) -> Verdict:
    """One of two workers fetches no more, or its event loop turns no more, while records come in."""
    course = Course(
        touchpoints=3500, seconds=85.0, over_http=False, alerts=1, explains=(*WATCHDOG_SAYS, "aiokafka.*", "mode.*")
    )
    return await run_course(lab, seed, course, partial(_stall, how=how, code=code))


async def _stall(scene: Scene, how: str, code: ExitCode) -> None:
    worker = scene.fleet.workers[0]
    switch = scene.lab.folder / "stalled"
    worker.kill()
    hurt(worker, f"--{how}", switch)
    worker.start()
    worker.wanted = False  # its end is ours to look at
    await ready(worker)
    await scene.sending.wait()
    await asyncio.sleep(5.0)
    switch.touch()
    began = _now()
    scene.lab.say(f"{worker.name} does nothing any more")

    async def ended() -> list[str]:
        return ["alive"] if worker.child.alive else []

    await until(ended, within_s=2 * ENDS_WITHIN_S)
    took, found = _now() - began, worker.child.exit_code
    heal(worker)
    worker.start()
    await ready(worker)
    scene.counts["s until it ended itself"] = round(took)
    scene.checks.append(
        Check(
            name=f"the watchdog ends the process with {int(code)} ({code.name.lower()}) within {ENDS_WITHIN_S:.0f} s",
            ok=found == code and took < ENDS_WITHIN_S,
            detail=f"exit code {found} after {took:.1f} s",
        )
    )


def _now() -> float:
    return asyncio.get_running_loop().time()


FAULTS = (
    Fault(
        id="F25",
        title="a consumer that stops fetching",
        short=False,
        run=partial(stalled, how="stall", code=ExitCode.STUCK),
    ),
    Fault(
        id="F25b",
        title="an event loop that stops turning",
        short=False,
        run=partial(stalled, how="block", code=ExitCode.LOOP_BLOCKED),
    ),
)
