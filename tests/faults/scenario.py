"""One run from nothing to a verdict: start, write, kill, wait, compare. The same for the command and for the tests."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from tests.faults.chaos import Blow, Plan, Struck, rage
from tests.faults.checker import Check, check
from tests.faults.conditions import settled
from tests.faults.fleet import Engines, Fleet, Process
from tests.faults.observed import observe
from tests.faults.oracle import expect
from tests.faults.people import LIVE
from tests.faults.producing import produce
from tests.faults.workload import described, make

AHEAD_S = 30.0
"""The last absences are known so long after the start, so that timers fire while records still come in."""

SETTLE_S = 240.0

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much, how often, how long."""

    seed: int
    touchpoints: int
    kills: int
    seconds: float
    freezes: int = 0
    alerts_kills: int = 0
    workers: int = 2
    settle_s: float = SETTLE_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What happened, and what was found."""

    size: Size
    records: dict[str, int]
    blows: list[Struck]
    own_ends: int
    polite: dict[str, bool]
    seconds: float
    checks: list[Check]

    def count(self, blow: Blow) -> int:
        """How many blows of one sort."""
        return sum(one.blow is blow for one in self.blows)

    @property
    def ok(self) -> bool:
        """Whether everything that must be true is."""
        return all(one.ok for one in self.checks)


async def run(size: Size, engines: Engines, folder: Path, say: Say = lambda _: None) -> Report:
    """Run it on engines that are started and empty; logs go under `folder`."""
    loop = asyncio.get_running_loop()
    fleet = Fleet(engines=engines, folder=folder)
    for _ in range(size.workers):
        fleet.add_worker()
    fleet.add_alerts()
    workload = make(size.seed, size.touchpoints, datetime.now(UTC) + timedelta(seconds=AHEAD_S) - 2 * LIVE)
    expected = expect(workload.touchpoints)
    say(f"{len(workload.sendings)} records made; the oracle expects {len(expected.frictions)} frictions")
    try:
        await asyncio.to_thread(fleet.start)
        say(f"{len(fleet.all)} processes are ready; writing and killing for {size.seconds:.0f} s")
        started = loop.time()
        keeper = asyncio.create_task(fleet.keep())
        ledger, blows, more_blows = await asyncio.gather(
            produce(engines.kafka.bootstrap, workload.sendings, size.seconds),
            _rage(size, Plan(kills=size.kills, freezes=size.freezes, seconds=size.seconds), fleet.workers, engines),
            _rage(size, Plan(kills=size.alerts_kills, seconds=size.seconds), fleet.alerts, engines),
        )
        say(f"{ledger.acknowledged} records acknowledged; waiting for the rest")
        await settled(engines.database, engines.kafka.bootstrap, within_s=size.settle_s)
        seconds = loop.time() - started
        await asyncio.to_thread(fleet.await_ready)
        keeper.cancel()
        polite = await asyncio.to_thread(fleet.stop)
        observed = await observe(engines.database, engines.kafka.bootstrap)
        return Report(
            size=size,
            records=described(workload.sendings),
            blows=[*blows, *more_blows],
            own_ends=sum(process.own_ends for process in fleet.all),
            polite=polite,
            seconds=seconds,
            checks=[*check(expected, observed, ledger), _orderly(polite), _own_ends(fleet)],
        )
    finally:
        fleet.kill()


async def _rage(size: Size, plan: Plan, victims: list[Process], engines: Engines) -> list[Struck]:
    rng = Random(f"{size.seed} {[victim.name for victim in victims]}")
    return await rage(plan, victims, engines.database, engines.postgres.port, rng)


def _orderly(polite: dict[str, bool]) -> Check:
    rude = [name for name, orderly in polite.items() if not orderly]
    return Check(
        name="every process ends in good order on SIGTERM",
        ok=not rude,
        detail=f"not so: {', '.join(rude)}" if rude else f"{len(polite)} processes",
    )


def _own_ends(fleet: Fleet) -> Check:
    """A process that ends by itself has met a bug: none of these faults asks it to."""
    ended = [f"{process.name} {process.own_ends} times" for process in fleet.all if process.own_ends]
    return Check(name="no process ends by itself", ok=not ended, detail="; ".join(ended) or "none did")
