"""F9 and F11: what happens to PostgreSQL. While it is away nothing moves, nothing is buried, and no process ends."""

import asyncio
from contextlib import suppress
from functools import partial

import asyncpg
import psycopg

from services.runtime.postgres import pools
from tests.faults import steps
from tests.faults.checker import Check
from tests.faults.conditions import until
from tests.faults.course import Course, Scene, run_course
from tests.faults.fault import Fault, Verdict
from tests.faults.footprint import read_logs
from tests.faults.lab import Lab
from waymark.launchers.postgres import StopMode

RESUME_WITHIN_S = 30.0
POOL = 4
AT_ONCE = 200
"""Customers that the lab locks to make a deadlock."""


async def stopped(lab: Lab, seed: int, *, seconds: float) -> Verdict:
    """F9: an immediate stop, which is a crash, while records come in; back after a while."""
    course = Course(touchpoints=4000, seconds=seconds + 30, over_http=False, alerts=1, webhook_repeats=32)
    return await run_course(lab, seed, course, partial(_stop, away_s=seconds))


async def _stop(scene: Scene, away_s: float) -> None:
    engines = scene.engines
    steps.install(engines.database)
    await scene.sending.wait()
    await asyncio.sleep(8.0)
    pids = [process.child.pid for process in scene.fleet.all]
    letters = _dead_letters(engines.database)
    await asyncio.to_thread(engines.postgres.stop, StopMode.IMMEDIATE)
    scene.lab.say(f"PostgreSQL is gone for {away_s:.0f} s")
    await asyncio.sleep(away_s)
    alive = [process.name for process in scene.fleet.all if process.child.alive]
    await asyncio.to_thread(engines.postgres.start)
    before, letters_after = steps.read(engines.database), _dead_letters(engines.database)
    began = _now()
    await until(lambda: _more_than(len(before), scene), within_s=2 * RESUME_WITHIN_S)
    took = _now() - began
    scene.counts["s away"] = round(away_s)
    scene.counts["s to go on"] = round(took)
    scene.checks += [
        Check(
            name="no process ends while the database is away",
            ok=pids == [process.child.pid for process in scene.fleet.all] and len(alive) == len(scene.fleet.all),
            detail=", ".join(alive),
        ),
        Check(
            name="nothing is buried because of it",
            ok=letters_after - letters <= 2,  # what was committed between our look and the stop
            detail=f"{letters} dead letters before, {letters_after} after",
        ),
        Check(
            name="workers go on by themselves",
            ok=took < RESUME_WITHIN_S,
            detail=f"{took:.1f} s after it is back, {RESUME_WITHIN_S:.0f} s allowed",
        ),
        steps.check(steps.read(engines.database)),
    ]


async def disturbed(lab: Lab, seed: int, *, seconds: float) -> Verdict:
    """F11: every second a session is ended or its statement cancelled; locks are withheld; deadlocks are made."""
    course = Course(
        touchpoints=round(50 * seconds), seconds=seconds, over_http=False, alerts=1, webhook_repeats=round(seconds)
    )
    return await run_course(lab, seed, course, _disturb)


async def _disturb(scene: Scene) -> None:
    steps.install(scene.engines.database)
    pool = await pools.create_pool(scene.engines.database, application_name="waymark-lab-pool", size=POOL)
    try:
        await scene.sending.wait()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_end_sessions(scene))
            tasks.create_task(_make_deadlocks(scene))
            tasks.create_task(_withhold(scene))
            tasks.create_task(_use(pool, scene))
        scene.checks.append(await _whole(pool))
    finally:
        await pools.close_pool(pool)
    reasons = read_logs(scene.fleet).events
    scene.checks += [
        Check(
            name="deadlocks, withheld locks and ended sessions did strike",
            ok=all(scene.counts[what] > 0 for what in ("deadlocks", "locks withheld", "sessions ended", "cancelled")),
            detail=f"{reasons['batch will be tried again']} batches were tried again",
        ),
        steps.check(steps.read(scene.engines.database)),
    ]


_VICTIMS = """
SELECT pid FROM pg_stat_activity
 WHERE application_name IN ('waymark-journey', 'waymark-alerts', 'waymark-lab-pool') AND pid <> pg_backend_pid()
 ORDER BY state <> 'active', xact_start NULLS LAST, pid
"""


async def _end_sessions(scene: Scene) -> None:
    """In turn: end a session; cancel a statement, which is what a statement timeout does (SQLSTATE 57014)."""
    connection = await asyncpg.connect(scene.engines.database)
    try:
        turn = 0
        while not scene.sent.is_set():
            await asyncio.sleep(0.5)
            pids = [row["pid"] for row in await connection.fetch(_VICTIMS)]
            if not pids:
                continue
            turn += 1
            pid = pids[0] if scene.rng.random() < 0.5 else scene.rng.choice(pids)
            how, what = ("pg_terminate_backend", "sessions ended") if turn % 2 else ("pg_cancel_backend", "cancelled")
            scene.counts[what] += bool(await connection.fetchval(f"SELECT {how}($1)", pid))
    finally:
        await connection.close()


async def _make_deadlocks(scene: Scene) -> None:
    """Lock customers, wait until a worker that holds its progress waits for them, and ask for that progress."""
    database = scene.engines.database
    deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    while not scene.sent.is_set():
        await asyncio.sleep(1.0)
        connection = await asyncpg.connect(database, server_settings={"deadlock_timeout": "20s", "lock_timeout": "4s"})
        try:
            with suppress(asyncpg.PostgresError):
                async with connection.transaction():
                    await _cross(connection)
        finally:
            await connection.close()
        scene.counts["deadlocks"] = await _number(database, deadlocks)


async def _cross(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    await connection.fetch(
        "SELECT customer_id FROM journey.customers ORDER BY random() LIMIT $1 FOR UPDATE SKIP LOCKED", AT_ONCE
    )
    for _ in range(200):
        waiting = await connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))"
        )
        if waiting:
            await connection.fetch("SELECT partition FROM journey.progress ORDER BY partition FOR UPDATE")
            return
        await asyncio.sleep(0.01)


async def _withhold(scene: Scene) -> None:
    """Hold a table for longer than services wait for a lock, and than statements of theirs may take."""
    await asyncio.sleep(10.0)
    connection = await asyncpg.connect(scene.engines.database)
    try:
        async with connection.transaction():
            await connection.execute("LOCK TABLE journey.seen IN ACCESS EXCLUSIVE MODE")
            scene.counts["locks withheld"] += 1
            await asyncio.sleep(10.0)
    finally:
        await connection.close()


async def _use(pool: pools.Pool, scene: Scene) -> None:
    """Use a pool of our own as services do, while its sessions are ended too."""
    while not scene.sent.is_set():
        try:
            async with pools.transaction(pool) as connection:
                await connection.execute("SELECT pg_sleep(0.05)")
        except Exception as error:
            if not pools.is_transient(error):
                raise
            scene.counts["our own failed"] += 1


async def _whole(pool: pools.Pool) -> Check:
    """Whether as many connections can be had at once as before (asyncpg's pools are known to leak)."""
    held: list[pools.Connection] = []
    try:
        async with asyncio.timeout(20.0):
            while len(held) < POOL:
                connection = await pool.acquire(timeout=10.0)
                held.append(connection)
                with suppress(asyncpg.PostgresError, asyncpg.InterfaceError):
                    await connection.fetchval("SELECT 1")
    except TimeoutError:
        pass
    for connection in held:
        await pool.release(connection)
    return Check(name="a pool does not shrink", ok=len(held) == POOL, detail=f"{len(held)} of {POOL} connections")


async def _more_than(count: int, scene: Scene) -> list[str]:
    return [] if len(steps.read(scene.engines.database)) > count else ["nothing applied"]


def _dead_letters(database: str) -> int:
    with psycopg.connect(database) as connection:
        row = connection.execute("SELECT count(*) FROM journey.dead_letters").fetchone()
    return int(row[0]) if row else 0


async def _number(database: str, query: str) -> int:
    connection = await asyncpg.connect(database)
    try:
        return int(await connection.fetchval(query))
    finally:
        await connection.close()


def _now() -> float:
    return asyncio.get_running_loop().time()


FAULTS = (
    Fault(
        id="F9",
        title="PostgreSQL stopped at once, for 60 s, under load",
        short=False,
        run=partial(stopped, seconds=60.0),
    ),
    Fault(
        id="F11",
        title="sessions ended and cancelled twice a second, locks withheld, deadlocks made",
        short=False,
        run=partial(disturbed, seconds=60.0),
    ),
)
