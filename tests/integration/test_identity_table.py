"""The table of identity through two workers at once: each row in many orders, cuts and partitions is what is written.

Each order of a row has identifiers of its own, so that all of them are applied together. `IDENTITY_ORDERS` says how
many there are; `docs/identity.md` has the table.
"""

import asyncio
import os
from collections import defaultdict
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest

from schemas.documents import touchpoint as touchpoint_v1
from schemas.documents.touchpoint import IdentifierValue
from schemas.vocabulary import Channel
from services.journey.consume.intake import Chunk
from services.journey.domain.identity.constraints import ConstraintPolicy
from services.journey.domain.identity.facts import IdentifierKey, OperatorFact, OperatorWord, link_key
from services.journey.domain.identity.identity_book import IdentityBook
from services.journey.domain.identity.planning import IdentityPolicy
from services.journey.domain.rules.book import Rulebook
from services.journey.repair.check import IdentityChecker
from services.journey.repair.unmerge import Unmerger
from services.journey.settle.resettling import IdentityResettler
from services.journey.settle.settling import IdentitySettler
from services.runtime.clock import new_id
from tests.fixtures.journey_bench import FixedPolicies, JourneyBench, open_bench
from tests.unit.journey.domain.identity_facts import POLICY, groups, key, operator, part, settled
from tests.unit.journey.domain.identity_scenarios import SCENARIOS, Scenario
from tests.unit.journey.domain.making import at
from tests.unit.journey.domain.operator_scenarios import OPERATORS

pytestmark = [pytest.mark.local, pytest.mark.timeout(600)]

ORDERS = int(os.environ.get("IDENTITY_ORDERS", "3"))
SPOKEN_ORDERS = max(2, ORDERS // 4)
"""Orders of a row in which operators say something: each word is a transaction."""

TABLE = [row for row in (*SCENARIOS, *OPERATORS) if not row.shared_link]
"""All rows, but for one whose links were made before a type was declared shared: versions have tests of their own."""

LINKS = """
SELECT left_type, left_value, right_type, right_value, state, reason FROM journey.links WHERE state <> 'retracted'"""
OWNERS = """
SELECT i.type, i.value, coalesce(c.merged_into, c.customer_id) AS root
  FROM journey.identifiers AS i LEFT JOIN journey.customers AS c USING (customer_id)"""


@dataclass(frozen=True, slots=True)
class Told:
    """A row told in one order, with identifiers of its own."""

    row: Scenario
    place: int
    order: int

    @property
    def name(self) -> str:
        return f"{self.place:02}{self.order:02}"

    def spelt(self, identifier: IdentifierKey) -> IdentifierKey:
        type_, value = identifier
        match type_:
            case "email":
                return type_, f"{value}-{self.name}@mail.example"
            case "phone":
                return type_, f"+8210{value}{self.name}000"
            case _:
                return type_, f"{value}-{self.name}"

    def touchpoints(self) -> list[touchpoint_v1.TouchpointDocument]:
        return [self._touchpoint(number, said) for number, said in enumerate(self.row.touchpoints)]

    def _touchpoint(self, number: int, said: str) -> touchpoint_v1.TouchpointDocument:
        minutes, words = said.split(":")
        when = at(float(minutes))
        return touchpoint_v1.TouchpointDocument(
            id=f"{self.name}-{number:03}",
            source="test",
            occurred_at=when,
            received_at=when,
            channel=Channel.WEB,
            kind="page_viewed",
            customer={
                type_: IdentifierValue(value=self.spelt((type_, value))[1], verified=word.endswith("!"))
                for word in words.split()
                for type_, value in [key(word)]
            },
        )


def terms_of(rules: ConstraintPolicy) -> IdentityBook:
    """The rules of a row as a policy that a worker goes by."""
    types = rules.types
    return IdentityBook.of(
        IdentityPolicy(
            blocked=lambda _type, _value: False,
            shared_types=frozenset(name for name, one in types.items() if one.shared),
            strength={name: one.strength for name, one in types.items()},
            unknown_strength=rules.others.strength,
            most_identifiers=rules.most_identifiers,
        ),
        rules,
    )


@dataclass(slots=True)
class Workers:
    """Two workers on one database, with a partition each."""

    benches: tuple[JourneyBench, JourneyBench]
    book: IdentityBook

    @property
    def settler(self) -> IdentitySettler:
        return IdentitySettler(source=self.book, new_id=new_id)

    async def send(self, points: list[touchpoint_v1.TouchpointDocument], luck: Random) -> None:
        """Apply touchpoints in any order, some twice, cut anywhere, by both at the same time."""
        arriving = luck.sample(points, len(points)) + luck.choices(points, k=len(points) // 8)
        first = self.benches[0]
        begun = {number: len(run) for number, run in first.log.records.items()}
        for one in arriving:
            first.log.append(luck.randrange(2), one)
        claims = await first.claim()

        async def apply(number: int) -> None:
            bench, run = self.benches[number], first.log.records.get(number, [])[begun.get(number, 0) :]
            bench.intake.grant([claims[number]])
            while run:
                cut = luck.randint(1, 200)
                await bench.applier.apply([Chunk(claim=claims[number], records=run[:cut])])
                run = run[cut:]

        await asyncio.gather(apply(0), apply(1))

    async def say(self, told: Told, fact: OperatorFact) -> None:
        """Let an operator say something, at the time that the row has."""
        bench = self.benches[0]
        resettler = IdentityResettler(pool=bench.pool, settler=self.settler, renewer=bench.renewer)
        one, other = map(told.spelt, fact.key)
        if fact.word is OperatorWord.RETRACT:
            await Unmerger(resettler=resettler).unmerge(one, other, by="somebody")
            return
        await Unmerger(resettler=resettler).say(fact.word, one, other, by="somebody")
        left, right = link_key(one, other)
        await bench.execute(
            "UPDATE journey.identity_words SET said_at = $5 WHERE word_id = (SELECT max(word_id)"
            " FROM journey.identity_words WHERE (left_type, left_value, right_type, right_value) = ($1, $2, $3, $4))",
            *(*left, *right, fact.said_at),
        )
        await resettler.resettle((one, other))

    async def told(self, cases: list[Told], luck: Random) -> None:
        """Apply all cases; operators say what they say when half is there, or at the end."""
        points = [one for case in cases for one in case.touchpoints()]
        luck.shuffle(points)
        half = luck.randrange(len(points) + 1)
        await self.send(points[:half], luck)
        facts = [(case, operator(said)) for case in cases for said in case.row.said]
        early = [one for one in facts if one[1].word is not OperatorWord.RETRACT and luck.random() < 0.5]
        for case, fact in early:
            await self.say(case, fact)
        await self.send(points[half:], luck)
        for case, fact in facts:
            if (case, fact) not in early:
                await self.say(case, fact)


def expected(case: Told) -> tuple[set[frozenset[IdentifierKey]], set[frozenset[str]], set[tuple[Any, str]]]:
    """What the row says, in the words of its order: groups, touchpoints of one customer, refusals."""
    row = case.row
    result = settled(part(*row.touchpoints, said=row.said, rules=row.rules), row.rules)
    assert groups(result.partition) == row.groups
    people = {frozenset(map(case.spelt, map(key, group.split()))) for group in row.groups.split(" | ")}
    whose: defaultdict[Any, set[str]] = defaultdict(set)
    for seen in part(*row.touchpoints, said=row.said, rules=row.rules).sightings:
        whose[result.ownership.of(seen)].add(f"{case.name}-{seen.key[1][1:]}")
    refused = set()
    for said in row.refused:
        one, other, reason = said.split()
        refused.add((link_key(case.spelt(key(one)), case.spelt(key(other))), reason))
    separations = {link_key(*map(case.spelt, fact.key)) for fact in map(operator, row.said)}
    return (
        people,
        set(map(frozenset, whose.values())),
        {one for one in refused if one[0] not in separations or one[1] != "separated"},
    )


async def found(bench: JourneyBench, cases: list[Told]) -> dict[str, tuple[Any, Any, Any]]:
    """The same as it is stored, by case."""
    names = {case.spelt(identifier): case.name for case in cases for identifier in _identifiers(case)}
    people: defaultdict[Any, set[IdentifierKey]] = defaultdict(set)
    for row in await bench.rows(OWNERS):
        identifier = row["type"], row["value"]
        people[row["root"] or identifier].add(identifier)
    whose: defaultdict[Any, set[str]] = defaultdict(set)
    for row in await bench.rows("SELECT id, customer_id FROM journey.touchpoints"):
        whose[row["customer_id"]].add(row["id"])
    stored: dict[str, tuple[set[Any], set[Any], set[Any]]] = {case.name: (set(), set(), set()) for case in cases}
    for group in people.values():
        stored[names[min(group)]][0].add(frozenset(group))
    for ids in whose.values():
        stored[min(ids)[:4]][1].add(frozenset(ids))
    separated = await bench.rows("SELECT left_type, left_value, right_type, right_value FROM journey.identity_words")
    words = {((row[0], row[1]), (row[2], row[3])) for row in separated}
    for row in await bench.rows(LINKS):
        link = (row[0], row[1]), (row[2], row[3])
        if row["state"] != "active" and (link not in words or row["reason"] != "separated"):
            stored[names[link[0]]][2].add((link, row["reason"]))
    return dict(stored)


def _identifiers(case: Told) -> list[IdentifierKey]:
    words = [word for said in (*case.row.touchpoints, *case.row.said) for word in said.split() if "=" in word]
    return [key(word) for word in words]


BY_RULES = {
    name: [row for row in TABLE if row.rules == rules]
    for name, rules in {
        "as shipped": POLICY,
        **{row.name: row.rules for row in reversed(TABLE) if row.rules != POLICY},
    }.items()
}


def test_every_row_is_told() -> None:
    told = {row.name for rows in BY_RULES.values() for row in rows}
    assert told == {row.name for row in TABLE}
    assert len(told) >= 50


@pytest.mark.parametrize("name", BY_RULES)
async def test_two_workers_make_of_each_row_what_the_table_says(database: str, name: str) -> None:
    rows = BY_RULES[name]
    book, luck = terms_of(rows[0].rules), Random(name)
    cases = [
        Told(row, place, order)
        for place, row in enumerate(rows)
        for order in range(SPOKEN_ORDERS if row.said else ORDERS)
    ]
    more: dict[str, Any] = {"partitions": 2, "policies": FixedPolicies(Rulebook([]), book)}
    async with open_bench(database, **more) as one, open_bench(database, **more) as other:
        workers = Workers((one, other), book)
        await workers.told(cases, luck)
        stored = await found(one, cases)
        for case in cases:
            assert stored[case.name] == expected(case), f"{case.row.name}, order {case.order}"
        checker = IdentityChecker(pool=one.pool, settler=workers.settler)
        assert not [page async for page in checker.pages() if page.differs]
