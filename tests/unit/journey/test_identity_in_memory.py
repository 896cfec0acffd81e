"""The resolver over tables in memory: every order, cut and word of an operator gives what the oracle says."""

import os
from itertools import count
from random import Random
from typing import Any
from uuid import UUID

import msgspec
import pytest

from services.journey.apply.resolution import IdentityResolver
from services.journey.domain.identity.facts import IdentifierKey, OperatorWord, link_key
from services.journey.domain.touchpoint import Touchpoint
from services.journey.settle.settlement_writer import write_settlement
from services.journey.settle.settling import IdentitySettler, SettlementDraft, SettlementScope, WidenedPartError
from tests.fixtures.settled_parts import appended_at, book_of, by_owner, document, moment, spelt
from tests.oracle.constrained_identity import resolve
from tests.oracle.identity_terms import OperatorFact, Sighting
from tests.oracle.random_identity import Part, make, with_versions
from tests.unit.journey.memory_identity import IdentityTables, installed

FIRST = int(os.environ.get("IDENTITY_SEED", "0"))
PARTS = int(os.environ.get("IDENTITY_PARTS", "200"))

NO_CONNECTION: Any = None


class MemoryWorker:
    """Resolves batches of one part, and settles it again after an operator's word."""

    def __init__(self, part: Part) -> None:
        ids = count(1)
        self.part = part
        self.book = book_of(part)
        self.tables = IdentityTables()
        self.resolver = IdentityResolver(book=self.book, new_id=lambda: UUID(int=next(ids)))
        self.settler = IdentitySettler(source=self.book, new_id=lambda: UUID(int=next(ids)))

    async def apply(self, batch: list[Sighting]) -> None:
        """Apply what is new in a batch."""
        points = {one.key: one for one in batch if one.key not in self.tables.touchpoints}
        ordered = sorted(points.values(), key=lambda one: one.order)
        evidence = [self.book.evidence(_touchpoint(one), appended_at(one)) for one in ordered]
        widened: frozenset[IdentifierKey] = frozenset()
        while True:
            try:
                resolution = await self.resolver.resolve(NO_CONNECTION, evidence, widened)
                break
            except WidenedPartError as error:
                widened = _wider(widened, error)
        for key, point in points.items():
            self.tables.keep(_touchpoint(point), resolution.owners[key], appended_at(point))

    async def draft(self, *keys: tuple[str, str], scan_all: bool = False) -> SettlementDraft:
        """Settle again what is connected to identifiers, without writing it."""
        also = frozenset(keys)
        while True:
            try:
                scope = SettlementScope(also=also, opened=() if scan_all else keys, scan_all=scan_all)
                return await self.settler.draft(NO_CONNECTION, scope)
            except WidenedPartError as error:
                also = _wider(also, error)

    async def say(self, fact: OperatorFact) -> None:
        """Write an operator's word and settle what it is about."""
        key = link_key(spelt(fact.one), spelt(fact.other))
        if key[0] == key[1]:
            return
        if fact.kind == "retract":
            self.tables.retract(key)
        else:
            self.tables.say(OperatorWord(fact.kind), key, moment(fact.at))
        await write_settlement(NO_CONNECTION, await self.draft(*key))

    def whose(self) -> set[frozenset[tuple[str, str]]]:
        """Touchpoints by customer."""
        found: dict[UUID, set[tuple[str, str]]] = {}
        for key, one in self.tables.touchpoints.items():
            assert self.tables.customers[one.customer_id].merged_into is None
            found.setdefault(one.customer_id, set()).add(key)
        return set(map(frozenset, found.values()))


def _wider(keys: frozenset[IdentifierKey], error: WidenedPartError) -> frozenset[IdentifierKey]:
    assert not error.keys <= keys, "asked for again what is locked already"
    return keys | error.keys


def _touchpoint(one: Sighting) -> Touchpoint:
    return msgspec.convert(msgspec.to_builtins(document(one, 1)), Touchpoint)


async def _run(part: Part, luck: Random) -> MemoryWorker:
    """Apply a part in batches, an operator speaking in between; links are retracted in the end, when they are there."""
    worker = MemoryWorker(part)
    words = [one for one in part.facts if one.kind != "retract"]
    arrivals = list(part.arrivals)
    if luck.random() < 0.5:
        luck.shuffle(arrivals)
    size = luck.choice((1, 2, 5, 100))
    with installed(worker.tables):
        for first in range(0, len(arrivals), size):
            if words and luck.random() < 0.3:
                await worker.say(words.pop(luck.randrange(len(words))))
            await worker.apply(arrivals[first : first + size])
        for fact in (*words, *(one for one in part.facts if one.kind == "retract")):
            await worker.say(fact)
        for key in sorted(worker.tables.identifiers):
            assert not (await worker.draft(key, scan_all=True)).differs, "what is settled stays as it is"
    return worker


@pytest.mark.parametrize("seed", range(FIRST, FIRST + PARTS, 20))
async def test_customers_are_what_the_oracle_says(seed: int) -> None:
    for one in range(seed, seed + 20):
        part = make(one)
        worker = await _run(part, Random(one))
        assert worker.whose() == by_owner(resolve(part.arrivals, part.facts, part.policy, most=part.most)), one


@pytest.mark.parametrize("seed", range(FIRST, FIRST + PARTS, 20))
async def test_a_version_judges_what_was_appended_under_it_in_every_order(seed: int) -> None:
    for one in range(seed, seed + 20):
        part = with_versions(make(one))
        worker = await _run(part, Random(one))
        expected = resolve(part.arrivals, part.facts, part.policy, most=part.most, later=part.later)
        assert worker.whose() == by_owner(expected), one
