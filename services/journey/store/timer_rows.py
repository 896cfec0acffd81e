"""The table of timers. A row is locked only after its customer."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.journey.domain.names import TimerId
from services.journey.domain.timer import StoredTimer, Timer, TimerState
from services.journey.store.touchpoints import Since
from services.runtime.postgres.pools import Connection

_LOAD = """
SELECT t.timer_id, t.customer_id, t.rule, t.source, t.touchpoint_id, t.state, t.due_at
  FROM unnest($1::uuid[], $2::timestamptz[]) AS w (customer_id, since)
  JOIN journey.timers AS t ON t.customer_id = w.customer_id AND (w.since IS NULL OR t.due_at >= w.since)"""


async def load(connection: Connection, since: Since) -> Mapping[UUID, list[StoredTimer]]:
    """Return the timers of each of these customers, in any state."""
    found: defaultdict[UUID, list[StoredTimer]] = defaultdict(list)
    for row in await connection.fetch(_LOAD, list(since), list(since.values())):
        timer = StoredTimer(
            id=TimerId(row["timer_id"]),
            rule=row["rule"],
            armed_by=(row["source"], row["touchpoint_id"]),
            state=TimerState(row["state"]),
            due_at=row["due_at"],
        )
        found[row["customer_id"]].append(timer)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerRow:
    """A timer to arm, with its customer."""

    timer: Timer
    customer_id: UUID


_ARM = """
INSERT INTO journey.timers AS t (timer_id, customer_id, rule, source, touchpoint_id, state, due_at, appended_at, replay)
SELECT a.timer_id, a.customer_id, a.rule, a.source, a.touchpoint_id, 'pending', a.due_at, a.appended_at, a.replay
  FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[],
              $6::timestamptz[], $7::timestamptz[], $8::bool[])
       AS a (timer_id, customer_id, rule, source, touchpoint_id, due_at, appended_at, replay)
ON CONFLICT (timer_id) DO UPDATE
   SET customer_id = excluded.customer_id, state = 'pending', due_at = excluded.due_at,
       appended_at = excluded.appended_at, replay = excluded.replay, updated_at = now()
 WHERE t.state <> 'fired'"""


async def arm(connection: Connection, armed: Sequence[TimerRow]) -> None:
    """Arm timers, also those that were cancelled; a timer that has fired stays fired."""
    ordered = sorted(armed, key=lambda one: one.timer.id)
    said = [one.timer for one in ordered]
    await connection.execute(
        _ARM,
        [timer.id for timer in said],
        [one.customer_id for one in ordered],
        [timer.rule for timer in said],
        [timer.armed_by[0] for timer in said],
        [timer.armed_by[1] for timer in said],
        [timer.due_at for timer in said],
        [timer.appended_at for timer in said],
        [timer.replay for timer in said],
    )


_CANCEL = """
UPDATE journey.timers SET state = 'cancelled', updated_at = now()
 WHERE timer_id = ANY($1::uuid[]) AND state = 'pending'"""


async def cancel(connection: Connection, timers: Sequence[UUID]) -> None:
    """Cancel pending timers whose follow-up came."""
    await connection.execute(_CANCEL, list(timers))


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerReach:
    """Which timers may fire: those due and armed before `passed`, and replayed ones armed before `replayed`."""

    passed: datetime
    replayed: datetime | None
    """None while an import is under way."""


_DUE = """
SELECT customer_id FROM journey.timers
 WHERE state = 'pending' AND due_at <= $1 AND appended_at <= $1 AND (NOT replay OR appended_at <= $2)
 ORDER BY due_at LIMIT $3"""


async def due_customers(connection: Connection, reach: TimerReach, most: int) -> list[UUID]:
    """Return the customers whose timers may fire, the most overdue first, read without locks."""
    rows = await connection.fetch(_DUE, reach.passed, reach.replayed, most)
    return list(dict.fromkeys(row["customer_id"] for row in rows))


_FIRE = """
UPDATE journey.timers SET state = 'fired', updated_at = now()
 WHERE customer_id = ANY($3) AND state = 'pending' AND due_at <= $1 AND appended_at <= $1
   AND (NOT replay OR appended_at <= $2)
RETURNING customer_id"""


async def fire(connection: Connection, reach: TimerReach, customers: Collection[UUID]) -> list[UUID]:
    """Fire the due timers of locked customers, checking again; return the customer of each timer that fired."""
    rows = await connection.fetch(_FIRE, reach.passed, reach.replayed, list(customers))
    return [row["customer_id"] for row in rows]
