"""The alert list's 9, as outbreaks: ten thousand frictions in ten seconds become a few messages, and none is lost.

Three kinds of difficulty over fifty queues, beside them single matters that must be told at once, and a second receiver
that takes fourteen seconds for every message. The control is the same flood with outbreaks turned off.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from schemas.documents.friction import FrictionDocument
from schemas.vocabulary import Severity
from tests.faults.alerts_room import Room, friction, open_room
from tests.faults.checker import Check
from tests.faults.conditions import UnsettledError
from tests.faults.fault import Fault, Verdict
from tests.faults.lab import Lab
from tests.faults.receivers import slow
from tests.faults.telling import judged, percentile

FLOOD, SECONDS = 10_000, 10
KINDS = (("payment_declined", "payment"), ("long_wait", "delivery"), ("repeat_contact_24h", "billing"))
QUEUES = 50
OUTSIDE, CRITICAL = 200, 40
"""Single matters beside the flood, and those of them that are critical."""
CRITICAL_WITHIN_MS = 2000.0
ONE_BY_ONE = 9 * len(KINDS)
"""So many may have been told before their kind reached its floor of ten."""
MESSAGES_OF_OUTBREAKS = 2 * len(KINDS)
LOOKED_WITHIN_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Flood:
    """What is written: the frictions of the flood, and the single matters among them."""

    inside: Sequence[FrictionDocument]
    outside: Sequence[FrictionDocument]

    def mixed(self, room: Room) -> list[FrictionDocument]:
        """All of them in an order by chance, the single matters not among the first."""
        everything = list(self.inside)
        room.rng.shuffle(everything)
        for one in self.outside:
            everything.insert(room.rng.randrange(len(everything) // 10, len(everything)), one)
        return everything


def _flood(room: Room) -> Flood:
    inside = []
    for number in range(FLOOD - OUTSIDE):
        rule, reason = KINDS[number % len(KINDS)]
        queue = f"queue-{room.rng.randrange(QUEUES)}"
        inside.append(friction(room.rng, rule=rule, reason=reason, queue=queue))
    outside = [
        friction(
            room.rng,
            rule="callback_missed",
            reason=f"matter-{number}",
            severity=Severity.CRITICAL if number < CRITICAL else Severity.MEDIUM,
        )
        for number in range(OUTSIDE)
    ]
    return Flood(inside=inside, outside=outside)


async def flood(lab: Lab, seed: int, *, outbreaks: str) -> Verdict:
    """Write it in ten seconds, and judge who was told of what, and when."""
    room = await open_room(lab, seed, WAYMARK_ALERTS_OUTBREAKS=outbreaks)
    sink = await room.receiver("sink")
    early = friction(room.rng, rule="checkout_abandoned", reason="size")
    await room.write([_before(early)])  # the house has been open for two hours
    await room.applied()
    await room.told("sink")
    await room.receiver("noisy", slow(14.0), took_all=True)
    written = _flood(room)
    began = asyncio.get_running_loop().time()
    await room.write(written.mixed(room), seconds=SECONDS)
    wrote = asyncio.get_running_loop().time() - began
    await room.told("sink", within_s=300)
    told = asyncio.get_running_loop().time() - began
    waits = _waits(room, [one for one in written.outside if one.severity is Severity.CRITICAL])
    checks = await judged(room, receivers=["sink"])
    checks.append(_at_once(waits))
    if "off" in outbreaks:
        checks.append(_one_by_one(room))
    else:
        checks += [await _exact(room, written), _few(room), await _none_lost(room, written)]
    counts: dict[str, int | float] = {"records": room.written.records, "messages": len(sink.ids)}
    counts |= {"s to write": round(wrote, 1), "s until told": round(told, 1)}
    counts |= {"critical p50 ms": round(percentile(waits, 50)), "critical worst ms": round(max(waits, default=0.0))}
    return Verdict(checks=checks, counts=counts)


def _before(one: FrictionDocument) -> FrictionDocument:
    members = {name: getattr(one, name) for name in one.__struct_fields__}
    return FrictionDocument(**members | {"occurred_at": one.occurred_at - timedelta(hours=2)})


def _waits(room: Room, critical: Sequence[FrictionDocument]) -> list[float]:
    """Milliseconds from the writing of each critical single matter to the first call about it."""
    wanted = {one.id for one in critical}
    first: dict[str, float] = {}
    for call in room.receivers["sink"].calls:
        for name in wanted & set(call.document["data"].get("frictions", ())):
            first.setdefault(name, 1000 * (call.at - room.written.at[name]))
    return list(first.values())


def _at_once(waits: Sequence[float]) -> Check:
    worst = max(waits, default=0.0)
    return Check(
        name="critical matters outside the flood are told at once",
        ok=len(waits) == CRITICAL and worst < CRITICAL_WITHIN_MS,
        detail=f"{len(waits)} of {CRITICAL}, worst {worst:.0f} ms of {CRITICAL_WITHIN_MS:.0f} from written to heard",
    )


def _one_by_one(room: Room) -> Check:
    """The control: without outbreaks each is a message of its own, so the lab would notice."""
    messages = len(room.receivers["sink"].ids)
    return Check(name="without outbreaks everybody is told of each", ok=messages > FLOOD, detail=f"{messages} messages")


def _few(room: Room) -> Check:
    messages = len(room.receivers["sink"].ids)
    most = 1 + OUTSIDE + ONE_BY_ONE + MESSAGES_OF_OUTBREAKS
    return Check(
        name="the flood is a few messages, not thousands", ok=messages <= most, detail=f"{messages}, {most} at most"
    )


async def _exact(room: Room, written: Flood) -> Check:
    """Every outbreak counts its frictions, its customers and its queues as the book does."""
    wanted = {
        rule: (len(ours), len({one.customer_id for one in ours}), Counter(str(one.queue) for one in ours))
        for rule, _ in KINDS
        if (ours := [one for one in written.inside if one.rule == rule])
    }
    problems = ["not looked at"]

    async def counted() -> bool:
        problems[:] = await _differing(room, wanted)
        return not problems

    with suppress(UnsettledError):  # the check below says what differs
        await room.until("counts that are not exact", counted, within_s=LOOKED_WITHIN_S)
    total = sum(count for count, _, _ in wanted.values())
    detail = "; ".join(problems) or f"{len(wanted)} outbreaks, {total} frictions, top queues as written"
    return Check(name="outbreaks count exactly", ok=not problems, detail=detail)


async def _differing(room: Room, wanted: dict[str, tuple[int, int, Counter[str]]]) -> list[str]:
    listed = (await room.call("GET", "/v1/outbreaks"))["outbreaks"]
    found = {one["issue"]["rules"][0]: one["issue"]["outbreak"] for one in listed}
    problems = [f"outbreaks of {sorted(found)}"] if found.keys() != wanted.keys() or len(listed) != len(found) else []
    for rule, (frictions, customers, queues) in wanted.items():
        facts = found.get(rule, {})
        if (facts.get("frictions"), facts.get("customers")) != (frictions, customers):
            problems.append(f"{rule}: {facts.get('frictions')} frictions, {frictions} written")
        segments = facts.get("segments", {}).get("queue", {})
        problems += [f"{rule}: {name} {n}, {queues[name]} written" for name, n in segments.items() if queues[name] != n]
        if not segments:
            problems.append(f"{rule}: no queues")
    return problems


async def _none_lost(room: Room, written: Flood) -> Check:
    """Whoever was not told one by one is held by an outbreak, where anybody can see it."""
    heard = {one for call in room.receivers["sink"].calls for one in call.document["data"].get("frictions", ())}
    rows = await room.connection.fetch(
        "SELECT f.friction_id FROM alerts.frictions f JOIN alerts.issues i USING (issue_id) WHERE i.held_by IS NOT NULL"
    )
    held = {str(row["friction_id"]) for row in rows}
    lost = [one.id for one in (*written.inside, *written.outside) if one.id not in heard | held]
    return Check(
        name="none is lost: told, or held by an outbreak",
        ok=not lost,
        detail=f"{len(lost)} lost, {len(held)} held, {len(heard)} told one by one",
    )


FAULTS = (
    Fault(
        id="A9b",
        title="ten thousand frictions in ten seconds are three outbreaks; a noisy neighbour",
        short=False,
        run=partial(flood, outbreaks="*=10x4"),
    ),
    Fault(
        id="A9c",
        title="the control of A9b: the same flood with outbreaks off",
        short=False,
        run=partial(flood, outbreaks="*=off"),
    ),
)
