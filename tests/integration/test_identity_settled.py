"""Identity under constraints through the whole worker: every order, cut and partition gives what the oracle says."""

from dataclasses import replace
from random import Random
from typing import Any

import pytest

from tests.fixtures.journey_bench import open_bench
from tests.fixtures.settled_parts import SettledBench, by_owner
from tests.integration.test_journey_order import emptied, outcome
from tests.oracle.constrained_identity import resolve
from tests.oracle.random_identity import Part, make, with_versions

pytestmark = pytest.mark.local

SEEDS = range(40)


def without(part: Part, *kinds: str) -> Part:
    """The part without what operators say in these ways."""
    return replace(part, facts=tuple(one for one in part.facts if one.kind not in kinds))


async def told(settled: SettledBench) -> dict[str, Any]:
    """What became of the touchpoints, in no order."""
    said = await outcome(settled.bench)
    return {name: sorted(map(str, said[name])) for name in ("frictions", "journeys", "stories", "timers")}


@pytest.mark.parametrize("seed", SEEDS)
async def test_touchpoints_as_they_come_are_with_whom_the_oracle_says(database: str, seed: int) -> None:
    part, luck = without(make(seed), "merge", "separate", "retract"), Random(seed)
    expected = resolve(part.arrivals, (), part.policy, most=part.most)
    async with open_bench(database, partitions=3) as bench:
        settled = SettledBench(bench, part)
        await settled.send(list(part.arrivals), luck, scatter=True)
        assert await settled.whose() == by_owner(expected)
        assert not await settled.findings()
        scattered = await told(settled)
    await emptied(database)
    async with open_bench(database, partitions=3) as bench:
        settled = SettledBench(bench, part)
        await settled.send(sorted(part.arrivals, key=lambda one: one.order), luck, scatter=False)
        assert await settled.whose() == by_owner(expected)
        assert await told(settled) == scattered


@pytest.mark.parametrize("seed", SEEDS)
async def test_what_operators_say_meanwhile_counts_as_the_oracle_says(database: str, seed: int) -> None:
    part, luck = make(seed), Random(seed)
    if not part.facts:
        pytest.skip("nobody says anything in this part")
    words = [one for one in part.facts if one.kind != "retract"]
    async with open_bench(database, partitions=3) as bench:
        settled = SettledBench(bench, part)
        half = luck.randrange(len(part.arrivals) + 1)
        await settled.send(list(part.arrivals[:half]), luck, scatter=True)
        for one in luck.sample(words, len(words)):
            await settled.say(one)
        await settled.send(list(part.arrivals[half:]), luck, scatter=True)
        for one in part.facts:
            if one.kind == "retract":
                await settled.say(one)
        expected = resolve(part.arrivals, part.facts, part.policy, most=part.most)
        assert await settled.whose() == by_owner(expected)
        assert not await settled.findings()


@pytest.mark.parametrize("seed", SEEDS)
async def test_versions_of_the_policy_judge_alike_in_every_order(database: str, seed: int) -> None:
    part, luck = with_versions(without(make(seed), "merge", "separate", "retract")), Random(seed)
    expected = resolve(part.arrivals, (), part.policy, most=part.most, later=part.later)
    async with open_bench(database, partitions=3) as bench:
        settled = SettledBench(bench, part)
        await settled.send(luck.sample(part.arrivals, len(part.arrivals)), luck, scatter=True)
        assert await settled.whose() == by_owner(expected)
        assert not await settled.findings()
        scattered = await told(settled)
    await emptied(database)
    async with open_bench(database, partitions=3) as bench:
        settled = SettledBench(bench, part)
        await settled.send(list(part.arrivals), luck, scatter=False)
        assert await settled.whose() == by_owner(expected)
        assert await told(settled) == scattered
