"""Retracts a link and splits the customer that only this link held together.

The link stays in the ledger as retracted, so the same evidence does not join the two again. Touchpoints go with their
strongest identifier and timers with their touchpoints. Journeys and frictions are projected anew for every customer
involved.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from services.journey.domain.identity import IdentifierKey, IdentityPolicy, LinkKey, components, usable
from services.journey.domain.names import CustomerId
from services.journey.domain.touchpoint import Touchpoint
from services.journey.renew.customer_update import CustomerUpdate
from services.journey.renew.renewal import CustomerRenewer
from services.journey.repair import ledger
from services.journey.store import customers, identifiers
from services.runtime.postgres.pools import ConcurrentChangeError, Connection, Pool, retrying, transaction

ATTEMPTS = 10


class UnmergeOutcome(StrEnum):
    """What happened when a link was retracted."""

    SPLIT = "split"
    STILL_JOINED = "still_joined"  # other links hold the identifiers together
    ALREADY_APART = "already_apart"  # the link was in quarantine and never followed
    NO_SUCH_LINK = "no_such_link"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnmergeResult:
    """The outcome, the remaining customer, the new ones, and how many touchpoints moved to them."""

    outcome: UnmergeOutcome
    customer_id: UUID | None = None
    new_customers: tuple[UUID, ...] = ()
    touchpoints_moved: int = 0


Leaving = dict[IdentifierKey, UUID]
"""The identifiers that leave, each with its new customer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmerger:
    """Retracts links and splits customers."""

    pool: Pool
    policy: IdentityPolicy
    renewer: CustomerRenewer
    new_id: Callable[[], UUID]

    async def unmerge(self, one: IdentifierKey, other: IdentifierKey, *, by: str) -> UnmergeResult:
        """Retract the link between two identifiers in one transaction; `by` names the person for the ledger.

        Raises:
            ConcurrentChangeError: workers kept merging the customers; nothing has changed.
        """
        key: LinkKey = (one, other) if one < other else (other, one)
        for attempt in range(ATTEMPTS):
            try:
                return await retrying(lambda: self._once(key, by), attempts=ATTEMPTS)
            except ConcurrentChangeError:
                if attempt == ATTEMPTS - 1:
                    raise
        raise AssertionError("the last attempt returns or raises")

    async def separate(self, connection: Connection, customer: UUID) -> UnmergeResult:
        """Give every group of identifiers that no link connects to the others a customer of its own.

        Raises:
            ConcurrentChangeError: the customer was merged away meanwhile.
        """
        if not await customers.lock(connection, [customer]):
            raise ConcurrentChangeError
        return await self._split(connection, customer)

    async def _once(self, key: LinkKey, by: str) -> UnmergeResult:
        async with transaction(self.pool) as connection:
            pointed = await ledger.owners(connection, key)
            wanted = set((await customers.roots(connection, set(pointed.values()))).values())
            locked = await customers.lock(connection, wanted)
            if locked.keys() != wanted:
                raise ConcurrentChangeError
            if not await ledger.retract(connection, key, "retracted by a person", by):
                return UnmergeResult(outcome=UnmergeOutcome.NO_SUCH_LINK)
            if len(locked) != 1 or len(pointed) != len(key):
                return UnmergeResult(outcome=UnmergeOutcome.ALREADY_APART)
            (customer,) = locked
            return await self._split(connection, customer)

    async def _split(self, connection: Connection, customer: UUID) -> UnmergeResult:
        seen = await ledger.identifiers_of(connection, customer)
        leaving = self._leaving(seen, await ledger.holding_links(connection, seen))
        if not leaving:
            return UnmergeResult(outcome=UnmergeOutcome.STILL_JOINED, customer_id=customer)
        new = tuple(sorted(set(leaving.values())))
        await customers.create(connection, new)
        await identifiers.point(connection, leaving)
        moved = self._moved(await ledger.touchpoints_of(connection, customer), leaving)
        count = await ledger.move(connection, customer, moved)
        sizes = Counter(leaving.values())
        await ledger.resize(connection, {**sizes, customer: len(seen) - len(leaving)})
        for one in (customer, *new):  # in this order: what the old one takes back, a new one may say
            await self.renewer.renew(connection, {CustomerId(one): CustomerUpdate()})
        return UnmergeResult(
            outcome=UnmergeOutcome.SPLIT, customer_id=customer, new_customers=new, touchpoints_moved=count
        )

    def _leaving(self, seen: Mapping[IdentifierKey, datetime], links: Collection[LinkKey]) -> Leaving:
        """Return who leaves: the group that was known first keeps the customer, each other group gets a new one."""
        groups = sorted(components(seen, links), key=lambda group: min((seen[key], key) for key in group))
        return {key: customer for group in groups[1:] for customer in (self.new_id(),) for key in group}

    def _moved(self, touchpoints: Iterable[Touchpoint], leaving: Leaving) -> dict[UUID, list[Touchpoint]]:
        moved: dict[UUID, list[Touchpoint]] = {}
        for touchpoint in touchpoints:
            strongest = next(iter(usable(touchpoint, self.policy)), None)
            if strongest in leaving:
                moved.setdefault(leaving[strongest], []).append(touchpoint)
        return moved
