"""The customers behind a number of the graph of paths or of a funnel: the latest ones, by their opaque ids.

The sums by hour say in which hours to look, so the touchpoints of those hours alone are read, and never more hours
than `MOST_HOURS`: a number of years has its latest customers named, not all of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final
from uuid import UUID

from pydantic import Field

from services.journey.domain.paths import CLOSED, DROPPED, START
from services.journey.read.aggregates.path_spans import whole_hours
from services.journey.read.snapshots import snapshot
from services.journey.read.views import FrozenView, Instant
from services.runtime.postgres.pools import Pool, Row

MOST_HOURS: Final = 48


class BehindView(FrozenView):
    """One customer, and where it was."""

    customer_id: UUID
    journey_id: UUID | None = None
    at: Instant = Field(description="The latest time that it went there, or entered.")
    friction: bool = Field(description="Whether a friction stands there.")


class CustomersBehindView(FrozenView):
    """The latest customers behind a number."""

    customers: list[BehindView] = Field(description="The latest first.")
    looked_back_to: Instant | None = Field(None, description="Nobody was looked for before; absent: there is nobody.")
    more: bool = Field(description="Whether there are more than are named.")


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFilter:
    """Steps between two ends, at an hour of the day of a zone; None does not filter. `hard`: into friction alone."""

    since: datetime | None = None
    until: datetime | None = None
    from_channel: str | None = None
    from_kind: str | None = None
    to_channel: str | None = None
    to_kind: str | None = None
    reason: str | None = None
    service_level: str | None = None
    hard: bool = False
    hour: int | None = None
    zone: tzinfo | None = None

    @property
    def to_end(self) -> bool:
        """Whether they lead to the end of a journey, which is no touchpoint."""
        return self.to_kind in {CLOSED, DROPPED}

    def words(self) -> tuple[str | None, ...]:
        """Return both ends, reason and service level as the sums have them: what is no touchpoint has no channel."""
        from_channel = "" if self.from_kind == START else self.from_channel
        to_channel = "" if self.to_end else self.to_channel
        return from_channel, self.from_kind, to_channel, self.to_kind, self.reason, self.service_level


_HOURS: Final = """
WITH kept AS (
    SELECT p.since AS hour, s.from_channel, s.from_kind, s.to_channel, s.to_kind, s.reason, s.service_level,
           p.steps, p.frictions
      FROM journey.path_counts AS p JOIN journey.path_steps AS s USING (step_id)
     WHERE p.span = 'h' AND p.since >= coalesce($1::timestamptz, '-infinity')
       AND p.since < coalesce($2::timestamptz, 'infinity')
    UNION ALL
    SELECT hour, from_channel, from_kind, to_channel, to_kind, reason, service_level, steps, frictions
      FROM journey.path_changes
     WHERE hour >= coalesce($1::timestamptz, '-infinity') AND hour < coalesce($2::timestamptz, 'infinity')
)
SELECT hour, sum(CASE WHEN $9 THEN frictions ELSE steps END)::bigint AS steps
  FROM kept
 WHERE ($3::text IS NULL OR from_channel = $3) AND ($4::text IS NULL OR from_kind = $4)
   AND CASE WHEN $5::text IS NULL THEN $6::text IS NOT NULL OR to_channel <> '' ELSE to_channel = $5 END
   AND ($6::text IS NULL OR to_kind = $6) AND ($7::text IS NULL OR reason = $7)
   AND ($8::text IS NULL OR service_level = $8)
   AND ($10::int IS NULL OR extract(hour FROM hour AT TIME ZONE $11) = $10)
 GROUP BY hour HAVING sum(CASE WHEN $9 THEN frictions ELSE steps END) > 0
 ORDER BY hour DESC LIMIT $12
"""

_TOUCHPOINTS: Final = """
SELECT t.customer_id, t.journey_id, t.occurred_at, t.friction
  FROM unnest($1::timestamptz[]) AS h (hour)
  JOIN journey.touchpoints AS t ON t.occurred_at >= h.hour AND t.occurred_at < h.hour + interval '1 hour'
  JOIN journey.journeys AS j ON j.journey_id = t.journey_id
  {neighbour}
 WHERE {wanted}
   AND ($6::text IS NULL OR coalesce(j.reason, '') = $6)
   AND ($7::text IS NULL OR coalesce(j.payload ->> 'service_level', '') = $7)
   AND (NOT $8 OR t.friction)
 ORDER BY t.occurred_at DESC
"""
_BEFORE: Final = """
  LEFT JOIN LATERAL (
    SELECT p.channel, p.kind FROM journey.touchpoints AS p
     WHERE p.customer_id = t.customer_id AND p.journey_id = t.journey_id
       AND p.occurred_at <= t.occurred_at
       AND (p.occurred_at, p.sequence, p.source, p.id) < (t.occurred_at, t.sequence, t.source, t.id)
     ORDER BY p.occurred_at DESC, p.sequence DESC, p.source DESC, p.id DESC LIMIT 1
  ) AS came ON true"""
_STEP: Final = _TOUCHPOINTS.format(
    neighbour=_BEFORE,
    wanted=f"($2::text IS NULL OR coalesce(came.channel, '') = $2)"
    f" AND ($3::text IS NULL OR coalesce(came.kind, '{START}') = $3)"
    " AND ($4::text IS NULL OR t.channel = $4) AND ($5::text IS NULL OR t.kind = $5)",
)
_INTO_END: Final = _TOUCHPOINTS.format(
    neighbour="",
    wanted="($2::text IS NULL OR t.channel = $2) AND ($3::text IS NULL OR t.kind = $3)"
    " AND $4::text IS NOT NULL AND t.occurred_at = j.last_at AND j.closed_at IS NOT NULL"
    f" AND $5 = CASE WHEN j.closed_at > j.last_at THEN '{DROPPED}' ELSE '{CLOSED}' END",
)

_PASSAGES: Final = """
SELECT customer_id, NULL::uuid AS journey_id, entered_at AS occurred_at, false AS friction
  FROM journey.passages
 WHERE definition = $1 AND entered_at >= coalesce($2::timestamptz, '-infinity')
   AND entered_at < coalesce($3::timestamptz, 'infinity')
   AND ($4::text IS NULL OR stage = $4)
   AND ($5::text IS NULL OR coalesce(progress ->> 'end', 'open') = $5)
   AND ($6::text IS NULL OR channel = $6) AND ($7::text IS NULL OR reason = $7)
   AND ($8::text IS NULL OR service_level = $8)
 ORDER BY entered_at DESC LIMIT $9
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PassageFilter:
    """Defined journeys by entry; `stage` is where they are or ended, `end` is `open` for those that go on."""

    since: datetime | None = None
    until: datetime | None = None
    stage: str | None = None
    end: str | None = None
    channel: str | None = None
    reason: str | None = None
    service_level: str | None = None


class CustomersBehind:
    """Finds the customers behind numbers, from one pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def of_steps(self, wanted: StepFilter, limit: int) -> CustomersBehindView:
        """Return the latest `limit` customers who went the steps that are asked for."""
        words = wanted.words()
        since, until = whole_hours(wanted.since, wanted.until)
        zone = str(wanted.zone) if wanted.zone is not None else "UTC"
        async with snapshot(self._pool) as connection:
            hours = await connection.fetch(_HOURS, since, until, *words, wanted.hard, wanted.hour, zone, MOST_HOURS + 1)
            read = _enough(hours, limit)
            if not read:
                return CustomersBehindView(customers=[], more=False)
            statement = _INTO_END if wanted.to_end else _STEP
            rows = await connection.fetch(statement, read, *words, wanted.hard)
        found = _once_each(rows)
        more = len(found) > limit or len(read) < len(hours)
        return CustomersBehindView(customers=found[:limit], looked_back_to=read[-1], more=more)

    async def of_passages(self, journey: str, wanted: PassageFilter, limit: int) -> CustomersBehindView:
        """Return the latest `limit` customers who entered a journey and are, or ended, as is asked for."""
        if "\x00" in journey:  # no text in PostgreSQL holds one
            return CustomersBehindView(customers=[], looked_back_to=None, more=False)
        since, until = whole_hours(wanted.since, wanted.until)
        narrowed = wanted.stage, wanted.end, wanted.channel, wanted.reason, wanted.service_level
        async with snapshot(self._pool) as connection:
            rows = await connection.fetch(_PASSAGES, journey, since, until, *narrowed, limit + 1)
        found = _once_each(rows)
        looked = rows[-1]["occurred_at"] if rows else None
        return CustomersBehindView(customers=found[:limit], looked_back_to=looked, more=len(rows) > limit)


def _enough(hours: Sequence[Row], limit: int) -> list[datetime]:
    """Return the latest hours that have twice as many steps as customers are asked for: some come more than once."""
    read: list[datetime] = []
    steps = 0
    for row in hours[:MOST_HOURS]:
        read.append(row["hour"])
        steps += row["steps"]
        if steps >= 2 * limit:
            break
    return read


def _once_each(rows: Sequence[Row]) -> list[BehindView]:
    latest: dict[UUID, BehindView] = {}
    for row in rows:
        latest.setdefault(
            row["customer_id"],
            BehindView(
                customer_id=row["customer_id"],
                journey_id=row["journey_id"],
                at=row["occurred_at"],
                friction=row["friction"],
            ),
        )
    return list(latest.values())
