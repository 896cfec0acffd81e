"""The tables of journeys and of the aliases that merged and dissolved journeys leave."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from services.journey.domain.comparison.changes import DissolvedJourney, JourneyAlias
from services.journey.domain.journey import Journey, StoredJourney
from services.journey.domain.names import CustomerId, JourneyId
from services.journey.domain.paths import stored_track
from services.journey.store.touchpoints import Since
from services.runtime.postgres.pools import Connection

_LOAD = """
SELECT j.journey_id, j.customer_id, j.version, j.created_at, j.last_at, j.digest, j.reason, j.closed_at,
       j.payload ->> 'service_level' AS service_level
  FROM unnest($1::uuid[], $2::timestamptz[]) AS w (customer_id, since)
  JOIN journey.journeys AS j ON j.customer_id = w.customer_id AND (w.since IS NULL OR j.last_at >= w.since)"""


async def load(connection: Connection, since: Since) -> Mapping[UUID, list[StoredJourney]]:
    """Return the journeys of each of these customers, also absorbed ones: journeys move when they are projected."""
    found: defaultdict[UUID, list[StoredJourney]] = defaultdict(list)
    for row in await connection.fetch(_LOAD, list(since), list(since.values())):
        found[row["customer_id"]].append(
            StoredJourney(
                id=JourneyId(row["journey_id"]),
                customer_id=CustomerId(row["customer_id"]),
                version=row["version"],
                created_at=row["created_at"],
                last_at=row["last_at"],
                digest=row["digest"],
                track=stored_track(row["reason"], row["service_level"], row["last_at"], row["closed_at"]),
            )
        )
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class JourneyRow:
    """A journey to write, with its published document."""

    journey: Journey
    digest: bytes
    payload: str


_WRITE = """
INSERT INTO journey.journeys AS j (journey_id, customer_id, version, state, reason, started_at, last_at, quiet_since,
                                   closed_at, effort, effort_parts, created_at, updated_at, digest, payload)
SELECT w.journey_id, w.customer_id, w.version, w.state, w.reason, w.started_at, w.last_at, w.last_at,
       w.closed_at, w.effort, w.effort_parts, $13, $13, w.digest, w.payload
  FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::timestamptz[], $7::timestamptz[],
              $8::timestamptz[], $9::real[], $10::json[], $11::bytea[], $12::json[])
       AS w (journey_id, customer_id, version, state, reason, started_at, last_at, closed_at,
             effort, effort_parts, digest, payload)
ON CONFLICT (journey_id) DO UPDATE
   SET customer_id = excluded.customer_id, version = excluded.version, state = excluded.state,
       reason = excluded.reason, started_at = excluded.started_at, last_at = excluded.last_at,
       quiet_since = least(j.quiet_since, excluded.quiet_since), closed_at = excluded.closed_at,
       effort = excluded.effort, effort_parts = excluded.effort_parts, updated_at = excluded.updated_at,
       digest = excluded.digest, payload = excluded.payload"""


async def write(connection: Connection, rows: Sequence[JourneyRow], now: datetime) -> None:
    """Insert new journeys and replace changed ones; `now` is the time at which a new id is given out."""
    ordered = sorted(rows, key=lambda row: row.journey.id)
    said = [row.journey for row in ordered]
    await connection.execute(
        _WRITE,
        [journey.id for journey in said],
        [journey.customer_id for journey in said],
        [journey.version for journey in said],
        [journey.state for journey in said],
        [journey.reason for journey in said],
        [journey.opened_at for journey in said],
        [journey.last_at for journey in said],
        [journey.closed_at for journey in said],
        [journey.effort.score for journey in said],
        [msgspec.json.encode(journey.effort.parts).decode() for journey in said],
        [row.digest for row in ordered],
        [row.payload for row in ordered],
        now,
    )


_PAYLOADS = "SELECT journey_id, payload FROM journey.journeys WHERE journey_id = ANY($1::uuid[])"


async def payloads(connection: Connection, journeys: Collection[UUID]) -> dict[UUID, str]:
    """Return the published documents of these journeys."""
    rows = await connection.fetch(_PAYLOADS, list(journeys))
    return {row["journey_id"]: row["payload"] for row in rows}


_REMOVE = "DELETE FROM journey.journeys WHERE journey_id = ANY($1::uuid[])"
_REDIRECT = """
UPDATE journey.journey_aliases AS a SET merged_into = n.merged_into, changed_at = $3
  FROM unnest($1::uuid[], $2::uuid[]) AS n (journey_id, merged_into) WHERE a.merged_into = n.journey_id"""
_ALIAS = """
INSERT INTO journey.journey_aliases AS a (journey_id, merged_into, customer_id, changed_at)
SELECT n.journey_id, n.merged_into, n.customer_id, $4
  FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS n (journey_id, merged_into, customer_id)
ON CONFLICT (journey_id) DO UPDATE
   SET merged_into = excluded.merged_into, customer_id = excluded.customer_id, changed_at = excluded.changed_at"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetiredJourney:
    """A journey that no longer exists: it became part of another (an alias) or was dissolved (a tombstone)."""

    what: JourneyAlias | DissolvedJourney
    customer_id: UUID

    @property
    def merged_into(self) -> UUID | None:
        """The journey that holds its touchpoints now; None if it was dissolved."""
        return self.what.merged_into if isinstance(self.what, JourneyAlias) else None


async def retire(connection: Connection, gone: Sequence[RetiredJourney], now: datetime) -> None:
    """Replace journeys by aliases or tombstones; earlier aliases are redirected, so there are no chains."""
    ids = [one.what.id for one in gone]
    targets = [one.merged_into for one in gone]
    await connection.execute(_REMOVE, ids)
    await connection.execute(_REDIRECT, ids, targets, now)
    await connection.execute(_ALIAS, ids, targets, [one.customer_id for one in gone], now)


_REKEY = """
UPDATE journey.journeys AS j SET customer_id = m.survivor
  FROM unnest($1::uuid[], $2::uuid[]) AS m (absorbed, survivor) WHERE j.customer_id = m.absorbed"""


async def rekey(connection: Connection, absorbed: Sequence[UUID], survivors: Sequence[UUID]) -> None:
    """Move the journeys that the projection left unchanged, because they are older than the history it looked at."""
    await connection.execute(_REKEY, absorbed, survivors)


_STILL_MOVING = """
UPDATE journey.journeys SET quiet_since = last_at WHERE journey_id = ANY(ARRAY(
    SELECT journey_id FROM journey.journeys
     WHERE state = 'open' AND quiet_since <= now() - $1::interval AND last_at > now() - $1::interval
     ORDER BY quiet_since LIMIT $2 FOR UPDATE SKIP LOCKED))"""


async def put_off(connection: Connection, idle_after: timedelta, most: int) -> int:
    """Move `quiet_since` to the last touchpoint for some journeys that only seem idle; return for how many.

    It waits for no lock: a journey that another transaction is writing is left for the next round.
    """
    return int((await connection.execute(_STILL_MOVING, idle_after, most)).split()[-1])


_IDLE = """
SELECT customer_id FROM journey.journeys
 WHERE state = 'open' AND quiet_since <= now() - $1::interval AND last_at <= now() - $1::interval
 ORDER BY quiet_since LIMIT $2"""


async def idle_customers(connection: Connection, idle_after: timedelta, most: int) -> list[UUID]:
    """Return customers with an open journey that is idle for `idle_after`; call `put_off` first."""
    rows = await connection.fetch(_IDLE, idle_after, most)
    return list(dict.fromkeys(row["customer_id"] for row in rows))
