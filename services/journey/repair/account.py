"""Gives account of identity: what holds identifiers together, what is not followed, what new facts would do.

Nothing is written. A part is read without locks, in one snapshot.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from services.journey.domain.identity.evidence_path import IdentityVerdict, explain
from services.journey.domain.identity.facts import IdentifierKey
from services.journey.domain.identity.identity_book import IdentityBook
from services.journey.domain.identity.partition import IdentityTie, RefusalReason
from services.journey.domain.identity.planning import IdentityEvidence
from services.journey.settle.settling import IdentitySettler, SettlementDraft, SettlementScope, WidenedPartError
from services.journey.store import identity_ledger
from services.runtime.postgres.pools import Pool, acquire

WIDENINGS = 10
"""How often more is read of a part because a touchpoint leads on."""


class UnknownIdentifierError(Exception):
    """Nobody ever carried an identifier, so nothing can be said of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceStep:
    """A reason to take two identifiers for one customer: its trust, since when, and the touchpoint that shows it.

    `refusal` is why it is not followed, None if it is. An operator's word has no touchpoint.
    """

    one: IdentifierKey
    other: IdentifierKey
    trust: str
    seen_at: str
    source: str
    touchpoint_id: str
    refusal: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityAccount:
    """What is known of one identifier, or of two: their customers, what holds them together, and what was not followed.

    `standing` is `owned`, `between` or `shared`. `path` leads from the one to the other; None if they are not one
    customer. With one identifier, `held_by` has every link of its customer. `met_in` are the identifiers of several
    customers that two customers have in common, where they have nothing else. Nothing is asked of a customer that all
    identifiers have left: then the verdict is None.
    """

    asked: tuple[IdentifierKey, ...]
    standing: tuple[str, ...]
    customers: tuple[UUID | None, ...]
    identifiers: tuple[IdentifierKey, ...]
    path: tuple[EvidenceStep, ...] | None
    held_by: tuple[EvidenceStep, ...]
    refused: tuple[EvidenceStep, ...]
    verdict: IdentityVerdict | None = None
    met_in: tuple[IdentifierKey, ...] = ()


NOTHING_LEFT = IdentityAccount(asked=(), standing=(), customers=(), identifiers=(), path=None, held_by=(), refused=())
"""The account of a customer whose identifiers and touchpoints are all with others now."""


@dataclass(slots=True, kw_only=True)
class SupposedIdentity:
    """What facts would do if they came: who would merge, who would split, and how much would move."""

    merged: int = 0
    split: int = 0
    new_customers: int = 0
    touchpoints_moved: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    customers: set[UUID] = field(default_factory=set)


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityAccountant:
    """Reads parts and explains them."""

    pool: Pool
    settler: IdentitySettler

    async def why(self, asked: Sequence[IdentifierKey]) -> IdentityAccount:
        """Give account of one identifier, or of what two have to do with each other.

        Raises:
            UnknownIdentifierError: nobody carried one of them.
            PartTooLargeError: more is connected than is settled at once.
        """
        book, draft = await self._draft(asked)
        for key in asked:
            if key not in draft.stored.identifiers:
                raise UnknownIdentifierError(key[0])
        partition = draft.settlement.partition
        component = partition.component_of[asked[0]]
        said = explain(partition, asked[0], asked[-1])
        held_by = [tie for tie in partition.followed if partition.component_of[tie.key[0]] == component]
        return IdentityAccount(
            asked=tuple(asked),
            standing=tuple(draft.stored.identifiers[key].standing for key in asked),
            customers=tuple(draft.stored.identifiers[key].root for key in asked),
            identifiers=tuple(sorted(partition.components[component], key=book.latest.constraints.rank)),
            path=None if said.path is None else tuple(map(_step, said.path)),
            held_by=tuple(map(_step, held_by)),
            refused=tuple(_step(one.tie, one.reason) for one in said.refused),
            verdict=said.verdict,
            met_in=said.met_in,
        )

    async def suppose(self, evidence: Sequence[IdentityEvidence]) -> SupposedIdentity:
        """Return what touchpoints with these identifiers would do to the stored customers.

        Raises:
            PartTooLargeError: more is connected than is settled at once.
        """
        _, draft = await self._draft((), evidence)
        supposed = SupposedIdentity(
            merged=len(draft.absorbed),
            split=len({came_from for came_from in draft.created.values() if came_from is not None}),
            new_customers=sum(came_from is None for came_from in draft.created.values()),
            touchpoints_moved=len(draft.moved),
            refused=dict(draft.refused),
        )
        supposed.customers = {*draft.absorbed, *draft.absorbed.values(), *(one.came_from for one in draft.moved)}
        return supposed

    async def _draft(
        self, keys: Collection[IdentifierKey], evidence: Sequence[IdentityEvidence] = ()
    ) -> tuple[IdentityBook, SettlementDraft]:
        scope = SettlementScope(also=frozenset(keys), opened=keys, contested=evidence, evidence=evidence)
        async with (
            acquire(self.pool) as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            book = await self.settler.source.identity(connection)
            for _ in range(WIDENINGS):
                try:
                    return book, await self.settler.draft(connection, scope)
                except WidenedPartError as error:
                    scope = replace(scope, also=frozenset(scope.also) | error.keys)
            return book, await self.settler.draft(connection, scope)

    async def known(self, candidates: Collection[IdentifierKey]) -> IdentifierKey | None:
        """Return the first of several spellings of an identifier that somebody carried."""
        async with acquire(self.pool) as connection:
            found = await identity_ledger.identifiers(connection, candidates)
        return next((key for key in candidates if key in found), None)


def _step(tie: IdentityTie, refusal: RefusalReason | None = None) -> EvidenceStep:
    source, id_ = tie.evidence
    return EvidenceStep(
        one=tie.key[0],
        other=tie.key[1],
        trust=tie.trust.name.lower(),
        seen_at=tie.seen_at.isoformat(),
        source=source,
        touchpoint_id=id_,
        refusal=None if refusal is None else str(refusal),
    )
