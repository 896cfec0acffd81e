"""The tables of accounts. All statements but `waiting` and `due` are of whoever holds the account."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec

from services.journey.domain.accounts.account_comparison import (
    AccountJourneyChange,
    GoneAccountJourney,
    StoredAccountJourney,
)
from services.journey.domain.funnels import FunnelPassage
from services.journey.domain.journey import JourneyProgress
from services.journey.domain.names import JourneyId, TimerId
from services.journey.domain.timer import StoredTimer, Timer, TimerState
from services.journey.domain.touchpoint import RecordedTouchpoint, Touchpoint, TouchpointKey
from services.journey.store.timer_rows import TimerReach
from services.runtime.postgres.pools import Connection

_TOUCHPOINT = msgspec.json.Decoder(Touchpoint)
_PROGRESS = msgspec.json.Decoder(JourneyProgress)

_WAITING: Final = """
SELECT DISTINCT account_id FROM journey.account_touchpoints WHERE NOT applied AND account_id > $1 ORDER BY 1 LIMIT $2"""


async def waiting(connection: Connection, after: str, most: int) -> list[str]:
    """Return accounts with touchpoints that their journeys do not know yet, in order, from behind `after` on."""
    return [row["account_id"] for row in await connection.fetch(_WAITING, after, most)]


_DUE: Final = """
SELECT DISTINCT account_id FROM journey.account_timers
 WHERE state = 'pending' AND due_at <= $1 AND appended_at <= $1 AND (NOT replay OR appended_at <= $2)
   AND account_id > $3
 ORDER BY 1 LIMIT $4"""


async def due(connection: Connection, reach: TimerReach, after: str, most: int) -> list[str]:
    """Return accounts with timers that may fire, in order, from behind `after` on."""
    return [row["account_id"] for row in await connection.fetch(_DUE, reach.passed, reach.replayed, after, most)]


async def hold(connection: Connection, account_id: str) -> bool:
    """Hold an account until the transaction ends; false where another worker does. Nobody ever waits for it."""
    return bool(
        await connection.fetchval("SELECT pg_try_advisory_xact_lock(hashtextextended($1, 11))", f"account {account_id}")
    )


_FIRE: Final = """
UPDATE journey.account_timers SET state = 'fired'
 WHERE account_id = $3 AND state = 'pending' AND due_at <= $1 AND appended_at <= $1
   AND (NOT replay OR appended_at <= $2)"""


async def fire(connection: Connection, reach: TimerReach, account_id: str) -> int:
    """Fire the due timers of an account, and return how many."""
    return int((await connection.execute(_FIRE, reach.passed, reach.replayed, account_id)).split()[-1])


_UNAPPLIED: Final = """
SELECT occurred_at, source, touchpoint_id FROM journey.account_touchpoints WHERE account_id = $1 AND NOT applied"""
_HISTORY: Final = """
SELECT t.payload, t.appended_at
  FROM (SELECT occurred_at, source, touchpoint_id FROM journey.account_touchpoints
         WHERE account_id = $1 ORDER BY occurred_at DESC LIMIT $2) AS a
  JOIN journey.touchpoints AS t
    ON t.source = a.source AND t.id = a.touchpoint_id AND t.occurred_at = a.occurred_at"""
_APPLIED: Final = """
UPDATE journey.account_touchpoints AS a SET applied = true
  FROM unnest($2::timestamptz[], $3::text[], $4::text[]) AS n (occurred_at, source, touchpoint_id)
 WHERE a.account_id = $1 AND a.occurred_at = n.occurred_at AND a.source = n.source
   AND a.touchpoint_id = n.touchpoint_id"""

NamedTouchpoint = tuple[datetime, str, str]
"""When a touchpoint happened, its source and its id."""


async def unapplied(connection: Connection, account_id: str) -> list[NamedTouchpoint]:
    """Return the touchpoints that the journeys of an account do not know yet."""
    rows = await connection.fetch(_UNAPPLIED, account_id)
    return [(row["occurred_at"], row["source"], row["touchpoint_id"]) for row in rows]


async def note_applied(connection: Connection, account_id: str, named: Sequence[NamedTouchpoint]) -> None:
    """Note that the journeys of an account know these touchpoints."""
    await connection.execute(_APPLIED, account_id, *(list(column) for column in zip(*named, strict=True)))


async def history(connection: Connection, account_id: str, latest: int) -> list[RecordedTouchpoint]:
    """Return the `latest` touchpoints that name an account, in no order."""
    return [
        RecordedTouchpoint(touchpoint=_TOUCHPOINT.decode(row["payload"]), appended_at=row["appended_at"])
        for row in await connection.fetch(_HISTORY, account_id, latest)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAccount:
    """What is stored of an account: journeys that are not gone, and timers in any state."""

    journeys: Sequence[StoredAccountJourney]
    timers: Sequence[StoredTimer]

    @property
    def fired(self) -> frozenset[TimerId]:
        """The timers that have fired."""
        return frozenset(one.id for one in self.timers if one.state is TimerState.FIRED)


_JOURNEYS: Final = """
SELECT journey_id, version, source, touchpoint_id, channel, service_level, progress, created_at, digest
  FROM journey.account_journeys WHERE account_id = $1 AND state IN ('open', 'closed')"""
_TIMERS: Final = """
SELECT timer_id, rule, source, touchpoint_id, state, due_at FROM journey.account_timers WHERE account_id = $1"""


async def stored(connection: Connection, account_id: str) -> StoredAccount:
    """Return what is stored of an account."""
    journeys = [
        StoredAccountJourney(
            id=JourneyId(row["journey_id"]),
            version=row["version"],
            created_at=row["created_at"],
            digest=row["digest"],
            counted=FunnelPassage(
                entry=(row["source"], row["touchpoint_id"]),
                channel=row["channel"],
                reason=None,
                service_level=row["service_level"],
                progress=_PROGRESS.decode(row["progress"]),
            ),
        )
        for row in await connection.fetch(_JOURNEYS, account_id)
    ]
    timers = [
        StoredTimer(
            id=TimerId(row["timer_id"]),
            rule=row["rule"],
            armed_by=_key(row["source"], row["touchpoint_id"]),
            state=TimerState(row["state"]),
            due_at=row["due_at"],
        )
        for row in await connection.fetch(_TIMERS, account_id)
    ]
    return StoredAccount(journeys=journeys, timers=timers)


def _key(source: str, touchpoint_id: str) -> TouchpointKey:
    return source, touchpoint_id


_WRITE: Final = """
INSERT INTO journey.account_journeys AS j (journey_id, account_id, definition, source, touchpoint_id, channel,
       service_level, version, state, entered_at, ended_at, progress, digest, payload, created_at, updated_at)
SELECT n.*, $14, $14 FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                                 $8::integer[], $9::text[], $10::timestamptz[], $11::timestamptz[], $12::json[],
                                 $13::bytea[], $15::json[]) AS n
ON CONFLICT (journey_id) DO UPDATE
   SET source = excluded.source, touchpoint_id = excluded.touchpoint_id, channel = excluded.channel,
       service_level = excluded.service_level, version = excluded.version, state = excluded.state,
       entered_at = excluded.entered_at, ended_at = excluded.ended_at, progress = excluded.progress,
       digest = excluded.digest, payload = excluded.payload, updated_at = excluded.updated_at"""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountJourneyRow:
    """A journey of an account to write, with the document that is published."""

    change: AccountJourneyChange
    document: str


async def write(connection: Connection, account_id: str, rows: Sequence[AccountJourneyRow], now: datetime) -> None:
    """Insert new journeys of an account and replace changed ones."""
    said = [row.change for row in rows]
    progress = [one.passage.progress for one in said]
    await connection.execute(
        _WRITE,
        [one.id for one in said],
        [account_id for _ in said],
        [one.definition for one in progress],
        [one.passage.entry[0] for one in said],
        [one.passage.entry[1] for one in said],
        [one.passage.channel for one in said],
        [one.passage.service_level for one in said],
        [one.version for one in said],
        ["open" if one.end is None else "closed" for one in progress],
        [one.entered_at for one in progress],
        [one.ended_at for one in progress],
        [msgspec.json.encode(one).decode() for one in progress],
        [one.digest for one in said],
        now,
        [row.document for row in rows],
    )


_PAYLOADS: Final = "SELECT journey_id, payload FROM journey.account_journeys WHERE journey_id = ANY($1::uuid[])"


async def payloads(connection: Connection, journeys: Sequence[JourneyId]) -> dict[JourneyId, str]:
    """Return what was published last of these journeys."""
    rows = await connection.fetch(_PAYLOADS, list(journeys))
    return {JourneyId(row["journey_id"]): row["payload"] for row in rows}


_RETIRE: Final = """
UPDATE journey.account_journeys AS j
   SET version = g.version, merged_into = g.merged_into, updated_at = $5, payload = g.payload,
       state = CASE WHEN g.merged_into IS NULL THEN 'dissolved' ELSE 'merged' END
  FROM unnest($1::uuid[], $2::integer[], $3::uuid[], $4::json[]) AS g (journey_id, version, merged_into, payload)
 WHERE j.journey_id = g.journey_id"""


async def retire(
    connection: Connection, gone: Sequence[GoneAccountJourney], documents: Sequence[str], now: datetime
) -> None:
    """Note that journeys are gone, with what is published of them last."""
    await connection.execute(
        _RETIRE,
        [one.id for one in gone],
        [one.version for one in gone],
        [one.merged_into for one in gone],
        list(documents),
        now,
    )


_ARM: Final = """
INSERT INTO journey.account_timers AS t (timer_id, account_id, rule, source, touchpoint_id, state, due_at, appended_at,
                                         replay)
SELECT a.timer_id, $1, a.rule, a.source, a.touchpoint_id, 'pending', a.due_at, a.appended_at, a.replay
  FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::timestamptz[], $8::bool[])
       AS a (timer_id, rule, source, touchpoint_id, due_at, appended_at, replay)
ON CONFLICT (account_id, timer_id) DO UPDATE
   SET state = 'pending', due_at = excluded.due_at, appended_at = excluded.appended_at, replay = excluded.replay
 WHERE t.state <> 'fired'"""


async def arm(connection: Connection, account_id: str, timers: Sequence[Timer]) -> None:
    """Arm timers, also those that were cancelled; one that has fired stays fired."""
    await connection.execute(
        _ARM,
        account_id,
        [one.id for one in timers],
        [one.rule for one in timers],
        [one.armed_by[0] for one in timers],
        [one.armed_by[1] for one in timers],
        [one.due_at for one in timers],
        [one.appended_at for one in timers],
        [one.replay for one in timers],
    )


_CANCEL: Final = """
UPDATE journey.account_timers SET state = 'cancelled'
 WHERE account_id = $1 AND timer_id = ANY($2::uuid[]) AND state = 'pending'"""


async def cancel(connection: Connection, account_id: str, timers: Sequence[TimerId]) -> None:
    """Cancel pending timers of deadlines that were kept."""
    await connection.execute(_CANCEL, account_id, list(timers))
