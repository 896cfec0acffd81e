"""What receivers call their message about an issue (a Slack `ts`, a ticket), so that later messages can change it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec

from services.runtime.postgres.pools import Connection, columns


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueReference:
    """What one endpoint calls one issue; without a `reference` it no longer knows it."""

    endpoint_id: UUID
    issue_id: UUID
    reference: Mapping[str, str] | None


async def of_pairs(
    connection: Connection, pairs: Iterable[tuple[UUID, UUID]]
) -> dict[tuple[UUID, UUID], Mapping[str, str]]:
    """Return the references of pairs of endpoint and issue, as far as there are any."""
    wanted = list(pairs)
    if not wanted:
        return {}
    rows = await connection.fetch(
        """
        SELECT r.endpoint_id, r.issue_id, r.reference FROM alerts.endpoint_references r
          JOIN unnest($1::uuid[], $2::uuid[]) AS p (endpoint_id, issue_id) USING (endpoint_id, issue_id)
        """,
        *columns(wanted),
    )
    return {
        (row["endpoint_id"], row["issue_id"]): msgspec.json.decode(row["reference"], type=dict[str, str])
        for row in rows
    }


async def write(connection: Connection, changes: Sequence[IssueReference], now: datetime) -> None:
    """Write references and delete those that are no longer known; the last change of a pair counts."""
    last = {(change.endpoint_id, change.issue_id): change.reference for change in changes}
    kept = [
        (*pair, msgspec.json.encode(reference).decode()) for pair, reference in last.items() if reference is not None
    ]
    gone = [pair for pair, reference in last.items() if reference is None]
    if kept:
        await connection.execute(
            """
            INSERT INTO alerts.endpoint_references (endpoint_id, issue_id, reference, updated_at)
            SELECT endpoint_id, issue_id, reference, $4
              FROM unnest($1::uuid[], $2::uuid[], $3::json[]) AS r (endpoint_id, issue_id, reference)
                ON CONFLICT (endpoint_id, issue_id) DO UPDATE
               SET reference = excluded.reference, updated_at = excluded.updated_at
            """,
            *(*columns(sorted(kept)), now),
        )
    if gone:
        await connection.execute(
            """
            DELETE FROM alerts.endpoint_references r
             USING unnest($1::uuid[], $2::uuid[]) AS g (endpoint_id, issue_id)
             WHERE r.endpoint_id = g.endpoint_id AND r.issue_id = g.issue_id
            """,
            *columns(sorted(gone)),
        )
