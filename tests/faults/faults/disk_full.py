"""F23: the disk of Kafka, or that of PostgreSQL, is full for a while.

Nothing is accepted that cannot be kept, nothing is half applied, and everything goes on when there is space again.
Kafka gives a log folder up for good once writing to it has failed, so it is started again, as an operator must.
"""

import asyncio
from functools import partial

from tests.faults.checker import Check
from tests.faults.course import Course, Scene, run_course
from tests.faults.disk import NotPermittedError, SmallDisk
from tests.faults.fault import Fault, Verdict
from tests.faults.faults.broker import KAFKA_SAYS
from tests.faults.lab import Lab

FULL_S = 20.0
ENGINES = "engines"
COURSE = Course(touchpoints=3000, seconds=55.0, explains=KAFKA_SAYS, webhook_repeats=200, settle_s=180)


async def kafka_full(lab: Lab, seed: int) -> Verdict:
    """No space for the log."""
    return await _on_small_disk(lab, seed, "kafka", mib=160)


async def postgres_full(lab: Lab, seed: int) -> Verdict:
    """No space for tables and the write-ahead log."""
    return await _on_small_disk(lab, seed, "postgres", mib=420)


async def _on_small_disk(lab: Lab, seed: int, engine: str, *, mib: int) -> Verdict:
    disk = SmallDisk(lab.folder / ENGINES / engine, mib=mib)
    try:
        disk.mount()
    except NotPermittedError as error:
        return Verdict(not_run=f"no disk of its own can be mounted here: {error}")
    lab.stack.callback(disk.unmount)
    return await run_course(lab, seed, COURSE, partial(_fill, disk=disk, engine=engine))


async def _fill(scene: Scene, disk: SmallDisk, engine: str) -> None:
    await scene.sending.wait()
    await asyncio.sleep(8.0)
    scene.counts["MiB filled"] = await asyncio.to_thread(disk.fill)
    scene.lab.say(f"the disk of {engine} is full")
    began = asyncio.get_running_loop().time()
    end = began + FULL_S
    while asyncio.get_running_loop().time() < end:  # what is freed meanwhile, by a log that is cut, is taken again
        await asyncio.sleep(1.0)
        await asyncio.to_thread(disk.fill)
    heard = [status for at, status in scene.ledger.times if at > began]
    disk.free()
    fell = await asyncio.to_thread(_start_again, scene, engine)
    scene.counts["engine fell"] = int(fell)
    scene.lab.say(f"there is space again; the engine had {'ended' if fell else 'kept running'}")
    if engine == "kafka":
        refused = heard.count(503)
        detail = f"{refused} times 503 while the disk was full"
        scene.checks.append(Check(name="producers heard 503", ok=refused > 0, detail=detail))


def _start_again(scene: Scene, engine: str) -> bool:
    """What an operator does. Returns whether the engine had ended by itself."""
    if engine == "kafka":
        node = scene.engines.kafka.nodes[0]
        fell = not node.alive
        node.restart()
        return fell
    fell = not scene.engines.postgres.alive
    if fell:
        scene.engines.postgres.start()
    return fell


FAULTS = (
    Fault(id="F23", title="Kafka's disk full for 20 s", short=False, run=kafka_full),
    Fault(id="F23b", title="PostgreSQL's disk full for 20 s", short=False, run=postgres_full),
)
