"""F20, and the alert list's 4, 5, 6, 11: senders of webhooks that die or freeze at the worst moment.

A receiver must hear everything, in order, and hear again only what was under way: the same bytes under the same id.
"""

import asyncio
import signal
from collections.abc import Sequence
from functools import partial

from services.alerts.failpoints import AlertsFailpoint
from tests.faults.alerts_room import Room, friction, is_frozen, load, open_room, ready, stories
from tests.faults.checker import Check
from tests.faults.fault import Fault, Verdict
from tests.faults.fleet import Process
from tests.faults.footprint import read_logs
from tests.faults.hurt_alerts import heal, hurt
from tests.faults.lab import Lab
from tests.faults.receivers import fine, slow
from tests.faults.telling import judged

AT_ONCE = 30
KAFKA_SAYS = ("aiokafka*",)
"""What the library says at `error` when a process was frozen past its session."""

PLACES = (AlertsFailpoint.DELIVERIES_LEASED, AlertsFailpoint.WEBHOOK_ANSWERED, AlertsFailpoint.RESULTS_WRITTEN)


async def at_failpoints(lab: Lab, seed: int, *, times: int) -> Verdict:
    """F20: one webhook at a time, so that a death explains at most one repeat, and only two of four places any."""
    room = await open_room(lab, seed, WAYMARK_ALERTS_IN_FLIGHT="1")
    await room.receiver("sink")
    sender = room.replicas[0]
    for _ in range(times):
        for place in PLACES:
            await _die_at(room, sender, place)
        await _die_under_way(room, sender)
    await room.applied()
    await room.told()
    checks = await judged(room, repeats=2 * times)
    return Verdict(checks=checks, counts=_counts(room, {"kills": 4 * times}))


async def _die_at(room: Room, sender: Process, place: AlertsFailpoint) -> None:
    await asyncio.to_thread(sender.stop)
    await room.write(stories(room.rng, AT_ONCE))
    hurt(sender, f"kill:{place}:{room.rng.randint(1, AT_ONCE // 2)}")
    sender.start()
    await room.until(f"not dead at {place}", lambda: _dead(sender), within_s=60)
    sender.kills += 1
    await _back(sender)


async def _die_under_way(room: Room, sender: Process) -> None:
    """In the lease: the receiver has it and takes its time."""
    sink = room.receivers["sink"]
    await room.told()
    sink.manner = slow(1.5)
    before = len(sink.calls)
    await room.write([friction(room.rng)])
    await room.until("nothing under way", lambda: _more(sink.calls, before))
    sender.kill()
    sink.manner = fine
    await _back(sender)


async def _back(sender: Process) -> None:
    heal(sender)
    sender.start()
    await ready(sender)


async def at_random(lab: Lab, seed: int, *, kills: int) -> Verdict:
    """Two replicas under load, one after the other killed at any moment, and started again."""
    room = await open_room(lab, seed, replicas=2)
    await room.receiver("sink")
    await room.receiver("slow", slow(0.1), took_all=True)
    explained = 0
    over = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(load(room, over))
        for number in range(kills):
            victim = room.replicas[number % 2]
            await ready(victim)
            await asyncio.sleep(room.rng.uniform(0.1, 1.5))
            victim.kill()
            explained += await room.under_way()
            victim.start()
        over.set()
    for process in room.replicas:
        await ready(process)
    await room.applied(within_s=120)
    await room.told(within_s=180)
    checks = await judged(room, repeats=explained)
    return Verdict(checks=checks, counts=_counts(room, {"kills": kills, "under way at the kills": explained}))


async def replicas(lab: Lab, seed: int) -> Verdict:
    """Three share the work; one dies, one freezes past its lease with webhooks leased and wakes."""
    room = await open_room(lab, seed, replicas=3, WAYMARK_ALERTS_LEASE_S="21")
    await room.receiver("sink", slow(0.02), took_all=True)
    await room.write(stories(room.rng, 600), seconds=10)
    await room.applied()
    await room.told()
    alone = room.receivers["sink"].ids
    shares = _shares(room)
    took = await _one_dies(room)
    frozen = await _one_freezes(room)
    await room.applied()
    await room.told(within_s=120)
    checks = await judged(room, repeats=8 + frozen, backwards=frozen, explains=KAFKA_SAYS)
    checks += [
        Check(
            name="nothing is sent twice while all are well",
            ok=alone.total() == len(alone),
            detail=f"{len(alone)} webhooks, {alone.total()} calls",
        ),
        Check(name="all three send", ok=min(shares) > 0, detail=f"attempts by replica: {shares}"),
        Check(name="the dead one's leases do not run out first", ok=took < 10, detail=f"taken over in {took:.1f} s"),
    ]
    counts = {"kills": 1, "frozen": 1, "s to take over": round(took, 1), "leased when frozen": frozen}
    return Verdict(checks=checks, counts=_counts(room, counts))


async def _one_dies(room: Room) -> float:
    """Seconds until what it had leased was leased by others."""
    sink, victim = room.receivers["sink"], room.replicas[0]
    sink.manner = slow(3.0)
    before = len(sink.calls)
    await room.write(stories(room.rng, 20))
    await room.until("nothing under way", lambda: _more(sink.calls, before))
    victim.kill()
    sink.manner = fine
    began = asyncio.get_running_loop().time()
    await room.told(within_s=60)
    took = asyncio.get_running_loop().time() - began
    await _back(victim)
    return took


async def _one_freezes(room: Room) -> int:
    """Freeze one with deliveries leased, past its lease, and let it go on; how many it had."""
    victim, others = room.replicas[1], (room.replicas[0], room.replicas[2])
    for other in others:
        await asyncio.to_thread(other.stop)
    await asyncio.to_thread(victim.stop)
    hurt(victim, f"freeze:{AlertsFailpoint.WEBHOOK_ANSWERED}:1")
    victim.start()
    await ready(victim)
    await room.write(stories(room.rng, 20))
    await room.until("not frozen", lambda: is_frozen(victim))
    leased = await room.under_way()
    heal(victim)
    for other in others:
        other.start()
        await ready(other)
    await room.told(within_s=60)
    victim.child.send(signal.SIGCONT)
    await ready(victim)
    return leased


async def _dead(process: Process) -> bool:
    return not process.child.alive


async def _more(calls: Sequence[object], than: int) -> bool:
    return len(calls) > than


def _shares(room: Room) -> list[int]:
    """Attempts by replica, as their logs have it."""
    return [process.child.log.read_text().count('"webhook attempted"') for process in room.replicas]


def _counts(room: Room, more: dict[str, int | float]) -> dict[str, int | float]:
    calls = sum(len(receiver.calls) for receiver in room.receivers.values())
    ids = sum(len(receiver.ids) for receiver in room.receivers.values())
    late = read_logs(room.fleet).events["lease ran out before sending"]
    counted = {
        "frictions": len(room.written.latest),
        "webhooks": ids,
        "repeats": calls - ids,
        "not sent, too late": late,
    }
    return {**more, **counted}


FAULTS = (
    Fault(
        id="F20",
        title="sender killed before, after, behind and during a webhook, 3 times each (alerts 4, 5)",
        short=True,
        run=partial(at_failpoints, times=3),
        limit_s=300,
    ),
    Fault(id="A6", title="alerts killed at random 20 times under load", short=False, run=partial(at_random, kills=20)),
    Fault(
        id="A6b",
        title="alerts killed at random 100 times under load",
        short=False,
        run=partial(at_random, kills=100),
        limit_s=900,
    ),
    Fault(id="A11", title="three replicas; one dies, one freezes past its lease", short=False, run=replicas),
)
