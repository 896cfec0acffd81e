"""The credentials that vendors gave us (tokens, keys, passwords, secret addresses), sealed in the database.

Each is sealed by `services.runtime.credentials.sealing` under a master key of the settings and bound to its endpoint
and name, so a row that is copied elsewhere opens nothing, and a copy of the database opens nothing at all. Without a
master key none is stored. `reseal` seals them anew under the first key, so that an old one can be taken away.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from services.runtime.credentials.sealing import CannotUnsealError, SealedSecret, SecretSealer
from services.runtime.postgres.pools import Connection

NONCE_BYTES = 12

RandomBytes = Callable[[int], bytes]


class NoMasterKeyError(Exception):
    """There is no master key to seal a credential with, and none is stored as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialNote:
    """What may be shown of a credential: its name, when it was set, and the name of the master key that seals it."""

    name: str
    set_at: datetime
    master_key: str


def _owner(endpoint_id: UUID, name: str) -> str:
    return f"alerts.endpoint/{endpoint_id}/{name}"


async def put(
    connection: Connection,
    endpoint_id: UUID,
    credentials: Mapping[str, str],
    *,
    seal: SecretSealer,
    random_bytes: RandomBytes,
    now: datetime,
) -> None:
    """Seal and store credentials of an endpoint; one that has the name is replaced.

    Raises:
        NoMasterKeyError: there is nothing to seal them with.
    """
    if credentials and not seal.protects:
        raise NoMasterKeyError
    for name, text in credentials.items():
        sealed = seal.seal(text, owner=_owner(endpoint_id, name), nonce=random_bytes(NONCE_BYTES))
        await connection.execute(
            """
            INSERT INTO alerts.endpoint_credentials (endpoint_id, name, sealed, master_key, set_at)
            VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (endpoint_id, name) DO UPDATE SET
                sealed = excluded.sealed, master_key = excluded.master_key, set_at = excluded.set_at
            """,
            *(endpoint_id, name, sealed.material, sealed.master_key, now),
        )


async def remove(connection: Connection, endpoint_id: UUID, names: Iterable[str]) -> None:
    """Delete credentials of an endpoint."""
    await connection.execute(
        "DELETE FROM alerts.endpoint_credentials WHERE endpoint_id = $1 AND name = ANY($2)", endpoint_id, list(names)
    )


async def notes(connection: Connection, endpoint_ids: Iterable[UUID]) -> dict[UUID, list[CredentialNote]]:
    """Return what may be shown of the credentials of endpoints, by endpoint and in the order of their names."""
    rows = await connection.fetch(
        "SELECT endpoint_id, name, set_at, master_key FROM alerts.endpoint_credentials WHERE endpoint_id = ANY($1)"
        " ORDER BY name",
        list(endpoint_ids),
    )
    found: dict[UUID, list[CredentialNote]] = {}
    for row in rows:
        note = CredentialNote(name=row["name"], set_at=row["set_at"], master_key=row["master_key"])
        found.setdefault(row["endpoint_id"], []).append(note)
    return found


async def sealed_of(connection: Connection, endpoint_ids: Iterable[UUID]) -> dict[UUID, dict[str, SealedSecret]]:
    """Return the sealed credentials of endpoints."""
    rows = await connection.fetch(
        "SELECT endpoint_id, name, sealed, master_key FROM alerts.endpoint_credentials WHERE endpoint_id = ANY($1)",
        list(endpoint_ids),
    )
    found: dict[UUID, dict[str, SealedSecret]] = {}
    for row in rows:
        sealed = SealedSecret(material=row["sealed"], master_key=row["master_key"])
        found.setdefault(row["endpoint_id"], {})[row["name"]] = sealed
    return found


def opened(endpoint_id: UUID, sealed: Mapping[str, SealedSecret], seal: SecretSealer) -> dict[str, str]:
    """Return credentials in clear.

    Raises:
        CannotUnsealError: a master key is missing from the settings.
    """
    return {name: seal.open(one, owner=_owner(endpoint_id, name)) for name, one in sealed.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class ResealCount:
    """How many credentials were sealed anew, had the first key already, or cannot be opened with the keys given."""

    resealed: int
    current: int
    unopenable: int


async def count(connection: Connection, seal: SecretSealer) -> ResealCount:
    """Count what `reseal` would do and do nothing."""
    rows = await connection.fetch("SELECT endpoint_id, name, sealed, master_key FROM alerts.endpoint_credentials")
    found = ResealCount(resealed=0, current=0, unopenable=0)
    for row in rows:
        if row["master_key"] == seal.current:
            found = replace(found, current=found.current + 1)
        elif seal.knows(row["master_key"]):
            found = replace(found, resealed=found.resealed + 1)
        else:
            found = replace(found, unopenable=found.unopenable + 1)
    return found


async def reseal(connection: Connection, seal: SecretSealer, random_bytes: RandomBytes) -> ResealCount:
    """Seal every credential under the first master key, in the caller's transaction, and return what was done.

    One that cannot be opened is left as it is and counted.

    Raises:
        NoMasterKeyError: there is no master key.
    """
    if not seal.protects:
        raise NoMasterKeyError
    resealed = current = unopenable = 0
    rows = await connection.fetch(
        "SELECT endpoint_id, name, sealed, master_key FROM alerts.endpoint_credentials"
        " ORDER BY endpoint_id, name FOR UPDATE"
    )
    for row in rows:
        owner = _owner(row["endpoint_id"], row["name"])
        if row["master_key"] == seal.current:
            current += 1
            continue
        try:
            text = seal.open(SealedSecret(material=row["sealed"], master_key=row["master_key"]), owner=owner)
        except CannotUnsealError:
            unopenable += 1
            continue
        fresh = seal.seal(text, owner=owner, nonce=random_bytes(NONCE_BYTES))
        await connection.execute(
            "UPDATE alerts.endpoint_credentials SET sealed = $3, master_key = $4 WHERE endpoint_id = $1 AND name = $2",
            *(row["endpoint_id"], row["name"], fresh.material, fresh.master_key),
        )
        resealed += 1
    return ResealCount(resealed=resealed, current=current, unopenable=unopenable)
