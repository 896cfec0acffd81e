"""F17 and F18: absences are found once each, whoever dies while finding them and whatever a worker's clock says."""

import asyncio
import re
from pathlib import Path
from urllib.request import urlopen

import psycopg

from services.journey.failpoints import WorkerFailpoint
from tests.faults.checker import Check, verdict
from tests.faults.conditions import UnsettledError, until
from tests.faults.course import Course, Scene, run_course
from tests.faults.fault import Fault, Verdict
from tests.faults.faults.workers import ready
from tests.faults.fleet import Process
from tests.faults.hurt_worker import heal, hurt
from tests.faults.lab import Lab

ROUNDS = 4
STEP_S = 600
_HORIZON_AGE = re.compile(r"^waymark_journey_horizon_age_seconds (\S+)$", re.MULTILINE)

_NOTE_FIRING = """
CREATE SCHEMA lab;
CREATE TABLE lab.fired (timer_id uuid);
CREATE FUNCTION lab.note_fired() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO lab.fired VALUES (new.timer_id); RETURN NULL; END $$;
CREATE TRIGGER fired AFTER UPDATE ON journey.timers FOR EACH ROW
    WHEN (new.state = 'fired' AND old.state <> 'fired') EXECUTE FUNCTION lab.note_fired();
"""


async def killed_while_firing(lab: Lab, seed: int) -> Verdict:
    """F17: two workers at the same timers, each killed between firing and committing, again and again."""
    scenes: list[Scene] = []

    async def harm(scene: Scene) -> None:
        scenes.append(scene)
        await _kill_while_firing(scene)

    course = Course(touchpoints=3500, seconds=60.0, over_http=False, alerts=1)
    found = await run_course(lab, seed, course, harm)
    fired, twice = _fired(scenes[0].engines.database)
    once = verdict("each timer fires once", [str(name) for name in twice], f"{fired} timers")
    return Verdict(checks=[*found.checks, once], counts={**found.counts, "timers fired": fired})


async def _kill_while_firing(scene: Scene) -> None:
    with psycopg.connect(scene.engines.database, autocommit=True) as connection:
        connection.execute(_NOTE_FIRING)
    await scene.sending.wait()
    await asyncio.sleep(3.0)
    for _ in range(ROUNDS):
        for worker in scene.fleet.workers:
            worker.kill()
            hurt(worker, "--kill-at", f"{WorkerFailpoint.TIMERS_FIRED}:{scene.rng.randint(1, 2)}")
            worker.start()
            worker.wanted = False  # its end is ours
        for worker in scene.fleet.workers:
            scene.counts["killed while firing"] += await _died(worker)
            worker.kill()
            heal(worker)
            worker.start()
        await asyncio.sleep(2.0)
    scene.checks.append(
        Check(
            name="workers did die between firing and committing",
            ok=scene.counts["killed while firing"] > 1,  # a busy machine may not let all of them come to it
            detail=f"{scene.counts['killed while firing']} times",
        )
    )


async def _died(worker: Process, within_s: float = 40.0) -> bool:
    async def gone() -> list[str]:
        return ["alive"] if worker.child.alive else []

    try:
        await until(gone, within_s=within_s)
    except UnsettledError:
        return False
    return True


def _fired(database: str) -> tuple[int, list[object]]:
    with psycopg.connect(database) as connection:
        rows = connection.execute("SELECT timer_id, count(*) FROM lab.fired GROUP BY 1").fetchall()
    return len(rows), [name for name, count in rows if count > 1]


async def wrong_clock(lab: Lab, seed: int) -> Verdict:
    """F18: the clock of one worker is stepped ten minutes ahead and back, again and again."""
    course = Course(touchpoints=3500, seconds=60.0, over_http=False, alerts=1)
    return await run_course(lab, seed, course, _step_clock)


async def _step_clock(scene: Scene) -> None:
    worker = scene.fleet.workers[0]
    by = scene.lab.folder / "clock"
    _set(by, 0)
    worker.kill()
    hurt(worker, "--clock", by)
    worker.start()
    await ready(worker)
    await scene.sending.wait()
    wrong: list[float] = []
    for seconds in (STEP_S, -STEP_S, STEP_S, 0, -STEP_S, STEP_S):
        _set(by, seconds)
        scene.counts["clock steps"] += 1
        await asyncio.sleep(8.0)
        wrong.append(await asyncio.to_thread(_horizon_age, worker))
    _set(by, 0)
    spread = max(wrong) - min(wrong)
    scene.checks.append(
        Check(
            name="the worker's clock was wrong both ways",
            ok=spread > 1.8 * STEP_S,
            detail=f"it told of times {spread:.0f} s apart",
        )
    )


def _horizon_age(worker: Process) -> float:
    """How old the worker takes the horizon to be: by its own clock, and for people only."""
    try:
        with urlopen(f"{worker.address}/metrics", timeout=5) as answer:
            found = _HORIZON_AGE.search(answer.read().decode())
    except OSError:
        return 0.0
    return float(found.group(1)) if found else 0.0


def _set(by: Path, seconds: int) -> None:
    fresh = by.with_suffix(".new")
    fresh.write_text(str(seconds))
    fresh.rename(by)


FAULTS = (
    Fault(
        id="F17",
        title="workers killed between firing timers and committing",
        short=False,
        run=killed_while_firing,
    ),
    Fault(id="F18", title="a worker's clock stepped by ten minutes, both ways", short=False, run=wrong_clock),
)
