"""F1 and F28: `kill -9` of workers changes nothing that the oracle can see, and makes stock Faust lose data."""

import asyncio
from dataclasses import dataclass
from functools import partial
from random import Random

from tests.faults.chaos import Blow, Plan, rage
from tests.faults.checker import Check
from tests.faults.control import run_control
from tests.faults.course import Course, Scene, run_course
from tests.faults.fault import Fault, Verdict
from tests.faults.fleet import Process
from tests.faults.lab import Lab

IN_FLIGHT = 8
"""Webhooks that one endpoint may have under way: so many may come twice when their sender dies."""

FROZEN_SAYS = (
    "aiokafka.consumer.group_coordinator: Heartbeat session expired*",
    "aiokafka.consumer.group_coordinator: OffsetCommit failed for group *, will rejoin",
    "*: *keepalive is not responding*",
)
"""What the libraries say at `error` once a frozen worker goes on: its group has forgotten it, even in mid-commit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much, how often, how long."""

    touchpoints: int
    kills: int
    seconds: float
    freezes: int = 0
    alerts_kills: int = 0
    workers: int = 2
    settle_s: float = 240.0


FEW = Size(touchpoints=5000, kills=5, freezes=1, alerts_kills=2, seconds=50, settle_s=120)
MANY = Size(touchpoints=20_000, kills=20, freezes=2, alerts_kills=5, seconds=160)


async def killed(lab: Lab, seed: int, *, size: Size) -> Verdict:
    """Workers and the alert service die and freeze while the workload, poison included, is written to the topic."""
    course = Course(
        touchpoints=size.touchpoints,
        seconds=size.seconds,
        over_http=False,
        workers=size.workers,
        alerts=1,
        settle_s=size.settle_s,
        webhook_repeats=IN_FLIGHT * size.alerts_kills,
        explains=FROZEN_SAYS if size.freezes else (),
    )
    return await run_course(lab, seed, course, partial(_strike, size=size))


async def _strike(scene: Scene, size: Size) -> None:
    await scene.sending.wait()
    await asyncio.gather(
        _rage(scene, Plan(kills=size.kills, freezes=size.freezes, seconds=size.seconds), scene.fleet.workers),
        _rage(scene, Plan(kills=size.alerts_kills, seconds=size.seconds), scene.fleet.alerts),
    )


async def _rage(scene: Scene, plan: Plan, victims: list[Process]) -> None:
    rng = Random(f"{scene.rng.random()} {[victim.name for victim in victims]}")
    blows = await rage(plan, victims, scene.engines.database, scene.engines.postgres.port, rng)
    for one in blows:
        scene.counts["killed" if one.blow is Blow.KILL else "frozen"] += 1
        scene.counts["struck in a transaction"] += one.in_transaction


async def control(lab: Lab, seed: int) -> Verdict:
    """The control must lose: a harness that cannot see a loss has shown nothing."""
    engines = await lab.engines()
    loss = await run_control(engines, lab.folder, seed=seed, touchpoints=5000, seconds=60)
    checks = [
        Check(name="stock Faust works at all", ok=loss.lost < loss.accepted * 0.9, detail=f"{loss.accepted} accepted"),
        Check(name="it says that all was handled", ok=loss.committed_to_the_end, detail="what is missing is gone"),
        Check(name="and yet it lost data", ok=loss.lost > 0, detail=f"{loss.lost} never handled"),
    ]
    return Verdict(
        checks=checks,
        counts={"accepted": loss.accepted, "LOST": loss.lost, "terminated": loss.polite, "killed": loss.killed},
    )


FAULTS = (
    Fault(
        id="F1",
        title="workers killed 5 times, frozen once; alerts killed twice",
        short=True,
        run=partial(killed, size=FEW),
    ),
    Fault(
        id="F1b",
        title="workers killed 20 times, frozen twice; alerts killed 5 times",
        short=False,
        run=partial(killed, size=MANY),
        limit_s=900,
    ),
    Fault(id="F28", title="control: the same makes stock Faust lose", short=True, run=control),
)
