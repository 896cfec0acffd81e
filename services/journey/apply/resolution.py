"""Finds the customers of touchpoints: reads and locks what is known, lets the domain plan, and writes the plan.

Which identifiers may link, and who survives a merge, is left to `services.journey.domain.identity`.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from services.journey.domain.identity import (
    CustomerMerge,
    IdentifierKey,
    IdentifierLink,
    IdentityEvidence,
    IdentityPlan,
    IdentityPolicy,
    KnownCustomer,
    KnownIdentity,
    LinkKey,
    QuarantinedLink,
    counted_links,
    identity_evidence,
    plan,
)
from services.journey.domain.names import CustomerId
from services.journey.domain.touchpoint import Touchpoint, TouchpointKey
from services.journey.store import customers, identifiers
from services.journey.store.customers import LockedCustomer, MergeRow
from services.journey.store.identifiers import IdentifierMention, KeptLink, LinkRow
from services.runtime.postgres.pools import ConcurrentChangeError, Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityResolution:
    """The customers of the touchpoints. All of them are locked, and none of them is merged away."""

    owners: Mapping[TouchpointKey, CustomerId] = field(default_factory=dict)
    absorbed: Mapping[CustomerId, Sequence[UUID]] = field(default_factory=dict)
    new_identifiers: Mapping[CustomerId, int] = field(default_factory=dict)
    nobody: frozenset[TouchpointKey] = frozenset()
    quarantined: Sequence[QuarantinedLink] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityResolver:
    """Resolves the customers of touchpoints, one transaction at a time."""

    policy: IdentityPolicy
    new_id: Callable[[], UUID]

    def evidence(self, touchpoints: Sequence[Touchpoint]) -> list[IdentityEvidence]:
        """Return what touchpoints say of identity, in event order."""
        ordered = sorted(touchpoints, key=lambda touchpoint: touchpoint.order)
        return [identity_evidence(touchpoint, self.policy) for touchpoint in ordered]

    async def resolve(self, connection: Connection, evidence: Sequence[IdentityEvidence]) -> IdentityResolution:
        """Return the customer of each piece of `evidence`, and write identifiers, links, customers and merges.

        Raises:
            ConcurrentChangeError: see the class.
        """
        if not evidence:
            return IdentityResolution()
        mentions = mentions_in(evidence)
        pointed = await identifiers.touch(connection, mentions)
        links = await _kept_links(connection, evidence)
        known, roots = await _known(connection, links, pointed)
        planned = plan(evidence, known, self.policy, self.new_id)
        if planned.created:
            await customers.create(connection, planned.created)
        if planned.merges:
            await customers.absorb(connection, [_absorption(merge) for merge in planned.merges])
        await _keep_links(connection, planned, links)
        if owners := new_owners(planned, {key: (raw, roots[raw]) for key, raw in pointed.items()}):
            await identifiers.point(connection, owners)
        unclaimed = mentions.keys() - pointed.keys() - {key for key, _ in planned.attached}
        if unclaimed:
            await identifiers.drop_new(connection, unclaimed)
        return _resolution(planned)


async def _kept_links(connection: Connection, evidence: Sequence[IdentityEvidence]) -> dict[LinkKey, KeptLink]:
    """Return what the ledger says of the links that `evidence` makes."""
    made = {link for keys in {one.keys for one in evidence} for link in counted_links(keys)}
    return await identifiers.links(connection, made) if made else {}


async def _known(
    connection: Connection, links: Mapping[LinkKey, KeptLink], pointed: Mapping[IdentifierKey, UUID]
) -> tuple[KnownIdentity, Mapping[UUID, UUID]]:
    roots = await customers.roots(connection, set(pointed.values())) if pointed else {}
    wanted = set(roots.values())
    locked = await customers.lock(connection, wanted) if wanted else {}
    if locked.keys() != wanted:
        raise ConcurrentChangeError
    known = KnownIdentity(
        owners={key: CustomerId(roots[customer]) for key, customer in pointed.items()},
        customers={CustomerId(customer): _known_customer(row) for customer, row in locked.items()},
        retracted={key for key, kept in links.items() if kept.retracted},
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
        for key in one.keys:
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


def _resolution(planned: IdentityPlan) -> IdentityResolution:
    absorbed: dict[CustomerId, list[UUID]] = {}
    for merge in planned.merges:
        absorbed.setdefault(merge.survivor, []).append(merge.absorbed)
    return IdentityResolution(
        owners=planned.customers,
        absorbed=absorbed,
        new_identifiers=Counter(customer for _, customer in planned.attached),
        nobody=frozenset(planned.nobody),
        quarantined=planned.quarantined,
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
        source=evidence.source,
        touchpoint_id=evidence.id,
        occurred_at=evidence.occurred_at,
    )
