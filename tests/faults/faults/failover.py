"""P1 to P4: PostgreSQL as companies run it: a standby takes over, or a pooler stands before it."""

import asyncio
import os
from collections.abc import Mapping
from functools import partial

import psycopg

from tests.faults.checker import Check
from tests.faults.conditions import until
from tests.faults.course import Course, Scene, run_course
from tests.faults.fault import Fault, Verdict
from tests.faults.fleet import Engines
from tests.faults.lab import Lab
from tests.fixtures.pgbouncer import VARIABLE, PgBouncer
from tests.fixtures.replication import ask, demand, promote, several, start_standby
from waymark.launchers.postgres import PostgresServer, StopMode

WRITES_AGAIN_WITHIN_S = 15.0
NOTICED_S = 3.0
"""How long whoever watches the primary takes to find that it is gone."""

BEHIND_S = 5.0
"""How long the standby that follows at its own pace receives nothing before it is promoted."""


async def failed_over(lab: Lab, seed: int) -> Verdict:
    """P1: the primary falls under load, the standby that has all it acknowledged takes over, the old one comes back."""
    course = Course(touchpoints=2000, seconds=35, before=_followed, webhook_repeats=64)
    return await run_course(lab, seed, course, _fail_over)


async def _followed(lab: Lab, engines: Engines) -> Mapping[str, str]:
    """A standby that every commit waits for; services know both."""
    standby = await asyncio.to_thread(start_standby, engines.postgres, lab.folder / "standby")
    lab.stack.callback(standby.stop, StopMode.IMMEDIATE)
    await asyncio.to_thread(demand, engines.postgres, "synchronous_standby_names", "*")
    engines.front = several(engines.postgres, standby)
    _STANDBYS[engines.postgres.port] = standby
    return {}


_STANDBYS: dict[int, PostgresServer] = {}
"""Standbys by the port of the primary that they were made of."""


async def _fail_over(scene: Scene) -> None:
    engines = scene.engines
    first, second = engines.postgres, _STANDBYS.pop(engines.postgres.port)
    await scene.sending.wait()
    await asyncio.sleep(10.0)
    await asyncio.to_thread(first.stop, StopMode.IMMEDIATE)
    scene.lab.say("the primary is gone")
    began = _now()
    await asyncio.sleep(NOTICED_S)
    ready = [one.name for one in (*scene.fleet.workers, *scene.fleet.alerts) if await asyncio.to_thread(one.answers)]
    await asyncio.to_thread(promote, second)
    engines.postgres = second
    promoted, before = _now(), await asyncio.to_thread(_applied, second)
    await until(partial(_beyond, second, before), within_s=4 * WRITES_AGAIN_WITHIN_S)
    again = _now()
    await asyncio.to_thread(scene.fleet.await_ready)
    scene.counts["s without writes"] = round(again - began)
    answers = [status for at, status in scene.ledger.times if began <= at <= again]
    turned_away = [status for status in answers if status in {0, 503}]
    old = await asyncio.to_thread(start_standby, second, scene.lab.folder / "again", port=first.port)
    scene.lab.stack.callback(old.stop, StopMode.IMMEDIATE)
    scene.lab.say("the old primary follows the new one")
    await asyncio.sleep(5.0)
    writers = await asyncio.to_thread(ask, old, _WRITERS)
    scene.checks += [
        Check(
            name="who cannot write is not ready",
            ok=not ready,
            detail=f"ready while no primary was there: {ready or '-'}",
        ),
        Check(
            name="writes go on at the promoted standby",
            ok=again - promoted < WRITES_AGAIN_WITHIN_S,
            detail=f"{again - promoted:.1f} s after the promotion, {again - began:.1f} s after the fall",
        ),
        Check(
            name="ingest takes touchpoints all the while",
            ok=bool(answers) and not turned_away,
            detail=f"{len(answers)} requests answered without a primary, {len(turned_away)} of them turned away",
        ),
        Check(name="no writer stays with the old primary", ok=writers == 0, detail=f"{writers} sessions there"),
    ]


_WRITERS = """
SELECT count(*) FROM pg_stat_activity WHERE application_name IN ('waymark-journey', 'waymark-alerts')
"""


async def fell_behind(lab: Lab, seed: int) -> Verdict:
    """P2: the promoted standby lacks the last seconds that PostgreSQL acknowledged; Kafka still has the records."""
    course = Course(touchpoints=3000, seconds=60, before=_trailed, webhook_repeats=500)
    return await run_course(lab, seed, course, _lose_seconds)


async def _trailed(lab: Lab, engines: Engines) -> Mapping[str, str]:
    """A standby that no commit waits for."""
    settings = await _followed(lab, engines)
    await asyncio.to_thread(demand, engines.postgres, "synchronous_standby_names", "")
    return settings


async def _lose_seconds(scene: Scene) -> None:
    engines = scene.engines
    first, second = engines.postgres, _STANDBYS.pop(engines.postgres.port)
    await scene.sending.wait()
    await asyncio.sleep(10.0)
    await asyncio.to_thread(demand, second, "primary_conninfo", "")
    await asyncio.sleep(BEHIND_S)
    had = await asyncio.to_thread(_applied, first)
    await asyncio.to_thread(first.stop, StopMode.IMMEDIATE)
    await asyncio.to_thread(promote, second)
    engines.postgres = second
    kept = await asyncio.to_thread(_applied, second)
    scene.lab.say(f"{had - kept} applied records went with the primary")
    scene.counts["applied, then lost"] = had - kept
    await until(partial(_beyond, second, had), within_s=60.0)
    scene.checks.append(Check(name="something was lost", ok=had > kept, detail=f"{had} applied, {kept} left"))


def _applied(server: PostgresServer) -> int:
    with psycopg.connect(server.url(), connect_timeout=5) as connection:
        row = connection.execute("SELECT coalesce(sum(next_offset), 0) FROM journey.progress").fetchone()
    return int(row[0]) if row else 0


async def _beyond(server: PostgresServer, before: int) -> list[str]:
    applied = await asyncio.to_thread(_applied, server)
    return [] if applied > before else [f"{applied} records applied, no more than {before}"]


async def pooled(lab: Lab, seed: int, *, mode: str) -> Verdict:
    """P3, P4: nothing goes wrong, and everything goes through PgBouncer."""
    if not os.environ.get(VARIABLE):
        return Verdict(not_run=f"the variable {VARIABLE} names no PgBouncer")
    course = Course(touchpoints=3000, seconds=40, before=partial(_put_pooler, mode=mode))
    return await run_course(lab, seed, course, _nothing)


async def _put_pooler(lab: Lab, engines: Engines, *, mode: str) -> Mapping[str, str]:
    pooler = PgBouncer(lab.folder / "pgbouncer", engines.postgres, mode, servers=40 if mode == "session" else 10)
    lab.stack.callback(pooler.stop)
    await asyncio.to_thread(pooler.start)
    engines.front = pooler.url()
    direct = {"WAYMARK_POSTGRES_DIRECT": engines.database} if mode == "transaction" else {}
    return {"WAYMARK_POSTGRES_POOLER": mode, **direct}


async def _nothing(scene: Scene) -> None:
    await scene.sent.wait()


def _now() -> float:
    return asyncio.get_running_loop().time()


FAULTS = (
    Fault(id="P1", title="PostgreSQL fails over under load, the old primary comes back", short=True, run=failed_over),
    Fault(id="P2", title="PostgreSQL fails over and loses seconds", short=False, by_name=True, run=fell_behind),
    Fault(id="P3", title="PgBouncer, session mode", short=False, run=partial(pooled, mode="session")),
    Fault(id="P4", title="PgBouncer, transaction mode", short=False, run=partial(pooled, mode="transaction")),
)
