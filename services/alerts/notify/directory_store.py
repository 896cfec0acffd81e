"""The routing directory as the database keeps it: the policy, endpoints as routing sees them, and names of teams.

Changes of endpoints are left to `deliver`, and those of teams to `admin`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from services.alerts.hold.silence_store import SILENCE_COLUMNS, read_silences
from services.alerts.issues.json_columns import encode_json
from services.alerts.issues.model import AlertSeverity
from services.alerts.notify.routing import RoutedEndpoint, RoutingDirectory
from services.alerts.policy.alert_policy import AlertPolicy
from services.alerts.policy.escalation import Escalation
from services.alerts.policy.hours import NamedHours
from services.alerts.policy.inhibition import InhibitRule
from services.alerts.policy.matchers import Matcher
from services.alerts.policy.ownership import Ownership
from services.alerts.policy.service_levels import DEFAULT_LEVELS, ServiceLevels
from services.alerts.policy.tree import Route, RouteOptions
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
    label_matchers: tuple[Matcher, ...] = ()
    options: RouteOptions = RouteOptions()
    children: tuple[Route, ...] = ()


class _Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The row of `policy_settings` in the JSON that PostgreSQL returns."""

    root: RouteOptions = RouteOptions()
    inhibit_rules: tuple[InhibitRule, ...] = ()
    hours: tuple[NamedHours, ...] = ()
    escalations: tuple[Escalation, ...] = ()
    service_levels: ServiceLevels | None = None
    owners: tuple[Ownership, ...] | None = None


DIRECTORY_COLUMNS = f"""
    coalesce((SELECT json_agg(json_build_object(
                'id', endpoint_id, 'team_id', team_id, 'catch_all', catch_all, 'name', name, 'enabled', enabled,
                'disabled_reason', disabled_reason, 'disabled_at', disabled_at,
                'health', json_build_object('consecutive_failures', consecutive_failures,
                                            'failing_since', failing_since, 'paused_until', paused_until))
                ORDER BY endpoint_id)
                FROM alerts.endpoints WHERE deleted_at IS NULL), '[]')::text AS endpoints,
    coalesce((SELECT json_object_agg(team_id, name) FROM alerts.teams), '{{}}')::text AS teams,
    coalesce((SELECT json_agg(r ORDER BY position, route_id) FROM alerts.routes r), '[]')::text AS routes,
    coalesce((SELECT row_to_json(s) FROM alerts.policy_settings s)::text, '{{}}') AS settings,
    {SILENCE_COLUMNS},
    (SELECT max(version) FROM alerts.route_versions) AS version
"""  # noqa: S608  made of constants of ours alone
"""The columns that `read_directory` needs."""

POLICY_LOCK = 7_405_142_027
"""Writers of issues share this lock, and a new policy takes it alone: what follows from both is then of one policy."""


async def share_policy(connection: Connection) -> None:
    """Keep the policy as it is until this transaction ends."""
    await connection.execute("SELECT pg_advisory_xact_lock_shared($1)", POLICY_LOCK)


async def lock_policy(connection: Connection) -> None:
    """Wait for the writers of issues and keep them away until this transaction ends; take it before any other lock."""
    await connection.execute("SELECT pg_advisory_xact_lock($1)", POLICY_LOCK)


async def load_directory(connection: Connection) -> RoutingDirectory:
    """Return the directory as it is in this transaction."""
    [found] = await connection.fetch(f"SELECT {DIRECTORY_COLUMNS}")
    return read_directory(dict(found))


def read_directory(found: Mapping[str, Any]) -> RoutingDirectory:
    """Return the directory in a row with `DIRECTORY_COLUMNS`."""
    endpoints = msgspec.json.decode(found["endpoints"], type=list[RoutedEndpoint])
    settings = msgspec.json.decode(found["settings"], type=_Settings)
    return RoutingDirectory(
        routes=tuple(_route(row) for row in msgspec.json.decode(found["routes"], type=list[_RouteRow])),
        endpoints={endpoint.id: endpoint for endpoint in endpoints},
        teams=msgspec.json.decode(found["teams"], type=dict[UUID, str]),
        version=found["version"],
        root=settings.root,
        inhibit_rules=settings.inhibit_rules,
        hours=settings.hours,
        escalations=settings.escalations,
        levels=settings.service_levels or DEFAULT_LEVELS,
        ownerships=settings.owners or (),
        silences=read_silences(found["silences"]),
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
        matchers=row.label_matchers,
        endpoints=row.endpoints,
        teams=row.teams,
        continues=row.continues,
        enabled=row.enabled,
        tells_nobody=row.tells_nobody,
        options=row.options,
        routes=row.children,
    )


async def replace_routes(
    connection: Connection, ordered: Sequence[Route], *, actor: str, change: str, now: datetime
) -> int:
    """Write the whole list of routes as a new version and return its number; the rest of the policy stays."""
    await _write_routes(connection, ordered, now)
    return await _write_version(connection, ordered, actor=actor, change=change, now=now)


async def replace_policy(
    connection: Connection, policy: AlertPolicy, *, actor: str, change: str, now: datetime, note: str = ""
) -> int:
    """Write the whole policy as a new version and return its number."""
    await _write_routes(connection, policy.routes, now)
    await connection.execute(
        """
        UPDATE alerts.policy_settings
           SET root = $1, inhibit_rules = $2, hours = $3, escalations = $4, service_levels = $5, owners = $6
        """,
        *(encode_json(policy.root), encode_json(policy.inhibit_rules), encode_json(policy.hours)),
        *(encode_json(policy.escalations), encode_json(policy.levels), encode_json(policy.ownerships)),
    )
    return await _write_version(connection, policy.routes, actor=actor, change=change, now=now, note=note)


async def _write_routes(connection: Connection, ordered: Sequence[Route], now: datetime) -> None:
    await connection.execute("DELETE FROM alerts.routes")
    await connection.executemany(
        """
        INSERT INTO alerts.routes (route_id, position, name, matchers, endpoints, teams, continues, enabled,
                                   tells_nobody, updated_at, label_matchers, options, children)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
        """,
        [
            (
                *(route.id, position, route.name, encode_json(_matchers(route)), list(route.endpoints)),
                *(list(route.teams), route.continues, route.enabled, route.tells_nobody, now),
                *(encode_json(route.matchers), encode_json(route.options), encode_json(route.routes)),
            )
            for position, route in enumerate(ordered)
        ],
    )


async def _write_version(
    connection: Connection, ordered: Sequence[Route], *, actor: str, change: str, now: datetime, note: str = ""
) -> int:
    version: int = await connection.fetchval(
        """
        INSERT INTO alerts.route_versions (at, actor, change, document, settings, note)
        VALUES ($1, $2, $3, $4, (SELECT row_to_json(s) FROM alerts.policy_settings s), $5) RETURNING version
        """,
        *(now, actor, change, encode_json(list(ordered)), note),
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
