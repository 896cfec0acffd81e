"""The signing secrets of endpoints as the database keeps them. Deriving and using them is left to `signing`."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from services.runtime.postgres.pools import Connection, Row


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretMaterial:
    """One secret of an endpoint, valid until `expires_at`; without a `master_key` the material is the secret.

    `asymmetric` says that its endpoint wants signatures by `v1a` beside those by `v1`.
    """

    id: UUID
    endpoint_id: UUID
    material: bytes = field(repr=False)
    master_key: str | None
    created_at: datetime
    expires_at: datetime | None = None
    asymmetric: bool = False


async def of_endpoints(
    connection: Connection, endpoint_ids: Iterable[UUID], now: datetime
) -> dict[UUID, list[SecretMaterial]]:
    """Return the secrets that are valid `now`, by endpoint, the newest first."""
    rows = await connection.fetch(
        """
        SELECT s.secret_id, s.endpoint_id, s.material, s.master_key, s.created_at, s.expires_at,
               coalesce((e.options->>'asymmetric')::boolean, false) AS asymmetric
          FROM alerts.endpoint_secrets s JOIN alerts.endpoints e USING (endpoint_id)
         WHERE s.endpoint_id = ANY($1) AND (s.expires_at IS NULL OR s.expires_at > $2)
         ORDER BY s.created_at DESC, s.secret_id DESC
        """,
        *(list(endpoint_ids), now),
    )
    found: dict[UUID, list[SecretMaterial]] = {}
    for row in rows:
        found.setdefault(row["endpoint_id"], []).append(_secret(row))
    return found


async def of_endpoint(connection: Connection, endpoint_id: UUID, now: datetime) -> list[SecretMaterial]:
    """Return the secrets of one endpoint that are valid `now`, the newest first."""
    return (await of_endpoints(connection, [endpoint_id], now)).get(endpoint_id, [])


def _secret(row: Row) -> SecretMaterial:
    return SecretMaterial(
        id=row["secret_id"],
        endpoint_id=row["endpoint_id"],
        material=row["material"],
        master_key=row["master_key"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        asymmetric=row["asymmetric"],
    )


async def rotate(connection: Connection, fresh: SecretMaterial, *, overlap_until: datetime, most_old: int) -> None:
    """Write a new secret; the `most_old` newest secrets before it stay valid until `overlap_until`.

    Older secrets and expired ones are deleted.
    """
    await connection.execute(
        """
        DELETE FROM alerts.endpoint_secrets s
         WHERE endpoint_id = $1 AND (expires_at <= $2 OR secret_id NOT IN (
             SELECT secret_id FROM alerts.endpoint_secrets
              WHERE endpoint_id = $1 ORDER BY created_at DESC, secret_id DESC LIMIT $3))
        """,
        *(fresh.endpoint_id, fresh.created_at, most_old),
    )
    await connection.execute(
        """
        UPDATE alerts.endpoint_secrets SET expires_at = least(expires_at, $2) WHERE endpoint_id = $1
        """,
        *(fresh.endpoint_id, overlap_until),
    )
    await connection.execute(
        """
        INSERT INTO alerts.endpoint_secrets (secret_id, endpoint_id, material, master_key, created_at)
        VALUES ($1, $2, $3, $4, $5)
        """,
        *(fresh.id, fresh.endpoint_id, fresh.material, fresh.master_key, fresh.created_at),
    )
