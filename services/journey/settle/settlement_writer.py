"""Writes a drafted settlement: customers, who has which identifier and touchpoint, and how each link was decided.

The caller has locked identifiers and customers. Journeys and frictions follow when the customers are projected anew.
"""

from collections import Counter
from collections.abc import Iterator
from uuid import UUID

from services.journey.domain.identity.partition import IdentityTie, LinkTrust, RefusalReason
from services.journey.domain.names import CustomerId
from services.journey.renew.customer_update import Relocation
from services.journey.settle.settling import SettlementDraft
from services.journey.store import customers, identifiers, identity_ledger, sightings
from services.journey.store.customers import MergeRow
from services.journey.store.identifiers import LinkRow
from services.runtime.postgres.pools import Connection


async def write_settlement(connection: Connection, draft: SettlementDraft) -> Relocation:
    """Write all of a draft, and return what moved from customers who go on."""
    if draft.created:
        await customers.split_off(connection, dict(draft.created.items()))
    if draft.moved:
        await sightings.move(connection, draft.moved)
    if draft.absorbed:
        await customers.absorb(connection, [_merge(gone, heir, draft) for gone, heir in draft.absorbed.items()])
    if draft.standings:
        await identity_ledger.stand(connection, draft.standings)
    if rows := list(_changed_links(draft)):
        await identifiers.decide_links(connection, rows)
    whose = draft.settlement.ownership
    sighted = [
        (key, seen.order)
        for seen in draft.sighted
        for key in seen.carried
        if key in seen.others or not whose.is_owned(key, seen.judge)
    ]
    if sighted:
        await sightings.add(connection, sighted)
    await customers.settled(connection, _sizes(draft), _contested(draft))
    if draft.moved:
        await customers.respan(connection, {one for move in draft.moved for one in (move.came_from, move.goes_to)})
    return Relocation(touchpoints={(one.order[2], one.order[3]): one.goes_to for one in draft.moved})


def _merge(gone: CustomerId, heir: CustomerId, draft: SettlementDraft) -> MergeRow:
    """Return a merge with the evidence for it: the newest link that holds both together, if it is a link."""
    partition = draft.settlement.partition
    component = next(number for number, one in enumerate(draft.settlement.succession.customers) if one.id == heir)
    ties = [tie for tie in partition.followed if partition.component_of[tie.key[0]] == component]
    was_gones = [tie for tie in ties if _joins(tie, gone, draft)]
    source, id_ = max(was_gones or ties, key=lambda tie: tie.seen_at).evidence
    return MergeRow(absorbed=gone, survivor=heir, source=source or "operator", touchpoint_id=id_)


def _joins(tie: IdentityTie, gone: CustomerId, draft: SettlementDraft) -> bool:
    """Return whether one end was the absorbed customer's and the other was not."""
    roots = [stored.root if (stored := draft.stored.identifiers.get(end)) else None for end in tie.key]
    return (roots[0] == gone) != (roots[1] == gone)


def _changed_links(draft: SettlementDraft) -> Iterator[LinkRow]:
    partition = draft.settlement.partition
    for tie in (*partition.followed, *partition.refused):
        if tie.trust is LinkTrust.OPERATOR:
            continue
        fact, known = draft.facts[tie.key], draft.stored.links.get(tie.key)
        state, reason = _decision(partition.refused.get(tie))
        row = LinkRow(
            key=tie.key, state=state, reason=reason, verified=fact.verified, first=fact.first, judge=fact.judge
        )
        if known is None or (known.state, known.reason, known.verified, known.first, known.judge) != (
            *(row.state, row.reason, row.verified),
            *(row.first, row.judge),
        ):
            yield row


def _decision(refusal: RefusalReason | None) -> tuple[str, str]:
    if refusal is None:
        return "active", "counted"
    return "quarantined" if refusal is RefusalReason.TOO_MANY_IDENTIFIERS else "refused", str(refusal)


def _sizes(draft: SettlementDraft) -> dict[UUID, int]:
    """Return how many identifiers point to each customer of the parts."""
    sizes: Counter[UUID] = Counter()
    for key in draft.settlement.partition.component_of:
        standing, stored = draft.standings.get(key), draft.stored.identifiers.get(key)
        owner = standing.customer_id if standing is not None else stored.root if stored is not None else None
        if owner is not None:
            sizes[owner] += 1
    return dict(sizes)


def _contested(draft: SettlementDraft) -> set[UUID]:
    """Return the customers around whom something is not followed, or was said by operators."""
    partition = draft.settlement.partition
    if not (partition.refused or partition.between or partition.shared or draft.stored.words):
        return set()
    return {one.id for one in draft.settlement.succession.customers if one.id is not None}
