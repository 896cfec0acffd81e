"""Who dies when: `kill -9` at random moments, half of them in the middle of a transaction; and who merely freezes.

A frozen worker (SIGSTOP, longer than its session) is the nastier case: it comes back believing that it still owns its
partitions, and must be fenced.

A worker spends most of its time outside transactions, so random moments seldom hit one. Every other kill therefore
watches the victim's own database connections and strikes when one of them is in a transaction that has written.
"""

import asyncio
from dataclasses import dataclass
from enum import StrEnum
from random import Random

import asyncpg

from tests.faults.fleet import Process

WATCH_S = 4.0
"""How long to wait for a transaction before killing anyway."""

_IN_TRANSACTION = """
SELECT count(*) FROM pg_stat_activity
 WHERE client_port = ANY($1) AND backend_xid IS NOT NULL AND state IN ('active', 'idle in transaction')
"""


class Blow(StrEnum):
    """What is done to a victim."""

    KILL = "kill"
    FREEZE = "freeze"


@dataclass(frozen=True, slots=True, kw_only=True)
class Struck:
    """One blow: whom, after how many seconds, and whether inside a transaction."""

    blow: Blow
    victim: str
    at_s: float
    in_transaction: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How often to kill and freeze within how many seconds.

    A killed one is started again after at most `rest_s`; a frozen one goes on after `frozen_s`, more than its session.
    """

    kills: int
    seconds: float
    freezes: int = 0
    rest_s: float = 3.0
    frozen_s: float = 9.0


async def rage(plan: Plan, victims: list[Process], database: str, postgres_port: int, rng: Random) -> list[Struck]:
    """Strike as planned; returns what was done."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    done: list[Struck] = []
    blows = [Blow.KILL] * plan.kills + [Blow.FREEZE] * plan.freezes
    rng.shuffle(blows)
    moments = sorted(rng.uniform(0.04, 0.98) * plan.seconds for _ in blows)
    watch = await asyncpg.connect(database)
    try:
        for number, (moment, blow) in enumerate(zip(moments, blows, strict=True)):
            await asyncio.sleep(max(0.0, started + moment - loop.time()))
            victim = rng.choice(victims)
            caught = number % 2 == 0 and await _in_transaction(watch, victim, postgres_port)
            done.append(Struck(blow=blow, victim=victim.name, at_s=loop.time() - started, in_transaction=caught))
            await _strike(blow, victim, plan, rng)
    finally:
        await watch.close()
    return done


async def _strike(blow: Blow, victim: Process, plan: Plan, rng: Random) -> None:
    if blow is Blow.FREEZE:
        victim.child.freeze()
        await asyncio.sleep(plan.frozen_s)
        victim.child.resume()
        return
    victim.kill()
    await asyncio.sleep(rng.random() * plan.rest_s)
    victim.start()


async def _in_transaction(watch: "asyncpg.Connection[asyncpg.Record]", victim: Process, postgres_port: int) -> bool:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + WATCH_S
    while loop.time() < deadline:
        ports = victim.ports_to(postgres_port)
        for _ in range(100):
            if ports and await watch.fetchval(_IN_TRANSACTION, list(ports)):
                return True
            await asyncio.sleep(0.001)
    return False
