"""F14 and F15: the same facts arrive otherwise: again and again, in any order, under any key, all merges at once."""

import asyncio
from datetime import UTC, datetime, timedelta
from random import Random

import orjson

from tests.faults.checker import Check, check, verdict
from tests.faults.course import AHEAD_S
from tests.faults.fault import Fault, Verdict
from tests.faults.fleet import Engines
from tests.faults.lab import Lab
from tests.faults.passage import pass_through, story
from tests.faults.workload import Sending, What, key_of, make
from tests.oracle.expected import expect
from tests.oracle.people import LIVE, Json, instant, person

TOUCHPOINTS = 2500
TIMES = 3
PEOPLE = 1000
LINKS = {
    "chain": (
        ("cookie", "device_id"),
        ("device_id", "email"),
        ("email", "phone"),
        ("phone", "loyalty_id"),
        ("loyalty_id", "customer_id"),
    ),
    "diamond": (("cookie", "email"), ("cookie", "phone"), ("email", "customer_id"), ("phone", "customer_id")),
}


async def otherwise(lab: Lab, seed: int) -> Verdict:
    """F14: each record three times, shuffled, under random keys, against the clean run."""
    until = datetime.now(UTC) + timedelta(seconds=AHEAD_S) - 2 * LIVE
    touchpoints = make(seed, TOUCHPOINTS, until).touchpoints
    expected = expect(touchpoints)
    engines = await lab.engines()
    clean = await pass_through(lab, engines, [_once(one) for one in touchpoints], seconds=20.0)
    lab.say("the clean run is over; the same again, otherwise")
    engines = await _engines_again(lab, engines)
    mixed = await pass_through(lab, engines, _mixed(Random(seed), touchpoints), seconds=30.0, workers=3)
    stories = story(clean.observed), story(mixed.observed)
    same = [
        Check(
            name=f"{what} are those of the clean run", ok=one == stories[1][what], detail=_unlike(one, stories[1][what])
        )
        for what, one in stories[0].items()
    ]
    both = [*check(expected, clean.observed, clean.ledger), *check(expected, mixed.observed, mixed.ledger)]
    return Verdict(
        checks=[*same, *both],
        counts={
            "touchpoints": len(touchpoints),
            "records in the clean run": clean.ledger.acknowledged,
            "records in the other": mixed.ledger.acknowledged,
            "frictions": len(mixed.observed.frictions),
            "retracted on the way": len(mixed.observed.retracted),
        },
    )


def _once(touchpoint: Json) -> Sending:
    return Sending(what=What.TOUCHPOINT, key=key_of(touchpoint), value=orjson.dumps(touchpoint))


def _mixed(rng: Random, touchpoints: list[Json]) -> list[Sending]:
    """Each three times, in any order: lateness is a matter of when ingest received it, not of when it is read."""
    records = [orjson.dumps(one) for one in touchpoints] * TIMES
    rng.shuffle(records)
    return [Sending(what=What.TOUCHPOINT, key=rng.randbytes(16), value=one) for one in records]


def _unlike(one: object, other: object) -> str:
    if isinstance(one, dict) and isinstance(other, dict):
        changed = [name for name in one.keys() & other.keys() if one[name] != other[name]]
        problems = [f"{len(one.keys() ^ other.keys())} only in one", f"{len(changed)} say something else"]
        if changed:
            first, second = one[changed[0]], other[changed[0]]
            problems += [f"{m}: {first.get(m)} / {second.get(m)}" for m in first if first.get(m) != second.get(m)]
        return f"{len(one)} compared" if one == other else "; ".join(problems)[:600]
    if isinstance(one, set) and isinstance(other, set):
        return (
            f"{len(one)} compared" if one == other else f"{len(one - other)} only here, {len(other - one)} only there"
        )
    return ""


async def _engines_again(lab: Lab, first: Engines) -> Engines:
    """A second pair of empty engines, in place of the first."""
    await asyncio.to_thread(first.kill)
    lab.folder = lab.folder / "again"
    return await lab.engines()


async def merged(lab: Lab, seed: int) -> Verdict:
    """F15: a thousand people, known by pairs of identifiers in any order, through all partitions at once."""
    rng = Random(seed)
    touchpoints = _people(rng, datetime.now(UTC) - timedelta(hours=2))
    sendings = [Sending(what=What.TOUCHPOINT, key=rng.randbytes(16), value=orjson.dumps(one)) for one in touchpoints]
    passage = await pass_through(
        lab,
        await lab.engines(),
        sendings,
        seconds=0.0,
        workers=4,
        settings={"WAYMARK_JOURNEY_BATCH_RECORDS": "60"},
    )
    expected = expect(touchpoints)
    retries = passage.retries
    people = len(set(passage.observed.identifiers.values()))
    return Verdict(
        checks=[
            *check(expected, passage.observed, passage.ledger),
            Check(name="everybody is one customer", ok=people == PEOPLE, detail=f"{people} customers"),
            verdict(
                "merges did collide, and every collision was resolved",
                [] if retries.total() else ["no batch was tried again: nothing was tested"],
                ", ".join(f"{count} {reason}" for reason, count in retries.items()),
            ),
        ],
        counts={
            "people": PEOPLE,
            "records": len(sendings),
            "frictions": len(passage.observed.frictions),
            **{f"batches tried again, {reason}": count for reason, count in retries.items()},
        },
    )


def _people(rng: Random, at: datetime) -> list[Json]:
    told: list[Json] = []
    for number in range(PEOPLE):
        who = person(number, rng)
        shape = rng.choice(tuple(LINKS))
        ends = ("cookie", "customer_id")
        for step, pair in enumerate(LINKS[shape]):
            told.append(_touchpoint(f"{shape}-{number}-{step}", "page_viewed", at, who.known_by(*pair)))
        for step, name in enumerate(ends):  # two calls of one person, known by nothing in common
            call = _touchpoint(
                f"call-{number}-{step}", "call_started", at + timedelta(minutes=step), who.known_by(name)
            )
            told.append({**call, "direction": "inbound", "reason": "billing", "channel": "phone"})
        due = instant(at + timedelta(minutes=5))
        promise = _touchpoint(f"promise-{number}", "callback_promised", at, who.known_by("cookie"))
        told.append({**promise, "due_at": due, "channel": "phone"})
        if number % 2:
            kept = _touchpoint(
                f"kept-{number}", "callback_made", at + timedelta(minutes=4), who.known_by("customer_id")
            )
            told.append({**kept, "direction": "outbound", "channel": "phone"})
    rng.shuffle(told)
    return told


def _touchpoint(name: str, kind: str, at: datetime, known_by: Json) -> Json:
    return {
        "id": name,
        "source": "web",
        "occurred_at": instant(at),
        "received_at": instant(at + timedelta(seconds=1)),
        "channel": "web",
        "kind": kind,
        "customer": known_by,
    }


FAULTS = (
    Fault(
        id="F14", title="three times each, shuffled, under random keys: as the clean run", short=False, run=otherwise
    ),
    Fault(id="F15", title="1,000 people merged through all partitions at once", short=False, run=merged),
)
