"""Compares the stored customers with the ledger of links, page by page. It changes nothing.

What counts as a difference is left to `differences`, repairing it to `fix`.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from services.journey.domain.identity.facts import IdentifierKey
from services.journey.domain.identity.screening import is_plain
from services.journey.repair import stored_identity
from services.journey.repair.differences import (
    IdentityGraph,
    customers_without_links,
    links_across_customers,
    strongest_known,
)
from services.journey.repair.stored_identity import CustomerCounts, LedgerLink, MisplacedJourney, OwnedTouchpoint
from services.journey.settle.part_reading import PartTooLargeError
from services.journey.settle.settling import IdentitySettler, SettlementDraft, SettlementScope, WidenedPartError
from services.journey.store import identity_ledger
from services.runtime.postgres.pools import Connection, Pool, acquire

WIDENINGS = 10
"""How often more is read of a part because a touchpoint leads on; workers do the same under their locks."""

CUSTOMERS_AT_ONCE = 500
"""Customers in one page. The number bounds the memory, and the time for which a snapshot is held."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MisplacedTouchpoint:
    """A touchpoint stored with `holder`, though its strongest identifier belongs to another customer."""

    source: str
    id: str
    holder: UUID
    strongest: IdentifierKey


@dataclass(slots=True, kw_only=True)
class IdentityFindings:
    """The findings in one page: how much was checked, and what differs."""

    customers: int = 0
    identifiers: int = 0
    touchpoints: int = 0
    split: list[LedgerLink] = field(default_factory=list)
    owners: dict[IdentifierKey, UUID] = field(default_factory=dict)
    """The customers at both ends of the links in `split`."""

    unsettled: list[frozenset[IdentifierKey]] = field(default_factory=list)
    """The identifiers of customers who are not what the links, under their constraints, make of them."""

    unsettled_customers: list[UUID] = field(default_factory=list)
    strays: list[MisplacedTouchpoint] = field(default_factory=list)
    journeys: list[MisplacedJourney] = field(default_factory=list)
    miscounted: list[UUID] = field(default_factory=list)

    @property
    def differs(self) -> bool:
        """Whether anything differs from the ledger."""
        return any((self.split, self.unsettled, self.strays, self.journeys, self.miscounted))


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityChecker:
    """Checks every customer once, in the order of their ids."""

    pool: Pool
    settler: IdentitySettler

    async def how_many(self) -> int:
        """Return how many customers there are to check."""
        async with acquire(self.pool) as connection:
            return await stored_identity.how_many(connection)

    async def pages(self) -> AsyncIterator[IdentityFindings]:
        """Yield the findings page by page. No lock is held between two pages, so each can be repaired at once."""
        after = stored_identity.NOBODY
        while True:
            async with (
                acquire(self.pool) as connection,
                connection.transaction(isolation="repeatable_read", readonly=True),
            ):
                customers = await stored_identity.page(connection, after, CUSTOMERS_AT_ONCE)
                found = await self._look(connection, customers) if customers else None
            if found is None:
                return
            yield found
            after = customers[-1].customer_id

    async def _look(self, connection: Connection, customers: Sequence[CustomerCounts]) -> IdentityFindings:
        ids = [one.customer_id for one in customers]
        mine = await stored_identity.identifiers_of(connection, ids)
        links = {link.key: link for link in await stored_identity.links_at(connection, mine)}
        others = {key for link in links for key in link} - mine.keys()
        owners = {**mine, **(await stored_identity.roots_of(connection, others) if others else {})}
        graph = IdentityGraph(mine=mine, owners=owners, links={key: link.active for key, link in links.items()})
        found = IdentityFindings(customers=len(customers), identifiers=len(mine))
        # A link across two pages is seen from both; it is reported for the page of its left end.
        found.split = [links[key] for key in links_across_customers(graph) if key[0] in mine]
        found.owners = {key: owners[key] for link in found.split for key in link.key}
        found.miscounted = _miscounted(customers, list(mine.values()))
        found.journeys = await stored_identity.journeys_astray(connection, ids)
        split = {owners[end] for link in found.split for end in link.key}
        intricate = await self._intricate(connection, customers, graph) - split
        found.touchpoints += await stored_identity.how_many_touchpoints(connection, intricate)
        await self._settlements(connection, sorted(intricate), mine, found)
        plain = [one for one in ids if one not in intricate]
        await self._settlements(connection, await self._touchpoints(connection, plain, mine, found), mine, found)
        return found

    async def _intricate(
        self, connection: Connection, customers: Sequence[CustomerCounts], graph: IdentityGraph
    ) -> set[UUID]:
        """Return the customers whose identifiers do not simply hang together, so that all around them is looked at."""
        found = {one.customer_id for one in customers if one.contested}.union(customers_without_links(graph))
        records = await identity_ledger.identifiers_of(connection, [one.customer_id for one in customers])
        theirs: dict[UUID, list[IdentifierKey]] = {}
        for key, record in records.items():
            if record.root is not None:
                theirs.setdefault(record.root, []).append(key)
        proved = {key for key, record in records.items() if record.verified}
        constraints = (await self.settler.source.identity(connection)).constraints
        return found.union(one for one, keys in theirs.items() if not is_plain(keys, proved, constraints))

    async def _settlements(
        self,
        connection: Connection,
        customers: Sequence[UUID],
        mine: Mapping[IdentifierKey, UUID],
        found: IdentityFindings,
    ) -> None:
        """Settle these customers without writing it, and note those who would not stay as they are."""
        seen: set[IdentifierKey] = set()
        for customer in customers:
            keys = frozenset(key for key, owner in mine.items() if owner == customer)
            if not keys or not seen.isdisjoint(keys):
                continue
            draft = await self._draft(connection, keys)
            seen |= draft.keys if draft is not None else keys
            if draft is not None and draft.differs:
                found.unsettled.append(keys)
                found.unsettled_customers.append(customer)

    async def _draft(self, connection: Connection, keys: frozenset[IdentifierKey]) -> SettlementDraft | None:
        """Return what a settlement would write; None where more is connected than is settled at once."""
        also = keys
        for _ in range(WIDENINGS):
            try:
                return await self.settler.draft(connection, SettlementScope(also=also, scan_all=True))
            except PartTooLargeError:
                return None
            except WidenedPartError as error:
                also |= error.keys
        return None

    async def _touchpoints(
        self, connection: Connection, ids: Sequence[UUID], mine: dict[IdentifierKey, UUID], found: IdentityFindings
    ) -> list[UUID]:
        """Note touchpoints that are not with their customers; return who may hold what others leave to them."""
        waiting: list[OwnedTouchpoint] = []
        book = await self.settler.source.identity(connection)
        async for one in stored_identity.touchpoints_of(connection, ids):
            found.touchpoints += 1
            strongest = next(iter(book.usable(one.carries, one.appended_at)), None)
            if strongest is not None and mine.get(strongest) != one.customer_id:
                waiting.append(one)
        if not waiting:
            return []
        carried = {key for one in waiting for key in book.usable(one.carries, one.appended_at)}
        records = await identity_ledger.identifiers(connection, carried)
        owners = {key: record.root for key, record in records.items() if record.root is not None}
        unowned = {key for key, record in records.items() if record.standing != "owned" or record.root is None}
        holding: set[UUID] = set()
        for one in waiting:
            keys = book.usable(one.carries, one.appended_at)
            if not unowned.isdisjoint(keys):
                holding.add(one.customer_id)
                continue
            strongest = strongest_known(keys, owners)
            if strongest is not None and owners[strongest] != one.customer_id:
                stray = MisplacedTouchpoint(source=one.source, id=one.id, holder=one.customer_id, strongest=strongest)
                found.strays.append(stray)
        return sorted(holding)


def _miscounted(customers: Sequence[CustomerCounts], owners: Sequence[UUID]) -> list[UUID]:
    sizes: dict[UUID, int] = {}
    for owner in owners:
        sizes[owner] = sizes.get(owner, 0) + 1
    return [
        one.customer_id
        for one in customers
        if one.identifier_count != sizes.get(one.customer_id, 0) or one.merge_count != one.absorbed
    ]
