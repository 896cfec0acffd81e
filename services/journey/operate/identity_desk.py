"""What operators ask of identity, or say of it, by references as people write them: `email:ann@example.com`."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from services.journey.domain.identity.facts import IdentifierKey, OperatorWord
from services.journey.domain.identity.identity_book import IdentityBook
from services.journey.domain.identity.planning import identity_evidence
from services.journey.domain.touchpoint import Touchpoint
from services.journey.read import lookup
from services.journey.read.lookup import IdentifierReference, LookupFault
from services.journey.read.snapshots import customer_of
from services.journey.renew.renewal import CustomerRenewer
from services.journey.repair.account import (
    NOTHING_LEFT,
    IdentityAccount,
    IdentityAccountant,
    SupposedIdentity,
    UnknownIdentifierError,
)
from services.journey.repair.unmerge import Unmerger, UnmergeResult
from services.journey.settle.resettling import IdentityResettler, Resettlement
from services.journey.settle.settling import IdentitySettler, IdentitySource
from services.journey.store import identity_ledger, sightings
from services.journey.store.identity_ledger import SpokenWord
from services.journey.versions.identity_spelling import spellings
from services.runtime.clock import new_id
from services.runtime.postgres.pools import Pool, acquire


class UnreadableReferenceError(Exception):
    """A reference is no identifier, or one whose value names nobody."""

    def __init__(self, reference: str, fault: LookupFault) -> None:
        super().__init__(str(fault))
        self.reference = reference
        self.fault = fault


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityDesk:
    """Answers and carries out what operators want.

    `region` is that of telephone numbers without a country code, `secret` makes ingest's pseudonyms; empty for none.
    """

    pool: Pool
    accountant: IdentityAccountant
    unmerger: Unmerger
    region: str
    secret: bytes

    async def find(self, reference: str) -> IdentifierKey:
        """Return the identifier that a reference `TYPE:VALUE` means, as it is stored.

        Raises:
            UnreadableReferenceError: it is none.
            UnknownIdentifierError: nobody carried it.
        """
        meant = lookup.parse(reference, self.region, self.secret)
        if not isinstance(meant, IdentifierReference):
            raise UnreadableReferenceError(
                reference, meant if isinstance(meant, LookupFault) else LookupFault.MALFORMED
            )
        async with acquire(self.pool) as connection:
            others = await spellings(connection, meant.type, meant.values)
        known = await self.accountant.known([(meant.type, value) for value in (*meant.values, *others)])
        if known is None:
            raise UnknownIdentifierError(reference)
        return known

    async def why(self, references: Sequence[str]) -> IdentityAccount:
        """Give account of one identifier, or of two."""
        return await self.accountant.why([await self.find(one) for one in references])

    async def why_customer(self, customer_id: UUID) -> IdentityAccount:
        """Give account of everything that holds a customer together.

        It is told from an identifier of theirs alone; without any, from what their latest touchpoint carries, which
        several customers use. A customer of whom nothing is left has an account of nothing.

        Raises:
            UnknownIdentifierError: there is no such customer.
        """
        async with acquire(self.pool) as connection:
            survivor = await customer_of(connection, customer_id)
            if survivor is None:
                raise UnknownIdentifierError(str(customer_id))
            theirs = await identity_ledger.identifiers_of(connection, [survivor])
            if not theirs:
                book = await self.accountant.settler.source.identity(connection)
                carried = await sightings.latest_of(connection, survivor)
                spelt = [(type_, one) for type_, value in carried for one in book.spellings(type_, [value])]
                theirs = await identity_ledger.identifiers(connection, spelt)
        if not theirs:
            return NOTHING_LEFT
        return await self.accountant.why([min(theirs, key=lambda key: (theirs[key].standing != "owned", key))])

    async def suppose(self, touchpoints: Sequence[Touchpoint]) -> SupposedIdentity:
        """Return what touchpoints would do to the stored customers if they came now."""
        book = await self.book()
        judge = len(book.versions)
        return await self.accountant.suppose([identity_evidence(one, book.latest.policy, judge) for one in touchpoints])

    async def say(self, word: OperatorWord, one: str, other: str, by: str, note: str) -> Resettlement:
        """Write that two identifiers are one customer, or are not."""
        return await self.unmerger.say(word, await self.find(one), await self.find(other), by=by, note=note)

    async def unmerge(self, one: str, other: str, by: str) -> UnmergeResult:
        """Take the link between two identifiers back."""
        return await self.unmerger.unmerge(await self.find(one), await self.find(other), by=by)

    async def book(self) -> IdentityBook:
        """Return the policy of identity with all its versions."""
        async with acquire(self.pool) as connection:
            return await self.accountant.settler.source.identity(connection)

    async def latest(self, standing: str, most: int) -> list[IdentifierKey]:
        """Return identifiers that are `between` customers, or `shared`, those first that were seen last."""
        async with acquire(self.pool) as connection:
            return await identity_ledger.latest(connection, standing, most)

    async def words(self, most: int) -> list[SpokenWord]:
        """Return what operators said last, the newest first: the audit of merges, separations and retractions."""
        async with acquire(self.pool) as connection:
            return await identity_ledger.spoken(connection, most)


def build_desk(
    pool: Pool, renewer: CustomerRenewer, source: IdentitySource, *, region: str, secret: bytes
) -> IdentityDesk:
    """Return a desk over a pool that may write; `source` has the policy of identity."""
    settler = IdentitySettler(source=source, new_id=new_id)
    resettler = IdentityResettler(pool=pool, settler=settler, renewer=renewer)
    return IdentityDesk(
        pool=pool,
        accountant=IdentityAccountant(pool=pool, settler=settler),
        unmerger=Unmerger(resettler=resettler),
        region=region,
        secret=secret,
    )
