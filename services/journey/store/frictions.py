"""The tables of frictions as last published, and of rules that raised for a customer."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.journey.domain.friction import Friction, FrictionState, StoredFriction
from services.journey.domain.names import CustomerId, FrictionId
from services.journey.store.touchpoints import Since
from services.runtime.postgres.pools import Connection

_LOAD = """
SELECT f.friction_id, f.customer_id, f.rule, f.state, f.revision, f.quiet, f.detected_at, f.digest, f.payload
  FROM unnest($1::uuid[], $2::timestamptz[]) AS w (customer_id, since)
  JOIN journey.frictions AS f ON f.customer_id = w.customer_id AND (w.since IS NULL OR f.occurred_at >= w.since)"""


async def load(connection: Connection, since: Since) -> Mapping[UUID, list[StoredFriction]]:
    """Return the frictions of each of these customers, also absorbed ones: frictions move when they are projected."""
    found: defaultdict[UUID, list[StoredFriction]] = defaultdict(list)
    for row in await connection.fetch(_LOAD, list(since), list(since.values())):
        found[row["customer_id"]].append(
            StoredFriction(
                id=FrictionId(row["friction_id"]),
                rule=row["rule"],
                customer_id=CustomerId(row["customer_id"]),
                state=FrictionState(row["state"]),
                revision=row["revision"],
                quiet=row["quiet"],
                detected_at=row["detected_at"],
                digest=row["digest"],
                payload=row["payload"].encode(),
            )
        )
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class FrictionRow:
    """A friction to write, with its published document."""

    friction: Friction
    digest: bytes
    payload: str


_WRITE = """
INSERT INTO journey.frictions AS f (friction_id, customer_id, journey_id, rule, rule_version, state, revision, severity,
                                    channel, occurred_at, detected_at, updated_at, quiet, digest, payload)
SELECT w.friction_id, w.customer_id, w.journey_id, w.rule, w.rule_version, w.state, w.revision, w.severity,
       w.channel, w.occurred_at, w.detected_at, $15, w.quiet, w.digest, w.payload
  FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::int[], $6::text[], $7::bigint[], $8::text[],
              $9::text[], $10::timestamptz[], $11::timestamptz[], $12::bool[], $13::bytea[], $14::json[])
       AS w (friction_id, customer_id, journey_id, rule, rule_version, state, revision, severity,
             channel, occurred_at, detected_at, quiet, digest, payload)
ON CONFLICT (friction_id) DO UPDATE
   SET customer_id = excluded.customer_id, journey_id = excluded.journey_id, rule_version = excluded.rule_version,
       state = excluded.state, revision = excluded.revision, severity = excluded.severity, channel = excluded.channel,
       occurred_at = excluded.occurred_at, detected_at = excluded.detected_at, updated_at = excluded.updated_at,
       quiet = excluded.quiet, digest = excluded.digest, payload = excluded.payload
 WHERE excluded.revision > f.revision
   AND (f.customer_id = excluded.customer_id OR f.customer_id = ANY($16::uuid[]))
RETURNING f.friction_id"""


async def write(
    connection: Connection, rows: Sequence[FrictionRow], now: datetime, yielding: Collection[UUID]
) -> set[UUID]:
    """Insert new frictions, replace changed ones, and return which were written.

    A friction that another customer holds is not written, unless that customer is `yielding`: absorbed, or not its
    rightful holder.
    """
    ordered = sorted(rows, key=lambda row: row.friction.id)
    said = [row.friction for row in ordered]
    written = await connection.fetch(
        _WRITE,
        [friction.id for friction in said],
        [friction.customer_id for friction in said],
        [friction.journey_id for friction in said],
        [friction.rule for friction in said],
        [friction.rule_version for friction in said],
        [friction.state for friction in said],
        [friction.revision for friction in said],
        [friction.severity for friction in said],
        [friction.channel for friction in said],
        [friction.occurred_at for friction in said],
        [friction.detected_at for friction in said],
        [friction.quiet for friction in said],
        [row.digest for row in ordered],
        [row.payload for row in ordered],
        now,
        list(yielding),
    )
    return {row["friction_id"] for row in written}


@dataclass(frozen=True, slots=True, kw_only=True)
class FrictionHolder:
    """The customer who holds a friction, and what was published of it last."""

    customer_id: CustomerId
    state: FrictionState
    revision: int
    payload: bytes


_HOLDERS = """
SELECT friction_id, customer_id, state, revision, payload FROM journey.frictions
 WHERE friction_id = ANY($1) ORDER BY friction_id FOR UPDATE"""


async def holders(connection: Connection, friction_ids: Collection[UUID]) -> dict[UUID, FrictionHolder]:
    """Lock frictions that other customers hold, and return their holders."""
    return {
        row["friction_id"]: FrictionHolder(
            customer_id=CustomerId(row["customer_id"]),
            state=FrictionState(row["state"]),
            revision=row["revision"],
            payload=row["payload"].encode(),
        )
        for row in await connection.fetch(_HOLDERS, list(friction_ids))
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFailureRow:
    """A rule that raised for a customer; `error` is the type of the exception."""

    rule: str
    rule_version: int
    customer_id: UUID
    error: str


_CLEAR = "DELETE FROM journey.rule_failures WHERE customer_id = ANY($1::uuid[])"
_FAIL = """
INSERT INTO journey.rule_failures AS f (rule, customer_id, rule_version, error)
SELECT * FROM unnest($1::text[], $2::uuid[], $3::int[], $4::text[])
ON CONFLICT (rule, customer_id) DO UPDATE
   SET rule_version = excluded.rule_version, error = excluded.error, failures = f.failures + 1, last_seen = now()"""


async def note_failures(
    connection: Connection, customers: Collection[UUID], failures: Sequence[RuleFailureRow]
) -> None:
    """Store for these customers exactly the failures of their latest evaluation."""
    failed = {failure.customer_id for failure in failures}
    await connection.execute(_CLEAR, [customer for customer in customers if customer not in failed])
    if failures:
        await connection.execute(
            _FAIL,
            [failure.rule for failure in failures],
            [failure.customer_id for failure in failures],
            [failure.rule_version for failure in failures],
            [failure.error for failure in failures],
        )


_FAILED = "SELECT DISTINCT customer_id FROM journey.rule_failures ORDER BY customer_id LIMIT $1"


async def failed_customers(connection: Connection, most: int) -> list[UUID]:
    """Return customers for whom a rule has raised and not answered since."""
    return [row["customer_id"] for row in await connection.fetch(_FAILED, most)]


_FAILING = "SELECT rule, count(*) AS customers FROM journey.rule_failures GROUP BY rule"


async def failing_rules(connection: Connection) -> dict[str, int]:
    """Return the number of customers for whom each rule has raised and not answered since."""
    return {row["rule"]: row["customers"] for row in await connection.fetch(_FAILING)}


_STANDING = "SELECT rule, count(*) AS frictions FROM journey.frictions WHERE state = 'detected' GROUP BY rule"


async def standing(connection: Connection) -> dict[str, int]:
    """Return the number of frictions of each rule that stand; it looks at every row."""
    return {row["rule"]: row["frictions"] for row in await connection.fetch(_STANDING)}


_REKEY = """
UPDATE journey.frictions AS f SET customer_id = m.survivor
  FROM unnest($1::uuid[], $2::uuid[]) AS m (absorbed, survivor) WHERE f.customer_id = m.absorbed"""


async def rekey(connection: Connection, absorbed: Sequence[UUID], survivors: Sequence[UUID]) -> None:
    """Move the frictions that the projection left unchanged, because they are older than the history it looked at."""
    await connection.execute(_REKEY, absorbed, survivors)
