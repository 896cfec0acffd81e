"""N1 to N4: the network between each service and each engine: slow, silent, resetting, half closed.

Every one of the six wires has its turn, and all of them together.
"""

import asyncio
import itertools
from collections.abc import Callable
from functools import partial

from tests.faults.checker import Check
from tests.faults.course import Course, Scene, run_course
from tests.faults.fault import Fault, Verdict
from tests.faults.faults.broker import KAFKA_SAYS, resumed, soon
from tests.faults.lab import Lab
from tests.faults.proxy import Proxy

LATENCY_S = 0.2
SILENCE_S = 20.0
LONG_SILENCE_S = 70.0
"""Twice as long as any statement may take (30 s, and 5 s more until the client gives it up)."""

PAUSE_S = 6.0


async def slow(lab: Lab, seed: int) -> Verdict:
    """N1: 200 ms each way on every wire."""
    course = Course(touchpoints=2500, seconds=50.0, wired=True, explains=KAFKA_SAYS)
    return await run_course(lab, seed, course, _slow)


async def _slow(scene: Scene) -> None:
    await scene.sending.wait()
    for proxy in _wires(scene):
        proxy.delay_s = LATENCY_S
    await scene.sent.wait()
    scene.counts["ms each way"] = round(LATENCY_S * 1000)
    for proxy in _wires(scene):
        proxy.delay_s = 0.0


async def silent(lab: Lab, seed: int, *, names: tuple[str, ...]) -> Verdict:
    """N2: black holes of 20 s, one wire after the other."""
    seconds = len(names) * (SILENCE_S + PAUSE_S)
    course = Course(
        touchpoints=round(40 * seconds),
        seconds=seconds,
        wired=True,
        explains=KAFKA_SAYS,
        webhook_repeats=200,  # those whose result could not be written for 20 s
    )
    return await run_course(lab, seed, course, partial(_silence, names=names))


async def _silence(scene: Scene, names: tuple[str, ...]) -> None:
    await scene.sending.wait()
    for proxy in (one for one in _wires(scene) if not names or one.name in names):
        await asyncio.sleep(PAUSE_S)
        scene.lab.say(f"nothing gets through from {proxy.name}")
        proxy.block()
        await asyncio.sleep(SILENCE_S)
        proxy.unblock()
        scene.counts["black holes"] += 1


async def silent_for_long(lab: Lab, seed: int) -> Verdict:
    """N2c: PostgreSQL is silent for longer than any statement may take, for every service at once."""
    course = Course(touchpoints=3000, seconds=95.0, wired=True, explains=KAFKA_SAYS, webhook_repeats=200)
    return await run_course(lab, seed, course, _silence_postgres)


async def _silence_postgres(scene: Scene) -> None:
    await scene.sending.wait()
    await asyncio.sleep(PAUSE_S)
    wires = scene.engines.wires
    assert wires is not None
    for proxy in wires.postgres.values():
        proxy.block()
        scene.counts["black holes"] += 1
    scene.lab.say("nothing gets through to PostgreSQL")
    await asyncio.sleep(LONG_SILENCE_S)
    for proxy in wires.postgres.values():
        proxy.unblock()
    slowest = await resumed(scene)
    scene.counts["s to resume at most"] = round(slowest)
    scene.checks.append(soon(slowest))


async def resetting(lab: Lab, seed: int) -> Verdict:
    """N3: every connection of one wire is reset, then of another, again and again."""
    course = Course(touchpoints=2000, seconds=40.0, wired=True, explains=KAFKA_SAYS, webhook_repeats=200)
    return await run_course(lab, seed, course, partial(_break, how=Proxy.reset, what="resets"))


async def half_closing(lab: Lab, seed: int) -> Verdict:
    """N4: likewise, but only the server's side of each connection is closed, the client's stays open."""
    course = Course(touchpoints=3000, seconds=60.0, wired=True, explains=KAFKA_SAYS, webhook_repeats=200)
    return await run_course(lab, seed, course, partial(_break, how=Proxy.half_close, what="half closes"))


async def _break(scene: Scene, how: Callable[[Proxy], int], what: str) -> None:
    await scene.sending.wait()
    wires = _wires(scene)
    for number in itertools.count():
        await asyncio.sleep(scene.rng.uniform(0.5, 2.0))
        if scene.sent.is_set():
            break
        if number % len(wires) == 0:
            scene.rng.shuffle(wires)
        how(wires[number % len(wires)])
    scene.counts[what] = sum(proxy.counts[what] for proxy in wires)
    scene.checks.append(
        Check(
            name="every wire was struck",
            ok=all(proxy.counts[what] for proxy in wires),
            detail=", ".join(f"{proxy.name}: {proxy.counts[what]}" for proxy in wires),
        )
    )


def _wires(scene: Scene) -> list[Proxy]:
    assert scene.engines.wires is not None
    return scene.engines.wires.all


TO_KAFKA = tuple(f"{name} to Kafka" for name in ("ingest", "journey", "alerts"))
TO_POSTGRES = tuple(f"{name} to PostgreSQL" for name in ("ingest", "journey", "alerts"))

FAULTS = (
    Fault(id="N1", title="200 ms each way between services and engines", short=False, run=slow),
    Fault(
        id="N2",
        title="black hole of 20 s between each service and Kafka",
        short=False,
        run=partial(silent, names=TO_KAFKA),
    ),
    Fault(
        id="N2b",
        title="black hole of 20 s between each service and PostgreSQL",
        short=False,
        run=partial(silent, names=TO_POSTGRES),
    ),
    Fault(id="N2c", title="PostgreSQL silent for 70 s", short=False, run=silent_for_long),
    Fault(id="N3", title="connections reset, all wires in turn", short=True, run=resetting),
    Fault(id="N4", title="connections half closed, all wires in turn", short=False, run=half_closing),
)
