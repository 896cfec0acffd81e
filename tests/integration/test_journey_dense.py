"""Stories in which everything meets, through the real applier: what is stored is what the domain says of the whole.

Moments on each other and on the edges of windows, odd zones, a leap day, cases out of order, late touchpoints, and
people known by several names that are tied together at any time, in any order, cut anywhere, on any partition.
"""

import random
from collections import Counter
from itertools import chain
from typing import Any

import msgspec
import pytest

from services.journey import policies
from services.journey.domain.projection import Projection, project
from services.journey.domain.touchpoint import RecordedTouchpoint, Touchpoint, is_late
from services.journey.rulebook.rules_file import load
from tests.fixtures.journey_bench import JourneyBench, open_bench
from tests.oracle.dense import stories
from tests.oracle.facts import fact
from tests.oracle.whose import owners

pytestmark = pytest.mark.local

Json = dict[str, Any]


def several_names(documents: list[Json], rng: random.Random) -> list[Json]:
    """Know people by their number, a cookie or a mail address; some share the address with the one before."""
    for document in documents:
        number = document["customer"]["customer_id"]["value"]
        family = f"f{int(number.removeprefix('C-')) // 3}@example.com"
        names = {"customer_id": number, "cookie": f"k-{number}", "email": family}
        known = rng.sample(sorted(names), rng.choice((1, 1, 1, 2)))
        document["customer"] = {name: {"value": names[name], "verified": False} for name in known}
    return documents


def projections(documents: list[Json]) -> list[Projection]:
    whose = owners([fact(one) for one in documents])
    people: dict[object, list[RecordedTouchpoint]] = {}
    for one in documents:
        touchpoint = msgspec.convert(one, Touchpoint)
        recorded = RecordedTouchpoint(
            touchpoint=touchpoint, appended_at=touchpoint.received_at, late=is_late(touchpoint)
        )
        people.setdefault(whose[touchpoint.key], []).append(recorded)
    rulebook, policy = load(), policies.projection()
    return [project(history, rulebook=rulebook, policy=policy) for history in people.values()]


async def apply(bench: JourneyBench, documents: list[Json], rng: random.Random) -> None:
    noisy = documents + rng.sample(documents, len(documents) // 4)
    rng.shuffle(noisy)
    for document in noisy:
        received = msgspec.convert(document, Touchpoint).received_at
        bench.log.append(rng.randrange(4), msgspec.json.encode(document), received)
    await bench.apply(batch=rng.choice((1, 5, 40, 1000)))


@pytest.mark.parametrize("seed", range(10))
async def test_what_is_stored_is_what_the_domain_says_of_the_whole(database: str, seed: int) -> None:
    rng = random.Random(seed)
    documents = several_names(list(chain.from_iterable(stories(seed, 18))), rng)
    expected = projections(documents)
    async with open_bench(database, partitions=4) as bench:
        await apply(bench, documents, rng)
        frictions = await bench.rows("SELECT friction_id::text, rule FROM journey.frictions WHERE state = 'detected'")
        members = await bench.rows(
            "SELECT array_agg(source || '/' || id) FROM journey.touchpoints WHERE NOT late GROUP BY journey_id"
        )
        timers = await bench.rows("SELECT timer_id::text FROM journey.timers WHERE state = 'pending'")
        letters = await bench.value("SELECT count(*) FROM journey.dead_letters")

    assert letters == 0
    assert frictions, "the stories must have something to find"
    assert {tuple(row) for row in frictions} == {(str(f.id), f.rule) for one in expected for f in one.findings}
    assert Counter(frozenset(row[0]) for row in members) == Counter(
        frozenset("/".join(one.history[place].touchpoint.key) for place in journey.members)
        for one in expected
        for journey in one.journeys
    )
    assert {row[0] for row in timers} == {str(timer.id) for one in expected for timer in one.timers}
