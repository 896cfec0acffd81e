"""Repairs what differs from the ledger of links, in transactions like those of a batch.

Customers are settled again from the ledger as a worker settles them, under the same locks. What a customer holds
wrongly besides is moved. Each transaction takes a bounded number of links, or one customer, and checks again under its
locks. Workers may therefore go on meanwhile, and the next check finds whatever was interrupted.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from uuid import UUID

import msgspec

from services.journey.domain.identity.facts import IdentifierKey
from services.journey.domain.names import CustomerId
from services.journey.domain.touchpoint import Touchpoint
from services.journey.renew.customer_update import CustomerUpdate
from services.journey.renew.renewal import CustomerRenewer
from services.journey.repair import ledger, stored_identity
from services.journey.repair.check import IdentityFindings, MisplacedTouchpoint
from services.journey.repair.stored_identity import LedgerLink, MisplacedJourney
from services.journey.settle.resettling import IdentityResettler
from services.journey.store import customers
from services.journey.store.customers import LockedCustomer, MergeRow
from services.runtime.postgres.pools import ConcurrentChangeError, Connection, Pool, retrying, transaction

LINKS_AT_ONCE = 20
"""Links followed in one transaction: each may merge two customers with all their touchpoints."""

TOUCHPOINTS_AT_ONCE = 500
ATTEMPTS = 10


class RepairCounts(msgspec.Struct, kw_only=True):
    """Counts of what was repaired."""

    merged: int = 0
    quarantined: int = 0
    separated: int = 0
    touchpoints_moved: int = 0
    journeys_renewed: int = 0
    counts_corrected: int = 0

    def add(self, other: "RepairCounts") -> None:
        """Add the counts of another transaction."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityRepairer:
    """Repairs the differences that the check found."""

    pool: Pool
    resettler: IdentityResettler
    renewer: CustomerRenewer

    async def repair(self, found: IdentityFindings) -> RepairCounts:
        """Repair one page, one transaction after the other.

        Raises:
            ConcurrentChangeError: workers kept merging the customers; what is repaired stays repaired.
        """
        done = RepairCounts()
        for keys in (*_portions(found.split, LINKS_AT_ONCE), *found.unsettled):
            done.add(await self._settle(keys))
        work: list[Callable[[Connection], Awaitable[RepairCounts]]] = []
        work += [partial(self._move, holder=holder, strays=strays) for holder, strays in _by_holder(found.strays)]
        work += [partial(self._renew, journey=journey) for journey in found.journeys]
        work += [partial(self._count, customer=customer) for customer in found.miscounted]
        for one in work:
            done.add(await self._apart(one))
        return done

    async def _settle(self, keys: Collection[IdentifierKey]) -> RepairCounts:
        result = await self.resettler.resettle(keys)
        return RepairCounts(
            merged=len(result.merged),
            quarantined=result.links_refused,
            separated=len(result.created),
            touchpoints_moved=result.touchpoints_moved,
        )

    async def _apart(self, work: Callable[[Connection], Awaitable[RepairCounts]]) -> RepairCounts:
        """Do `work` in a separate transaction, and again if a merge or a deadlock interfered."""

        async def once() -> RepairCounts:
            async with transaction(self.pool) as connection:
                return await work(connection)

        for attempt in range(ATTEMPTS):
            try:
                return await retrying(once, attempts=ATTEMPTS)
            except ConcurrentChangeError:
                if attempt == ATTEMPTS - 1:
                    raise
        raise AssertionError("the last attempt returns or raises")

    async def _move(self, connection: Connection, holder: UUID, strays: Sequence[MisplacedTouchpoint]) -> RepairCounts:
        """Move touchpoints to their customers. A holder without any identifier is merged instead."""
        pointed = await ledger.owners(connection, {stray.strongest for stray in strays})
        roots = await customers.roots(connection, {*pointed.values(), holder})
        locked = await customers.lock(connection, set(roots.values()))
        if locked.keys() != set(roots.values()):
            raise ConcurrentChangeError
        whose = {
            stray: roots[pointed[stray.strongest]]
            for stray in strays
            if stray.strongest in pointed and roots[pointed[stray.strongest]] != holder
        }
        if whose and holder in locked and not await ledger.identifiers_of(connection, holder):
            first = next(iter(whose))
            return await self._absorb(connection, (locked[holder], locked[whose[first]]), first)
        touchpoints = {(one.source, one.id): one for one in await ledger.touchpoints_of(connection, holder)}
        moved: defaultdict[UUID, list[Touchpoint]] = defaultdict(list)
        for stray, owner in whose.items():
            if (stray.source, stray.id) in touchpoints:
                moved[owner].append(touchpoints[stray.source, stray.id])
        count = await ledger.move(connection, holder, moved) if moved else 0
        await customers.raise_versions(connection, {holder, *moved} if moved else ())
        await self._renew_each(connection, [*([holder] if holder in locked else []), *sorted(moved)])
        return RepairCounts(touchpoints_moved=count)

    async def _absorb(
        self, connection: Connection, both: tuple[LockedCustomer, LockedCustomer], evidence: MisplacedTouchpoint
    ) -> RepairCounts:
        older, younger = sorted(both, key=lambda one: one.seq)
        absorption = MergeRow(
            absorbed=younger.customer_id,
            survivor=older.customer_id,
            source=evidence.source,
            touchpoint_id=evidence.id,
        )
        await customers.absorb(connection, [absorption])
        survivor = CustomerId(older.customer_id)
        await self._recount(connection, [survivor])
        await self._renew_all(connection, {survivor: CustomerUpdate(absorbed=[younger.customer_id])})
        return RepairCounts(merged=1)

    async def _renew(self, connection: Connection, journey: MisplacedJourney) -> RepairCounts:
        """Project both customers anew: the holder gives up the journey, and the owner gets it."""
        roots = await customers.roots(connection, {journey.holder, journey.owner})
        locked = await customers.lock(connection, set(roots.values()))
        if locked.keys() != set(roots.values()):
            raise ConcurrentChangeError
        if journey.holder in locked:
            await self._renew_each(connection, [journey.holder, *({journey.owner} & locked.keys())])
        else:
            survivor = CustomerId(roots[journey.holder])
            await self._renew_all(connection, {survivor: CustomerUpdate(absorbed=[journey.holder])})
        return RepairCounts(journeys_renewed=1)

    async def _count(self, connection: Connection, customer: UUID) -> RepairCounts:
        if not await customers.lock(connection, [customer]):
            return RepairCounts()
        await self._recount(connection, [customer])
        return RepairCounts(counts_corrected=1)

    async def _recount(self, connection: Connection, locked: Collection[UUID]) -> None:
        for customer in locked:
            await stored_identity.count_merges(connection, customer)
            await ledger.resize(connection, {customer: len(await ledger.identifiers_of(connection, customer))})

    async def _renew_each(self, connection: Connection, in_order: Sequence[UUID]) -> None:
        """Renew customers in this order: what the first retracts, another may publish."""
        for customer in in_order:
            await self._renew_all(connection, {CustomerId(customer): CustomerUpdate()})

    async def _renew_all(self, connection: Connection, updates: dict[CustomerId, CustomerUpdate]) -> None:
        await self.renewer.renew(connection, updates)


def _portions(links: Sequence[LedgerLink], most: int) -> Iterator[Collection[IdentifierKey]]:
    for first in range(0, len(links), most):
        yield {end for link in links[first : first + most] for end in link.key}


def _by_holder(strays: Sequence[MisplacedTouchpoint]) -> Iterator[tuple[UUID, Sequence[MisplacedTouchpoint]]]:
    held: defaultdict[UUID, list[MisplacedTouchpoint]] = defaultdict(list)
    for stray in strays:
        held[stray.holder].append(stray)
    for holder, its in held.items():
        for first in range(0, len(its), TOUCHPOINTS_AT_ONCE):
            yield holder, its[first : first + TOUCHPOINTS_AT_ONCE]
