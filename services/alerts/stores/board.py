"""What a decision about issues needs, under lock, and what it wrote: frictions, fingerprints, issues, their audit.

Lock order: frictions (by id), fingerprints (sorted), issues (by id). A fingerprint's row is locked by whoever decides
about its issues, so two processes can never both find none and both open one.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from services.alerts.domain.placing import Board
from services.alerts.domain.values import Change, Issue, Placed
from services.alerts.stores.documents import decode_issue, encode_issue, encode_json
from services.alerts.wire import read_friction
from services.runtime.postgres import Connection, Row


class WidenedError(Exception):
    """An issue moved to another fingerprint before it could be locked: start over."""


async def load(
    connection: Connection,
    friction_ids: Iterable[str],
    arriving: Iterable[str],
    *,
    now: datetime,
    reopen_window: timedelta,
) -> Board:
    """Lock and return everything that can be touched by frictions with these ids, `arriving` with these fingerprints.

    Raises:
        WidenedError: the set changed under our hands; roll back and call again.
    """
    frictions = await _lock_frictions(connection, sorted(set(friction_ids)), now)
    homes = {placed.issue_id for placed in frictions.values() if placed.issue_id is not None}
    fingerprints = set(arriving) | await _fingerprints_of(connection, homes)
    occurrences = await lock_fingerprints(connection, fingerprints)
    issues = await _lock_issues(connection, homes, fingerprints, since=now - reopen_window)
    if any(issue.fingerprint not in occurrences for issue in issues.values()):
        raise WidenedError
    frictions |= await _frictions_on(connection, issues)
    return Board(frictions=frictions, issues=issues, occurrences=occurrences)


async def _lock_frictions(connection: Connection, ids: Sequence[str], now: datetime) -> dict[str, Placed]:
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


def _placed(row: Row) -> Placed:
    return Placed(friction=read_friction(row["document"].encode()), issue_id=row["issue_id"])


async def _fingerprints_of(connection: Connection, issue_ids: Iterable[UUID]) -> set[str]:
    wanted = list(issue_ids)
    if not wanted:
        return set()
    rows = await connection.fetch("SELECT DISTINCT fingerprint FROM alerts.issues WHERE issue_id = ANY($1)", wanted)
    return {row["fingerprint"] for row in rows}


async def lock_fingerprints(connection: Connection, fingerprints: Iterable[str]) -> dict[str, int]:
    """Lock the rows of `fingerprints`, making those that are missing, and return how many issues each has had."""
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


async def _frictions_on(connection: Connection, issue_ids: Iterable[UUID]) -> dict[str, Placed]:
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


async def lock_issue(connection: Connection, issue_id: UUID) -> tuple[Issue, bool] | None:
    """Lock one issue for a person's action; the flag says whether a later issue of its fingerprint is unresolved.

    Raises:
        WidenedError: it moved to another fingerprint meanwhile; roll back and call again.
    """
    fingerprints = await _fingerprints_of(connection, [issue_id])
    if not fingerprints:
        return None
    await lock_fingerprints(connection, fingerprints)
    document = await connection.fetchval("SELECT document FROM alerts.issues WHERE issue_id = $1 FOR UPDATE", issue_id)
    issue = decode_issue(document)
    if issue.fingerprint not in fingerprints:
        raise WidenedError
    superseded = await connection.fetchval(
        """
        SELECT EXISTS (
            SELECT FROM alerts.issues WHERE fingerprint = $1 AND state <> 'resolved' AND issue_id <> $2)
        """,
        issue.fingerprint,
        issue_id,
    )
    return issue, superseded


async def save_frictions(
    connection: Connection, placed: Sequence[Placed], documents: Mapping[tuple[str, int], str], now: datetime
) -> None:
    """Write frictions with their issues; `documents` holds friction v1 by id and revision."""
    await connection.executemany(
        """
        UPDATE alerts.frictions SET revision = $2, state = $3, issue_id = $4, document = $5, updated_at = $6
         WHERE friction_id = $1
        """,
        [
            (
                p.friction.id,
                p.friction.revision,
                "detected" if p.friction.stands else "retracted",
                p.issue_id,
                documents[p.friction.id, p.friction.revision],
                now,
            )
            for p in placed
        ],
    )


async def save_occurrences(connection: Connection, occurrences: Mapping[str, int]) -> None:
    """Write how many issues each fingerprint has had."""
    if not occurrences:
        return
    await connection.executemany(
        "UPDATE alerts.fingerprints SET occurrences = $2 WHERE fingerprint = $1", sorted(occurrences.items())
    )


async def save_changes(connection: Connection, changes: Sequence[Change]) -> None:
    """Write issues, one after the other in the given order (it keeps fingerprints unique), and their audit."""
    await connection.executemany(
        """
        INSERT INTO alerts.issues (
            issue_id, document, fingerprint, occurrence, version, state, severity, rules, customer_id, channel, count,
            last_at, opened_at, acknowledged_at, resolved_at, snoozed_until, merged_into, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
        ON CONFLICT (issue_id) DO UPDATE SET
            document = excluded.document, fingerprint = excluded.fingerprint, occurrence = excluded.occurrence,
            version = excluded.version, state = excluded.state, severity = excluded.severity, rules = excluded.rules,
            customer_id = excluded.customer_id, channel = excluded.channel, count = excluded.count,
            last_at = excluded.last_at, opened_at = excluded.opened_at, acknowledged_at = excluded.acknowledged_at,
            resolved_at = excluded.resolved_at, snoozed_until = excluded.snoozed_until,
            merged_into = excluded.merged_into, updated_at = excluded.updated_at
        """,
        [_columns(change.after) for change in changes],
    )
    await connection.executemany(
        """
        INSERT INTO alerts.issue_events (issue_id, version, at, actor, kind, detail) VALUES ($1, $2, $3, $4, $5, $6)
        """,
        [
            (
                *(change.after.id, change.after.version, change.after.updated_at),
                *(event.actor, event.kind, encode_json(event.detail)),
            )
            for change in changes
            for event in change.events
        ],
    )


def _columns(issue: Issue) -> tuple[object, ...]:
    return (
        *(issue.id, encode_issue(issue), issue.fingerprint, issue.occurrence, issue.version, issue.state),
        *(issue.severity, list(issue.rules), issue.customer_id, issue.channel, issue.count, issue.last_at),
        *(issue.opened_at, issue.acknowledged_at, issue.resolved_at, issue.snoozed_until, issue.merged_into),
        issue.updated_at,
    )
