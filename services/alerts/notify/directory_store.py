"""The routing directory as the database keeps it: routes, endpoints as routing sees them, and names of teams.

Changes of endpoints are left to `deliver`, and those of teams to `admin`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from services.alerts.issues.json_columns import encode_json
from services.alerts.issues.model import AlertSeverity
from services.alerts.notify.routing import RoutedEndpoint, RoutingDirectory
from services.alerts.policy.tree import Route
from services.runtime.postgres.pools import Connection


class _Matchers(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The `matchers` column of a route."""

    rules: tuple[str, ...] = ()
    min_severity: AlertSeverity = AlertSeverity.LOW
    service_levels: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()


class _RouteRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `routes` in the JSON that PostgreSQL returns."""

    route_id: UUID
    name: str
    matchers: _Matchers
    endpoints: tuple[UUID, ...]
    teams: tuple[UUID, ...]
    continues: bool
    enabled: bool
    tells_nobody: bool


DIRECTORY_COLUMNS = """
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
"""The columns that `read_directory` needs."""


async def load_directory(connection: Connection) -> RoutingDirectory:
    """Return the directory as it is in this transaction."""
    [found] = await connection.fetch(f"SELECT {DIRECTORY_COLUMNS}")
    return read_directory(dict(found))


def read_directory(found: Mapping[str, Any]) -> RoutingDirectory:
    """Return the directory in a row with `DIRECTORY_COLUMNS`."""
    endpoints = msgspec.json.decode(found["endpoints"], type=list[RoutedEndpoint])
    return RoutingDirectory(
        routes=tuple(_route(row) for row in msgspec.json.decode(found["routes"], type=list[_RouteRow])),
        endpoints={endpoint.id: endpoint for endpoint in endpoints},
        teams=msgspec.json.decode(found["teams"], type=dict[UUID, str]),
        version=found["version"],
    )


async def list_routes(connection: Connection) -> list[Route]:
    """Return the routes in the order in which they are evaluated."""
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
    """Write the whole list of routes as a new version and return its number."""
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
    """Lock the list of routes for a change and return it; a second administrator waits."""
    await connection.execute("LOCK TABLE alerts.routes IN SHARE ROW EXCLUSIVE MODE")
    return await list_routes(connection)


def _matchers(route: Route) -> _Matchers:
    return _Matchers(
        rules=route.rules,
        min_severity=route.min_severity,
        service_levels=route.service_levels,
        channels=route.channels,
        reasons=route.reasons,
    )
