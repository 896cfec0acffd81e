"""The table of what rules in the shadow find, beside what the same rules in force find."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from services.journey.domain.comparison.shadow_changes import ShadowFriction, StoredShadowFriction
from services.journey.domain.friction import Anchor, FrictionSeverity
from services.journey.domain.names import CustomerId, FrictionId
from services.journey.domain.touchpoint import TouchpointKey
from services.journey.store.touchpoints import Since
from services.runtime.postgres.pools import Connection


class _Payload(msgspec.Struct, frozen=True):
    anchor: Anchor
    touchpoints: tuple[TouchpointKey, ...]


_ENCODER = msgspec.json.Encoder(order="deterministic")
_DECODER = msgspec.json.Decoder(_Payload)

_LOAD = """
SELECT s.customer_id, s.trial, s.friction_id, s.rule, s.in_shadow, s.in_force, s.severity, s.occurred_at, s.detected_at,
       s.digest, s.payload
  FROM unnest($1::uuid[], $2::timestamptz[]) AS w (customer_id, since)
  JOIN journey.shadow_frictions AS s
    ON s.customer_id = w.customer_id AND s.trial = ANY($3::int[]) AND (w.since IS NULL OR s.occurred_at >= w.since)"""


async def load(
    connection: Connection, since: Since, trials: Collection[int]
) -> Mapping[UUID, list[StoredShadowFriction]]:
    """Return the rows of these customers and trials; where there is no trial, nothing is asked."""
    found: defaultdict[UUID, list[StoredShadowFriction]] = defaultdict(list)
    if trials:
        for row in await connection.fetch(_LOAD, list(since), list(since.values()), list(trials)):
            found[row["customer_id"]].append(_stored(row))
    return found


def _stored(row: Any) -> StoredShadowFriction:
    payload = _DECODER.decode(row["payload"])
    return StoredShadowFriction(
        customer_id=CustomerId(row["customer_id"]),
        friction=ShadowFriction(
            trial=row["trial"],
            id=FrictionId(row["friction_id"]),
            rule=row["rule"],
            in_shadow=row["in_shadow"],
            in_force=row["in_force"],
            severity=FrictionSeverity(row["severity"]),
            anchor=payload.anchor,
            occurred_at=row["occurred_at"],
            touchpoints=payload.touchpoints,
            detected_at=row["detected_at"],
            digest=row["digest"],
        ),
    )


_REMOVE = """
DELETE FROM journey.shadow_frictions AS s
 USING unnest($1::uuid[], $2::int[], $3::uuid[]) AS g (customer, trial, friction)
 WHERE s.customer_id = g.customer AND s.trial = g.trial AND s.friction_id = g.friction"""


async def remove(connection: Connection, rows: Sequence[StoredShadowFriction]) -> None:
    """Remove rows that neither side says any more, or that are another customer's now."""
    await connection.execute(
        _REMOVE,
        [row.customer_id for row in rows],
        [row.friction.trial for row in rows],
        [row.friction.id for row in rows],
    )


_WRITE = """
INSERT INTO journey.shadow_frictions
       (customer_id, trial, friction_id, rule, in_shadow, in_force, severity, occurred_at, detected_at, digest, payload)
SELECT * FROM unnest($1::uuid[], $2::int[], $3::uuid[], $4::text[], $5::bool[], $6::bool[], $7::text[],
                     $8::timestamptz[], $9::timestamptz[], $10::bytea[], $11::json[])
ON CONFLICT (customer_id, trial, friction_id) DO UPDATE
   SET in_shadow = excluded.in_shadow, in_force = excluded.in_force, severity = excluded.severity,
       occurred_at = excluded.occurred_at, digest = excluded.digest, payload = excluded.payload"""


async def write(connection: Connection, rows: Sequence[StoredShadowFriction]) -> None:
    """Insert rows, or replace what they say; when one was first found stays."""
    said = [row.friction for row in rows]
    await connection.execute(
        _WRITE,
        [row.customer_id for row in rows],
        [one.trial for one in said],
        [one.id for one in said],
        [one.rule for one in said],
        [one.in_shadow for one in said],
        [one.in_force for one in said],
        [one.severity for one in said],
        [one.occurred_at for one in said],
        [one.detected_at for one in said],
        [one.digest for one in said],
        [_ENCODER.encode(_Payload(one.anchor, one.touchpoints)).decode() for one in said],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowCounts:
    """How many frictions a rule found in the shadow since its trial began, and the rule in force in the same time.

    `new` are found in the shadow alone, `gone` by the rule in force alone.
    """

    found: int = 0
    in_force: int = 0
    new: int = 0
    gone: int = 0


_COUNTS = """
SELECT trial, rule, count(DISTINCT friction_id) FILTER (WHERE in_shadow) AS found,
       count(DISTINCT friction_id) FILTER (WHERE in_force) AS in_force,
       count(DISTINCT friction_id) FILTER (WHERE in_shadow AND NOT in_force) AS new,
       count(DISTINCT friction_id) FILTER (WHERE in_force AND NOT in_shadow) AS gone
  FROM journey.shadow_frictions WHERE trial = ANY($1::int[]) GROUP BY trial, rule"""


async def counts(connection: Connection, trials: Collection[int]) -> dict[tuple[int, str], ShadowCounts]:
    """Return the counts by trial and rule; a call that two customers share counts once."""
    return {
        (row["trial"], row["rule"]): ShadowCounts(
            found=row["found"], in_force=row["in_force"], new=row["new"], gone=row["gone"]
        )
        for row in await connection.fetch(_COUNTS, list(trials))
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowExample:
    """A friction that only one side has; `anchor` is the id of an interaction or a touchpoint."""

    friction_id: UUID
    customer_id: UUID
    anchor: str
    occurred_at: datetime
    severity: str
    in_shadow: bool


_EXAMPLES = """
SELECT friction_id, customer_id, payload, occurred_at, severity, in_shadow FROM journey.shadow_frictions
 WHERE trial = $1 AND rule = $2 AND in_shadow <> in_force ORDER BY detected_at DESC LIMIT $3"""


async def examples(connection: Connection, trial: int, rule: str, most: int) -> list[ShadowExample]:
    """Return the latest frictions that only one side has."""
    return [_example(row) for row in await connection.fetch(_EXAMPLES, trial, rule, most)]


def _example(row: Any) -> ShadowExample:
    payload = _DECODER.decode(row["payload"])
    return ShadowExample(
        friction_id=row["friction_id"],
        customer_id=row["customer_id"],
        anchor=payload.anchor.interaction_id or payload.anchor.touchpoint_id or "",
        occurred_at=row["occurred_at"],
        severity=row["severity"],
        in_shadow=row["in_shadow"],
    )


_FORGET = """
DELETE FROM journey.shadow_frictions WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM journey.shadow_frictions WHERE trial <> ALL($1::int[]) LIMIT 5000))"""


async def forget(connection: Connection, kept: Collection[int]) -> None:
    """Remove what trials found that are over, a part at a time; no worker looks at these rows."""
    while await connection.execute(_FORGET, list(kept)) != "DELETE 0":
        pass
