"""Finds the customers of touchpoints: reads and locks what is known, lets the domain plan, and writes the plan.

Which identifiers may link, and who survives a merge, is left to `services.journey.domain.identity.planning`.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from services.journey.consume.decoding import DecodedRecord
from services.journey.domain.identity.facts import IdentifierKey, LinkKey
from services.journey.domain.identity.identity_book import IdentityBook
from services.journey.domain.identity.planning import (
    CustomerMerge,
    IdentifierLink,
    IdentityEvidence,
    IdentityPlan,
    KnownCustomer,
    KnownIdentity,
    counted_links,
    plan,
)
from services.journey.domain.identity.screening import EvidenceGroup, KnownLink, TouchedLedger, is_plain, screen
from services.journey.domain.names import CustomerId
from services.journey.domain.touchpoint import OrderKey, TouchpointKey
from services.journey.renew.customer_update import NOTHING_MOVED, Relocation
from services.journey.settle.part_reading import PartTooLargeError
from services.journey.settle.settlement_writer import write_settlement
from services.journey.settle.settling import IdentitySettler, SettlementDraft, SettlementScope, link_facts
from services.journey.store import customers, identifiers, identity_ledger
from services.journey.store.customers import LockedCustomer, MergeRow, SurvivingCustomer
from services.journey.store.identifiers import IdentifierMention, KeptLink, LinkRow, TouchedIdentifiers
from services.runtime.postgres.pools import ConcurrentChangeError, Connection
from services.runtime.telemetry.logs import get_logger

_log = get_logger(__name__)

OVERFULL: Final = "too_many_connected"
"""Why a link is in quarantine that connects more identifiers than are settled at once."""

_ALWAYS: Final[OrderKey] = (datetime(1, 1, 1, tzinfo=UTC), 0, "", "")
"""Before every touchpoint: nothing says anything new about a link that was retracted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityResolution:
    """The customers of the touchpoints. All of them are locked, and none of them is merged away.

    `disturbed` are customers whose touchpoints moved, or to whom some moved, with those they came from; `relocation`
    says which. `refused` counts links that are not followed, by reason.
    """

    owners: Mapping[TouchpointKey, CustomerId] = field(default_factory=dict)
    absorbed: Mapping[CustomerId, Sequence[UUID]] = field(default_factory=dict)
    new_identifiers: Mapping[CustomerId, int] = field(default_factory=dict)
    nobody: frozenset[TouchpointKey] = frozenset()
    refused: Mapping[str, int] = field(default_factory=dict)
    disturbed: Mapping[CustomerId, Sequence[UUID]] = field(default_factory=dict)
    relocation: Relocation = NOTHING_MOVED


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityResolver:
    """Resolves the customers of touchpoints, one transaction at a time."""

    book: IdentityBook
    new_id: Callable[[], UUID]

    def evidence(self, records: Iterable[DecodedRecord]) -> list[IdentityEvidence]:
        """Return what the touchpoints of records say of identity, in event order."""
        ordered = sorted(records, key=lambda one: one.touchpoint.order)
        return [self.book.evidence(one.touchpoint, one.appended_at) for one in ordered]

    async def resolve(
        self,
        connection: Connection,
        evidence: Sequence[IdentityEvidence],
        widened: Collection[IdentifierKey] = (),
    ) -> IdentityResolution:
        """Return the customer of each piece of `evidence`, and write identifiers, links, customers and merges.

        `widened` are identifiers to lock and settle besides: those that an attempt before named in its error.

        Raises:
            WidenedPartError: more identifiers must be locked; begin again with these.
            ConcurrentChangeError: somebody else merged a customer meanwhile; begin again.
        """
        if not evidence:
            return IdentityResolution()
        stored = await _touch(connection, evidence, widened)
        contested = await self._screen(connection, evidence, stored.ledger())
        draft = await self._settle(connection, evidence, contested, widened, stored)
        planned = await self._plan(connection, evidence, stored, draft)
        relocation = NOTHING_MOVED if draft is None else await write_settlement(connection, draft)
        await _note_what_is_settled(connection, stored.touched, planned, draft)
        return _resolution(planned, draft, relocation)

    async def _plan(
        self,
        connection: Connection,
        evidence: Sequence[IdentityEvidence],
        stored: "_TouchedIdentity",
        draft: SettlementDraft | None,
    ) -> IdentityPlan:
        """Plan, and write, what a settlement does not decide; everybody concerned is locked, also by the settlement."""
        left = [one for one in evidence if draft is None or one.touchpoint.key not in draft.owners]
        pointed = stored.touched.pointed
        mine = {key: customer for key, customer in pointed.items() if draft is None or key not in draft.keys}
        known, roots = await _known(connection, stored.links, mine, stored.survivors, draft)
        planned = plan(left, known, self.book.latest.policy, self.new_id)
        if planned.created:
            await customers.create(connection, planned.created)
        if planned.merges:
            await customers.absorb(connection, [_absorption(merge) for merge in planned.merges])
        await _keep_links(connection, planned, stored.links)
        if owners := new_owners(planned, {key: (raw, roots[raw]) for key, raw in mine.items()}):
            await identifiers.point(connection, owners)
        return planned

    async def _settle(
        self,
        connection: Connection,
        evidence: Sequence[IdentityEvidence],
        contested: Sequence[IdentityEvidence],
        widened: Collection[IdentifierKey],
        stored: "_TouchedIdentity",
    ) -> SettlementDraft | None:
        """Draft the settlement of what is contested, if anything is.

        Where more is connected than is settled at once, the new links are put into quarantine instead, in `stored` too.
        """
        if not contested and not widened:
            return None
        settler = IdentitySettler(source=self.book, new_id=self.new_id)
        locked = {key for one in evidence for key in (*one.keys, *one.others)}.union(widened)
        try:
            scope = SettlementScope(contested=contested, evidence=evidence, locked=locked, also=widened)
            return await settler.draft(connection, scope)
        except PartTooLargeError:
            rows = [
                LinkRow(
                    key=key,
                    state="quarantined",
                    reason=OVERFULL,
                    verified=one.verified,
                    first=one.first,
                    judge=one.judge,
                )
                for key, one in link_facts(contested).items()
            ]
            known = await identifiers.links(connection, [row.key for row in rows]) if rows else {}
            new = [row for row in rows if row.key not in known]
            if new:
                await identifiers.keep_links(connection, new)
            _log.warning("too many identifiers are connected; new links are in quarantine", links=len(new))
            stored.links |= {row.key: KeptLink(state="refused", verified=row.verified, first=row.first) for row in rows}
            return None

    async def _screen(
        self, connection: Connection, evidence: Sequence[IdentityEvidence], ledger: TouchedLedger
    ) -> list[IdentityEvidence]:
        """Return the evidence that only a settlement can decide."""
        screened = screen(evidence, ledger, self.book.constraints)
        await self._judge_groups(connection, screened.groups)
        return [one for group in screened.groups if group.contested for one in group.evidence]

    async def _judge_groups(self, connection: Connection, groups: Sequence[EvidenceGroup]) -> None:
        """Find the groups whose customers would touch a constraint if they were one."""
        waiting = [group for group in groups if not group.contested]
        involved = {customer for group in waiting for customer in group.customers}
        theirs = await identity_ledger.identifiers_of(connection, involved) if involved else {}
        by_customer: dict[UUID, list[IdentifierKey]] = {}
        for key, record in theirs.items():
            if record.root is not None:
                by_customer.setdefault(record.root, []).append(key)
        known = {key for key, record in theirs.items() if record.verified}
        for group in waiting:
            proved = known.union(
                key for one in group.evidence for key in one.keys if one.touchpoint.customer[key[0]].verified
            )
            everything = group.identifiers.union(key for one in group.customers for key in by_customer.get(one, ()))
            group.contested = not is_plain(everything, proved, self.book.constraints)


@dataclass(slots=True, kw_only=True)
class _TouchedIdentity:
    """What is stored of the identifiers of a batch, the links that it makes, and the customers that are pointed to."""

    touched: TouchedIdentifiers
    links: dict[LinkKey, KeptLink]
    survivors: Mapping[UUID, SurvivingCustomer]

    def ledger(self) -> TouchedLedger:
        """Return what screening needs to know."""
        touched = self.touched
        return TouchedLedger(
            owners={key: CustomerId(self.survivors[customer].customer_id) for key, customer in touched.pointed.items()},
            fresh=touched.fresh,
            unsettled=touched.unsettled,
            newly_proved=touched.newly_proved,
            contested={CustomerId(one.customer_id) for one in self.survivors.values() if one.contested},
            links={
                key: KnownLink(_ALWAYS, True, 0)
                if kept.state == "retracted"
                else KnownLink(kept.first, kept.verified, kept.judge)
                for key, kept in self.links.items()
            },
        )


async def _touch(
    connection: Connection, evidence: Sequence[IdentityEvidence], widened: Collection[IdentifierKey]
) -> _TouchedIdentity:
    """Lock and insert identifiers, and return what is stored of them."""
    mentions = mentions_in(evidence)
    if widened:
        await identifiers.lock(connection, mentions.keys() | set(widened))
    touched = await identifiers.touch(connection, mentions)
    links = await _kept_links(connection, evidence)
    pointed = set(touched.pointed.values())
    survivors = await customers.survivors(connection, pointed) if pointed else {}
    return _TouchedIdentity(touched=touched, links=links, survivors=survivors)


async def _note_what_is_settled(
    connection: Connection, touched: TouchedIdentifiers, planned: IdentityPlan, draft: SettlementDraft | None
) -> None:
    """Drop new identifiers that nobody claimed, and note proofs by which customers are settled now."""
    settled: Set[IdentifierKey] = frozenset() if draft is None else draft.keys
    unclaimed = touched.fresh - {key for key, _ in planned.attached} - settled
    if unclaimed:
        await identifiers.drop_new(connection, unclaimed)
    if proved := touched.newly_proved - settled:
        await identifiers.count_proof(connection, proved)


async def _kept_links(connection: Connection, evidence: Sequence[IdentityEvidence]) -> dict[LinkKey, KeptLink]:
    """Return what the ledger says of the links that `evidence` makes."""
    made = {link for keys in {one.keys for one in evidence} for link in counted_links(keys)}
    return await identifiers.links(connection, made) if made else {}


async def _known(
    connection: Connection,
    links: Mapping[LinkKey, KeptLink],
    pointed: Mapping[IdentifierKey, UUID],
    survivors: Mapping[UUID, SurvivingCustomer],
    draft: SettlementDraft | None,
) -> tuple[KnownIdentity, Mapping[UUID, UUID]]:
    """Lock everybody concerned, and return what the plan needs to know."""
    roots = {customer: survivors[customer].customer_id for customer in pointed.values()}
    wanted = set(roots.values()).union(draft.customers if draft is not None else ())
    locked = await customers.lock(connection, wanted) if wanted else {}
    if locked.keys() != wanted:
        raise ConcurrentChangeError
    known = KnownIdentity(
        owners={key: CustomerId(roots[customer]) for key, customer in pointed.items()},
        customers={CustomerId(customer): _known_customer(row) for customer, row in locked.items()},
        not_followed={key for key, kept in links.items() if not kept.followed},
    )
    return known, roots


async def _keep_links(connection: Connection, planned: IdentityPlan, kept: Mapping[LinkKey, KeptLink]) -> None:
    """Add to the ledger what is new, because writing a row that changes nothing still writes a page."""
    rows = [row for row in link_rows(planned) if row.key not in kept or not kept[row.key].covers(row)]
    if rows:
        await identifiers.keep_links(connection, rows)


def new_owners(planned: IdentityPlan, pointed: Mapping[IdentifierKey, tuple[UUID, UUID]]) -> dict[IdentifierKey, UUID]:
    """Return the customers of identifiers that are new, or that point to a customer who was merged away.

    `pointed` has what each identifier pointed to, and the root of that.
    """
    survivors: dict[UUID, UUID] = {merge.absorbed: merge.survivor for merge in planned.merges}
    owners: dict[IdentifierKey, UUID] = {
        key: final for key, (raw, root) in pointed.items() if (final := survivors.get(root, root)) != raw
    }
    return owners | dict(planned.attached)


def mentions_in(evidence: Sequence[IdentityEvidence]) -> dict[IdentifierKey, IdentifierMention]:
    """Return what `evidence`, in event order, says about each identifier that may point to a customer."""
    mentions: dict[IdentifierKey, IdentifierMention] = {}
    for one in evidence:
        touchpoint = one.touchpoint
        for key in (*one.keys, *one.others) if one.others else one.keys:
            verified = touchpoint.customer[key[0]].verified
            mention = mentions.get(key)
            if mention is None:
                when = touchpoint.occurred_at
                mentions[key] = IdentifierMention(verified=verified, first_seen=when, last_seen=when)
            else:
                mention.verified = mention.verified or verified
                mention.last_seen = touchpoint.occurred_at
    return mentions


def _known_customer(row: LockedCustomer) -> KnownCustomer:
    return KnownCustomer(
        id=CustomerId(row.customer_id),
        sequence=row.seq,
        identifiers=row.identifier_count,
        merges=row.merge_count,
    )


def _resolution(planned: IdentityPlan, draft: SettlementDraft | None, relocation: Relocation) -> IdentityResolution:
    absorbed: dict[CustomerId, list[UUID]] = {}
    for merge in planned.merges:
        absorbed.setdefault(merge.survivor, []).append(merge.absorbed)
    refused = Counter(str(one.reason) for one in planned.quarantined)
    resolution = IdentityResolution(
        owners=planned.customers,
        absorbed=absorbed,
        new_identifiers=Counter(customer for _, customer in planned.attached),
        nobody=frozenset(planned.nobody),
        refused=refused,
    )
    return resolution if draft is None else _with_settlement(resolution, draft, relocation)


def _with_settlement(plain: IdentityResolution, draft: SettlementDraft, relocation: Relocation) -> IdentityResolution:
    absorbed = {survivor: list(gone) for survivor, gone in plain.absorbed.items()}
    for gone, heir in draft.absorbed.items():
        absorbed.setdefault(heir, []).append(gone)
    return IdentityResolution(
        owners={**plain.owners, **draft.owners},
        absorbed=absorbed,
        new_identifiers=plain.new_identifiers,
        nobody=plain.nobody,
        refused=Counter(plain.refused) + draft.refused,
        disturbed=draft.disturbed(),
        relocation=relocation,
    )


def _absorption(merge: CustomerMerge) -> MergeRow:
    evidence = merge.link.evidence
    return MergeRow(absorbed=merge.absorbed, survivor=merge.survivor, source=evidence.source, touchpoint_id=evidence.id)


def link_rows(planned: IdentityPlan) -> list[LinkRow]:
    """Return the links of a plan as rows; a link that is also quarantined is stored as quarantined."""
    rows = {link.key: _link_row(link, "active", "counted") for link in planned.links}
    for one in planned.quarantined:
        rows[one.link.key] = _link_row(one.link, "quarantined", one.reason)
    return list(rows.values())


def _link_row(link: IdentifierLink, state: str, reason: str) -> LinkRow:
    evidence = link.evidence
    return LinkRow(
        key=link.key,
        state=state,
        reason=reason,
        verified=link.verified,
        first=evidence.order,
        judge=link.judge,
    )
