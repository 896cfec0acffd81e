"""F21: relays that die between the broker's acknowledgement and the mark, journey's of frictions and alerts' of issues.

What was published and not marked is published again: readers must take it once.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial

import orjson

from services.alerts.failpoints import AlertsFailpoint as AlertsPoint
from services.journey.failpoints import WorkerFailpoint as JourneyPoint
from tests.faults import hurt_alerts, hurt_worker
from tests.faults.checker import Check
from tests.faults.conditions import until
from tests.faults.course import Course, Scene, run_course
from tests.faults.fault import Fault, Verdict
from tests.faults.fleet import Process
from tests.faults.lab import Lab
from tests.faults.log_reading import LogReader

IN_FLIGHT = 2


async def between_ack_and_mark(lab: Lab, seed: int, *, times: int) -> Verdict:
    """Each relay dies so many times; each death also takes the process's webhooks under way with it."""
    course = Course(
        touchpoints=1500 * times,
        seconds=60.0 * times,
        over_http=False,
        own_ends=2 * times,
        webhook_repeats=2 * times * IN_FLIGHT,
        settings={"WAYMARK_ALERTS_IN_FLIGHT": str(IN_FLIGHT)},
    )
    return await run_course(lab, seed, course, partial(_die, times=times))


async def _die(scene: Scene, times: int) -> None:
    await scene.sending.wait()
    for turn in range(times):
        worker = scene.fleet.workers[turn % len(scene.fleet.workers)]
        if scene.sent.is_set():
            break
        await _die_once(scene, worker, "journey", partial(_worker_dies, nth=scene.rng.randint(1, 2)))
        # the relay of issues works in one replica at a time: let it be this one
        for process in scene.fleet.alerts[1:]:
            await asyncio.to_thread(process.stop)
        await _die_once(scene, scene.fleet.alerts[0], "alerts", _alerts_dies)
        for process in scene.fleet.alerts[1:]:
            process.start()
    await scene.sent.wait()
    bootstrap = scene.engines.kafka.bootstrap
    frictions, issues = (
        await _repeats(bootstrap, "frictions", "revision"),
        await _repeats(bootstrap, "issues", "version"),
    )
    scene.counts |= {"frictions published twice": frictions, "issues published twice": issues}
    scene.checks.append(
        Check(
            name="both relays did publish again what they had published",
            ok=frictions > 0 and issues > 0,
            detail=f"{frictions} frictions and {issues} issues twice on their topics",
        )
    )


async def _die_once(scene: Scene, process: Process, service: str, prepare: Callable[[Process], None]) -> None:
    """Let a life begin that will end at the mark; the keeper starts the next one, which is well."""
    process.kill()
    prepare(process)
    before = process.own_ends
    process.start()
    HEALERS[service](process)

    async def alive() -> list[str]:
        over = scene.sent.is_set()  # nothing more comes to be published: too late to die
        return [] if over or process.own_ends > before else [f"{process.name} has not died"]

    await until(alive, within_s=150.0)
    scene.counts[f"{service} killed at the mark"] += process.own_ends > before


HEALERS: Mapping[str, Callable[[Process], None]] = {"journey": hurt_worker.heal, "alerts": hurt_alerts.heal}


def _worker_dies(process: Process, nth: int) -> None:
    hurt_worker.hurt(process, "--kill-at", f"{JourneyPoint.AFTER_PUBLISH}:{nth}")


def _alerts_dies(process: Process) -> None:
    hurt_alerts.hurt(process, f"kill:{AlertsPoint.ISSUES_PUBLISHED}")


async def _repeats(bootstrap: str, topic: str, number: str) -> int:
    async with LogReader(bootstrap, topic) as log:
        seen = Counter((one["id"], one[number]) for one in map(orjson.loads, await log.values()))
    return sum(count - 1 for count in seen.values())


FAULTS = (
    Fault(
        id="F21",
        title="relays of frictions and issues killed between ack and mark",
        short=False,
        run=partial(between_ack_and_mark, times=2),
    ),
)
