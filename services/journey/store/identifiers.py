"""The tables of identifiers, with the customers they point to, and of the ledger of links between them.

Identifiers are locked before customers, in the order of their keys. A merge leaves the identifiers of the absorbed
customer as they are, because another transaction that waits for ours may have locked them. They are pointed to the
survivor when they are seen next.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.runtime.postgres.pools import Connection

IdentifierKey = tuple[str, str]
LinkKey = tuple[IdentifierKey, IdentifierKey]


@dataclass(slots=True, kw_only=True)
class IdentifierMention:
    """What the touchpoints of a batch say about an identifier."""

    verified: bool
    first_seen: datetime
    last_seen: datetime


_TOUCH = """
INSERT INTO journey.identifiers AS i (type, value, verified, first_seen, last_seen)
SELECT * FROM unnest($1::text[], $2::text[], $3::bool[], $4::timestamptz[], $5::timestamptz[])
ON CONFLICT (type, value) DO UPDATE
   SET verified = i.verified OR excluded.verified, first_seen = least(i.first_seen, excluded.first_seen),
       last_seen = greatest(i.last_seen, excluded.last_seen)
RETURNING i.type, i.value, i.customer_id"""


async def touch(
    connection: Connection, mentions: Mapping[IdentifierKey, IdentifierMention]
) -> dict[IdentifierKey, UUID]:
    """Lock these identifiers, insert those that are new, and return the customer that each known one points to.

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
    return {(row["type"], row["value"]): row["customer_id"] for row in rows if row["customer_id"] is not None}


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

    retracted: bool
    verified: bool
    active: bool

    def covers(self, link: "LinkRow") -> bool:
        """Return whether `link` adds nothing to what is stored."""
        return (self.verified or not link.verified) and (self.active or link.state != "active")


_LINKS = """
SELECT l.left_type, l.left_value, l.right_type, l.right_value, l.state = 'retracted', l.verified, l.state = 'active'
  FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS k (left_type, left_value, right_type, right_value)
  JOIN journey.links AS l USING (left_type, left_value, right_type, right_value)"""


async def links(connection: Connection, keys: Collection[LinkKey]) -> dict[LinkKey, KeptLink]:
    """Return the state of those of these links that are in the ledger."""
    rows = await connection.fetch(_LINKS, *_columns(list(keys)))
    return {
        ((row[0], row[1]), (row[2], row[3])): KeptLink(retracted=row[4], verified=row[5], active=row[6]) for row in rows
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkRow:
    """A link to store: `state` is `active` or `quarantined`, for `reason`; the touchpoint is the evidence."""

    key: LinkKey
    state: str
    reason: str
    verified: bool
    source: str
    touchpoint_id: str
    occurred_at: datetime


_KEEP = """
INSERT INTO journey.links AS l (left_type, left_value, right_type, right_value,
                                state, reason, verified, source, touchpoint_id, occurred_at)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[],
                     $5::text[], $6::text[], $7::bool[], $8::text[], $9::text[], $10::timestamptz[])
ON CONFLICT (left_type, left_value, right_type, right_value)
DO UPDATE SET verified = l.verified OR excluded.verified, changed_at = now(),
              state = CASE WHEN l.state = 'quarantined' THEN excluded.state ELSE l.state END,
              reason = CASE WHEN l.state = 'quarantined' THEN excluded.reason ELSE l.reason END
        WHERE (excluded.verified AND NOT l.verified) OR (l.state = 'quarantined' AND excluded.state = 'active')"""


async def keep_links(connection: Connection, links: Collection[LinkRow]) -> None:
    """Add links to the ledger. A known link keeps its first evidence, and its state unless it leaves quarantine."""
    ordered = sorted(links, key=lambda link: link.key)
    await connection.execute(
        _KEEP,
        *_columns([link.key for link in ordered]),
        [link.state for link in ordered],
        [link.reason for link in ordered],
        [link.verified for link in ordered],
        [link.source for link in ordered],
        [link.touchpoint_id for link in ordered],
        [link.occurred_at for link in ordered],
    )


def _columns(keys: Sequence[LinkKey]) -> tuple[list[str], list[str], list[str], list[str]]:
    return (
        [left[0] for left, _ in keys],
        [left[1] for left, _ in keys],
        [right[0] for _, right in keys],
        [right[1] for _, right in keys],
    )
