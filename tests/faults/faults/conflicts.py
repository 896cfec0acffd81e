"""F15b: customers whose links contradict one another, in any order and partition, while workers are killed."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from random import Random

import orjson

from tests.faults.chaos import Blow, Plan, rage
from tests.faults.checker import Check, check
from tests.faults.fault import Fault, Verdict
from tests.faults.fleet import Fleet
from tests.faults.lab import Lab
from tests.faults.passage import pass_through
from tests.faults.workload import Sending, What
from tests.oracle.expected import expect
from tests.oracle.facts import Json
from tests.oracle.people import instant

HOUSES = 250
IN_A_HOUSE = 4
KILLS = 6
SECONDS = 40.0


async def contradicted(lab: Lab, seed: int) -> Verdict:
    """Tablets, browsers and telephones that several people have, mistyped numbers, and a switchboard."""
    rng = Random(seed)
    touchpoints = _houses(rng, datetime.now(UTC) - timedelta(hours=3))
    sendings = [Sending(what=What.TOUCHPOINT, key=rng.randbytes(16), value=orjson.dumps(one)) for one in touchpoints]
    engines = await lab.engines()
    struck: Counter[str] = Counter()

    async def harm(fleet: Fleet) -> None:
        plan = Plan(kills=KILLS, seconds=SECONDS)
        for one in await rage(plan, fleet.workers, engines.database, engines.postgres.port, rng):
            struck["killed"] += one.blow is Blow.KILL
            struck["struck in a transaction"] += one.in_transaction

    passage = await pass_through(lab, engines, sendings, seconds=SECONDS, workers=3, harm=harm)
    expected = expect(touchpoints)
    customers = len({customer for _, _, customer, _ in passage.observed.touchpoints})
    return Verdict(
        checks=[
            *check(expected, passage.observed, passage.ledger),
            Check(name="workers were killed", ok=struck["killed"] > 0, detail=f"{struck['killed']} times"),
            Check(
                name="nobody is taken for somebody else",
                ok=customers >= HOUSES * IN_A_HOUSE,
                detail=f"{customers} customers of {HOUSES * IN_A_HOUSE} people",
            ),
        ],
        counts={
            "people": HOUSES * IN_A_HOUSE,
            "records": len(sendings),
            "customers": customers,
            "frictions": len(passage.observed.frictions),
            **struck,
            **{f"batches tried again, {reason}": count for reason, count in passage.retries.items()},
        },
    )


def _houses(rng: Random, begin: datetime) -> list[Json]:
    told: list[Json] = []
    for house in range(1, HOUSES + 1):  # a telephone of zeros alone names nobody
        people = [f"C-{house}-{number}" for number in range(IN_A_HOUSE)]
        for number, who in enumerate(people):
            own = {"customer_id": who, "phone": f"+8210{house:04}{number:04}"}
            told.append(_call(f"own-{house}-{number}", begin, rng, own, proved=True))
            told.append(_call(f"call-{house}-{number}", begin, rng, {"customer_id": who}, proved=True))
        for visit in range(6):
            shown = rng.choice(({}, *({"customer_id": one} for one in people)))
            tablet = {"device_id": f"tablet-{house}"} | shown
            told.append(_call(f"tablet-{house}-{visit}", begin, rng, tablet, proved=rng.random() < 0.5))
        for visit in range(5):
            address = {"email": f"p{rng.randrange(3)}-{house}@home.example"} if rng.random() < 0.6 else {}
            told.append(_call(f"browser-{house}-{visit}", begin, rng, {"cookie": f"browser-{house}"} | address))
        one, other = rng.sample(people, 2)
        for step, who in enumerate((one, other)):
            borrowed = {"customer_id": who, "phone": f"+8210{house:04}9000"}
            told.append(_call(f"borrowed-{house}-{step}", begin, rng, borrowed, proved=True))
        mistyped = {"customer_id": one, "email": f"{people.index(other)}-{house}@home.example"}
        told.append(_call(f"mistyped-{house}", begin, rng, mistyped))
        if house % 25 == 0:
            for step in range(8):
                desk = {"customer_id": f"C-{house}-desk-{step}", "phone": f"+8210{house:04}8000"}
                told.append(_call(f"desk-{house}-{step}", begin, rng, desk))
    rng.shuffle(told)
    return told


def _call(name: str, begin: datetime, rng: Random, known_by: dict[str, str], *, proved: bool = False) -> Json:
    at = begin + timedelta(seconds=rng.randrange(7_200))
    return {
        "id": name,
        "source": "ivr",
        "occurred_at": instant(at),
        "received_at": instant(at + timedelta(seconds=1)),
        "channel": "phone",
        "kind": "call_started",
        "direction": "inbound",
        "reason": "billing",
        "customer": {type_: {"value": value, "verified": proved} for type_, value in known_by.items()},
    }


FAULTS = (
    Fault(
        id="F15b",
        title="1,000 people with conflicting links, workers killed",
        short=False,
        run=contradicted,
        limit_s=420,
    ),
)
