"""Reads the details of one issue for people: its frictions and its audit."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from services.alerts.issues.json_columns import decode_issue
from services.alerts.issues.model import Issue
from services.runtime.postgres.pools import Connection

FRICTIONS_SHOWN = 100


EVENTS_SHOWN = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueEventRow:
    """One entry of the audit of an issue."""

    version: int
    at: datetime
    actor: str
    kind: str
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class DetailCounts:
    """How many frictions, audit entries and deliveries an issue has."""

    evidence: int
    events: int
    deliveries: int


async def count_details(connection: Connection, issue_id: UUID) -> DetailCounts:
    """Count the frictions, the audit entries and the deliveries of an issue."""
    [row] = await connection.fetch(
        """
        SELECT (SELECT count(*) FROM alerts.frictions WHERE issue_id = $1 AND document IS NOT NULL) AS evidence,
               (SELECT count(*) FROM alerts.issue_events WHERE issue_id = $1) AS events,
               (SELECT count(*) FROM alerts.deliveries WHERE issue_id = $1) AS deliveries
        """,
        issue_id,
    )
    return DetailCounts(evidence=row["evidence"], events=row["events"], deliveries=row["deliveries"])


async def issue(connection: Connection, issue_id: UUID) -> Issue | None:
    """Return one issue, or None if there is none with this id."""
    document = await connection.fetchval("SELECT document FROM alerts.issues WHERE issue_id = $1", issue_id)
    return decode_issue(document) if document is not None else None


async def frictions(connection: Connection, issue_id: UUID) -> list[dict[str, Any]]:
    """Return the frictions of an issue as friction v1, retracted ones too, the latest first."""
    rows = await connection.fetch(
        """
        SELECT document FROM alerts.frictions WHERE issue_id = $1 AND document IS NOT NULL
         ORDER BY document ->> 'occurred_at' DESC, friction_id LIMIT $2
        """,
        *(issue_id, FRICTIONS_SHOWN),
    )
    return [msgspec.json.decode(row["document"]) for row in rows]


async def events(connection: Connection, issue_id: UUID) -> list[IssueEventRow]:
    """Return the audit of an issue, the latest entry first."""
    rows = await connection.fetch(
        """
        SELECT version, at, actor, kind, detail FROM alerts.issue_events
         WHERE issue_id = $1 ORDER BY id DESC LIMIT $2
        """,
        *(issue_id, EVENTS_SHOWN),
    )
    return [
        IssueEventRow(
            version=row["version"],
            at=row["at"],
            actor=row["actor"],
            kind=row["kind"],
            detail=msgspec.json.decode(row["detail"], type=dict[str, Any]),
        )
        for row in rows
    ]
