"""The tables of identifiers, with the customers they point to, and of the ledger of links between them.

Identifiers are locked before customers, in the order of their keys. A merge leaves the identifiers of the absorbed
customer as they are, because another transaction that waits for ours may have locked them. They are pointed to the
survivor when they are seen next.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from services.journey.domain.touchpoint import OrderKey
from services.runtime.postgres.pools import Connection

IdentifierKey = tuple[str, str]
LinkKey = tuple[IdentifierKey, IdentifierKey]


@dataclass(slots=True, kw_only=True)
class IdentifierMention:
    """What the touchpoints of a batch say about an identifier."""

    verified: bool
    first_seen: datetime
    last_seen: datetime


_LOCK = """
SELECT 1 FROM journey.identifiers AS i JOIN unnest($1::text[], $2::text[]) AS k (type, value) USING (type, value)
 ORDER BY i.type, i.value FOR UPDATE OF i"""


async def lock(connection: Connection, keys: Collection[IdentifierKey]) -> None:
    """Lock identifiers that this transaction will change beside those that it touches; to be called before that."""
    ordered = sorted(keys)
    await connection.fetch(_LOCK, [type_ for type_, _ in ordered], [value for _, value in ordered])


@dataclass(slots=True, kw_only=True)
class TouchedIdentifiers:
    """What is stored of touched identifiers: where they point to, and what is out of the ordinary about them.

    `fresh` were not known; `unsettled` belong to nobody, are between customers, or shared; `newly_proved` have been
    verified since their customers were settled.
    """

    pointed: dict[IdentifierKey, UUID] = field(default_factory=dict)
    fresh: set[IdentifierKey] = field(default_factory=set)
    unsettled: set[IdentifierKey] = field(default_factory=set)
    newly_proved: set[IdentifierKey] = field(default_factory=set)


_TOUCH = """
INSERT INTO journey.identifiers AS i (type, value, verified, first_seen, last_seen)
SELECT * FROM unnest($1::text[], $2::text[], $3::bool[], $4::timestamptz[], $5::timestamptz[])
ON CONFLICT (type, value) DO UPDATE
   SET verified = i.verified OR excluded.verified, first_seen = least(i.first_seen, excluded.first_seen),
       last_seen = greatest(i.last_seen, excluded.last_seen),
       proof_is_new = i.proof_is_new OR (excluded.verified AND NOT i.verified)
RETURNING i.type, i.value, i.customer_id, i.standing = 'owned', i.proof_is_new, i.xmax = 0"""


async def touch(connection: Connection, mentions: Mapping[IdentifierKey, IdentifierMention]) -> TouchedIdentifiers:
    """Lock these identifiers, insert those that are new, and return what is stored of the others.

    Two transactions with the same new identifier take turns here, so only one of them creates its customer.
    """
    keys = sorted(mentions)
    said = [mentions[key] for key in keys]
    rows = await connection.fetch(
        _TOUCH,
        [type_ for type_, _ in keys],
        [value for _, value in keys],
        [mention.verified for mention in said],
        [mention.first_seen for mention in said],
        [mention.last_seen for mention in said],
    )
    touched = TouchedIdentifiers()
    for type_, value, customer_id, owned, proof_is_new, fresh in rows:
        key = type_, value
        if customer_id is not None:
            touched.pointed[key] = customer_id
        elif fresh:
            touched.fresh.add(key)
        if not owned or (customer_id is None and not fresh):
            touched.unsettled.add(key)
        if proof_is_new:
            touched.newly_proved.add(key)
    return touched


_COUNT_PROOF = """
UPDATE journey.identifiers AS i SET proof_is_new = false FROM unnest($1::text[], $2::text[]) AS k (type, value)
 WHERE i.type = k.type AND i.value = k.value AND i.proof_is_new"""


async def count_proof(connection: Connection, keys: Collection[IdentifierKey]) -> None:
    """Note that customers are settled by what is verified of these identifiers."""
    ordered = sorted(keys)
    await connection.execute(_COUNT_PROOF, [type_ for type_, _ in ordered], [value for _, value in ordered])


_POINT = """
UPDATE journey.identifiers AS i SET customer_id = p.customer_id
  FROM unnest($1::text[], $2::text[], $3::uuid[]) AS p (type, value, customer_id)
 WHERE i.type = p.type AND i.value = p.value"""


async def point(connection: Connection, owners: Mapping[IdentifierKey, UUID]) -> None:
    """Point identifiers that this transaction has locked to these customers."""
    keys = list(owners)
    await connection.execute(
        _POINT, [type_ for type_, _ in keys], [value for _, value in keys], [owners[key] for key in keys]
    )


_DROP_NEW = """
DELETE FROM journey.identifiers AS i USING unnest($1::text[], $2::text[]) AS k (type, value)
 WHERE i.type = k.type AND i.value = k.value AND i.customer_id IS NULL"""


async def drop_new(connection: Connection, keys: Collection[IdentifierKey]) -> None:
    """Delete identifiers that `touch` inserted and that found no customer, because their links are in quarantine."""
    ordered = sorted(keys)
    await connection.execute(_DROP_NEW, [type_ for type_, _ in ordered], [value for _, value in ordered])


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptLink:
    """The state of a link in the ledger."""

    state: str
    verified: bool
    first: OrderKey
    judge: int = 1

    @property
    def followed(self) -> bool:
        """Whether it is followed, or waits to be."""
        return self.state in ("active", "quarantined")

    def covers(self, link: "LinkRow") -> bool:
        """Return whether `link` adds nothing to what is stored."""
        known = self.verified or not link.verified
        known = known and self.first <= link.first and self.judge <= link.judge
        return known and (self.state == "active" or link.state != "active")


_LINKS = """
SELECT l.left_type, l.left_value, l.right_type, l.right_value, l.state, l.verified, l.judged_by,
       l.occurred_at, l.sequence, l.source, l.touchpoint_id
  FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS k (left_type, left_value, right_type, right_value)
  JOIN journey.links AS l USING (left_type, left_value, right_type, right_value)"""


async def links(connection: Connection, keys: Collection[LinkKey]) -> dict[LinkKey, KeptLink]:
    """Return the state of those of these links that are in the ledger."""
    rows = await connection.fetch(_LINKS, *_columns(list(keys)))
    return {
        ((row[0], row[1]), (row[2], row[3])): KeptLink(
            state=row[4], verified=row[5], first=tuple(row[7:]), judge=row[6]
        )
        for row in rows
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkRow:
    """A link to store with its `state` and the `reason` of it; `first` is its earliest evidence in event order.

    `judge` is the version of the policy that decides it.
    """

    key: LinkKey
    state: str
    reason: str
    verified: bool
    first: OrderKey
    judge: int = 1


_ADD = """
INSERT INTO journey.links AS l (left_type, left_value, right_type, right_value,
                                state, reason, verified, occurred_at, sequence, source, touchpoint_id, judged_by)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bool[],
                     $8::timestamptz[], $9::bigint[], $10::text[], $11::text[], $12::integer[])
ON CONFLICT (left_type, left_value, right_type, right_value)"""
_EARLIER = """(excluded.occurred_at, excluded.sequence, excluded.source COLLATE "C", excluded.touchpoint_id COLLATE "C")
               < (l.occurred_at, l.sequence, l.source COLLATE "C", l.touchpoint_id COLLATE "C")"""
_KEEP = f"""{_ADD}
DO UPDATE SET verified = l.verified OR excluded.verified, changed_at = now(),
              state = CASE WHEN l.state = 'quarantined' THEN excluded.state ELSE l.state END,
              reason = CASE WHEN l.state = 'quarantined' THEN excluded.reason ELSE l.reason END,
              occurred_at = CASE WHEN {_EARLIER} THEN excluded.occurred_at ELSE l.occurred_at END,
              sequence = CASE WHEN {_EARLIER} THEN excluded.sequence ELSE l.sequence END,
              source = CASE WHEN {_EARLIER} THEN excluded.source ELSE l.source END,
              touchpoint_id = CASE WHEN {_EARLIER} THEN excluded.touchpoint_id ELSE l.touchpoint_id END,
              judged_by = least(l.judged_by, excluded.judged_by)
        WHERE (excluded.verified AND NOT l.verified) OR (l.state = 'quarantined' AND excluded.state = 'active')
              OR {_EARLIER} OR excluded.judged_by < l.judged_by"""
_DECIDE = f"""{_ADD}
DO UPDATE SET verified = excluded.verified, changed_at = now(), state = excluded.state, reason = excluded.reason,
              occurred_at = excluded.occurred_at, sequence = excluded.sequence, source = excluded.source,
              touchpoint_id = excluded.touchpoint_id, judged_by = excluded.judged_by
        WHERE l.state <> 'retracted'"""


async def keep_links(connection: Connection, links: Collection[LinkRow]) -> None:
    """Add links to the ledger. A known link keeps its earliest evidence, and its state unless it leaves quarantine."""
    await _write_links(connection, _KEEP, links)


async def decide_links(connection: Connection, links: Collection[LinkRow]) -> None:
    """Write links as they were decided together with all that is known of them; what was retracted stays so."""
    await _write_links(connection, _DECIDE, links)


async def _write_links(connection: Connection, statement: str, links: Collection[LinkRow]) -> None:
    ordered = sorted(links, key=lambda link: link.key)
    await connection.execute(
        statement,
        *_columns([link.key for link in ordered]),
        [link.state for link in ordered],
        [link.reason for link in ordered],
        [link.verified for link in ordered],
        *([link.first[place] for link in ordered] for place in range(4)),
        [link.judge for link in ordered],
    )


def _columns(keys: Sequence[LinkKey]) -> tuple[list[str], list[str], list[str], list[str]]:
    return (
        [left[0] for left, _ in keys],
        [left[1] for left, _ in keys],
        [right[0] for _, right in keys],
        [right[1] for _, right in keys],
    )
