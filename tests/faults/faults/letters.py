"""F12 and F13: records that nobody can read, and a release that can read none."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import psycopg

from tests.faults.checker import Check, check
from tests.faults.conditions import settled, until
from tests.faults.course import AHEAD_S, Course, Scene, run_course
from tests.faults.fault import Fault, Verdict
from tests.faults.faults.workers import ready
from tests.faults.fleet import Engines, Fleet
from tests.faults.footprint import read_logs
from tests.faults.hurt_worker import heal, hurt
from tests.faults.lab import Lab
from tests.faults.log_reading import LogReader
from tests.faults.observed import observe
from tests.faults.producing import Ledger, produce
from tests.faults.workload import Sending, What, make
from tests.oracle.expected import expect
from tests.oracle.people import LIVE

RUN = 200
"""What the shipped worker takes for a broken reader: so many dead letters in a row."""

BEFORE = 1000
"""Records before the bad release comes."""

_LETTERS = 'SELECT partition, "offset", value, code FROM journey.dead_letters'


async def poisoned(lab: Lab, seed: int) -> Verdict:
    """F12: one record in a hundred is poison, and workers are killed meanwhile."""
    scenes: list[Scene] = []

    async def harm(scene: Scene) -> None:
        scenes.append(scene)
        await _kill_each(scene)

    course = Course(touchpoints=6000, seconds=50.0, over_http=False, alerts=1)
    verdict = await run_course(lab, seed, course, harm)
    return Verdict(checks=[*verdict.checks, await _verbatim(scenes[0].engines)], counts=verdict.counts)


async def _kill_each(scene: Scene) -> None:
    await scene.sending.wait()
    for worker in (*scene.fleet.workers, *scene.fleet.workers):
        await asyncio.sleep(scene.rng.uniform(3.0, 6.0))
        worker.kill()
        worker.start()
        scene.counts["killed"] += 1


async def _verbatim(engines: Engines) -> Check:
    """Each dead letter holds the bytes of the record that stands at its coordinates, and says why."""
    async with LogReader(engines.kafka.bootstrap, "touchpoints") as log:
        stood = {(one.partition, one.offset): one.value for one in await log.records()}
    letters = _letters(engines.database)
    wrong = [
        f"{place}: {code}" for *place, value, code in letters if stood.get((place[0], place[1])) != value or not code
    ]
    codes = sorted({code for *_, code in letters})
    return Check(
        name="each dead letter holds the bytes at its coordinates, and a reason",
        ok=not wrong and bool(letters),
        detail="; ".join(wrong[:3]) or f"{len(letters)} letters: {', '.join(codes)}",
    )


@dataclass(slots=True, kw_only=True)
class Release:
    """A house in which one release of the worker follows the other; what is counted meanwhile."""

    engines: Engines
    fleet: Fleet
    checks: list[Check] = field(default_factory=list)
    counts: dict[str, int | float] = field(default_factory=dict)

    @property
    def ends(self) -> int:
        """How often workers have ended by themselves."""
        return sum(worker.own_ends for worker in self.fleet.workers)


async def misread(lab: Lab, seed: int) -> Verdict:
    """F13: a bad release can read nothing. It stops before it drains the topic, however often it is started again."""
    engines = await lab.engines()
    fleet = lab.fleet(engines, WAYMARK_JOURNEY_BATCH_RECORDS="20")  # so that a life buries some before its limit
    for _ in range(2):
        fleet.add_worker()
    fleet.add_alerts()
    house = Release(engines=engines, fleet=fleet)
    workload = make(seed, 3000, datetime.now(UTC) + timedelta(seconds=AHEAD_S) - 2 * LIVE)
    sendings = [one for one in workload.sendings if one.what in {What.TOUCHPOINT, What.DUPLICATE}]
    await asyncio.to_thread(fleet.start)
    keeper = asyncio.create_task(fleet.keep())
    try:
        await produce(engines.kafka.bootstrap, sendings[:BEFORE], 8.0)
        lab.say("a bad release comes")
        await _be_bad(house, sendings[BEFORE:])
        lab.say(f"it ended {house.ends} times and buried {house.counts['buried']}; now it is mended")
        await _be_mended(house)
    finally:
        keeper.cancel()
    await asyncio.to_thread(fleet.stop)
    observed = await observe(engines.database, engines.kafka.bootstrap)
    ledger = Ledger(acknowledged=len(sendings), refusable=set(observed.dead_letters))
    counts = {"records": len(sendings), **house.counts, "frictions": len(observed.frictions)}
    return Verdict(
        checks=[*house.checks, *check(expect(workload.touchpoints), observed, ledger)],
        counts=counts,
    )


async def _be_bad(house: Release, sendings: Sequence[Sending]) -> None:
    """The bad release, while producers go on."""
    for worker in house.fleet.workers:
        await asyncio.to_thread(worker.stop)
        hurt(worker, "--misread")
        worker.start()
    sending = asyncio.create_task(produce(house.engines.kafka.bootstrap, sendings, 40.0))
    house.checks += await _watch_it_stop(house.fleet)
    await sending
    buried, most = len(_letters(house.engines.database)), RUN * len(house.fleet.workers)
    house.counts |= {"buried": buried, "ends of the bad release": house.ends}
    house.checks += [
        Check(
            name="the bad release buries no more than a row, however often it is started again",
            ok=0 < buried <= most < len(sendings),
            detail=f"{buried} of {len(sendings)}, at most {RUN} by each worker; the rest waits for a better one",
        )
    ]


async def _be_mended(house: Release) -> None:
    """The mended release goes on, and the operator brings back what was buried."""
    engines = house.engines
    for worker in house.fleet.workers:
        worker.kill()
        heal(worker)
        worker.start()
    for worker in house.fleet.workers:
        await ready(worker)
    ends = house.ends
    await settled(engines.database, engines.kafka.bootstrap, within_s=120.0)
    requeued = await asyncio.to_thread(_requeue, engines, "--stage", "journey", "--code", "not_a_touchpoint")
    await settled(engines.database, engines.kafka.bootstrap, within_s=60.0)
    house.counts["requeued"] = requeued
    house.checks += [
        Check(name="the mended release goes on", ok=house.ends == ends, detail=f"{house.ends - ends} ends by itself"),
        Check(
            name="waymark dlq requeue brings back what was buried",
            ok=requeued == house.counts["buried"],
            detail=f"{requeued} requeued",
        ),
    ]


async def _watch_it_stop(fleet: Fleet) -> list[Check]:
    """Let an init system start it again and again; what it buries must not grow with the number of its lives."""

    async def often_enough() -> list[str]:
        ends = [worker.own_ends for worker in fleet.workers]
        return [] if min(ends) >= 4 else [f"ended {ends} times"]

    await until(often_enough, within_s=150.0)
    said = [line for _, event, line in read_logs(fleet).serious if "worker cannot go on" in event]
    return [
        Check(
            name="it says why it stops",
            ok=bool(said) and all("DeadLetterLimitError" in line for line in said),
            detail=said[-1][:200] if said else "nothing said",
        )
    ]


def _requeue(engines: Engines, *arguments: str) -> int:
    """The operator's own command, as the manual has it."""
    command = [str(Path(sys.executable).with_name("waymark")), "dlq", "requeue", *arguments, "--json"]
    environ = {**os.environ, "WAYMARK_KAFKA": engines.kafka.bootstrap, "WAYMARK_POSTGRES": engines.database}
    outcome = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=60)
    assert outcome.returncode == 0, outcome.stderr[-500:]
    return int(orjson.loads(outcome.stdout)["requeued"])


def _letters(database: str) -> Sequence[tuple[int, int, bytes | None, str]]:
    with psycopg.connect(database) as connection:
        return [(row[0], row[1], row[2], row[3]) for row in connection.execute(_LETTERS)]


FAULTS = (
    Fault(id="F12", title="one record in a hundred is poison; workers killed four times", short=False, run=poisoned),
    Fault(
        id="F13",
        title="a release that can read nothing, started again and again",
        short=False,
        run=misread,
        limit_s=600,
    ),
)
