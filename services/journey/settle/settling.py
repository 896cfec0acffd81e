"""Drafts the settlement of everything that some evidence is connected to: reads, lets the domain decide, compares.

Nothing is written here. All identifiers concerned must be locked first; what is not, is named in an error, and the
caller begins again with these locked, too.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Protocol
from uuid import UUID

import msgspec

from services.journey.domain.identity.facts import ConnectedPart, IdentifierKey, IdentitySighting, LinkFact, LinkKey
from services.journey.domain.identity.identity_book import IdentityBook
from services.journey.domain.identity.partition import IdentityPartition, LinkTrust, partition
from services.journey.domain.identity.planning import IdentityEvidence, counted_links
from services.journey.domain.identity.settlement import IdentitySettlement, conclude
from services.journey.domain.names import CustomerId
from services.journey.domain.touchpoint import TouchpointKey
from services.journey.settle.part_reading import StoredPart, read_part
from services.journey.store import identity_ledger, sightings
from services.journey.store.identity_ledger import IdentifierStanding
from services.journey.store.sightings import CarriedIdentifiers, MovedTouchpoint, SightingWindow
from services.runtime.postgres.pools import ConcurrentChangeError, Connection

_BEGINNING, _END = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)


class WidenedPartError(ConcurrentChangeError):
    """Identifiers must be locked that are not: begin again, and lock these from the start."""

    def __init__(self, keys: Collection[IdentifierKey]) -> None:
        super().__init__(f"{len(keys)} more identifiers")
        self.keys = frozenset(keys)


@dataclass(slots=True, kw_only=True)
class SettlementDraft:
    """What to write about some parts, and whose the touchpoints of the batch are.

    `customers` are to be locked before anything is written. `refused` counts links that were not refused before.
    """

    stored: StoredPart
    settlement: IdentitySettlement
    facts: Mapping[LinkKey, LinkFact]
    owners: dict[TouchpointKey, CustomerId] = field(default_factory=dict)
    standings: dict[IdentifierKey, IdentifierStanding] = field(default_factory=dict)
    moved: list[MovedTouchpoint] = field(default_factory=list)
    sighted: list[IdentitySighting] = field(default_factory=list)
    created: dict[CustomerId, CustomerId | None] = field(default_factory=dict)
    absorbed: dict[CustomerId, CustomerId] = field(default_factory=dict)
    customers: set[UUID] = field(default_factory=set)
    refused: Counter[str] = field(default_factory=Counter)

    @property
    def differs(self) -> bool:
        """Whether anything stored about customers differs from what is drafted, aliases aside."""
        return bool(self.moved or self.created or self.absorbed) or any(
            (stored.root, stored.standing) != (standing.customer_id, standing.standing)
            for key, standing in self.standings.items()
            if (stored := self.stored.identifiers.get(key)) is not None
        )

    @property
    def keys(self) -> Set[IdentifierKey]:
        """The identifiers of the parts."""
        return self.stored.keys

    def disturbed(self) -> dict[CustomerId, Sequence[UUID]]:
        """Return the customers to or from whom touchpoints move, with those they came from."""
        givers: dict[CustomerId, set[UUID]] = {}
        for moved in self.moved:
            came_from = CustomerId(moved.came_from)
            givers.setdefault(CustomerId(moved.goes_to), set()).add(came_from)
            givers.setdefault(self.absorbed.get(came_from, came_from), set())
        return {customer: sorted(from_whom) for customer, from_whom in givers.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementScope:
    """What to settle: all that `contested` evidence and the identifiers in `also` are connected to.

    `evidence` is all of a batch, and `locked` are the identifiers that are locked: None for who only looks, under no
    locks. The part goes on at identifiers in `opened` even if they are shared. With `scan_all`, every touchpoint of its
    customers is looked at, not only what may have changed.
    """

    contested: Sequence[IdentityEvidence] = ()
    evidence: Sequence[IdentityEvidence] = ()
    locked: Collection[IdentifierKey] | None = None
    also: Collection[IdentifierKey] = ()
    opened: Collection[IdentifierKey] = ()
    scan_all: bool = False


class IdentitySource(Protocol):
    """Where the policy of identity comes from."""

    async def identity(self, connection: Connection) -> IdentityBook:
        """Return all versions of the policy that judge what this transaction reads."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentitySettler:
    """Drafts settlements under the policy of a source."""

    source: IdentitySource
    new_id: Callable[[], UUID]

    async def draft(self, connection: Connection, scope: SettlementScope) -> SettlementDraft:
        """Settle everything that `scope` is connected to.

        Raises:
            WidenedPartError: identifiers must be locked, or looked at besides.
            PartTooLargeError: more is connected than is settled at once.
        """
        book = await self.source.identity(connection)
        news = link_facts(scope.contested)
        seeds = {key for one in scope.contested for key in (*one.keys, *one.others)}.union(scope.also)
        stored = await read_part(connection, seeds, news, book.constraints, scope.opened)
        locked = stored.keys if scope.locked is None else scope.locked
        _check_locked(stored.keys, locked)
        evidence = [one for one in scope.evidence if not stored.keys.isdisjoint((*one.keys, *one.others))]
        beside = {key for one in evidence for key in one.keys} - stored.keys
        if beside:
            raise WidenedPartError(beside)
        part = stored.connected(news | link_facts(evidence))
        decided = partition(part, book.constraints)
        looked = _Looking(_Session(connection, book, self.new_id), stored, part, decided)
        await looked.look(evidence, locked, scan_all=scope.scan_all)
        return looked.drafted()


def link_facts(evidence: Iterable[IdentityEvidence]) -> dict[LinkKey, LinkFact]:
    """Return the links that evidence makes, each with its earliest place."""
    facts: dict[LinkKey, LinkFact] = {}
    for one in evidence:
        customer, order = one.touchpoint.customer, one.touchpoint.order
        for key in counted_links(one.keys):
            verified = all(customer[type_].verified for type_, _ in key)
            facts[key] = LinkFact(key=key, first=order, verified=verified, judge=one.judge).joined(facts.get(key))
    return facts


def _check_locked(keys: Collection[IdentifierKey], locked: Collection[IdentifierKey]) -> None:
    missing = set(keys).difference(locked)
    if missing:
        raise WidenedPartError(missing)


class _Session(NamedTuple):
    """What looking needs besides what is read."""

    connection: Connection
    book: IdentityBook
    new_id: Callable[[], UUID]


class _Looking:
    """Looks at touchpoints whose owner may have changed, and drafts what is to be written."""

    def __init__(self, session: _Session, stored: StoredPart, part: ConnectedPart, decided: IdentityPartition) -> None:
        self._connection, self._book, self._new_id = session
        self._constraints = self._book.constraints
        self._stored = stored
        self._part = part
        self._decided = decided
        self._fresh: list[IdentitySighting] = []
        self._judged: dict[TouchpointKey, tuple[IdentitySighting, CarriedIdentifiers]] = {}
        self._context: dict[TouchpointKey, tuple[IdentitySighting, CarriedIdentifiers]] = {}
        self._abroad: dict[IdentifierKey, CustomerId | None] = {}

    async def look(
        self, evidence: Sequence[IdentityEvidence], locked: Collection[IdentifierKey], *, scan_all: bool
    ) -> None:
        """Read every touchpoint that may go to another customer, and who was known on what they carry."""
        self._fresh = [
            IdentitySighting(order=one.touchpoint.order, usable=one.keys, others=one.others, judge=one.judge)
            for one in evidence
        ]
        scanned = set(self._stored.customers) if scan_all else self._scanned()
        if scanned:
            for row in await sightings.touchpoints_of(self._connection, scanned):
                self._judged[row.order[2], row.order[3]] = self._seen(row)
        changed = [*self._fresh, *(seen for seen, _ in self._judged.values())]
        await self._look_around(changed)
        await self._look_abroad(locked)

    def _scanned(self) -> set[UUID]:
        """Return the stored customers any of whose touchpoints may go elsewhere.

        These are customers whose identifiers fall apart, and those around an identifier that begins or ceases to belong
        to one customer.
        """
        component_of, owners = self._decided.component_of, self._part.owners
        places: dict[CustomerId, set[int]] = {}
        for key, owner in owners.items():
            places.setdefault(owner, set()).add(component_of[key])
        scanned: set[UUID] = {owner for owner, its in places.items() if len(its) > 1}
        turned = {
            key
            for key, one in self._stored.identifiers.items()
            if one.standing != self._standing(key) and key in component_of
        }
        scanned.update(owners[key] for key in turned if key in owners)
        for link in self._stored.links:
            if not turned.isdisjoint(link):
                scanned.update(owners[end] for end in link if end in owners)
        return scanned

    def _standing(self, key: IdentifierKey) -> str:
        if key in self._decided.shared:
            return "shared"
        return "between" if key in self._decided.between else "owned"

    def _seen(self, row: CarriedIdentifiers) -> tuple[IdentitySighting, CarriedIdentifiers]:
        return self._book.sighting(row.order, row.carries, row.appended_at), row

    def _hold(self, key: IdentifierKey) -> timedelta:
        return self._constraints.longest_hold(key[0], shared=key in self._decided.recognised)

    async def _look_around(self, changed: Sequence[IdentitySighting]) -> None:
        """Read the sightings around changed ones: those that change with them, and those that say who had what.

        Whose a touchpoint on an identifier between customers is, is said by sightings within its hold; what these
        touchpoints carry besides is looked up in the same way.
        """
        near, far = _Windows(), _Windows()
        for one in changed:
            for key in filter(self._is_unowned, one.carried):
                near.add(key, one.occurred_at, self._hold(key))
                far.add(key, one.occurred_at, 2 * self._hold(key))
        for key, record in self._stored.identifiers.items():
            if record.standing != "owned" and key in self._decided.component_of and not self._is_unowned(key):
                near.add_all(key)
                far.add_all(key)
        around = await self._read(far)
        beside = _Windows()
        for name, (seen, row) in around.items():
            if name not in self._judged and self._floats(seen) and near.hold(seen):
                self._judged[name] = seen, row
                for key in filter(self._is_unowned, seen.carried):
                    beside.add(key, seen.occurred_at, self._hold(key))
        self._context = around | await self._read(beside.without(far))

    async def _read(self, windows: "_Windows") -> dict[TouchpointKey, tuple[IdentitySighting, CarriedIdentifiers]]:
        wanted = windows.merged()
        rows = await sightings.within(self._connection, wanted) if wanted else []
        return {(row.order[2], row.order[3]): self._seen(row) for row in rows}

    def _is_unowned(self, key: IdentifierKey) -> bool:
        return key in self._decided.shared or key in self._decided.between or self._constraints.declares_shared(key[0])

    def _floats(self, seen: IdentitySighting) -> bool:
        """Return whether a touchpoint may belong to whoever holds what it carries."""
        return any(map(self._is_unowned, seen.carried)) or any(
            key in self._stored.identifiers and self._stored.identifiers[key].standing != "owned"
            for key in seen.carried
        )

    async def _look_abroad(self, locked: Collection[IdentifierKey]) -> None:
        """Read who has identifiers of other parts; what a judged touchpoint rests on must be in the part."""
        everything = [*self._fresh, *(seen for seen, _ in (self._context | self._judged).values())]
        known = self._decided.component_of
        foreign = {key for seen in everything for key in seen.carried if key not in known}
        if not foreign:
            return
        records = await identity_ledger.identifiers(self._connection, foreign)
        for key in foreign:
            record = records.get(key)
            owned = record is not None and record.standing == "owned" and record.root is not None
            self._abroad[key] = CustomerId(record.root) if owned and record is not None and record.root else None
        missing: set[IdentifierKey] = set()
        for seen in [*self._fresh, *(seen for seen, _ in self._judged.values())]:
            if not any(self._is_somebodys(key, seen.judge) for key in seen.usable):
                missing.update(key for key in seen.carried if key not in known and key in records)
        _check_locked(missing, locked)

    def _is_somebodys(self, key: IdentifierKey, judge: int) -> bool:
        if self._constraints.judging(judge).of(key).shared:
            return False
        if key in self._abroad:
            return self._abroad[key] is not None
        return not self._decided.floats(key)

    def drafted(self) -> SettlementDraft:
        """Return what is to be written."""
        rows = self._context | self._judged
        part = msgspec.structs.replace(
            self._part,
            sightings=[*self._fresh, *(seen for seen, _ in rows.values())],
            belonged={name: CustomerId(row.customer_id) for name, (_, row) in rows.items()},
            abroad=self._abroad,
        )
        settlement = conclude(part, self._decided, self._constraints, self._new_id)
        facts = {one.key: one for one in self._part.links}
        draft = SettlementDraft(stored=self._stored, settlement=settlement, facts=facts)
        for heir in settlement.succession.customers:
            draft.absorbed.update((gone, heir.id) for gone in heir.absorbed if heir.id is not None)
        for seen in self._fresh:
            owner = settlement.customer_of(seen)
            if owner is not None:
                draft.owners[seen.key] = owner
        for seen, row in self._judged.values():
            self._judge(seen, row, draft)
        self._draft_customers(draft)
        self._draft_standings(draft)
        draft.sighted = [*self._fresh, *(seen for seen, _ in self._judged.values())]
        draft.refused = self._newly_refused()
        return draft

    def _judge(self, seen: IdentitySighting, row: CarriedIdentifiers, draft: SettlementDraft) -> None:
        stored = CustomerId(row.customer_id)
        owner = draft.settlement.customer_of(seen)
        if owner is not None and owner != draft.absorbed.get(stored, stored):
            moved = MovedTouchpoint(order=row.order, came_from=stored, goes_to=owner, journey_id=row.journey_id)
            draft.moved.append(moved)

    def _draft_customers(self, draft: SettlementDraft) -> None:
        """Create only customers to whom a touchpoint belongs, and lock everybody concerned."""
        used = {*draft.owners.values(), *(CustomerId(one.goes_to) for one in draft.moved)}
        new = {one.id: one.split_from for one in draft.settlement.succession.customers if one.is_new and one.id}
        draft.created = {id_: came_from for id_, came_from in new.items() if id_ in used}
        draft.customers = {*self._stored.customers, *used, *(one.came_from for one in draft.moved)} - new.keys()

    def _draft_standings(self, draft: SettlementDraft) -> None:
        kept = {one.id for one in draft.settlement.succession.customers if not one.is_new} | draft.created.keys()
        for key, owner in draft.settlement.owners().items():
            stored = self._stored.identifiers.get(key)
            standing = IdentifierStanding(customer_id=owner if owner in kept else None, standing=self._standing(key))
            if stored is not None and (stored.pointed, stored.standing) != (standing.customer_id, standing.standing):
                draft.standings[key] = standing

    def _newly_refused(self) -> Counter[str]:
        refused: Counter[str] = Counter()
        for tie, reason in self._decided.refused.items():
            known = self._stored.links.get(tie.key)
            if tie.trust is not LinkTrust.OPERATOR and (known is None or known.state == "active"):
                refused[str(reason)] += 1
        return refused


class _Windows:
    """Spans of time around touchpoints, by identifier."""

    def __init__(self) -> None:
        self._spans: dict[IdentifierKey, list[tuple[datetime, datetime]]] = {}

    def add(self, key: IdentifierKey, moment: datetime, reach: timedelta) -> None:
        """Add the span of `reach` before and after a moment."""
        since = moment - reach if moment - _BEGINNING > reach else _BEGINNING
        until = moment + reach if _END - moment > reach else _END
        self._spans.setdefault(key, []).append((since, until))

    def add_all(self, key: IdentifierKey) -> None:
        """Add all of time for an identifier."""
        self._spans.setdefault(key, []).append((_BEGINNING, _END))

    def hold(self, seen: IdentitySighting) -> bool:
        """Return whether a touchpoint lies in a span of an identifier that it carries."""
        return any(
            since <= seen.occurred_at <= until for key in seen.carried for since, until in self._spans.get(key, ())
        )

    def without(self, other: "_Windows") -> "_Windows":
        """Return the spans that do not lie within one of the other's."""
        left = _Windows()
        covered = {key: other._merged(key) for key in self._spans}
        for key, spans in self._spans.items():
            rest = [
                one for one in spans if not any(since <= one[0] and one[1] <= until for since, until in covered[key])
            ]
            if rest:
                left._spans[key] = rest
        return left

    def merged(self) -> list[SightingWindow]:
        """Return the spans, those that meet as one."""
        return [
            SightingWindow(key=key, since=since, until=until)
            for key in sorted(self._spans)
            for since, until in self._merged(key)
        ]

    def _merged(self, key: IdentifierKey) -> list[tuple[datetime, datetime]]:
        merged: list[tuple[datetime, datetime]] = []
        for since, until in sorted(self._spans.get(key, ())):
            if merged and since <= merged[-1][1]:
                merged[-1] = merged[-1][0], max(until, merged[-1][1])
            else:
                merged.append((since, until))
        return merged
