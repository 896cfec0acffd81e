"""Compares the stored customers with the ledger of links, page by page. It changes nothing.

What counts as a difference is left to `differences`, repairing it to `fix`.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from services.journey.domain.identity import IdentifierKey, IdentityPolicy, usable_among
from services.journey.repair import stored_identity
from services.journey.repair.differences import (
    IdentityGraph,
    customers_without_links,
    links_across_customers,
    strongest_known,
)
from services.journey.repair.stored_identity import CustomerCounts, LedgerLink, MisplacedJourney, OwnedTouchpoint
from services.runtime.postgres.pools import Connection, Pool, acquire

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

    unheld: list[UUID] = field(default_factory=list)
    strays: list[MisplacedTouchpoint] = field(default_factory=list)
    journeys: list[MisplacedJourney] = field(default_factory=list)
    miscounted: list[UUID] = field(default_factory=list)

    @property
    def differs(self) -> bool:
        """Whether anything differs from the ledger."""
        return any((self.split, self.unheld, self.strays, self.journeys, self.miscounted))


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityChecker:
    """Checks every customer once, in the order of their ids."""

    pool: Pool
    policy: IdentityPolicy

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
        found = IdentityFindings(customers=len(customers), identifiers=len(mine), unheld=customers_without_links(graph))
        # A link across two pages is seen from both; it is reported for the page of its left end.
        found.split = [links[key] for key in links_across_customers(graph) if key[0] in mine]
        found.owners = {key: owners[key] for link in found.split for key in link.key}
        found.miscounted = _miscounted(customers, list(mine.values()))
        found.journeys = await stored_identity.journeys_astray(connection, ids)
        await self._touchpoints(connection, ids, mine, found)
        return found

    async def _touchpoints(
        self, connection: Connection, ids: Sequence[UUID], mine: dict[IdentifierKey, UUID], found: IdentityFindings
    ) -> None:
        waiting: list[OwnedTouchpoint] = []
        async for one in stored_identity.touchpoints_of(connection, ids):
            found.touchpoints += 1
            strongest = next(iter(usable_among(one.carries, self.policy)), None)
            if strongest is not None and mine.get(strongest) != one.customer_id:
                waiting.append(one)
        if not waiting:
            return
        carried = {key for one in waiting for key in usable_among(one.carries, self.policy)}
        owners = await stored_identity.roots_of(connection, carried)
        for one in waiting:
            strongest = strongest_known(usable_among(one.carries, self.policy), owners)
            if strongest is not None and owners[strongest] != one.customer_id:
                stray = MisplacedTouchpoint(source=one.source, id=one.id, holder=one.customer_id, strongest=strongest)
                found.strays.append(stray)


def _miscounted(customers: Sequence[CustomerCounts], owners: Sequence[UUID]) -> list[UUID]:
    sizes: dict[UUID, int] = {}
    for owner in owners:
        sizes[owner] = sizes.get(owner, 0) + 1
    return [
        one.customer_id
        for one in customers
        if one.identifier_count != sizes.get(one.customer_id, 0) or one.merge_count != one.absorbed
    ]
