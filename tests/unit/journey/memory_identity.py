"""The tables of identity in memory: what the resolver and the settler read and write, as SQL would do it.

`installed` puts them in the place of the stores, so that thousands of batches are tried without a database. That the
statements do what these do is for `tests/integration/test_identity_settled.py` to show.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import ModuleType
from typing import Any
from uuid import UUID

import pytest

from services.journey.domain.identity.facts import IdentifierKey, LinkKey, OperatorFact, OperatorWord
from services.journey.domain.touchpoint import Identifier, OrderKey, Touchpoint, TouchpointKey
from services.journey.store import customers, identifiers, identity_ledger, sightings
from services.journey.store.customers import LockedCustomer, SurvivingCustomer
from services.journey.store.identifiers import KeptLink, LinkRow, TouchedIdentifiers
from services.journey.store.identity_ledger import IdentifierRecord, IdentifierStanding, LinkRecord
from services.journey.store.sightings import CarriedIdentifiers, MovedTouchpoint, SightingWindow


@dataclass(slots=True)
class CustomerRow:
    """A row of the table of customers."""

    seq: int
    merged_into: UUID | None = None
    contested: bool = False
    identifiers: int = 0
    merges: int = 0


@dataclass(slots=True)
class IdentityTables:
    """Rows by their keys."""

    customers: dict[UUID, CustomerRow] = field(default_factory=dict)
    identifiers: dict[IdentifierKey, IdentifierRecord] = field(default_factory=dict)
    new_proof: set[IdentifierKey] = field(default_factory=set)
    links: dict[LinkKey, LinkRecord] = field(default_factory=dict)
    words: set[OperatorFact] = field(default_factory=set)
    touchpoints: dict[TouchpointKey, CarriedIdentifiers] = field(default_factory=dict)
    sighted: set[tuple[IdentifierKey, OrderKey]] = field(default_factory=set)

    def root(self, customer: UUID | None) -> UUID | None:
        return None if customer is None else self.customers[customer].merged_into or customer

    def record(self, key: IdentifierKey) -> IdentifierRecord:
        found = self.identifiers[key]
        return replace(found, root=self.root(found.pointed))

    def keep(self, touchpoint: Touchpoint, customer: UUID, appended_at: datetime) -> None:
        """Store a touchpoint, as the renewal does."""
        carries: dict[str, Identifier] = touchpoint.customer
        self.touchpoints[touchpoint.key] = CarriedIdentifiers(
            order=touchpoint.order, customer_id=customer, journey_id=None, carries=carries, appended_at=appended_at
        )

    # What the resolver reads and writes.

    async def touch(self, _: object, mentions: Mapping[IdentifierKey, Any]) -> TouchedIdentifiers:
        touched = TouchedIdentifiers()
        for key, said in mentions.items():
            stored = self.identifiers.get(key)
            if stored is None:
                touched.fresh.add(key)
                self.identifiers[key] = IdentifierRecord(
                    key=key,
                    pointed=None,
                    root=None,
                    standing="owned",
                    verified=said.verified,
                    first_seen=said.first_seen,
                )
                continue
            if said.verified and not stored.verified:
                self.new_proof.add(key)
            first_seen, verified = min(stored.first_seen, said.first_seen), stored.verified or said.verified
            self.identifiers[key] = replace(stored, verified=verified, first_seen=first_seen)
            if stored.pointed is not None:
                touched.pointed[key] = stored.pointed
            if stored.standing != "owned" or stored.pointed is None:
                touched.unsettled.add(key)
            if key in self.new_proof:
                touched.newly_proved.add(key)
        return touched

    async def count_proof(self, _: object, keys: Collection[IdentifierKey]) -> None:
        self.new_proof.difference_update(keys)

    async def point(self, _: object, owners: Mapping[IdentifierKey, UUID]) -> None:
        for key, owner in owners.items():
            self.identifiers[key] = replace(self.identifiers[key], pointed=owner)

    async def drop_new(self, _: object, keys: Collection[IdentifierKey]) -> None:
        for key in keys:
            if self.identifiers[key].pointed is None:
                del self.identifiers[key]

    async def kept_links(self, _: object, keys: Collection[LinkKey]) -> dict[LinkKey, KeptLink]:
        found = {key: self.links[key] for key in keys if key in self.links}
        return {
            key: KeptLink(state=one.state, verified=one.verified, first=one.first, judge=one.judge)
            for key, one in found.items()
        }

    async def keep_links(self, _: object, rows: Collection[LinkRow]) -> None:
        for row in rows:
            known = self.links.get(row.key)
            if known is None:
                self.links[row.key] = _link(row)
                continue
            leaves = known.state == "quarantined"
            self.links[row.key] = replace(
                known,
                verified=known.verified or row.verified,
                first=min(known.first, row.first),
                judge=min(known.judge, row.judge),
                state=row.state if leaves else known.state,
                reason=row.reason if leaves else known.reason,
            )

    async def decide_links(self, _: object, rows: Collection[LinkRow]) -> None:
        for row in rows:
            if row.key not in self.links or self.links[row.key].state != "retracted":
                self.links[row.key] = _link(row)

    # What the settler reads and writes.

    async def links_at(self, _: object, keys: Collection[IdentifierKey]) -> dict[LinkKey, LinkRecord]:
        return {key: one for key, one in self.links.items() if key[0] in keys or key[1] in keys}

    async def with_verified_links(self, _: object, keys: Collection[IdentifierKey]) -> set[IdentifierKey]:
        return {end for one in self.links.values() if one.verified for end in one.key if end in keys}

    async def words_at(self, _: object, keys: Collection[IdentifierKey]) -> set[OperatorFact]:
        return {one for one in self.words if one.key[0] in keys or one.key[1] in keys}

    async def records(self, _: object, keys: Collection[IdentifierKey]) -> dict[IdentifierKey, IdentifierRecord]:
        return {key: self.record(key) for key in keys if key in self.identifiers}

    async def records_of(self, _: object, roots: Collection[UUID]) -> dict[IdentifierKey, IdentifierRecord]:
        found = {key: self.record(key) for key in self.identifiers}
        return {key: one for key, one in found.items() if one.root is not None and one.root in roots}

    async def stand(self, _: object, standings: Mapping[IdentifierKey, IdentifierStanding]) -> None:
        for key, one in standings.items():
            stored = self.identifiers[key]
            self.identifiers[key] = replace(stored, pointed=one.customer_id, standing=one.standing)
            self.new_proof.discard(key)

    async def survivors(self, _: object, wanted: Collection[UUID]) -> dict[UUID, SurvivingCustomer]:
        found = {}
        for customer in wanted:
            root = self.root(customer)
            assert root is not None
            row = self.customers[root]
            found[customer] = SurvivingCustomer(customer_id=root, seq=row.seq, contested=row.contested)
        return found

    async def lock(self, _: object, wanted: Collection[UUID]) -> dict[UUID, LockedCustomer]:
        return {
            customer: LockedCustomer(
                customer_id=customer, seq=row.seq, version=1, identifier_count=row.identifiers, merge_count=row.merges
            )
            for customer in wanted
            if (row := self.customers[customer]).merged_into is None
        }

    async def create(self, _: object, new: Collection[UUID]) -> None:
        for customer in new:
            self.customers[customer] = CustomerRow(seq=len(self.customers))

    async def absorb(self, _: object, rows: Sequence[Any]) -> None:
        for row in rows:
            for customer, kept in self.customers.items():
                if row.absorbed in (customer, kept.merged_into):
                    kept.merged_into = row.survivor
            for key, one in self.touchpoints.items():
                if one.customer_id == row.absorbed:
                    self.touchpoints[key] = replace(one, customer_id=row.survivor)

    async def settled(self, _: object, sizes: Mapping[UUID, int], contested: Collection[UUID]) -> None:
        for customer, number in sizes.items():
            self.customers[customer].identifiers = number
            self.customers[customer].contested = customer in contested

    async def touchpoints_of(self, _: object, wanted: Collection[UUID]) -> list[CarriedIdentifiers]:
        return [one for one in self.touchpoints.values() if one.customer_id in wanted]

    async def within(self, _: object, windows: Sequence[SightingWindow]) -> list[CarriedIdentifiers]:
        found = {
            order[2:]
            for key, order in self.sighted
            for one in windows
            if one.key == key and one.since <= order[0] <= one.until
        }
        return [one for key, one in self.touchpoints.items() if key in found]

    async def add(self, _: object, seen: Collection[tuple[IdentifierKey, OrderKey]]) -> None:
        self.sighted.update(seen)

    async def move(self, _: object, moved: Sequence[MovedTouchpoint]) -> None:
        for one in moved:
            key = one.order[2], one.order[3]
            self.touchpoints[key] = replace(self.touchpoints[key], customer_id=one.goes_to)

    async def nothing(self, *_: object) -> None:
        return None

    def say(self, word: OperatorWord, key: LinkKey, said_at: datetime) -> None:
        """Write an operator's word, with identifiers that nobody carried yet."""
        self.words.add(OperatorFact(word=word, key=key, said_at=said_at))
        for end in key:
            if end not in self.identifiers:
                self.identifiers[end] = IdentifierRecord(
                    key=end, pointed=None, root=None, standing="owned", verified=False, first_seen=datetime.now(UTC)
                )

    def retract(self, key: LinkKey) -> None:
        """Retract a link, if it is there."""
        if key in self.links:
            self.links[key] = replace(self.links[key], state="retracted")


def _link(row: LinkRow) -> LinkRecord:
    return LinkRecord(
        key=row.key, state=row.state, reason=row.reason, verified=row.verified, first=row.first, judge=row.judge
    )


def _replacements(tables: IdentityTables) -> list[tuple[ModuleType, dict[str, object]]]:
    """Return what stands in the place of each function of the stores."""
    return [
        (
            identifiers,
            {
                "touch": tables.touch,
                "lock": tables.nothing,
                "count_proof": tables.count_proof,
                "point": tables.point,
                "drop_new": tables.drop_new,
                "links": tables.kept_links,
                "keep_links": tables.keep_links,
                "decide_links": tables.decide_links,
            },
        ),
        (
            identity_ledger,
            {
                "links_at": tables.links_at,
                "with_verified_links": tables.with_verified_links,
                "words_at": tables.words_at,
                "identifiers": tables.records,
                "identifiers_of": tables.records_of,
                "stand": tables.stand,
            },
        ),
        (
            customers,
            {
                "survivors": tables.survivors,
                "lock": tables.lock,
                "create": tables.create,
                "split_off": tables.create,
                "absorb": tables.absorb,
                "settled": tables.settled,
                "respan": tables.nothing,
            },
        ),
        (
            sightings,
            {"touchpoints_of": tables.touchpoints_of, "within": tables.within, "add": tables.add, "move": tables.move},
        ),
    ]


@contextmanager
def installed(tables: IdentityTables) -> Iterator[None]:
    """Put tables in memory in the place of the stores."""
    with pytest.MonkeyPatch.context() as patch:
        for module, functions in _replacements(tables):
            for name, replacement in functions.items():
                patch.setattr(module, name, replacement)
        yield
