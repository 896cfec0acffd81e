"""What an operator says of two identifiers: the link between them counts no more, they are one, or they are not.

Each word is a fact in the ledger, with who said it and when. Then everything connected is settled again: touchpoints,
journeys, frictions and timers go with their customers, and what came of it is looked up, not assumed.
"""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from services.journey.domain.identity.facts import IdentifierKey, LinkKey, OperatorWord, link_key
from services.journey.repair import ledger
from services.journey.settle.resettling import IdentityResettler, Resettlement
from services.journey.store import identity_ledger
from services.runtime.postgres.pools import Connection


class UnmergeOutcome(StrEnum):
    """What happened when a link was retracted."""

    SPLIT = "split"
    STILL_JOINED = "still_joined"  # other links hold the identifiers together
    ALREADY_APART = "already_apart"  # the link was not followed
    NO_SUCH_LINK = "no_such_link"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnmergeResult:
    """The outcome, the remaining customer, the new ones, and how many touchpoints moved to them."""

    outcome: UnmergeOutcome
    customer_id: UUID | None = None
    new_customers: tuple[UUID, ...] = ()
    touchpoints_moved: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmerger:
    """Writes what operators say into the ledger, and settles what it is about."""

    resettler: IdentityResettler

    async def unmerge(self, one: IdentifierKey, other: IdentifierKey, *, by: str) -> UnmergeResult:
        """Retract the link between two identifiers in one transaction; `by` names the person for the ledger.

        Raises:
            ConcurrentChangeError: workers kept merging the customers; nothing has changed.
            PartTooLargeError: more is connected than is settled at once.
        """
        key = link_key(one, other)
        was_one = False

        async def retract(connection: Connection) -> bool:
            nonlocal was_one
            owners = await identity_ledger.identifiers(connection, key)
            roots = {owners[end].root if end in owners else None for end in key}
            was_one = len(roots) == 1 and None not in roots
            return await ledger.retract(connection, key, "retracted by a person", by)

        result = await self.resettler.resettle(key, retract)
        if not result.owners:
            return UnmergeResult(outcome=UnmergeOutcome.NO_SUCH_LINK)
        stays, leaves = (result.owners[end] for end in key)
        if was_one and stays == leaves:
            return UnmergeResult(outcome=UnmergeOutcome.STILL_JOINED, customer_id=stays)
        if not was_one and not result.changed:
            return UnmergeResult(outcome=UnmergeOutcome.ALREADY_APART)
        came_from = sorted(filter(None, set(result.created.values())))
        return UnmergeResult(
            outcome=UnmergeOutcome.SPLIT if was_one else UnmergeOutcome.ALREADY_APART,
            customer_id=came_from[0] if came_from else stays,
            new_customers=tuple(sorted(result.created)),
            touchpoints_moved=result.touchpoints_moved,
        )

    async def say(
        self, word: OperatorWord, one: IdentifierKey, other: IdentifierKey, *, by: str, note: str = ""
    ) -> Resettlement:
        """Write that two identifiers are one customer, or that they are not, and settle what is connected to them.

        Raises:
            ConcurrentChangeError: workers kept merging the customers; nothing has changed.
            PartTooLargeError: more is connected than is settled at once.
        """
        key: LinkKey = link_key(one, other)

        async def write(connection: Connection) -> bool:
            await identity_ledger.add_word(connection, word, key, by, note)
            return True

        return await self.resettler.resettle(key, write)
