"""Teams as the database keeps them."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from services.runtime.postgres.pools import Connection, Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """A team: a name for the people behind some endpoints."""

    id: UUID
    name: str
    created_at: datetime
    updated_at: datetime


class NameTakenError(Exception):
    """Another team has this name already."""


async def list_teams(connection: Connection) -> list[Team]:
    """Return all teams, ordered by name."""
    rows = await connection.fetch("SELECT * FROM alerts.teams ORDER BY name")
    return [_team(row) for row in rows]


async def add_team(connection: Connection, team: Team) -> bool:
    """Insert a team; return false if another team has the name."""
    status = await connection.execute(
        """
        INSERT INTO alerts.teams (team_id, name, created_at, updated_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT DO NOTHING
        """,
        *(team.id, team.name, team.created_at, team.updated_at),
    )
    return status == "INSERT 0 1"


async def rename_team(connection: Connection, team_id: UUID, name: str, now: datetime) -> Team | None:
    """Rename a team; return None if there is no such team.

    Raises:
        NameTakenError: another team has it; the transaction is aborted then.
    """
    try:
        row = await connection.fetchrow(
            "UPDATE alerts.teams SET name = $2, updated_at = $3 WHERE team_id = $1 RETURNING *", team_id, name, now
        )
    except asyncpg.UniqueViolationError:
        raise NameTakenError from None
    return _team(row) if row else None


async def remove_team(connection: Connection, team_id: UUID) -> bool:
    """Delete a team that no endpoint, no route and no rule of ownership names; return whether one was deleted."""
    status = await connection.execute(
        """
        DELETE FROM alerts.teams t WHERE team_id = $1
           AND NOT EXISTS (SELECT FROM alerts.endpoints e WHERE e.team_id = t.team_id AND e.deleted_at IS NULL)
           AND NOT EXISTS (SELECT FROM alerts.routes r WHERE t.team_id = ANY(r.teams)
                              OR r.children::text LIKE '%' || t.team_id || '%')
           AND NOT EXISTS (SELECT FROM alerts.policy_settings s WHERE s.owners::text LIKE '%' || t.team_id || '%')
        """,
        team_id,
    )
    return status == "DELETE 1"


def _team(row: Row) -> Team:
    return Team(id=row["team_id"], name=row["name"], created_at=row["created_at"], updated_at=row["updated_at"])
