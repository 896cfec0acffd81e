"""Groups as the database keeps them: issues join, a flush takes those that are due and writes what it decided.

Lock order: issues, then groups. A flush locks groups and only reads issues. Whoever reopens an issue joins its group
anew, which waits for a flush that may just be letting the issue go.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from services.alerts.hold.grouping import GroupRecord
from services.alerts.hold.groups import AlertGroup, FlushPlan, GroupJoin
from services.alerts.issues.json_columns import decode_issue, encode_json
from services.alerts.issues.model import Issue
from services.runtime.postgres.pools import Connection, Row, columns

MemberKey = tuple[UUID, UUID, str]
"""An issue, a route and the key of a group on it."""


async def memberships(connection: Connection, issues: Sequence[UUID]) -> dict[MemberKey, UUID]:
    """Return the groups that these issues are in."""
    if not issues:
        return {}
    rows = await connection.fetch(
        """
        SELECT m.issue_id, g.route_id, g.key, g.group_id
          FROM alerts.group_members m JOIN alerts.groups g USING (group_id)
         WHERE m.issue_id = ANY($1)
        """,
        list(issues),
    )
    return {(row["issue_id"], row["route_id"], row["key"]): row["group_id"] for row in rows}


async def join(connection: Connection, joins: Sequence[GroupJoin], new_id: Callable[[], UUID], now: datetime) -> None:
    """Put issues into their groups, which are made where there are none."""
    if not joins:
        return
    groups: dict[tuple[UUID, str], GroupJoin] = {}
    for one in joins:
        known = groups.get((one.route_id, one.key))
        if known is None or one.flush_at < known.flush_at:
            groups[one.route_id, one.key] = one
    urgent = {(one.route_id, one.key) for one in joins if one.urgent}
    await connection.execute(
        """
        INSERT INTO alerts.groups AS g (group_id, route_id, key, labels, created_at, next_flush_at)
        SELECT id, route_id, key, labels::json, $6, flush_at
          FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::timestamptz[], $7::boolean[])
               AS n (id, route_id, key, labels, flush_at, urgent) ORDER BY route_id, key
        ON CONFLICT (route_id, key) DO UPDATE SET next_flush_at = CASE
            WHEN (excluded.route_id, excluded.key) IN (SELECT * FROM unnest($8::uuid[], $9::text[]))
            THEN least(g.next_flush_at, excluded.next_flush_at) ELSE g.next_flush_at END
        """,
        *columns(
            (new_id(), one.route_id, one.key, encode_json(one.labels), one.flush_at)
            for one in (groups[key] for key in sorted(groups))
        ),
        now,
        [key in urgent for key in sorted(groups)],
        [route_id for route_id, _ in sorted(urgent)],
        [key for _, key in sorted(urgent)],
    )
    await connection.execute(
        """
        INSERT INTO alerts.group_members (group_id, issue_id, added_at)
        SELECT g.group_id, n.issue_id, $4
          FROM unnest($1::uuid[], $2::text[], $3::uuid[]) AS n (route_id, key, issue_id)
          JOIN alerts.groups g USING (route_id, key)
        ON CONFLICT DO NOTHING
        """,
        *columns((one.route_id, one.key, one.issue_id) for one in joins),
        now,
    )


async def leave(connection: Connection, members: Iterable[tuple[UUID, UUID]]) -> None:
    """Take issues out of groups: pairs of group and issue."""
    if gone := sorted(members):
        await connection.execute(
            """
            DELETE FROM alerts.group_members m USING unnest($1::uuid[], $2::uuid[]) AS g (group_id, issue_id)
             WHERE m.group_id = g.group_id AND m.issue_id = g.issue_id
            """,
            *columns(gone),
        )


async def take_due(connection: Connection, now: datetime, limit: int) -> list[AlertGroup]:
    """Lock and return groups that are due, the longest due first; those that another replica flushes are left out."""
    rows = await connection.fetch(
        """
        SELECT * FROM alerts.groups WHERE next_flush_at <= $1
         ORDER BY next_flush_at LIMIT $2 FOR UPDATE SKIP LOCKED
        """,
        *(now, limit),
    )
    return [_group(row) for row in rows]


def _group(row: Row) -> AlertGroup:
    told = None
    if row["told_at"] is not None:
        told = GroupRecord(
            firing=frozenset(row["firing"]),
            resolved=frozenset(row["resolved"]),
            at=row["told_at"],
            repeats=row["repeats"],
        )
    return AlertGroup(
        id=row["group_id"],
        route_id=row["route_id"],
        key=row["key"],
        labels=msgspec.json.decode(row["labels"], type=dict[str, str]),
        told=told,
        sequence=row["sequence"],
        endpoints=tuple(row["endpoints"]),
    )


async def members_of(connection: Connection, groups: Sequence[UUID]) -> Mapping[UUID, list[Issue]]:
    """Return the issues of these groups as they are now, the oldest first."""
    rows = await connection.fetch(
        """
        SELECT m.group_id, i.document FROM alerts.group_members m JOIN alerts.issues i USING (issue_id)
         WHERE m.group_id = ANY($1) ORDER BY i.opened_at, i.issue_id
        """,
        list(groups),
    )
    found: dict[UUID, list[Issue]] = {group: [] for group in groups}
    for row in rows:
        found[row["group_id"]].append(decode_issue(row["document"]))
    return found


async def save_flush(
    connection: Connection, group: AlertGroup, plan: FlushPlan, *, sequence: int, endpoints: Sequence[UUID]
) -> None:
    """Write what a flush of a locked group decided; an empty group is deleted."""
    if plan.next_flush_at is None:
        await delete(connection, group.id)
        return
    await leave(connection, [(group.id, issue_id) for issue_id in plan.leaving])
    told = plan.told
    await connection.execute(
        """
        UPDATE alerts.groups SET next_flush_at = $2, firing = $3, resolved = $4, told_at = $5, repeats = $6,
               sequence = $7, endpoints = $8
         WHERE group_id = $1
        """,
        *(group.id, plan.next_flush_at, sorted(told.firing) if told else [], sorted(told.resolved) if told else []),
        *(told.at if told else None, told.repeats if told else 0, sequence, list(endpoints)),
    )


async def delete(connection: Connection, group_id: UUID) -> None:
    """Delete a group with its members."""
    await connection.execute("DELETE FROM alerts.groups WHERE group_id = $1", group_id)


async def groups_of(connection: Connection, issue_id: UUID) -> list[tuple[AlertGroup, datetime]]:
    """Return the groups that an issue is in, and when each is looked at next."""
    rows = await connection.fetch(
        """
        SELECT g.* FROM alerts.group_members m JOIN alerts.groups g USING (group_id)
         WHERE m.issue_id = $1 ORDER BY g.created_at
        """,
        issue_id,
    )
    return [(_group(row), row["next_flush_at"]) for row in rows]
