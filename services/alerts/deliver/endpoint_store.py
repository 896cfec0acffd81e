"""Endpoints as the database keeps them: their address, their health, and the audit of their changes.

Teams are left to `admin`, routes to `notify`, and signing secrets to `webhook`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import msgspec

from services.alerts.deliver.retry import EndpointHealth
from services.alerts.issues.json_columns import encode_json
from services.runtime.postgres.pools import Connection, Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """An address where a team is reached.

    `disabled_reason` is by_hand, gone (it answered 410) or failing (for five days).
    """

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
    health: EndpointHealth
    last_success_at: datetime | None
    created_at: datetime
    updated_at: datetime
    rate_per_minute: int | None = None
    """Most messages in a minute, over all replicas; None for no limit."""
    coalesces: bool = False
    """Of several waiting messages about an issue only the newest is sent."""
    options: Mapping[str, object] = field(default_factory=dict)
    """The options of its kind; none of them is secret."""


async def list_endpoints(connection: Connection) -> list[Endpoint]:
    """Return all endpoints that are not deleted, the oldest first."""
    rows = await connection.fetch("SELECT * FROM alerts.endpoints WHERE deleted_at IS NULL ORDER BY endpoint_id")
    return [_endpoint(row) for row in rows]


async def find_endpoint(connection: Connection, endpoint_id: UUID) -> Endpoint | None:
    """Return one endpoint and lock its row for a change; None if there is none."""
    row = await connection.fetchrow(
        "SELECT * FROM alerts.endpoints WHERE endpoint_id = $1 AND deleted_at IS NULL FOR NO KEY UPDATE", endpoint_id
    )
    return _endpoint(row) if row else None


async def details_of(connection: Connection, endpoint_ids: Iterable[UUID]) -> dict[UUID, tuple[str, str]]:
    """Return the name and the options, as JSON, of endpoints."""
    rows = await connection.fetch(
        "SELECT endpoint_id, name, options FROM alerts.endpoints WHERE endpoint_id = ANY($1)", list(endpoint_ids)
    )
    return {row["endpoint_id"]: (row["name"], row["options"]) for row in rows}


async def recently_healthy(connection: Connection, endpoint_ids: Iterable[UUID], now: datetime) -> set[UUID]:
    """Return the endpoints without a recorded failure whose last success is less than a minute old.

    One more success of these changes nothing that is worth a write.
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
    """Insert an endpoint, or update it if it exists."""
    await connection.execute(
        """
        INSERT INTO alerts.endpoints (
            endpoint_id, team_id, name, kind, url, catch_all, enabled, disabled_reason, disabled_at, max_in_flight,
            consecutive_failures, failing_since, paused_until, last_success_at, created_at, updated_at, options,
            rate_per_minute, coalesces)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
        ON CONFLICT (endpoint_id) DO UPDATE SET
            team_id = excluded.team_id, name = excluded.name, url = excluded.url, catch_all = excluded.catch_all,
            enabled = excluded.enabled, disabled_reason = excluded.disabled_reason, disabled_at = excluded.disabled_at,
            max_in_flight = excluded.max_in_flight, consecutive_failures = excluded.consecutive_failures,
            failing_since = excluded.failing_since, paused_until = excluded.paused_until,
            last_success_at = excluded.last_success_at, updated_at = excluded.updated_at, options = excluded.options,
            rate_per_minute = excluded.rate_per_minute, coalesces = excluded.coalesces
        """,
        *(
            endpoint.id,
            endpoint.team_id,
            endpoint.name,
            endpoint.kind,
            endpoint.url,
            endpoint.catch_all,
        ),
        *(endpoint.enabled, endpoint.disabled_reason, endpoint.disabled_at, endpoint.max_in_flight),
        *(
            endpoint.health.consecutive_failures,
            endpoint.health.failing_since,
            endpoint.health.paused_until,
        ),
        *(endpoint.last_success_at, endpoint.created_at, endpoint.updated_at, encode_json(endpoint.options)),
        *(endpoint.rate_per_minute, endpoint.coalesces),
    )


async def remove_endpoint(connection: Connection, endpoint_id: UUID, now: datetime) -> bool:
    """Delete an endpoint and its secrets, of both sorts; its row stays for the deliveries that refer to it."""
    status = await connection.execute(
        """
        UPDATE alerts.endpoints SET deleted_at = $2, enabled = false, team_id = NULL
         WHERE endpoint_id = $1 AND deleted_at IS NULL
        """,
        *(endpoint_id, now),
    )
    for table in ("endpoint_secrets", "endpoint_credentials", "endpoint_references"):
        await connection.execute(f"DELETE FROM alerts.{table} WHERE endpoint_id = $1", endpoint_id)  # noqa: S608  made of the names above
    return status == "UPDATE 1"


async def add_event(
    connection: Connection, endpoint_id: UUID, kind: str, *, actor: str, now: datetime, detail: Mapping[str, object]
) -> None:
    """Add an entry to the audit of an endpoint."""
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
        health=EndpointHealth(
            consecutive_failures=row["consecutive_failures"],
            failing_since=row["failing_since"],
            paused_until=row["paused_until"],
        ),
        last_success_at=row["last_success_at"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        options=msgspec.json.decode(row["options"]),
        rate_per_minute=row["rate_per_minute"],
        coalesces=row["coalesces"],
    )
