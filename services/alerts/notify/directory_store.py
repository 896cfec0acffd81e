"""Teams, endpoints with their secrets, and routes: whom there is to tell, and in which order routes are asked."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from services.alerts.deliver.retry import Health
from services.alerts.issues.json_columns import encode_json
from services.alerts.issues.model import Severity
from services.alerts.notify.routing import Directory, Reachable, Route
from services.runtime.postgres import Connection, Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """A name for the people behind some endpoints."""

    id: UUID
    name: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a team is reached. `disabled_reason` is by_hand, gone (it answered 410) or failing (for five days)."""

    id: UUID
    team_id: UUID | None
    name: str
    kind: str
    url: str
    catch_all: bool
    enabled: bool
    disabled_reason: str | None
    disabled_at: datetime | None
    max_in_flight: int
    health: Health
    last_success_at: datetime | None
    created_at: datetime
    updated_at: datetime

    @property
    def reachable(self) -> Reachable:
        """The endpoint as routing sees it."""
        return Reachable(
            id=self.id,
            team_id=self.team_id,
            catch_all=self.catch_all,
            name=self.name,
            enabled=self.enabled,
            disabled_reason=self.disabled_reason,
            disabled_at=self.disabled_at,
            health=self.health,
        )


class NameTakenError(Exception):
    """Another team has this name already."""


class _Matchers(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The `matchers` column of a route."""

    rules: tuple[str, ...] = ()
    min_severity: Severity = Severity.LOW
    service_levels: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()


class _RouteRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `routes`, as PostgreSQL writes it in JSON."""

    route_id: UUID
    name: str
    matchers: _Matchers
    endpoints: tuple[UUID, ...]
    teams: tuple[UUID, ...]
    continues: bool
    enabled: bool
    tells_nobody: bool


DIRECTORY = """
    coalesce((SELECT json_agg(json_build_object(
                'id', endpoint_id, 'team_id', team_id, 'catch_all', catch_all, 'name', name, 'enabled', enabled,
                'disabled_reason', disabled_reason, 'disabled_at', disabled_at,
                'health', json_build_object('consecutive_failures', consecutive_failures,
                                            'failing_since', failing_since, 'paused_until', paused_until))
                ORDER BY endpoint_id)
                FROM alerts.endpoints WHERE deleted_at IS NULL), '[]')::text AS endpoints,
    coalesce((SELECT json_object_agg(team_id, name) FROM alerts.teams), '{}')::text AS teams,
    coalesce((SELECT json_agg(r ORDER BY position, route_id) FROM alerts.routes r), '[]')::text AS routes,
    (SELECT max(version) FROM alerts.route_versions) AS version
"""
"""What a SELECT must hold for `read_directory`."""


async def directory(connection: Connection) -> Directory:
    """Return everybody and every route, as they stand in this transaction."""
    [found] = await connection.fetch(f"SELECT {DIRECTORY}")
    return read_directory(dict(found))


def read_directory(found: Mapping[str, Any]) -> Directory:
    """Return what a row with the columns `DIRECTORY` says."""
    reachable = msgspec.json.decode(found["endpoints"], type=list[Reachable])
    return Directory(
        routes=tuple(_route(row) for row in msgspec.json.decode(found["routes"], type=list[_RouteRow])),
        endpoints={endpoint.id: endpoint for endpoint in reachable},
        teams=msgspec.json.decode(found["teams"], type=dict[UUID, str]),
        version=found["version"],
    )


async def routes(connection: Connection) -> list[Route]:
    """Return the routes in the order in which they are asked."""
    rows: str = await connection.fetchval(
        "SELECT coalesce(json_agg(r ORDER BY position, route_id), '[]') FROM alerts.routes r"
    )
    return [_route(row) for row in msgspec.json.decode(rows, type=list[_RouteRow])]


def _route(row: _RouteRow) -> Route:
    return Route(
        id=row.route_id,
        name=row.name,
        rules=row.matchers.rules,
        min_severity=row.matchers.min_severity,
        service_levels=row.matchers.service_levels,
        channels=row.matchers.channels,
        reasons=row.matchers.reasons,
        endpoints=row.endpoints,
        teams=row.teams,
        continues=row.continues,
        enabled=row.enabled,
        tells_nobody=row.tells_nobody,
    )


async def replace_routes(
    connection: Connection, ordered: Sequence[Route], *, actor: str, change: str, now: datetime
) -> int:
    """Write the whole list, as a new version, and return its number."""
    await connection.execute("DELETE FROM alerts.routes")
    await connection.executemany(
        """
        INSERT INTO alerts.routes (
            route_id, position, name, matchers, endpoints, teams, continues, enabled, tells_nobody, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        """,
        [
            (
                *(route.id, position, route.name, encode_json(_matchers(route)), list(route.endpoints)),
                *(list(route.teams), route.continues, route.enabled, route.tells_nobody, now),
            )
            for position, route in enumerate(ordered)
        ],
    )
    version: int = await connection.fetchval(
        "INSERT INTO alerts.route_versions (at, actor, change, document) VALUES ($1, $2, $3, $4) RETURNING version",
        *(now, actor, change, encode_json(list(ordered))),
    )
    return version


async def lock_routes(connection: Connection) -> list[Route]:
    """Return the routes for a change: two administrators take turns."""
    await connection.execute("LOCK TABLE alerts.routes IN SHARE ROW EXCLUSIVE MODE")
    return await routes(connection)


def _matchers(route: Route) -> _Matchers:
    return _Matchers(
        rules=route.rules,
        min_severity=route.min_severity,
        service_levels=route.service_levels,
        channels=route.channels,
        reasons=route.reasons,
    )


async def teams(connection: Connection) -> list[Team]:
    """Return all teams by name."""
    rows = await connection.fetch("SELECT * FROM alerts.teams ORDER BY name")
    return [_team(row) for row in rows]


async def add_team(connection: Connection, team: Team) -> bool:
    """Write a new team; false where the name is taken."""
    status = await connection.execute(
        """
        INSERT INTO alerts.teams (team_id, name, created_at, updated_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT DO NOTHING
        """,
        *(team.id, team.name, team.created_at, team.updated_at),
    )
    return status == "INSERT 0 1"


async def rename_team(connection: Connection, team_id: UUID, name: str, now: datetime) -> Team | None:
    """Give a team another name; None where there is no such team.

    Raises:
        NameTakenError: another team has it; the transaction is at its end.
    """
    try:
        row = await connection.fetchrow(
            "UPDATE alerts.teams SET name = $2, updated_at = $3 WHERE team_id = $1 RETURNING *", team_id, name, now
        )
    except asyncpg.UniqueViolationError:
        raise NameTakenError from None
    return _team(row) if row else None


async def remove_team(connection: Connection, team_id: UUID) -> bool:
    """Delete a team that no endpoint and no route names; false where there is none to delete."""
    status = await connection.execute(
        """
        DELETE FROM alerts.teams t WHERE team_id = $1
           AND NOT EXISTS (SELECT FROM alerts.endpoints e WHERE e.team_id = t.team_id AND e.deleted_at IS NULL)
           AND NOT EXISTS (SELECT FROM alerts.routes r WHERE t.team_id = ANY(r.teams))
        """,
        team_id,
    )
    return status == "DELETE 1"


def _team(row: Row) -> Team:
    return Team(id=row["team_id"], name=row["name"], created_at=row["created_at"], updated_at=row["updated_at"])


async def endpoints(connection: Connection) -> list[Endpoint]:
    """Return all endpoints that are not deleted, the oldest first."""
    rows = await connection.fetch("SELECT * FROM alerts.endpoints WHERE deleted_at IS NULL ORDER BY endpoint_id")
    return [_endpoint(row) for row in rows]


async def endpoint(connection: Connection, endpoint_id: UUID) -> Endpoint | None:
    """Return one endpoint, locked for a change."""
    row = await connection.fetchrow(
        "SELECT * FROM alerts.endpoints WHERE endpoint_id = $1 AND deleted_at IS NULL FOR NO KEY UPDATE", endpoint_id
    )
    return _endpoint(row) if row else None


async def well(connection: Connection, endpoint_ids: Iterable[UUID], now: datetime) -> set[UUID]:
    """Return those for which one more success would change nothing worth writing.

    No failure is on record, the last success is new.
    """
    rows = await connection.fetch(
        """
        SELECT endpoint_id FROM alerts.endpoints
         WHERE endpoint_id = ANY($1) AND consecutive_failures = 0 AND failing_since IS NULL AND paused_until IS NULL
           AND last_success_at > $2::timestamptz - interval '1 minute'
        """,
        *(list(endpoint_ids), now),
    )
    return {row["endpoint_id"] for row in rows}


async def save_endpoint(connection: Connection, endpoint: Endpoint) -> None:
    """Write an endpoint, new or changed."""
    await connection.execute(
        """
        INSERT INTO alerts.endpoints (
            endpoint_id, team_id, name, kind, url, catch_all, enabled, disabled_reason, disabled_at, max_in_flight,
            consecutive_failures, failing_since, paused_until, last_success_at, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
        ON CONFLICT (endpoint_id) DO UPDATE SET
            team_id = excluded.team_id, name = excluded.name, url = excluded.url, catch_all = excluded.catch_all,
            enabled = excluded.enabled, disabled_reason = excluded.disabled_reason, disabled_at = excluded.disabled_at,
            max_in_flight = excluded.max_in_flight, consecutive_failures = excluded.consecutive_failures,
            failing_since = excluded.failing_since, paused_until = excluded.paused_until,
            last_success_at = excluded.last_success_at, updated_at = excluded.updated_at
        """,
        *(endpoint.id, endpoint.team_id, endpoint.name, endpoint.kind, endpoint.url, endpoint.catch_all),
        *(endpoint.enabled, endpoint.disabled_reason, endpoint.disabled_at, endpoint.max_in_flight),
        *(endpoint.health.consecutive_failures, endpoint.health.failing_since, endpoint.health.paused_until),
        *(endpoint.last_success_at, endpoint.created_at, endpoint.updated_at),
    )


async def remove_endpoint(connection: Connection, endpoint_id: UUID, now: datetime) -> bool:
    """Delete an endpoint: its row stays for the deliveries that name it, its secrets go."""
    status = await connection.execute(
        """
        UPDATE alerts.endpoints SET deleted_at = $2, enabled = false, team_id = NULL
         WHERE endpoint_id = $1 AND deleted_at IS NULL
        """,
        *(endpoint_id, now),
    )
    await connection.execute("DELETE FROM alerts.endpoint_secrets WHERE endpoint_id = $1", endpoint_id)
    return status == "UPDATE 1"


async def note(
    connection: Connection, endpoint_id: UUID, kind: str, *, actor: str, now: datetime, detail: Mapping[str, object]
) -> None:
    """Write a line of an endpoint's audit."""
    await connection.execute(
        "INSERT INTO alerts.endpoint_events (endpoint_id, at, actor, kind, detail) VALUES ($1, $2, $3, $4, $5)",
        *(endpoint_id, now, actor, kind, encode_json(detail)),
    )


def _endpoint(row: Row) -> Endpoint:
    return Endpoint(
        id=row["endpoint_id"],
        team_id=row["team_id"],
        name=row["name"],
        kind=row["kind"],
        url=row["url"],
        catch_all=row["catch_all"],
        enabled=row["enabled"],
        disabled_reason=row["disabled_reason"],
        disabled_at=row["disabled_at"],
        max_in_flight=row["max_in_flight"],
        health=Health(
            consecutive_failures=row["consecutive_failures"],
            failing_since=row["failing_since"],
            paused_until=row["paused_until"],
        ),
        last_success_at=row["last_success_at"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
