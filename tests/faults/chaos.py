"""Who dies when: `kill -9` at random moments, half of them in the middle of a transaction.

A worker spends most of its time outside transactions, so random moments seldom hit one. Every other kill therefore
watches the victim's own database connections and strikes when one of them is in a transaction that has written.
"""

import asyncio
from dataclasses import dataclass
from random import Random

import asyncpg

from tests.faults.fleet import Process

WATCH_S = 4.0
"""How long to wait for a transaction before killing anyway."""

_IN_TRANSACTION = """
SELECT count(*) FROM pg_stat_activity
 WHERE client_port = ANY($1) AND backend_xid IS NOT NULL AND state IN ('active', 'idle in transaction')
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """One kill: whom, after how many seconds, and whether inside a transaction."""

    victim: str
    at_s: float
    in_transaction: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How often to kill within how many seconds; each victim is started again after at most `rest_s`."""

    kills: int
    seconds: float
    rest_s: float = 3.0


async def rage(plan: Plan, victims: list[Process], database: str, postgres_port: int, rng: Random) -> list[Kill]:
    """Kill and start again, as planned; returns what was done."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    done: list[Kill] = []
    moments = sorted(rng.uniform(0.04, 0.98) * plan.seconds for _ in range(plan.kills))
    watch = await asyncpg.connect(database)
    try:
        for number, moment in enumerate(moments):
            await asyncio.sleep(max(0.0, started + moment - loop.time()))
            victim = rng.choice(victims)
            caught = number % 2 == 0 and await _in_transaction(watch, victim, postgres_port)
            victim.kill()
            done.append(Kill(victim=victim.name, at_s=loop.time() - started, in_transaction=caught))
            await asyncio.sleep(rng.random() * plan.rest_s)
            victim.start()
    finally:
        await watch.close()
    return done


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
