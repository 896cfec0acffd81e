"""Issues as the database keeps them: reads under lock what a decision needs, and writes what was decided.

Locks are taken in the order journeys, frictions, fingerprints, issues, each sorted. Whoever decides about the issues
of a fingerprint locks its row, so two processes can never both find no issue and both open one. The decisions are left
to `placement` and `inbox`.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from services.alerts.issues import journey_store
from services.alerts.issues.contract import read_friction
from services.alerts.issues.json_columns import decode_issue, encode_issue, encode_json
from services.alerts.issues.model import Issue, IssueChange, PlacedFriction, ReportedFriction
from services.alerts.issues.placement import PlacementContext, PlacementPlan
from services.runtime.postgres.pools import ConcurrentChangeError, Connection, Row, columns


async def load_context(
    connection: Connection, arriving: Sequence[ReportedFriction], *, now: datetime, reopen_window: timedelta
) -> PlacementContext:
    """Lock and return everything that the frictions in `arriving` can change.

    Raises:
        ConcurrentChangeError: an issue moved meanwhile; roll back and call again.
    """
    await journey_store.await_journeys(connection, [f.journey_id for f in arriving if f.journey_id], now)
    frictions = await _lock_frictions(connection, sorted({friction.id for friction in arriving}), now)
    homes = {placed.issue_id for placed in frictions.values() if placed.issue_id is not None}
    fingerprints = {friction.fingerprint for friction in arriving} | await _fingerprints_of(connection, homes)
    occurrences = await lock_fingerprints(connection, fingerprints)
    issues = await _lock_issues(connection, homes, fingerprints, since=now - reopen_window)
    if any(issue.fingerprint not in occurrences for issue in issues.values()):
        raise ConcurrentChangeError
    frictions |= await _frictions_on(connection, issues)
    journeys = await journey_store.find(connection, [f.journey_id for f in arriving if f.journey_id])
    return PlacementContext(frictions=frictions, issues=issues, occurrences=occurrences, journeys=journeys)


async def _lock_frictions(connection: Connection, ids: Sequence[str], now: datetime) -> dict[str, PlacedFriction]:
    await connection.execute(
        """
        INSERT INTO alerts.frictions (friction_id, revision, state, first_seen, updated_at)
        SELECT friction_id, 0, 'awaited', $2, $2 FROM unnest($1::text[]) AS friction_id
        ON CONFLICT DO NOTHING
        """,
        ids,
        now,
    )
    rows = await connection.fetch(
        """
        SELECT friction_id, issue_id, document FROM alerts.frictions
         WHERE friction_id = ANY($1) ORDER BY friction_id FOR UPDATE
        """,
        ids,
    )
    return {row["friction_id"]: _placed(row) for row in rows if row["document"] is not None}


def _placed(row: Row) -> PlacedFriction:
    return PlacedFriction(friction=read_friction(row["document"].encode()), issue_id=row["issue_id"])


async def _fingerprints_of(connection: Connection, issue_ids: Iterable[UUID]) -> set[str]:
    wanted = list(issue_ids)
    if not wanted:
        return set()
    rows = await connection.fetch("SELECT DISTINCT fingerprint FROM alerts.issues WHERE issue_id = ANY($1)", wanted)
    return {row["fingerprint"] for row in rows}


async def lock_fingerprints(connection: Connection, fingerprints: Iterable[str]) -> dict[str, int]:
    """Lock the rows of `fingerprints`, insert missing ones, and return how many issues each has had."""
    ordered = sorted(fingerprints)
    await connection.execute(
        "INSERT INTO alerts.fingerprints (fingerprint) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING", ordered
    )
    rows = await connection.fetch(
        """
        SELECT fingerprint, occurrences FROM alerts.fingerprints
         WHERE fingerprint = ANY($1) ORDER BY fingerprint FOR UPDATE
        """,
        ordered,
    )
    return {row["fingerprint"]: row["occurrences"] for row in rows}


async def _lock_issues(
    connection: Connection, issue_ids: Iterable[UUID], fingerprints: Iterable[str], *, since: datetime
) -> dict[UUID, Issue]:
    rows = await connection.fetch(
        """
        SELECT document FROM alerts.issues
         WHERE issue_id = ANY($1)
            OR fingerprint = ANY($2) AND (state <> 'resolved' OR merged_into IS NULL AND resolved_at >= $3)
         ORDER BY issue_id FOR UPDATE
        """,
        list(issue_ids),
        list(fingerprints),
        since,
    )
    issues = (decode_issue(row["document"]) for row in rows)
    return {issue.id: issue for issue in issues}


async def _frictions_on(connection: Connection, issue_ids: Iterable[UUID]) -> dict[str, PlacedFriction]:
    wanted = list(issue_ids)
    if not wanted:
        return {}
    rows = await connection.fetch(
        """
        SELECT friction_id, issue_id, document FROM alerts.frictions
         WHERE issue_id = ANY($1) AND document IS NOT NULL
        """,
        wanted,
    )
    return {row["friction_id"]: _placed(row) for row in rows}


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenIssue:
    """An unresolved issue under lock, with the frictions on it that stand."""

    issue: Issue
    standing: tuple[ReportedFriction, ...]


async def load_open_on_journeys(connection: Connection, journey_ids: Sequence[str]) -> list[OpenIssue]:
    """Lock and return the unresolved issues on these journeys, in the order of their ids.

    Raises:
        ConcurrentChangeError: an issue moved meanwhile; roll back and call again.
    """
    query = "SELECT issue_id, fingerprint FROM alerts.issues WHERE journey_id = ANY($1) AND state <> 'resolved'"
    rows = await connection.fetch(query, list(journey_ids))
    if not rows:
        return []
    occurrences = await lock_fingerprints(connection, {row["fingerprint"] for row in rows})
    locked = await connection.fetch(
        """
        SELECT document FROM alerts.issues WHERE issue_id = ANY($1) AND state <> 'resolved'
         ORDER BY issue_id FOR UPDATE
        """,
        [row["issue_id"] for row in rows],
    )
    issues = [decode_issue(row["document"]) for row in locked]
    if any(issue.fingerprint not in occurrences for issue in issues):
        raise ConcurrentChangeError
    standing: dict[UUID | None, list[ReportedFriction]] = {}
    for placed in (await _frictions_on(connection, [issue.id for issue in issues])).values():
        if placed.friction.stands:
            standing.setdefault(placed.issue_id, []).append(placed.friction)
    return [OpenIssue(issue=issue, standing=tuple(standing.get(issue.id, ()))) for issue in issues]


async def lock_issue(connection: Connection, issue_id: UUID) -> tuple[Issue, bool] | None:
    """Lock one issue for an action, and return whether a later issue of its fingerprint is unresolved; None: no issue.

    Raises:
        ConcurrentChangeError: it moved to another fingerprint meanwhile; roll back and call again.
    """
    fingerprints = await _fingerprints_of(connection, [issue_id])
    if not fingerprints:
        return None
    await lock_fingerprints(connection, fingerprints)
    document = await connection.fetchval("SELECT document FROM alerts.issues WHERE issue_id = $1 FOR UPDATE", issue_id)
    if document is None:  # deleted since: by hand, nothing of ours deletes issues
        return None
    issue = decode_issue(document)
    if issue.fingerprint not in fingerprints:
        raise ConcurrentChangeError
    superseded = await connection.fetchval(
        """
        SELECT EXISTS (
            SELECT FROM alerts.issues WHERE fingerprint = $1 AND state <> 'resolved' AND issue_id <> $2)
        """,
        issue.fingerprint,
        issue_id,
    )
    return issue, superseded


async def unresolved_issues(connection: Connection) -> AsyncIterator[Issue]:
    """Yield every unresolved issue, by its id, a thousand at a time; nothing is locked."""
    last = UUID(int=0)
    while True:
        rows = await connection.fetch(
            "SELECT issue_id, document FROM alerts.issues WHERE state <> 'resolved' AND issue_id > $1"
            " ORDER BY issue_id LIMIT 1000",
            last,
        )
        for row in rows:
            yield decode_issue(row["document"])
        if not rows:
            return
        last = rows[-1]["issue_id"]


async def save_placement(connection: Connection, plan: PlacementPlan, now: datetime) -> None:
    """Write where frictions were placed, and how many issues each fingerprint has had."""
    await _save_frictions(connection, plan.frictions, now)
    await save_occurrences(connection, plan.occurrences)


async def _save_frictions(connection: Connection, placed: Sequence[PlacedFriction], now: datetime) -> None:
    if not placed:
        return
    await connection.execute(
        """
        UPDATE alerts.frictions f
           SET revision = g.revision, state = g.state, issue_id = g.issue_id, document = g.document::json,
               updated_at = $6
          FROM unnest($1::text[], $2::bigint[], $3::text[], $4::uuid[], $5::text[])
               AS g (friction_id, revision, state, issue_id, document)
         WHERE f.friction_id = g.friction_id
        """,
        *columns(
            (
                p.friction.id,
                p.friction.revision,
                "detected" if p.friction.stands else "retracted",
                p.issue_id,
                p.friction.document,
            )
            for p in placed
        ),
        now,
    )


async def latest_of(connection: Connection, fingerprint: str, *, since: datetime) -> Issue | None:
    """Lock and return the latest issue of a fingerprint that is unresolved or was resolved `since`."""
    document = await connection.fetchval(
        """
        SELECT document FROM alerts.issues
         WHERE fingerprint = $1 AND (state <> 'resolved' OR resolved_at >= $2)
         ORDER BY occurrence DESC LIMIT 1 FOR UPDATE
        """,
        *(fingerprint, since),
    )
    return decode_issue(document) if document is not None else None


async def renew_priorities(connection: Connection) -> None:
    """Have the priorities of all unresolved issues made anew; the caller keeps their writers away."""
    await connection.execute(
        """
        UPDATE alerts.issues SET document = jsonb_set(document::jsonb, '{priority,next_at_s}', '0')::json
         WHERE state <> 'resolved' AND document ->> 'priority' IS NOT NULL
        """
    )


async def save_occurrences(connection: Connection, occurrences: Mapping[str, int]) -> None:
    """Write how many issues each fingerprint has had; their rows are locked."""
    if not occurrences:
        return
    await connection.execute(
        """
        UPDATE alerts.fingerprints f SET occurrences = g.occurrences
          FROM unnest($1::text[], $2::int[]) AS g (fingerprint, occurrences) WHERE f.fingerprint = g.fingerprint
        """,
        *columns(sorted(occurrences.items())),
    )


async def save_changes(connection: Connection, changes: Sequence[IssueChange]) -> None:
    """Write issues and their audit in the given order, which keeps fingerprints unique row by row."""
    if not changes:
        return
    await connection.execute(_SAVE_ISSUES, *columns(_columns(change.after) for change in changes))
    events = [
        (
            *(change.after.id, change.after.version, change.after.updated_at),
            *(event.actor, event.kind, encode_json(event.detail)),
        )
        for change in changes
        for event in change.events
    ]
    if not events:
        return
    await connection.execute(
        """
        INSERT INTO alerts.issue_events (issue_id, version, at, actor, kind, detail)
        SELECT issue_id, version, at, actor, kind, detail::json
          FROM unnest($1::uuid[], $2::bigint[], $3::timestamptz[], $4::text[], $5::text[], $6::text[])
               WITH ORDINALITY AS e (issue_id, version, at, actor, kind, detail, place)
         ORDER BY place
        """,
        *columns(events),
    )


_SEPARATOR = "\x1f"

_SAVE_ISSUES = """
INSERT INTO alerts.issues (
    issue_id, document, fingerprint, occurrence, version, state, severity, rules, customer_id, channel, count,
    last_at, opened_at, acknowledged_at, resolved_at, snoozed_until, merged_into, updated_at,
    unheard_since)
SELECT issue_id, document::json, fingerprint, occurrence, version, state, severity, string_to_array(rules, E'\\x1f'),
       customer_id, channel, count, last_at, opened_at, acknowledged_at, resolved_at, snoozed_until, merged_into,
       updated_at, unheard_since
  FROM unnest($1::uuid[], $2::text[], $3::text[], $4::int[], $5::bigint[], $6::text[], $7::text[], $8::text[],
              $9::text[], $10::text[], $11::int[], $12::timestamptz[], $13::timestamptz[], $14::timestamptz[],
              $15::timestamptz[], $16::timestamptz[], $17::uuid[], $18::timestamptz[], $19::timestamptz[])
       WITH ORDINALITY AS g (
           issue_id, document, fingerprint, occurrence, version, state, severity, rules, customer_id, channel, count,
           last_at, opened_at, acknowledged_at, resolved_at, snoozed_until, merged_into, updated_at,
           unheard_since, place)
 ORDER BY place
ON CONFLICT (issue_id) DO UPDATE SET
    document = excluded.document, fingerprint = excluded.fingerprint, occurrence = excluded.occurrence,
    version = excluded.version, state = excluded.state, severity = excluded.severity, rules = excluded.rules,
    customer_id = excluded.customer_id, channel = excluded.channel, count = excluded.count,
    last_at = excluded.last_at, opened_at = excluded.opened_at, acknowledged_at = excluded.acknowledged_at,
    resolved_at = excluded.resolved_at, snoozed_until = excluded.snoozed_until,
    merged_into = excluded.merged_into, updated_at = excluded.updated_at, unheard_since = excluded.unheard_since
"""


def _columns(issue: Issue) -> tuple[object, ...]:
    return (
        *(issue.id, encode_issue(issue), issue.fingerprint, issue.occurrence, issue.version, issue.state),
        *(issue.severity, _SEPARATOR.join(issue.rules), issue.customer_id, issue.channel, issue.count, issue.last_at),
        *(issue.opened_at, issue.acknowledged_at, issue.resolved_at, issue.snoozed_until, issue.merged_into),
        *(issue.updated_at, issue.unheard_since),
    )
