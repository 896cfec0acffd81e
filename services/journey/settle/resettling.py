"""Settles parts of the ledger again, in a transaction of its own: after an operator's word, or to repair what differs.

Workers may go on meanwhile: the same rows are locked in the same order as in a batch.
"""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from functools import partial
from uuid import UUID

from services.journey.domain.identity.facts import IdentifierKey
from services.journey.domain.names import CustomerId
from services.journey.renew.customer_update import CustomerUpdate, Relocation
from services.journey.renew.renewal import CustomerRenewer
from services.journey.settle.settlement_writer import write_settlement
from services.journey.settle.settling import IdentitySettler, SettlementDraft, SettlementScope, WidenedPartError
from services.journey.store import customers, identifiers
from services.runtime.postgres.pools import ConcurrentChangeError, Connection, Pool, retrying, transaction

ATTEMPTS = 20

LedgerChange = Callable[[Connection], Awaitable[bool]]
"""Writes facts into the ledger before its part is settled; returns whether there is anything to settle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resettlement:
    """What was written: customers merged into others, new ones with those they came out of, and how much moved.

    `owners` are the customers of the identifiers that were asked for, None where none belongs to nobody but itself.
    """

    changed: bool = False
    merged: dict[CustomerId, CustomerId] = field(default_factory=dict)
    created: dict[CustomerId, CustomerId | None] = field(default_factory=dict)
    touchpoints_moved: int = 0
    links_refused: int = 0
    owners: dict[IdentifierKey, UUID | None] = field(default_factory=dict)


async def _nothing(_: Connection) -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityResettler:
    """Settles parts again and projects their customers anew."""

    pool: Pool
    settler: IdentitySettler
    renewer: CustomerRenewer

    async def resettle(self, keys: Collection[IdentifierKey], change: LedgerChange = _nothing) -> Resettlement:
        """Write a change to the ledger and settle everything that is connected to `keys`.

        Raises:
            ConcurrentChangeError: workers kept changing the same customers; nothing is written.
            PartTooLargeError: more is connected than is settled at once.
        """
        widened = frozenset(keys)
        for attempt in range(ATTEMPTS):
            try:
                return await retrying(partial(self._once, keys, widened, change), attempts=ATTEMPTS)
            except WidenedPartError as error:
                widened |= error.keys
            except ConcurrentChangeError:
                if attempt == ATTEMPTS - 1:
                    raise
        raise ConcurrentChangeError

    async def _once(
        self, keys: Collection[IdentifierKey], widened: Collection[IdentifierKey], change: LedgerChange
    ) -> Resettlement:
        async with transaction(self.pool) as connection:
            await identifiers.lock(connection, widened)
            if not await change(connection):
                return Resettlement()
            draft = await self.settler.draft(connection, SettlementScope(locked=widened, also=widened, opened=keys))
            locked = await customers.lock(connection, draft.customers)
            if locked.keys() != draft.customers:
                raise ConcurrentChangeError
            relocation = await write_settlement(connection, draft)
            await self.renewer.renew(connection, _updates(draft, relocation))
        return _result(keys, draft)


def _updates(draft: SettlementDraft, relocation: Relocation) -> dict[CustomerId, CustomerUpdate]:
    absorbed: dict[CustomerId, list[UUID]] = {}
    for gone, heir in draft.absorbed.items():
        absorbed.setdefault(heir, []).append(gone)
    disturbed = draft.disturbed()
    return {
        one: CustomerUpdate(absorbed=absorbed.get(one, ()), gained_from=disturbed.get(one, ()), relocation=relocation)
        for one in absorbed.keys() | disturbed.keys()
    }


def _result(keys: Collection[IdentifierKey], draft: SettlementDraft) -> Resettlement:
    owners: dict[IdentifierKey, UUID | None] = {}
    for key in keys:
        stored, standing = draft.stored.identifiers.get(key), draft.standings.get(key)
        owners[key] = standing.customer_id if standing is not None else stored.root if stored is not None else None
    return Resettlement(
        changed=draft.differs,
        merged=draft.absorbed,
        created=draft.created,
        touchpoints_moved=len(draft.moved),
        links_refused=draft.refused.total(),
        owners=owners,
    )
